//! Rows of features on their way to the statistics of every place and tap.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

use dfm_backbone::FeatureShape;
use dfm_stats::{Samples, StreamingFit, ValidStreamingParams};

use crate::error::DfmError;
use crate::judge::joined::split_columns;
use crate::judge::parts::Parts;
use crate::learn::aside::{self, Aside, Held, SetAside};
use crate::method::Rows;
use crate::pieces::{FeatureRow, PieceId};

/// Collects rows. With statistics by position, it collects the rows of whole pictures only, because all
/// statistics must be of the same pictures. When memory would no longer suffice for an exact fit, it may
/// [set pictures aside](SetAside).
#[derive(Debug)]
pub(crate) struct Gathering<'e> {
    shapes: &'e [FeatureShape],
    /// What a row of a fit is.
    of: Rows,
    fits: Parts<StreamingFit>,
    content_hashes: Vec<[u8; 32]>,
    /// A picture of which more pieces are to come.
    begun: Option<Begun>,
    /// For each place, the rows of pictures that are on their way to its fits.
    whole: Vec<Vec<f32>>,
    /// Whether pictures may still be set aside. False once that has happened.
    may_set_aside: bool,
    /// Where the rows of each picture begin, as long as pictures may still be set aside.
    starts: Vec<usize>,
    aside: Option<Aside>,
    /// Rows of each statistic for which memory is reserved beside the fits.
    reserved: usize,
}

#[derive(Debug)]
struct Begun {
    number: usize,
    content_hash: [u8; 32],
    /// The finite rows of its tiles so far. Used with statistics by position, and if pictures may be set
    /// aside.
    rows: Vec<FeatureRow>,
    /// Rows that are on their way to a statistic that all tiles share.
    taken: usize,
}

/// What became of a picture once all its pieces had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gathered {
    /// It is learnt, or set aside.
    Whole(usize, [u8; 32]),
    /// It is left out, because it lacks a finite piece.
    LeftOut(usize),
}

impl<'e> Gathering<'e> {
    /// Collects rows of taps with these `shapes` at this many `places`, which share the `memory`. `of` says
    /// what a row of a fit is.
    /// `may_set_aside` says whether to set pictures aside if memory does not suffice for an exact fit.
    ///
    /// # Errors
    ///
    /// If the memory does not suffice.
    pub(crate) fn new(
        memory: ValidStreamingParams,
        shapes: &'e [FeatureShape],
        of: Rows,
        places: usize,
        may_set_aside: bool,
    ) -> Result<Self, DfmError> {
        let columns = shapes.iter().map(FeatureShape::len).sum();
        let memory = memory.among(places);
        let start = |shape: &FeatureShape| memory.share(shape.len(), columns).start(of.columns(*shape));
        let shapes_of_all: Vec<&FeatureShape> = (0..places).flat_map(|_| shapes).collect();
        let parts = Parts::new(shapes.len(), shapes_of_all)
            .expect("an extractor has taps, and checked parameters places");
        Ok(Self {
            shapes,
            of,
            fits: parts.try_map(start)?,
            content_hashes: Vec::new(),
            begun: None,
            whole: vec![Vec::new(); places],
            may_set_aside,
            starts: Vec::new(),
            aside: None,
            reserved: 0,
        })
    }

    /// Takes the row of a piece, or `None` if the row is not finite. If this piece begins another picture,
    /// the result says what became of the picture before. If this piece is the last of its picture, the
    /// result says what became of this picture. The pieces of a picture come one after the other. With
    /// statistics by position, a picture that lacks a piece is left out. If tiles share statistics, every
    /// finite tile counts.
    ///
    /// # Errors
    ///
    /// If pictures have to be set aside and there are too few, or memory does not suffice.
    pub(crate) fn push(
        &mut self,
        piece: &PieceId,
        content_hash: [u8; 32],
        row: Option<FeatureRow>,
    ) -> Result<impl Iterator<Item = Gathered> + use<>, DfmError> {
        let before = self.begun.take_if(|begun| begun.number != piece.number);
        let before = before.map(|begun| self.conclude(begun)).transpose()?;
        let begun = Begun { number: piece.number, content_hash, rows: Vec::new(), taken: 0 };
        let mut begun = self.begun.take().unwrap_or(begun);
        match row {
            Some(row) if self.whole.len() == 1 => {
                // A picture that waits holds one row for each tile. This memory is not counted.
                if begun.rows.is_empty() {
                    self.make_room(&begun)?;
                }
                if begun.taken == 0 && self.is_wanted(&content_hash) {
                    begun.rows.push(row);
                } else {
                    self.begin_picture(begun.taken);
                    self.learn(0, content_hash, &row.values);
                    begun.taken += 1;
                }
            }
            Some(row) if begun.rows.len() == piece.tile => begun.rows.push(row),
            Some(_) | None => {}
        }
        let own = match piece.is_last {
            true => Some(self.conclude(begun)?),
            false => {
                self.begun = Some(begun);
                None
            }
        };
        Ok(before.into_iter().chain(own))
    }

