//! The details of the pictures of a fit: their statistic, and those of a few pictures themselves, which
//! are held out later.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use dfm_backbone::FeatureShape;

use crate::judge::detail::{DetailStatistics, LayerDetails};
use crate::learn::moments::{Moments, Narrow};

/// The most pictures whose details are held.
const MOST_HELD: usize = 64;
/// The share of the memory of a fit that they may take.
const HELD_SHARE: u64 = 8;

/// What a fit knows of details.
#[derive(Debug, Clone)]
pub(crate) struct Details {
    shapes: Vec<FeatureShape>,
    moments: Moments,
    held: Held,
    /// The largest cells of the maps of pictures that a model held out before.
    peaks: Vec<f64>,
}

/// The details of each tile of a picture, by its number. A picture in one piece has one.
type Tiles = BTreeMap<usize, Box<[f32]>>;

/// The details of the pictures with the smallest content hashes, as many as memory allows. The choice
/// depends neither on what pictures show nor on their order.
#[derive(Debug, Clone, Default)]
struct Held {
    max_bytes: u64,
    bytes: u64,
    pictures: BTreeMap<[u8; 32], Tiles>,
    /// The smallest hash of a picture that had to go: none from there on can stay.
    end: Option<[u8; 32]>,
}

impl Details {
    /// Begins without a picture. [`bytes`](Self::bytes) says how much memory this takes. Pictures that are
    /// held may take an eighth of the memory of the fit.
    pub(crate) fn new(shapes: &[FeatureShape], max_bytes: u64) -> Self {
        let columns = shapes.iter().map(FeatureShape::len).sum();
        let held = Held { max_bytes: max_bytes / HELD_SHARE, ..Held::default() };
        Self { shapes: shapes.to_vec(), moments: Moments::new(columns), held, peaks: Vec::new() }
    }

    /// What a model keeps of them, and the `peaks` of pictures that it held out.
    pub(crate) fn of_model(statistics: &DetailStatistics, peaks: Vec<f64>) -> Self {
        let all = |of: fn(&LayerDetails) -> &Vec<f32>| statistics.layers.iter().flat_map(of).copied();
        let mean: Vec<f32> = all(|layer| &layer.mean).collect();
        let variance: Vec<f32> = all(|layer| &layer.variance).collect();
        let moments = Moments::of_variances(statistics.count, &mean, &variance);
        let shapes = statistics.layers.iter().map(|layer| layer.shape).collect();
        Self { shapes, moments, held: Held::default(), peaks }
    }

    /// How many bytes of the memory of a fit details of these shapes take at the most.
    pub(crate) fn bytes(shapes: &[FeatureShape], max_bytes: u64) -> u64 {
        let columns: u64 = shapes.iter().map(|shape| shape.len() as u64).sum();
        let held = (max_bytes / HELD_SHARE).min(MOST_HELD as u64 * 4 * columns);
        // The moments of all pictures; beside them, once, those without one of the pictures, and what makes
        // its map.
        64 * columns + held
    }

    /// Adds the details of pieces: of each the content hash of its picture, the number of its tile, and its
    /// details.
    pub(crate) fn push(&mut self, pieces: &[([u8; 32], usize, &[f32])]) {
        let rows: Vec<&[f32]> = pieces.iter().map(|(_, _, details)| *details).collect();
        self.moments.push(&rows);
        pieces.iter().for_each(|(content_hash, tile, details)| self.held.push(*content_hash, *tile, details));
    }

    /// Takes out the details of a picture in one piece, which was added so many times. Pictures that are
    /// not taken out must be left.
    pub(crate) fn take_out(&mut self, content_hash: &[u8; 32], details: &[f32], copies: usize) {
        self.moments.take_out(details, copies);
        self.held.take_out(content_hash);
    }

    /// The pictures in one piece that have to be [held](Self::hold) as well, once others were taken out, so
    /// that those among the `learnt` pictures with the smallest content hashes are held.
    pub(crate) fn missing(&self, learnt: &[[u8; 32]]) -> Vec<[u8; 32]> {
        let room = (self.held.max_bytes / (4 * self.moments.mean.len() as u64).max(1)) as usize;
        let smallest: BTreeSet<&[u8; 32]> = learnt.iter().collect();
        let smallest = smallest.into_iter().take(room.min(MOST_HELD));
        smallest.filter(|hash| !self.held.pictures.contains_key(*hash)).copied().collect()
    }

