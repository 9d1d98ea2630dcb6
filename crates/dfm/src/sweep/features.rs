//! Features of every picture at every tap, by one run of the network.

use std::collections::BTreeMap;
use std::time::Instant;

use dfm_core::{
    BackboneWeights, Compute, DfmError, FeatureExtractor, FeatureRow, FeatureShape, Layer, PictureSize,
    Piece, Placement, PreparedPicture, Tap,
};

use super::grid::Common;
use crate::error::Error;
use crate::judge::{Ready, next_batch};
use crate::levels::FitLevels;
use crate::observer::{Reporter, Stage};
use crate::source::{Give, Source, ahead, give_all};
use crate::workers::Workers;

/// What is known of a picture beside its features.
pub(super) struct Known {
    /// Its index in the source.
    pub(super) index: usize,
    /// Size of the original picture.
    size: PictureSize,
    /// Where it lies under its map; for a picture in tiles, where each tile does.
    placements: Vec<Placement>,
    content_hash: [u8; 32],
    /// The row of its first piece.
    first: usize,
}

impl Known {
    /// Size of the original picture.
    pub(super) fn size(&self) -> PictureSize {
        self.size
    }

    /// How many pieces it has.
    pub(super) fn piece_count(&self) -> usize {
        self.placements.len()
    }
}

/// Features of pictures at some taps of one network, in `f32`.
pub(super) struct Features {
    /// The pictures, in the order of the source.
    pub(super) pictures: Vec<Known>,
    /// Some pieces of pictures as the network sees them, to time it with.
    sample: Vec<PreparedPicture>,
    rows: BTreeMap<(Layer, usize), Rows>,
}

/// Rows of one tap, one a piece.
struct Rows {
    shape: FeatureShape,
    /// Which cells count, for a region by a mask. The others are zero.
    counted: Option<Vec<bool>>,
    values: Vec<Box<[f32]>>,
}

/// The number of a picture that has more pieces, and what is known of those that came; `None` once
/// one of them cannot be used.
type Begun = (usize, Option<Vec<(Placement, Vec<f32>)>>);

/// What to read and how.
#[derive(Clone, Copy)]
pub(super) struct Reading<'r> {
    pub(super) source: &'r dyn Source,
    /// Indices of the pictures that are wanted.
    pub(super) wanted: &'r [usize],
    pub(super) compute: &'r Compute,
    pub(super) workers: &'r Workers,
    pub(super) common: &'r Common,
    /// What pictures must be made of.
    pub(super) levels: FitLevels,
    pub(super) reporter: &'r Reporter<'r>,
}

impl Features {
    /// Runs the network to the deepest of `taps`, once for every piece of a picture: each layer
    /// gives the finest map from which every wanted pool can be made. Pictures that cannot be used
    /// are told.
    ///
    /// # Errors
    ///
    /// If features would take more memory than they may, or the network does not run.
    pub(super) fn extract(
        weights: BackboneWeights,
        taps: &[Tap],
        reading: Reading<'_>,
    ) -> Result<Self, Error> {
        let mut finest: BTreeMap<Layer, usize> = BTreeMap::new();
        for tap in taps {
            finest.entry(tap.layer).and_modify(|pool| *pool = divisor(*pool, tap.pool)).or_insert(tap.pool);
        }
        let shared: Vec<Tap> = finest.into_iter().map(|(layer, pool)| layer.pooled(pool)).collect();
        // This extractor knows no region, because the cells of a mask that count differ from pool to
        // pool.
        let extractor =
            FeatureExtractor::new(weights, &shared, reading.compute.clone()).map_err(DfmError::from)?;
        let preprocessor = extractor.preprocessor().with_region(reading.common.region.clone());
        let mut rows = BTreeMap::new();
        for tap in taps {
            let shape = shape(extractor.weights(), *tap)?;
            // If no cell counts, the setting itself reports that.
            let counted = preprocessor.counted_cells([shape.height, shape.width]).unwrap_or(None);
            rows.insert((tap.layer, tap.pool), Rows { shape, counted, values: Vec::new() });
        }
        let count = reading.wanted.len();
        let mut features = Self { pictures: Vec::with_capacity(count), sample: Vec::new(), rows };
        features.check_memory(count, None, reading.common.memory)?;
        features.run(&extractor, reading)?;
        Ok(features)
    }