    /// Ends the last picture, if its last piece never came, and says what became of it.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push).
    pub(crate) fn end(&mut self) -> Result<Option<Gathered>, DfmError> {
        self.begun.take().map(|begun| self.conclude(begun)).transpose()
    }

    /// Whether pictures were set aside.
    pub(crate) fn has_set_aside(&self) -> bool {
        self.aside.is_some()
    }

    fn conclude(&mut self, mut begun: Begun) -> Result<Gathered, DfmError> {
        let places = self.whole.len();
        let rows = std::mem::take(&mut begun.rows);
        let is_whole = if places > 1 { rows.len() == places } else { begun.taken + rows.len() > 0 };
        let Begun { number, content_hash, .. } = begun;
        if !is_whole {
            return Ok(Gathered::LeftOut(number));
        }
        if places > 1 {
            self.make_room(&begun)?;
        }
        let rows: Vec<Vec<f32>> = rows.into_iter().map(|row| row.values).collect();
        if !rows.is_empty() {
            match self.aside.as_mut().filter(|aside| aside.wants(&content_hash)) {
                Some(aside) => {
                    let evicted = aside.offer(content_hash, rows);
                    self.reserve();
                    if let Some((hash, Held { copies, rows })) = evicted {
                        (0..copies).for_each(|_| self.learn_picture(hash, &rows));
                    }
                }
                None => self.learn_picture(content_hash, &rows),
            }
        }
        Ok(Gathered::Whole(number, content_hash))
    }

    fn is_wanted(&self, content_hash: &[u8; 32]) -> bool {
        self.aside.as_ref().is_some_and(|aside| aside.wants(content_hash))
    }

    /// Records where the rows of a picture begin, of which this many are `taken`.
    fn begin_picture(&mut self, taken: usize) {
        if self.may_set_aside && taken == 0 {
            self.starts.push(self.content_hashes.len());
        }
    }

    /// Adds the row of a picture to those that wait for the fits of a place.
    fn learn(&mut self, place: usize, content_hash: [u8; 32], values: &[f32]) {
        // All places have the same pictures.
        if place == 0 {
            self.content_hashes.push(content_hash);
        }
        self.whole[place].extend_from_slice(values);
    }

    fn learn_picture(&mut self, content_hash: [u8; 32], rows: &[Vec<f32>]) {
        self.begin_picture(0);
        let places = self.whole.len();
        for (piece, values) in rows.iter().enumerate() {
            self.learn(if places > 1 { piece } else { 0 }, content_hash, values);
        }
    }