    /// Holds the details of a picture in one piece whose details were added before.
    pub(crate) fn hold(&mut self, content_hash: [u8; 32], details: &[f32]) {
        self.held.push(content_hash, 0, details);
    }

    /// The details of these pictures and of those of `other`, which must be different ones.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.moments.merge(&other.moments);
        self.peaks.extend(other.peaks);
        // At most one side was gathered just now; what the other held out is among its peaks.
        if self.held.pictures.is_empty() {
            self.held = other.held;
        }
        self
    }

    /// What a model keeps of them.
    pub(crate) fn statistics(&self) -> DetailStatistics {
        self.by_layer(&self.moments.narrow())
    }

    fn by_layer(&self, all: &Narrow) -> DetailStatistics {
        let mut first = 0;
        let layer = |shape: &FeatureShape| {
            let columns = first..first + shape.len();
            first = columns.end;
            let (mean, variance) = (all.mean[columns.clone()].to_vec(), all.variance[columns].to_vec());
            LayerDetails { shape: *shape, mean, variance }
        };
        DetailStatistics { count: all.count, layers: self.shapes.iter().map(layer).collect() }
    }

    /// How many rows of the fit they are of.
    pub(crate) fn count(&self) -> usize {
        self.moments.count
    }

    /// The shapes of the details of each layer, one behind the other in a row.
    pub(crate) fn shapes(&self) -> &[FeatureShape] {
        &self.shapes
    }

    /// The peaks of pictures that models held out before.
    pub(crate) fn peaks(&self) -> &[f64] {
        &self.peaks
    }

    /// The content hashes of the pictures whose details are held, in rising order.
    pub(crate) fn held(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.held.pictures.keys()
    }

    /// The details of a picture that is held, tile by tile, and what a model of all other pictures would keep.
    /// `rows` says how many rows of the fit have each content hash: copies of a picture are left out with
    /// it. `None` if no other picture would be left.
    pub(crate) fn without(
        &self,
        content_hash: &[u8; 32],
        rows: &HashMap<[u8; 32], usize>,
    ) -> Option<(Vec<&[f32]>, DetailStatistics)> {
        let tiles: Vec<&[f32]> = self.held.pictures.get(content_hash)?.values().map(|tile| &**tile).collect();
        let own = rows.get(content_hash).copied().unwrap_or(0);
        let copies = own / tiles.len().max(1);
        let has_others = copies > 0 && self.moments.count > own;
        has_others.then(|| {
            let others = self.moments.without(&tiles, copies);
            (tiles, self.by_layer(&others))
        })
    }
}

impl Held {
    fn take_out(&mut self, content_hash: &[u8; 32]) {
        self.bytes -= self.pictures.remove(content_hash).iter().map(bytes_of).sum::<u64>();
        // There is room again for pictures that had to go.
        self.end = None;
    }

    fn push(&mut self, content_hash: [u8; 32], tile: usize, details: &[f32]) {
        if self.end.is_some_and(|end| content_hash >= end) {
            return;
        }
        let tiles = self.pictures.entry(content_hash).or_default();
        if tiles.insert(tile, details.into()).is_none() {
            self.bytes += 4 * details.len() as u64;
        }
        while self.bytes > self.max_bytes || self.pictures.len() > MOST_HELD {
            let Some((last, gone)) = self.pictures.pop_last() else { return };
            self.bytes -= bytes_of(&gone);
            self.end = Some(last);
        }
    }
}