    fn run(&mut self, extractor: &FeatureExtractor, reading: Reading<'_>) -> Result<(), Error> {
        let Reading { source, wanted, workers, common, levels, reporter, .. } = reading;
        let batch = common.batch.min(extractor.largest_batch());
        let preprocessor = extractor
            .preprocessor()
            .with_levels(common.levels)
            .with_region(common.region.clone())
            .with_tiling(common.tiling);
        let prepare = |number: usize, give: Give<'_, PreparedPicture>| {
            let picture = source.read(wanted[number])?.decode_for(&preprocessor)?;
            levels.check(&picture)?;
            give_all(preprocessor.prepare_tiles(picture)?, give, |tile, _| tile)?;
            Ok(())
        };
        let progress = reporter.stage(Stage::Extracting, Some(wanted.len()));
        ahead(wanted.len(), workers.jobs(), batch, prepare, |loaded| {
            let mut begun: Option<Begun> = None;
            loop {
                let (ready, ended) = next_batch(loaded, batch, |number, error| {
                    reporter.problem(&source.path(wanted[number]), error);
                    progress.step();
                });
                let (places, pictures): (Vec<_>, Vec<_>) =
                    ready.into_iter().map(|Ready { index, last, found }| ((index, last), found)).unzip();
                let values = if pictures.is_empty() { Vec::new() } else { to_host(extractor, &pictures)? };
                let rows = values.chunks(extractor.row_len());
                for (((number, last), picture), row) in places.into_iter().zip(&pictures).zip(rows) {
                    let (_, pieces) = match &mut begun {
                        Some(same) if same.0 == number => same,
                        other => other.insert((number, Some(Vec::new()))),
                    };
                    match row.iter().all(|value| value.is_finite()) {
                        true => pieces
                            .iter_mut()
                            .for_each(|all| all.push((picture.placement.clone(), row.to_vec()))),
                        false => *pieces = None,
                    }
                    if !last {
                        continue;
                    }
                    progress.step();
                    match begun.take() {
                        Some((_, Some(pieces))) => self.push(extractor, wanted[number], picture, pieces)?,
                        _ => reporter.problem(&source.path(wanted[number]), Error::NotFinite),
                    }
                    let pictures = Some([self.pictures.len(), wanted.len()]);
                    self.check_memory(self.row_count(), pictures, common.memory)?;
                }
                if self.sample.is_empty() {
                    self.sample = pictures;
                }
                if ended {
                    return Ok(());
                }
            }
        })
    }

    /// Adds a picture: what the row of the shared taps of each of its `pieces` is at every tap.
    fn push(
        &mut self,
        extractor: &FeatureExtractor,
        index: usize,
        picture: &PreparedPicture,
        pieces: Vec<(Placement, Vec<f32>)>,
    ) -> Result<(), Error> {
        let first = self.row_count();
        let mut placements = Vec::with_capacity(pieces.len());
        for (placement, row) in pieces {
            placements.push(placement);
            let mut rest = row.as_slice();
            for (shared, shape) in extractor.taps().iter().zip(extractor.feature_shapes()) {
                let (own, behind) = rest.split_at(shape.len());
                rest = behind;
                for ((_, pool), rows) in self.rows.range_mut((shared.layer, 0)..=(shared.layer, usize::MAX)) {
                    rows.push(own, *shape, pool / shared.pool);
                }
            }
        }
        let content_hash = picture.content_hash.ok_or(DfmError::NoContentHash)?;
        self.pictures.push(Known { index, size: picture.original, placements, content_hash, first });
        Ok(())
    }

    /// The pieces of a picture, with their features at `taps`; `number` is the picture's number
    /// among those that are fitted or judged.
    pub(super) fn pieces<'f>(
        &'f self,
        number: usize,
        known: &'f Known,
        taps: &'f [Tap],
    ) -> impl Iterator<Item = Piece> + use<'f> {
        let count = known.placements.len();
        known.placements.iter().enumerate().map(move |(piece, placement)| {
            let rows = taps.iter().filter_map(|tap| self.rows.get(&(tap.layer, tap.pool)));
            let values = rows.flat_map(|rows| &rows.values[known.first + piece]).copied().collect();
            let row = FeatureRow { content_hash: known.content_hash, values };
            Piece::computed(number, piece + 1 == count, row, placement.clone(), Some(known.size))
        })
    }

    /// Seconds that `extractor` takes for one picture with all its pieces, in a batch, decoding not
    /// counted: the better of two runs.
    pub(super) fn seconds(&self, extractor: &FeatureExtractor) -> Result<f64, Error> {
        let mut best = f64::INFINITY;
        for _ in 0..2 {
            let begun = Instant::now();
            to_host(extractor, &self.sample)?;
            best = best.min(begun.elapsed().as_secs_f64());
        }
        let pieces = self.row_count() as f64 / self.pictures.len().max(1) as f64;
        Ok(best / self.sample.len().max(1) as f64 * pieces)
    }

    fn row_count(&self) -> usize {
        self.pictures.last().map_or(0, |last| last.first + last.placements.len())
    }

    /// Compares the memory of this many rows with the `limit`. If rows are tiles, `pictures` says how
    /// many pictures the rows belong to, and how many pictures there are.
    fn check_memory(&self, rows: usize, pictures: Option<[usize; 2]>, limit: u64) -> Result<(), Error> {
        let columns: u64 = self.rows.values().map(|rows| rows.shape.len() as u64).sum();
        let got = 4 * columns * rows as u64;
        match got <= limit {
            true => Ok(()),
            false => Err(Error::FeatureMemory { rows, pictures, taps: self.rows.len(), got, limit }),
        }
    }
}