    /// Sets pictures aside if a fit with one more row would no longer be exact. `begun` is the picture that
    /// this row belongs to.
    fn make_room(&mut self, begun: &Begun) -> Result<(), DfmError> {
        let count = self.content_hashes.len();
        let is_exact = |(fit, shape): (&StreamingFit, &FeatureShape)| {
            fit.is_exact_for((count + 1) * self.of.count(*shape))
        };
        if !self.may_set_aside || self.fits.iter().zip(self.shapes.iter().cycle()).all(is_exact) {
            return Ok(());
        }
        self.flush()?;
        self.may_set_aside = false;
        let starts = std::mem::take(&mut self.starts);
        let ends = starts.iter().skip(1).copied().chain([count]);
        let pictures = || starts.iter().zip(ends.clone()).map(|(start, end)| *start..end);
        let hash_of = |rows: &Range<usize>| self.content_hashes[rows.start];
        // If a part of a picture is learnt already, the whole picture is learnt, and so are its copies.
        let is_open = |hash: &[u8; 32]| begun.taken > 0 && *hash == begun.content_hash;
        let different: BTreeSet<[u8; 32]> =
            pictures().map(|rows| hash_of(&rows)).filter(|hash| !is_open(hash)).collect();
        let chosen = aside::chosen(&different).ok_or(DfmError::NothingToSetAside)?;
        let (mut held, mut taken) = (BTreeMap::<[u8; 32], Held>::new(), Vec::new());
        // Where the rows of the first copy of each picture begin, among all rows that are taken.
        let mut firsts = Vec::new();
        for rows in pictures().filter(|rows| chosen.contains(&hash_of(rows))) {
            let of_picture = held.entry(hash_of(&rows)).or_default();
            if of_picture.copies == 0 {
                firsts.push((hash_of(&rows), taken.len()..taken.len() + rows.len()));
            }
            of_picture.copies += 1;
            taken.extend(rows);
        }
        for fits in self.fits.places_mut() {
            let of_taps: Option<Vec<Vec<f64>>> = fits
                .iter_mut()
                .zip(self.shapes)
                .map(|(fit, shape)| {
                    let rows = fit.take(&self.of.rows_of(&taken, *shape))?;
                    Some(self.of.to_features(rows.as_slice().to_vec(), *shape))
                })
                .collect();
            let of_taps = of_taps.expect("no row is merged as long as the fit is exact");
            for (hash, rows) in &firsts {
                let joined = rows.clone().map(|row| {
                    let of_taps = of_taps.iter().zip(self.shapes);
                    let values = of_taps.flat_map(|(rows, shape)| &rows[row * shape.len()..][..shape.len()]);
                    // The values came as `f32`, so nothing is lost.
                    values.map(|value| *value as f32).collect()
                });
                held.entry(*hash).or_default().rows.extend(joined);
            }
        }
        self.content_hashes.retain(|hash| !chosen.contains(hash));
        let learnt: HashSet<[u8; 32]> = self.content_hashes.iter().copied().collect();
        self.aside = Some(Aside::new(held, learnt));
        self.reserve();
        Ok(())
    }

    /// Subtracts the memory of the pictures set aside from the memory of the fits.
    fn reserve(&mut self) {
        let places = self.whole.len();
        let rows = self.aside.as_ref().map_or(0, Aside::row_count) / places;
        let more = rows.saturating_sub(self.reserved) as u64;
        self.reserved += more as usize;
        for fits in self.fits.places_mut() {
            for (fit, shape) in fits.iter_mut().zip(self.shapes) {
                fit.reserve(more * shape.len() as u64 * aside::VALUE_BYTES);
            }
        }
    }

    /// Hands the collected rows to the fits.
    ///
    /// # Errors
    ///
    /// If memory does not suffice or a decomposition fails.
    pub(crate) fn flush(&mut self) -> Result<(), DfmError> {
        let columns = self.shapes.iter().map(FeatureShape::len).sum();
        let of_places = self.fits.places_mut().zip(&mut self.whole);
        for (fits, rows) in of_places.filter(|(_, rows)| !rows.is_empty()) {
            let samples = split_columns(Samples::from_f32(rows, columns)?, self.shapes)?;
            rows.clear();
            for ((fit, rows), shape) in fits.iter_mut().zip(samples).zip(self.shapes) {
                fit.push(self.of.of_features(rows, *shape)?)?;
            }
        }
        Ok(())
    }

    /// The fits, the content hash of each row, and the pictures that were set aside. A row is a picture or,
    /// if tiles share statistics, a tile.
    pub(crate) fn finish(self) -> (Parts<StreamingFit>, Vec<[u8; 32]>, Option<SetAside>) {
        let places = self.whole.len();
        let aside = self.aside.map(|aside| aside.finish(self.shapes, places));
        (self.fits, self.content_hashes, aside)
    }
}

#[cfg(test)]
mod tests {
    use dfm_stats::StreamingParams;

    use super::*;

    const SHAPES: [FeatureShape; 2] = [
        FeatureShape { channels: 2, height: 1, width: 1 },
        FeatureShape { channels: 1, height: 1, width: 1 },
    ];

    /// A tile for a test: its picture, its number, whether it is the last, and whether its row is finite.
    type Tile = (u8, usize, bool, bool);

    const fn tile(picture: u8, tile: usize) -> Tile {
        (picture, tile, tile == 2, true)
    }

    /// The number of rows that every statistic has of `tiles`, the pictures that are learnt, and what was
    /// reported of each.
    fn gathered(places: usize, tiles: &[Tile]) -> (Vec<usize>, Vec<u8>, Vec<Gathered>) {
        let memory = StreamingParams { max_bytes: 64 << 20, exact: false }.check().unwrap();
        let mut gathering = Gathering::new(memory, &SHAPES, Rows::Picture, places, true).unwrap();
        let mut told = Vec::new();
        for (picture, tile, is_last, is_finite) in tiles.iter().copied() {
            let values = vec![f32::from(picture), tile as f32, 1.0];
            let row = is_finite.then_some(FeatureRow { content_hash: [picture; 32], values });
            let piece = PieceId { number: picture.into(), tile, is_last };
            told.extend(gathering.push(&piece, [picture; 32], row).unwrap());
            gathering.flush().unwrap();
        }
        told.extend(gathering.end().unwrap());
        let (fits, hashes, _) = gathering.finish();
        let counts = fits.iter().map(StreamingFit::count).collect();
        (counts, hashes.iter().map(|hash| hash[0]).collect(), told)
    }

