//! Pictures that a fit sets aside because memory does not suffice for an exact fit. They are never learnt,
//! and calibrate as new pictures do.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use dfm_backbone::FeatureShape;

use crate::judge::parts::Parts;

/// The most pictures that are set aside.
const MOST: usize = 256;
/// One in this many pictures is set aside.
const SHARE: usize = 4;
/// How many times the first number of pictures may be set aside. They then take about a fifth of the
/// memory.
const GROWTH: usize = 2;
/// Bytes for each value that is set aside: 4 while it is kept, and 8 more while a model is written.
pub(super) const VALUE_BYTES: u64 = 12;

/// The features of pictures that were set aside.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SetAside {
    /// The content hash of each row, in rising order. A tile that shares statistics has the hash of its
    /// picture.
    pub(crate) content_hashes: Vec<[u8; 32]>,
    /// The rows of each place and tap, as the network gave them.
    pub(crate) rows: Parts<Vec<f32>>,
}

impl SetAside {
    /// The different pictures, in rising order.
    pub(crate) fn pictures(&self) -> Vec<[u8; 32]> {
        let mut pictures = self.content_hashes.clone();
        pictures.dedup();
        pictures
    }

    /// Whether the picture was set aside.
    pub(crate) fn holds(&self, content_hash: &[u8; 32]) -> bool {
        self.content_hashes.binary_search(content_hash).is_ok()
    }

    /// The pictures for whose hashes `stay` is true. `None` if there are none.
    pub(crate) fn filtered(&self, stay: impl Fn(&[u8; 32]) -> bool) -> Option<Self> {
        let rows = 0..self.content_hashes.len();
        let rows: Vec<usize> = rows.filter(|row| stay(&self.content_hashes[*row])).collect();
        (!rows.is_empty()).then(|| Self {
            content_hashes: rows.iter().map(|row| self.content_hashes[*row]).collect(),
            rows: self.rows.map_ref(|values| select(values, self.content_hashes.len(), &rows)),
        })
    }

    /// These pictures and those of `other`. The pictures must be different, at the same places and taps.
    pub(crate) fn joined(&self, other: &Self) -> Self {
        let content_hashes = [self.content_hashes.as_slice(), &other.content_hashes].concat();
        let mut order: Vec<usize> = (0..content_hashes.len()).collect();
        order.sort_by_key(|row| content_hashes[*row]);
        let mut others = other.rows.iter();
        let rows = self.rows.map_ref(|own| {
            let other = others.next().expect("models of the same method have as many statistics");
            select(&[own.as_slice(), other].concat(), order.len(), &order)
        });
        Self { content_hashes: order.into_iter().map(|row| content_hashes[row]).collect(), rows }
    }
}

/// The `rows` with these indices, among `count` rows of `values`.
fn select(values: &[f32], count: usize, rows: &[usize]) -> Vec<f32> {
    let columns = values.len() / count.max(1);
    rows.iter().flat_map(|row| &values[row * columns..][..columns]).copied().collect()
}

/// The pictures that are set aside so far, while others are learnt. They always have the smallest content
/// hashes, so the choice does not depend on what the pictures show. At first they are a quarter of the
/// pictures. A later picture joins them if its hash is smaller than the largest of theirs, so they stay
/// about a quarter of all. Their number ends at twice the first number, or at 256.
#[derive(Debug)]
pub(super) struct Aside {
    pictures: BTreeMap<[u8; 32], Held>,
    /// Pictures that were learnt in whole or in part. Their copies are learnt too.
    learnt: HashSet<[u8; 32]>,
    /// The most pictures that stay set aside.
    capacity: usize,
}

/// A picture that is set aside.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// How many copies of it came.
    pub(super) copies: usize,
    /// The features of each of its pieces.
    pub(super) rows: Vec<Vec<f32>>,
}

/// The content hashes of the pictures to be set aside among different `pictures`: a quarter, rounded
/// up, but no more than 256. `None` if there are fewer than two, because one has to be learnt.
pub(super) fn chosen(pictures: &BTreeSet<[u8; 32]>) -> Option<BTreeSet<[u8; 32]>> {
    let count = pictures.len().div_ceil(SHARE).min(MOST);
    (pictures.len() > 1).then(|| pictures.iter().take(count).copied().collect())
}

impl Aside {
    /// Begins with `pictures` set aside. The other pictures so far are `learnt`.
    pub(super) fn new(pictures: BTreeMap<[u8; 32], Held>, learnt: HashSet<[u8; 32]>) -> Self {
        let capacity = (GROWTH * pictures.len()).min(MOST);
        Self { pictures, learnt, capacity }
    }

    /// Whether a picture must be [offered](Self::offer) rather than learnt.
    pub(super) fn wants(&self, content_hash: &[u8; 32]) -> bool {
        let is_small = || self.pictures.last_key_value().is_some_and(|(largest, _)| content_hash < largest);
        self.pictures.contains_key(content_hash) || (!self.learnt.contains(content_hash) && is_small())
    }

