//! Rows of features on their way to the statistics of every place and tap.

use dfm_backbone::FeatureShape;
use dfm_stats::{Samples, StreamingFit, ValidStreamingParams};

use crate::error::DfmError;
use crate::fit::FeatureRow;
use crate::taps::split_columns;

/// Collects rows, of pictures in places those of whole pictures alone: all their statistics
/// must be of the same pictures.
#[derive(Debug)]
pub(crate) struct Gathering<'e> {
    shapes: &'e [FeatureShape],
    /// Place by place, and tap by tap in each.
    fits: Vec<StreamingFit>,
    content_hashes: Vec<[u8; 32]>,
    /// Tiles of a picture that has more of them.
    begun: Vec<FeatureRow>,
    /// For each place, the rows of pictures that are on their way to its fits.
    whole: Vec<Vec<f32>>,
}

impl<'e> Gathering<'e> {
    /// For rows of taps of these `shapes` at so many `places`, which share the `memory`.
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
        let shapes_of_all = (0..places).flat_map(|_| shapes);
        Ok(Self {
            shapes,
            fits: shapes_of_all.map(start).collect::<Result<_, _>>()?,
            content_hashes: Vec::new(),
            begun: Vec::new(),
            whole: vec![Vec::new(); places],
        })
    }

    /// Takes the row of a picture's tile. Tiles of a picture come one after the other; one
    /// without those before it is dropped, and so are those of a picture that lacks one.
    pub(crate) fn push(&mut self, row: FeatureRow, tile: usize) {
        let place = if self.whole.len() == 1 { 0 } else { tile };
        let begun = self.begun.first().is_none_or(|first| first.content_hash == row.content_hash);
        if place != self.begun.len() || !begun {
            self.begun.clear();
        }
        if place != self.begun.len() {
            return;
        }
        self.begun.push(row);
        if self.begun.len() == self.whole.len() {
            self.content_hashes.push(self.begun[0].content_hash);
            for (rows, tile) in self.whole.iter_mut().zip(self.begun.drain(..)) {
                rows.extend(tile.values);
            }
        }
    }

    /// Hands what was collected on to the fits.
    ///
    /// # Errors
    ///
    /// If memory does not suffice or a decomposition fails.
    pub(crate) fn flush(&mut self) -> Result<(), DfmError> {
        let columns = self.shapes.iter().map(FeatureShape::len).sum();
        let of_places = self.fits.chunks_mut(self.shapes.len()).zip(&mut self.whole);
        for (fits, rows) in of_places.filter(|(_, rows)| !rows.is_empty()) {
            let samples = split_columns(Samples::from_f32(rows, columns)?, self.shapes)?;
            rows.clear();
            for (fit, rows) in fits.iter_mut().zip(samples) {
                fit.push(rows)?;
            }
        }
        Ok(())
    }

    /// The fits, and the content hash of each picture, or of shared statistics of each tile.
    pub(crate) fn finish(self) -> (Vec<StreamingFit>, Vec<[u8; 32]>) {
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

    /// What is gathered of `tiles`: of which picture each is, and its number.
    fn gathered(places: usize, tiles: &[(u8, usize)]) -> (Vec<usize>, Vec<u8>) {
        let memory = StreamingParams { max_bytes: 64 << 20, exact: false }.check().unwrap();
        let mut gathering = Gathering::new(memory, &SHAPES, places).unwrap();
        for (picture, tile) in tiles {
            let values = vec![f32::from(*picture), *tile as f32, 1.0];
            gathering.push(FeatureRow { content_hash: [*picture; 32], values }, *tile);
            gathering.flush().unwrap();
        }
        let (fits, hashes) = gathering.finish();
        (fits.iter().map(StreamingFit::count).collect(), hashes.iter().map(|hash| hash[0]).collect())
    }

    #[test]
    fn pictures_are_taken_whole_or_not_at_all() {
        let whole = |picture| [(picture, 0), (picture, 1), (picture, 2)];
        let lacking = [[(2, 0), (2, 1)], [(4, 1), (4, 2)]];
        let tiles = [&whole(1)[..], &lacking[0], &whole(3), &lacking[1], &whole(5)].concat();
        assert_eq!(gathered(3, &tiles), (vec![3; 6], vec![1, 3, 5]));
        // One lacks its middle, the next its beginning: together they are no picture.
        assert_eq!(gathered(3, &[(1, 0), (1, 2), (2, 1), (2, 2)]).1, [0_u8; 0]);
        assert_eq!(gathered(3, &[(1, 0), (2, 1), (2, 2)]).1, [0_u8; 0]);
        // Two copies, one after the other, are two pictures.
        assert_eq!(gathered(3, &[whole(1), whole(1)].concat()).1, [1, 1]);
    }

    #[test]
    fn shared_statistics_take_every_tile() {
        assert_eq!(gathered(1, &[(1, 0), (1, 1), (2, 1)]), (vec![3; 2], vec![1, 1, 2]));
    }
}