    fn whole(picture: u8) -> [Tile; 3] {
        [0, 1, 2].map(|number| tile(picture, number))
    }

    #[test]
    fn pictures_are_taken_whole_or_not_at_all() {
        let lacking = [[tile(2, 0), tile(2, 1)], [tile(4, 1), tile(4, 2)]];
        let tiles = [&whole(1)[..], &lacking[0], &whole(3), &lacking[1], &whole(5)].concat();
        let (counts, hashes, told) = gathered(3, &tiles);
        assert_eq!((counts, hashes), (vec![3; 6], vec![1, 3, 5]));
        let learnt = |picture: u8| Gathered::Whole(picture.into(), [picture; 32]);
        assert_eq!(told, [learnt(1), Gathered::LeftOut(2), learnt(3), Gathered::LeftOut(4), learnt(5)]);
        // One picture lacks its middle tile, and the next its first. Together they are no whole picture.
        let lacking = [tile(1, 0), tile(1, 2), tile(2, 1), tile(2, 2)];
        assert_eq!(gathered(3, &lacking).1, [0_u8; 0]);
        assert_eq!(gathered(3, &[tile(1, 0), tile(2, 1), tile(2, 2)]).1, [0_u8; 0]);
        // Two copies that come one after the other count as two pictures.
        assert_eq!(gathered(3, &[whole(1), whole(1)].concat()).1, [1, 1]);
    }

    /// The finite tiles of a picture that is left out must not make it one of those that are learnt.
    #[test]
    fn by_position_a_picture_with_a_tile_that_is_not_finite_is_left_out_as_a_whole() {
        for broken in 0..3 {
            let mut tiles = [whole(1), whole(2)].concat();
            tiles[3 + broken].3 = false;
            let (counts, hashes, told) = gathered(3, &tiles);
            assert_eq!((counts, hashes), (vec![1; 6], vec![1]), "tile {broken}");
            assert_eq!(told, [Gathered::Whole(1, [1; 32]), Gathered::LeftOut(2)], "tile {broken}");
        }
    }

    #[test]
    fn shared_statistics_take_every_tile() {
        let tiles = [tile(1, 0), tile(1, 1), tile(2, 1), (3, 0, true, false)];
        let (counts, hashes, told) = gathered(1, &tiles);
        assert_eq!((counts, hashes), (vec![3; 2], vec![1, 1, 2]));
        let learnt = |picture: u8| Gathered::Whole(picture.into(), [picture; 32]);
        assert_eq!(told, [learnt(1), learnt(2), Gathered::LeftOut(3)]);
    }

    /// What became of `tiles` where memory holds about sixty rows: the pictures that are learnt, row by
    /// row, and those that are set aside.
    fn set_aside(places: usize, tiles: &[Tile]) -> (Vec<u8>, Vec<u8>) {
        const WIDE: [FeatureShape; 2] = [
            FeatureShape { channels: 600, height: 1, width: 1 },
            FeatureShape { channels: 300, height: 1, width: 1 },
        ];
        let max_bytes = 1_800_000 * places as u64;
        let memory = StreamingParams { max_bytes, exact: false }.check().unwrap();
        let mut gathering = Gathering::new(memory, &WIDE, Rows::Picture, places, true).unwrap();
        for (picture, tile, is_last, is_finite) in tiles.iter().copied() {
            let value = |column: usize| f32::from(picture) + (tile * 900 + column) as f32 / 1e5;
            let values = (0..900).map(value).collect();
            let row = is_finite.then_some(FeatureRow { content_hash: [picture; 32], values });
            let piece = PieceId { number: picture.into(), tile, is_last };
            gathering.push(&piece, [picture; 32], row).unwrap().for_each(drop);
            gathering.flush().unwrap();
        }
        gathering.end().unwrap();
        gathering.flush().unwrap();
        let (fits, learnt, aside) = gathering.finish();
        let at_a_place = if places > 1 { learnt.len() } else { fits.get(0, 0).count() };
        assert!(fits.iter().all(|fit| fit.count() == at_a_place) && at_a_place == learnt.len());
        let aside = aside.expect("memory does not suffice");
        // Every row belongs to its hash, at each place and tap.
        for (place, taps) in aside.rows.places().enumerate() {
            for (columns, rows) in [600, 300].into_iter().zip(taps) {
                assert_eq!(rows.len(), columns * aside.content_hashes.len());
                for (hash, row) in aside.content_hashes.iter().zip(rows.chunks(columns)) {
                    assert_eq!(row[0].floor(), f32::from(hash[0]), "place {place}");
                }
            }
        }
        let first = |hashes: Vec<[u8; 32]>| hashes.into_iter().map(|hash| hash[0]).collect();
        (first(learnt), first(aside.content_hashes))
    }

