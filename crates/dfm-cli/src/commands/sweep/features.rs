//! Features of every picture at every tap, by one run of the network.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::bail;
use dfm_core::{
    BackboneWeights, Compute, FeatureExtractor, FeatureRow, FeatureShape, Layer, PictureSize, Placement,
    PreparedPicture, Tap,
};

use crate::commands::fit::readable;
use crate::input;
use crate::messages::Messages;
use crate::report::{Progress, table};

/// What is known of a picture beside its features.
pub(super) struct Seen {
    /// Its place in the list of paths.
    pub(super) place: usize,
    /// Size of the original picture.
    pub(super) size: PictureSize,
    /// Where it lies under its map.
    pub(super) placement: Placement,
    content_hash: [u8; 32],
}

/// Features of pictures at some taps of one network, in `f32`.
pub(super) struct Features {
    /// The pictures, in the order of their paths.
    pub(super) pictures: Vec<Seen>,
    /// Some of them as the network sees them, to time it with.
    sample: Vec<PreparedPicture>,
    rows: BTreeMap<(Layer, usize), Rows>,
}

/// Rows of one tap, one after the other.
struct Rows {
    columns: usize,
    values: Vec<f32>,
}

/// What to read and how.
pub(super) struct Reading<'r> {
    pub(super) compute: &'r Compute,
    pub(super) jobs: usize,
    pub(super) batch: usize,
    /// The most bytes of features.
    pub(super) memory: u64,
    pub(super) messages: &'r Messages,
}

impl Features {
    /// Runs the network to the deepest of `taps`, once for every picture: of each layer it gives
    /// the finest map that every wanted pool can be made of. Pictures that cannot be used are
    /// reported.
    ///
    /// # Errors
    ///
    /// If features would take more memory than they may, or the network does not run.
    pub(super) fn extract(
        weights: BackboneWeights,
        taps: &[Tap],
        paths: &[(usize, PathBuf)],
        reading: &Reading<'_>,
    ) -> anyhow::Result<Self> {
        let mut finest: BTreeMap<Layer, usize> = BTreeMap::new();
        for tap in taps {
            finest.entry(tap.layer).and_modify(|pool| *pool = divisor(*pool, tap.pool)).or_insert(tap.pool);
        }
        let shared: Vec<Tap> = finest.into_iter().map(|(layer, pool)| layer.pooled(pool)).collect();
        let extractor = FeatureExtractor::new(weights, &shared, reading.compute.clone())?;
        let mut rows = BTreeMap::new();
        for tap in taps {
            let columns = shape(extractor.weights(), *tap)?.len();
            rows.insert((tap.layer, tap.pool), Rows { columns, values: Vec::new() });
        }
        let columns: u64 = rows.values().map(|rows| rows.columns as u64).sum();
        let bytes = 4 * columns * paths.len() as u64;
        if bytes > reading.memory {
            bail!(
                "features of {} pictures at {} taps take {}, and {} are allowed: sweep fewer layers or larger pools \
                 at once, or give more with --max-memory",
                paths.len(),
                rows.len(),
                table::bytes(bytes),
                table::bytes(reading.memory)
            );
        }
        for rows in rows.values_mut() {
            rows.values.reserve_exact(rows.columns * paths.len());
        }
        let mut features = Self { pictures: Vec::with_capacity(paths.len()), sample: Vec::new(), rows };
        features.run(&extractor, paths, reading)?;
        Ok(features)
    }

    fn run(
        &mut self,
        extractor: &FeatureExtractor,
        paths: &[(usize, PathBuf)],
        reading: &Reading<'_>,
    ) -> anyhow::Result<()> {
        let Reading { jobs, messages, .. } = reading;
        let batch = reading.batch.min(extractor.largest_batch());
        let files: Vec<PathBuf> = paths.iter().map(|(_, path)| path.clone()).collect();
        let mut progress = Progress::new("extracting", paths.len(), messages.is_quiet());
        let mut loaded = input::load(&files, &extractor.preprocessor(), *jobs, batch)
            .map(|loaded| (loaded.index, readable(&files[loaded.index], loaded.picture, messages)));
        loop {
            let (mut places, mut pictures) = (Vec::new(), Vec::new());
            while pictures.len() < batch
                && let Some((index, picture)) = loaded.next()
            {
                progress.step();
                if let Some(picture) = picture {
                    places.push(index);
                    pictures.push(picture);
                }
            }
            if pictures.is_empty() {
                return Ok(());
            }
            let values = to_host(extractor, &pictures)?;
            for ((index, picture), row) in
                places.iter().zip(&pictures).zip(values.chunks(extractor.row_len()))
            {
                if row.iter().all(|value| value.is_finite()) {
                    self.push(extractor, row);
                    self.pictures.push(Seen {
                        place: paths[*index].0,
                        size: picture.original,
                        placement: picture.placement.clone(),
                        content_hash: picture.content_hash,
                    });
                } else {
                    let what = "its features are not finite: the weights or the picture are unusable";
                    messages.error(&files[*index], what);
                }
            }
            if self.sample.is_empty() {
                self.sample = pictures;
            }
        }
    }

    /// Adds what a row of the shared taps is at every tap.
    fn push(&mut self, extractor: &FeatureExtractor, row: &[f32]) {
        let mut rest = row;
        for (shared, shape) in extractor.taps().iter().zip(extractor.feature_shapes()) {
            let (own, behind) = rest.split_at(shape.len());
            rest = behind;
            for ((_, pool), rows) in self.rows.range_mut((shared.layer, 0)..=(shared.layer, usize::MAX)) {
                pool_into(own, *shape, pool / shared.pool, &mut rows.values);
            }
        }
    }

    /// The features of the picture at `place` of [`pictures`](Self::pictures) at `taps`.
    pub(super) fn row(&self, place: usize, taps: &[Tap]) -> FeatureRow {
        let rows = taps.iter().filter_map(|tap| self.rows.get(&(tap.layer, tap.pool)));
        let values = rows.flat_map(|rows| &rows.values[place * rows.columns..][..rows.columns]);
        FeatureRow { content_hash: self.pictures[place].content_hash, values: values.copied().collect() }
    }

    /// Seconds that `extractor` takes for one picture of a batch, decoding not counted: the
    /// better of two runs.
    pub(super) fn seconds(&self, extractor: &FeatureExtractor) -> anyhow::Result<f64> {
        let mut best = f64::INFINITY;
        for _ in 0..2 {
            let begun = Instant::now();
            to_host(extractor, &self.sample)?;
            best = best.min(begun.elapsed().as_secs_f64());
        }
        Ok(best / self.sample.len() as f64)
    }
}

fn to_host(extractor: &FeatureExtractor, pictures: &[PreparedPicture]) -> anyhow::Result<Vec<f32>> {
    let rows = extractor.extract(pictures)?.try_into_vec_as::<f32>();
    rows.map_err(|error| anyhow::anyhow!("reading features back: {error}"))
}

/// The shape of a row at `tap`, without building the network.
///
/// # Errors
///
/// If the pool is larger than the layer's map.
pub(super) fn shape(weights: &BackboneWeights, tap: Tap) -> anyhow::Result<FeatureShape> {
    let header = weights.header();
    let size = header.architecture.feature_size(tap.layer, [header.input.height, header.input.width]);
    Ok(FeatureShape::pooled(header.architecture.channels(tap.layer), size, tap.pool)?)
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