impl Rows {
    /// Adds what a row of `shape` is in pools `factor` times the side.
    fn push(&mut self, row: &[f32], shape: FeatureShape, factor: usize) {
        let mut values = Vec::with_capacity(self.shape.len());
        pool_into(row, shape, factor, &mut values);
        if let Some(counted) = &self.counted {
            let cells = values.iter_mut().zip(counted.iter().cycle());
            cells.filter(|(_, counts)| !**counts).for_each(|(value, _)| *value = 0.0);
        }
        self.values.push(values.into());
    }
}

/// Runs the network and reads the rows back, one after the other.
fn to_host(extractor: &FeatureExtractor, pictures: &[PreparedPicture]) -> Result<Vec<f32>, Error> {
    Ok(dfm_core::features_of(extractor, pictures)?)
}

/// The shape of a row at `tap`, without building the network.
///
/// # Errors
///
/// If the weights do not reach the layer, or the pool is larger than its map.
pub(super) fn shape(weights: &BackboneWeights, tap: Tap) -> Result<FeatureShape, Error> {
    Ok(weights.feature_shape(tap).map_err(DfmError::from)?)
}

/// The greatest common divisor of two pools.
fn divisor(one: usize, other: usize) -> usize {
    if other == 0 { one } else { divisor(other, one % other) }
}

/// Averages `factor` × `factor` cells of a row, side by side; those that fill no window are left
/// out, as by a pool of that many times the side.
fn pool_into(row: &[f32], shape: FeatureShape, factor: usize, out: &mut Vec<f32>) {
    let FeatureShape { height, width, .. } = shape;
    for map in row.chunks_exact(height * width) {
        for y in 0..height / factor {
            for x in 0..width / factor {
                let lines = map[y * factor * width..].chunks(width).take(factor);
                let cells = lines.flat_map(|line| &line[x * factor..][..factor]);
                let sum: f64 = cells.copied().map(f64::from).sum();
                out.push((sum / (factor * factor) as f64) as f32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_of_pools_is_the_large_pool() {
        // Two channels of 7 × 9 whole numbers: sums are exact.
        let values: Vec<f32> = (0..126).map(|k| ((k * 37) % 64) as f32).collect();
        let shape = FeatureShape { channels: 2, height: 7, width: 9 };
        let pooled = |row: &[f32], shape, factor| {
            let mut out = Vec::new();
            pool_into(row, shape, factor, &mut out);
            out
        };
        assert_eq!(pooled(&values, shape, 1), values);
        let twice = pooled(&values, shape, 2);
        assert_eq!(twice.len(), 2 * 3 * 4);
        assert_eq!(twice[0], (values[0] + values[1] + values[9] + values[10]) / 4.0);
        let half = FeatureShape { channels: 2, height: 3, width: 4 };
        assert_eq!(pooled(&twice, half, 2), pooled(&values, shape, 4));
        assert_eq!((divisor(4, 6), divisor(3, 8), divisor(4, 4)), (2, 1, 4));
    }
}