    /// Sets aside a picture that is [wanted](Self::wants). If there is no more room, returns the picture
    /// that it replaces. That picture must then be learnt.
    pub(super) fn offer(&mut self, content_hash: [u8; 32], rows: Vec<Vec<f32>>) -> Option<([u8; 32], Held)> {
        let held = self.pictures.entry(content_hash).or_insert(Held { copies: 0, rows });
        held.copies += 1;
        let evicted = (self.pictures.len() > self.capacity).then(|| self.pictures.pop_last()).flatten()?;
        self.learnt.insert(evicted.0);
        Some(evicted)
    }

    /// The number of rows of all these pictures.
    pub(super) fn row_count(&self) -> usize {
        self.pictures.values().map(|held| held.rows.len()).sum()
    }

    /// The features, by place and tap. With statistics by position, each tile of a picture has its own
    /// place.
    pub(super) fn finish(self, shapes: &[FeatureShape], places: usize) -> SetAside {
        let (mut content_hashes, mut rows) = (Vec::new(), vec![Vec::new(); places * shapes.len()]);
        for (content_hash, held) in self.pictures {
            let new = if places > 1 { 1 } else { held.rows.len() };
            content_hashes.extend(std::iter::repeat_n(content_hash, new));
            for (piece, values) in held.rows.into_iter().enumerate() {
                let place = if places > 1 { piece } else { 0 };
                let mut rest = values.as_slice();
                for (layer, shape) in shapes.iter().enumerate() {
                    let (own, behind) = rest.split_at(shape.len());
                    rows[place * shapes.len() + layer].extend_from_slice(own);
                    rest = behind;
                }
            }
        }
        let rows =
            Parts::new(shapes.len(), rows).expect("an extractor has taps, and checked parameters places");
        SetAside { content_hashes, rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: [FeatureShape; 2] = [
        FeatureShape { channels: 2, height: 1, width: 1 },
        FeatureShape { channels: 1, height: 1, width: 1 },
    ];

    fn aside(numbers: &[u8]) -> SetAside {
        let one = |number: &u8| {
            let value = f32::from(*number);
            ([*number; 32], Held { copies: 1, rows: vec![vec![value, -value, 0.5]] })
        };
        Aside::new(numbers.iter().map(one).collect(), HashSet::new()).finish(&SHAPES, 1)
    }

    #[test]
    fn the_smallest_hashes_stay_and_copies_count_once() {
        let mut held = Aside::new(
            BTreeMap::from([([3; 32], Held { copies: 2, rows: Vec::new() }), ([7; 32], Held::default())]),
            HashSet::from([[1; 32]]),
        );
        let wanted: Vec<u8> = (0..10).filter(|number| held.wants(&[*number; 32])).collect();
        assert_eq!(wanted, [0, 2, 3, 4, 5, 6, 7], "1 is learnt, and the others are larger");
        assert!(held.offer([3; 32], Vec::new()).is_none());
        assert!(held.offer([2; 32], Vec::new()).is_none() && held.offer([5; 32], Vec::new()).is_none());
        let (evicted, _) = held.offer([4; 32], Vec::new()).expect("there is room for four");
        assert_eq!(evicted, [7; 32]);
        assert!(held.offer([0; 32], Vec::new()).is_some_and(|(evicted, _)| evicted == [5; 32]));
        let (kept, copies): (Vec<u8>, Vec<usize>) =
            held.pictures.iter().map(|(hash, held)| (hash[0], held.copies)).unzip();
        assert_eq!((kept, copies), (vec![0, 2, 3, 4], vec![1, 1, 3, 1]));
        assert!(!held.wants(&[5; 32]) && !held.wants(&[7; 32]), "what was learnt stays learnt");
    }

    #[test]
    fn a_quarter_is_chosen_and_one_picture_is_always_left() {
        let count = |pictures: u16| {
            let pictures =
                (0..pictures).map(|number| [number.to_be_bytes(); 16].concat().try_into().unwrap());
            chosen(&pictures.collect()).map(|chosen| chosen.len())
        };
        let found = [0, 1, 2, 4, 5, 8, 1024, 5000].map(count);
        assert_eq!(found, [None, None, Some(1), Some(1), Some(2), Some(2), Some(256), Some(256)]);
    }

    #[test]
    fn rows_of_two_are_joined_by_hash_and_filtered() {
        let all = aside(&[1, 2, 3, 4, 5]);
        assert_eq!(aside(&[2, 5]).joined(&aside(&[1, 3, 4])), all);
        assert_eq!(all.filtered(|hash| [2, 5].contains(&hash[0])), Some(aside(&[2, 5])));
        assert_eq!(all.filtered(|_| false), None);
        assert!(all.holds(&[4; 32]) && !all.holds(&[6; 32]));
        assert_eq!(all.rows.get(0, 0)[2..4], [2.0, -2.0]);
        assert_eq!(all.rows.get(0, 1).len(), 5);
    }
}
