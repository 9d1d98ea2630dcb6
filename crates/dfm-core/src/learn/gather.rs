//! Rows of features on their way to the statistics of every place and tap.

use dfm_backbone::FeatureShape;
use dfm_stats::{Samples, StreamingFit, ValidStreamingParams};

use crate::error::DfmError;
use crate::judge::joined::split_columns;
use crate::judge::parts::Parts;
use crate::pieces::{FeatureRow, PieceId};

/// Collects rows. With statistics by position, it collects the rows of whole pictures only, because all
/// statistics must be of the same pictures.
#[derive(Debug)]
pub(crate) struct Gathering<'e> {
    shapes: &'e [FeatureShape],
    fits: Parts<StreamingFit>,
    content_hashes: Vec<[u8; 32]>,
    /// A picture of which there are more pieces to come.
    begun: Option<Begun>,
    /// For each place, the rows of pictures that are on their way to its fits.
    whole: Vec<Vec<f32>>,
}

#[derive(Debug)]
struct Begun {
    number: usize,
    content_hash: [u8; 32],
    /// With statistics by position, the finite rows of its tiles so far.
    rows: Vec<FeatureRow>,
    /// Rows that are on their way to a statistic that all tiles share.
    taken: usize,
}

/// What became of a picture once its pieces were there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gathered {
    /// It is learnt.
    Whole(usize, [u8; 32]),
    /// It is left out, because it lacks a finite piece.
    LeftOut(usize),
}

impl<'e> Gathering<'e> {
    /// For rows of taps with these `shapes` at this many `places`, which share the `memory`.
    ///
    /// # Errors
    ///
    /// If the memory does not suffice.
    pub(crate) fn new(
        memory: ValidStreamingParams,
        shapes: &'e [FeatureShape],
        places: usize,
    ) -> Result<Self, DfmError> {
        let columns = shapes.iter().map(FeatureShape::len).sum();
        let memory = memory.among(places);
        let start = |shape: &FeatureShape| memory.share(shape.len(), columns).start(shape.len());
        let shapes_of_all: Vec<&FeatureShape> = (0..places).flat_map(|_| shapes).collect();
        let parts = Parts::new(shapes.len(), shapes_of_all)
            .expect("an extractor has taps, and checked parameters places");
        Ok(Self {
            shapes,
            fits: parts.try_map(start)?,
            content_hashes: Vec::new(),
            begun: None,
            whole: vec![Vec::new(); places],
        })
    }

    /// Takes the row of a piece, or `None` if the row is not finite. Says what became of the picture
    /// before, if this piece belongs to another one, and what became of its own picture, if this piece
    /// is the last. The pieces of a picture come one after the other. With statistics by position, a
    /// picture that lacks a piece is left out. If tiles share statistics, every finite tile counts.
    pub(crate) fn push(
        &mut self,
        piece: &PieceId,
        content_hash: [u8; 32],
        row: Option<FeatureRow>,
    ) -> impl Iterator<Item = Gathered> + use<> {
        let before = self.begun.take_if(|begun| begun.number != piece.number);
        let before = before.map(|begun| self.conclude(begun));
        let begun = Begun { number: piece.number, content_hash, rows: Vec::new(), taken: 0 };
        let mut begun = self.begun.take().unwrap_or(begun);
        match row {
            Some(row) if self.whole.len() == 1 => {
                self.content_hashes.push(content_hash);
                self.whole[0].extend(row.values);
                begun.taken += 1;
            }
            Some(row) if begun.rows.len() == piece.tile => begun.rows.push(row),
            Some(_) | None => {}
        }
        let own = match piece.is_last {
            true => Some(self.conclude(begun)),
            false => {
                self.begun = Some(begun);
                None
            }
        };
        before.into_iter().chain(own)
    }

    /// What became of the last picture, if its last piece never came.
    pub(crate) fn end(&mut self) -> Option<Gathered> {
        self.begun.take().map(|begun| self.conclude(begun))
    }

    fn conclude(&mut self, begun: Begun) -> Gathered {
        let Begun { number, content_hash, rows, taken } = begun;
        if self.whole.len() > 1 && rows.len() == self.whole.len() {
            self.content_hashes.push(content_hash);
            for (place, tile) in self.whole.iter_mut().zip(rows) {
                place.extend(tile.values);
            }
        } else if taken == 0 {
            return Gathered::LeftOut(number);
        }
        Gathered::Whole(number, content_hash)
    }

    /// Hands what was collected on to the fits.
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
            for (fit, rows) in fits.iter_mut().zip(samples) {
                fit.push(rows)?;
            }
        }
        Ok(())
    }

    /// The fits, and the content hash of each picture; if tiles share statistics, of each tile.
    pub(crate) fn finish(self) -> (Parts<StreamingFit>, Vec<[u8; 32]>) {
        (self.fits, self.content_hashes)
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

    /// A tile on its way: its picture, its number, whether it is the last, and whether its row is
    /// finite.
    type Tile = (u8, usize, bool, bool);

    const fn tile(picture: u8, tile: usize) -> Tile {
        (picture, tile, tile == 2, true)
    }

    /// How many rows every statistic has of `tiles`, the pictures that are learnt, and what was
    /// told of each.
    fn gathered(places: usize, tiles: &[Tile]) -> (Vec<usize>, Vec<u8>, Vec<Gathered>) {
        let memory = StreamingParams { max_bytes: 64 << 20, exact: false }.check().unwrap();
        let mut gathering = Gathering::new(memory, &SHAPES, places).unwrap();
        let mut told = Vec::new();
        for (picture, tile, is_last, is_finite) in tiles.iter().copied() {
            let values = vec![f32::from(picture), tile as f32, 1.0];
            let row = is_finite.then_some(FeatureRow { content_hash: [picture; 32], values });
            let piece = PieceId { number: picture.into(), tile, is_last };
            told.extend(gathering.push(&piece, [picture; 32], row));
            gathering.flush().unwrap();
        }
        told.extend(gathering.end());
        let (fits, hashes) = gathering.finish();
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
        // One lacks its middle, the next its beginning: together they are no picture.
        let lacking = [tile(1, 0), tile(1, 2), tile(2, 1), tile(2, 2)];
        assert_eq!(gathered(3, &lacking).1, [0_u8; 0]);
        assert_eq!(gathered(3, &[tile(1, 0), tile(2, 1), tile(2, 2)]).1, [0_u8; 0]);
        // Two copies, one after the other, are two pictures.
        assert_eq!(gathered(3, &[whole(1), whole(1)].concat()).1, [1, 1]);
    }

    /// Its finite tiles must not make it one of those that are learnt.
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
}