    #[test]
    fn a_picture_that_is_set_aside_is_never_learnt_whatever_the_order() {
        let one = |picture: u8| [(picture, 0, true, true)];
        let numbers: Vec<u8> = (0..120_u16).map(|index| (index * 77 % 120) as u8).collect();
        let mut backwards = numbers.clone();
        backwards.reverse();
        for order in [numbers.clone(), backwards, (0..120).collect(), (0..120).rev().collect()] {
            // Each picture comes twice: the copy at once, soon or at the end.
            for gap in [1, 7, 120] {
                let tiles: Vec<Tile> =
                    order.chunks(gap).flat_map(|part| [part, part].concat()).flat_map(one).collect();
                let (learnt, aside) = set_aside(1, &tiles);
                assert!(aside.len() > 3 && aside.is_sorted(), "{aside:?}");
                assert!(aside.iter().all(|picture| !learnt.contains(picture)), "gap {gap}: {aside:?}");
                // Those with the smallest hashes, except pictures that were learnt before this was known.
                let smallest = (0..120).filter(|picture| !learnt.contains(picture)).collect::<Vec<u8>>();
                assert_eq!(aside, smallest, "gap {gap}");
                assert_eq!(aside, (0..aside.len() as u8).collect::<Vec<_>>(), "gap {gap}");
                for picture in aside.len() as u8..120 {
                    let count = learnt.iter().filter(|other| **other == picture).count();
                    assert_eq!(count, 2, "gap {gap}, picture {picture}");
                }
            }
        }
    }

    #[test]
    fn tiles_of_a_picture_are_set_aside_together_and_a_picture_that_is_begun_is_learnt() {
        let tiles: Vec<Tile> = (0..100).rev().flat_map(whole).collect();
        for places in [1, 3] {
            let (learnt, aside) = set_aside(places, &tiles);
            let rows = if places > 1 { 1 } else { 3 };
            let count = |rows: &[u8], picture: u8| rows.iter().filter(|other| **other == picture).count();
            for picture in 0..100 {
                let found = (count(&learnt, picture), count(&aside, picture));
                assert!(found == (rows, 0) || found == (0, rows), "{places} places, {picture}: {found:?}");
            }
            assert_eq!(aside[0], 0, "the smallest hash came last");
        }
        // The picture with the smallest hash is begun when memory runs out. It is learnt, and so is its copy.
        for before in 5..25 {
            let mut tiles: Vec<Tile> = (50..50 + before).flat_map(whole).collect();
            tiles.extend(whole(1));
            tiles.extend((80..100).flat_map(whole).chain(whole(1)).chain((100..110).flat_map(whole)));
            let (learnt, aside) = set_aside(1, &tiles);
            let (here, there) = (learnt.contains(&1), aside.contains(&1));
            assert!(here != there, "{before}: {learnt:?} {aside:?}");
            assert!(!here || learnt.iter().filter(|picture| **picture == 1).count() == 6, "{before}");
        }
    }

    #[test]
    fn without_two_whole_pictures_nothing_can_be_set_aside() {
        let memory = StreamingParams { max_bytes: 300_000, exact: false }.check().unwrap();
        let mut gathering = Gathering::new(memory, &SHAPES, Rows::Picture, 1, true).unwrap();
        let mut push = |tile: usize| {
            let row = FeatureRow { content_hash: [1; 32], values: vec![tile as f32, 1.0, 2.0] };
            gathering.push(&PieceId { number: 0, tile, is_last: false }, [1; 32], Some(row)).map(|_| ())
        };
        let error = (0..100_000).find_map(|tile| push(tile).err());
        assert!(matches!(error, Some(DfmError::NothingToSetAside)), "{error:?}");
    }
}