/// How many bytes the details of the tiles of a picture take.
fn bytes_of(tiles: &Tiles) -> u64 {
    tiles.values().map(|tile| 4 * tile.len() as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: [FeatureShape; 2] = [
        FeatureShape { channels: 1, height: 2, width: 1 },
        FeatureShape { channels: 2, height: 1, width: 1 },
    ];

    fn details(pictures: &[u8], max_bytes: u64) -> Details {
        let mut details = Details::new(&SHAPES, max_bytes);
        for picture in pictures {
            let values = [1.0, 2.0, 3.0, 4.0].map(|factor: f32| factor * f32::from(*picture) % 7.0);
            details.push(&[([*picture; 32], 0, &values)]);
        }
        details
    }

    fn held(details: &Details) -> Vec<u8> {
        details.held().map(|hash| hash[0]).collect()
    }

    #[test]
    fn those_with_the_smallest_hashes_are_held_whatever_their_order() {
        // Room for three pictures of 16 bytes.
        let room = 8 * 50;
        assert_eq!(held(&details(&[9, 1, 5, 7, 3, 5, 2], room)), [1, 2, 3]);
        assert_eq!(held(&details(&[1, 2, 3, 5, 7, 9], room)), [1, 2, 3]);
        assert_eq!(held(&details(&[1, 2], 8 * 15)), [0_u8; 0]);
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(held(&details(&all, 1 << 20)), all[..64]);
    }

    #[test]
    fn what_is_taken_out_leaves_the_details_of_the_others() {
        for room in [8 * 16 * 3, 1 << 20] {
            let mut all = details(&[3, 1, 5, 1, 4, 2, 6], room);
            let learnt = [3, 5, 4, 2, 6].map(|picture| [picture; 32]);
            let values =
                |picture: u8| [1.0, 2.0, 3.0, 4.0].map(|factor: f32| factor * f32::from(picture) % 7.0);
            all.take_out(&[1; 32], &values(1), 2);
            for picture in all.missing(&learnt) {
                all.hold(picture, &values(picture[0]));
            }
            let others = details(&[3, 5, 4, 2, 6], room);
            assert_eq!((all.count(), held(&all)), (5, held(&others)));
            assert!(all.missing(&learnt).is_empty());
            let [got, expected] = [&all, &others].map(|details| &details.moments);
            let pairs = got.mean.iter().zip(&expected.mean).chain(got.squares.iter().zip(&expected.squares));
            pairs.for_each(|(got, expected)| assert!((got - expected).abs() < 1e-12));
        }
    }

    #[test]
    fn a_picture_is_left_out_with_its_copies() {
        let all = details(&[3, 1, 5, 1, 4], 1 << 20);
        let rows = HashMap::from([([3; 32], 1), ([1; 32], 2), ([5; 32], 1), ([4; 32], 1)]);
        let (tiles, left) = all.without(&[1; 32], &rows).unwrap();
        let others = details(&[3, 5, 4], 1 << 20).statistics();
        assert_eq!((tiles.len(), left.count), (1, 3));
        for (got, expected) in left.layers.iter().zip(&others.layers) {
            let pairs =
                got.mean.iter().zip(&expected.mean).chain(got.variance.iter().zip(&expected.variance));
            pairs.for_each(|(got, expected)| assert!((got - expected).abs() < 1e-6));
        }
        let alone = details(&[1, 1], 1 << 20);
        assert!(alone.without(&[1; 32], &HashMap::from([([1; 32], 2)])).is_none());
    }

    #[test]
    fn what_a_model_keeps_merges_as_if_all_were_learnt_together() {
        let (one, other) = ([1, 8, 4], [2, 9, 6, 7]);
        let kept = details(&one, 1 << 20).statistics();
        let merged = Details::of_model(&kept, vec![0.5]).merge(details(&other, 1 << 20));
        let fresh = details(&[&one[..], &other].concat(), 1 << 20).statistics();
        let got = merged.statistics();
        assert_eq!((got.count, got.layers.len()), (7, 2));
        for (got, fresh) in got.layers.iter().zip(&fresh.layers) {
            let pairs = got.mean.iter().zip(&fresh.mean).chain(got.variance.iter().zip(&fresh.variance));
            // What a model keeps is `f32`.
            assert!(pairs.clone().count() == 4);
            pairs.for_each(|(got, fresh)| assert!((got - fresh).abs() <= 1e-6 * fresh.abs().max(1.0)));
        }
        assert_eq!((merged.peaks(), held(&merged)), (&[0.5][..], vec![2, 6, 7, 9]));
    }
}
