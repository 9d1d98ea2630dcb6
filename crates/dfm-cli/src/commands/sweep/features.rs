//! Features of every picture at every tap, by one run of the network.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use dfm_core::{
    BackboneWeights, Compute, FeatureExtractor, FeatureRow, FeatureShape, Layer, PictureSize, Piece,
    Placement, PreparedPicture, Tap,
};

use super::grid::Fixed;
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
    /// Where it lies under its map; of a picture in tiles, each of those.
    pub(super) placements: Vec<Placement>,
    content_hash: [u8; 32],
    /// The row of the first of them.
    first: usize,
}

/// Features of pictures at some taps of one network, in `f32`.
pub(super) struct Features {
    /// The pictures, in the order of their paths.
    pub(super) pictures: Vec<Seen>,
    /// Some of them, or of their tiles, as the network sees them, to time it with.
    sample: Vec<PreparedPicture>,
    rows: BTreeMap<(Layer, usize), Rows>,
}

/// Rows of one tap: one a picture, or tile.
struct Rows {
    shape: FeatureShape,
    /// Of a region by a mask: which cells count. The others are zero.
    counted: Option<Vec<bool>>,
    values: Vec<Box<[f32]>>,
}

/// What to read and how.
pub(super) struct Reading<'r> {
    pub(super) compute: &'r Compute,
    pub(super) jobs: usize,
    pub(super) fixed: &'r Fixed,
    pub(super) messages: &'r Messages,
}

impl Features {
    /// Runs the network to the deepest of `taps`, once for every picture or tile: of each layer
    /// it gives the finest map that every wanted pool can be made of. Pictures that cannot be used
    /// are reported.
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
        // It knows no region: which cells of a mask count is another matter for each pool.
        let extractor = FeatureExtractor::new(weights, &shared, reading.compute.clone())?;
        let preprocessor = extractor.preprocessor().with_region(reading.fixed.region.clone());
        let mut rows = BTreeMap::new();
        for tap in taps {
            let shape = shape(extractor.weights(), *tap)?;
            // Where none counts, the setting says so itself.
            let counted = preprocessor.counted_cells([shape.height, shape.width]).unwrap_or(None);
            rows.insert((tap.layer, tap.pool), Rows { shape, counted, values: Vec::new() });
        }
        let mut features = Self { pictures: Vec::with_capacity(paths.len()), sample: Vec::new(), rows };
        let (bytes, allowed) = (features.bytes(paths.len()), reading.fixed.memory);
        if bytes > allowed {
            bail!(
                "features of {} pictures at {} taps take {}, and {} are allowed: sweep fewer layers or larger pools \
                 at once, or give more with --max-memory",
                paths.len(),
                features.rows.len(),
                table::bytes(bytes),
                table::bytes(allowed)
            );
        }
        features.run(&extractor, paths, reading)?;
        Ok(features)
    }

    fn run(
        &mut self,
        extractor: &FeatureExtractor,
        paths: &[(usize, PathBuf)],
        reading: &Reading<'_>,
    ) -> anyhow::Result<()> {
        let Reading { jobs, fixed, messages, .. } = reading;
        let batch = fixed.batch.min(extractor.largest_batch());
        let files: Vec<PathBuf> = paths.iter().map(|(_, path)| path.clone()).collect();
        let preprocessor =
            extractor.preprocessor().with_region(fixed.region.clone()).with_tiling(fixed.tiling);
        let mut progress = Progress::new("extracting", paths.len(), messages.is_quiet());
        let mut loaded = input::load(&files, &preprocessor, *jobs, batch);
        let mut tiles = Tiles { index: 0, found: Some(Vec::new()) };
        loop {
            let (mut places, mut pictures) = (Vec::new(), Vec::new());
            while pictures.len() < batch
                && let Some(next) = loaded.next()
            {
                match readable(&files[next.index], next.picture, messages) {
                    Some(picture) => {
                        places.push((next.index, next.last));
                        pictures.push(picture);
                    }
                    None => progress.step(),
                }
            }
            if pictures.is_empty() {
                return Ok(());
            }
            let values = to_host(extractor, &pictures)?;
            let rows = values.chunks(extractor.row_len());
            for (((index, last), picture), row) in places.into_iter().zip(&pictures).zip(rows) {
                let finite = row.iter().all(|value| value.is_finite());
                let found = finite.then(|| (picture.placement.clone(), row.to_vec()));
                let Some(whole) = tiles.push(index, found, last) else { continue };
                progress.step();
                match whole {
                    Some(tiles) => self.push(extractor, paths[index].0, picture, tiles)?,
                    None => {
                        let what = "its features are not finite: the weights or the picture are unusable";
                        messages.error(&files[index], what);
                    }
                }
                let (rows, allowed) = (self.row_count(), fixed.memory);
                ensure!(
                    self.bytes(rows) <= allowed,
                    "features of {rows} tiles of {} of {} pictures take {} already, and {} are allowed: sweep fewer \
                     layers or larger pools at once, take larger tiles, or give more with --max-memory",
                    self.pictures.len(),
                    paths.len(),
                    table::bytes(self.bytes(rows)),
                    table::bytes(allowed)
                );
            }
            if self.sample.is_empty() {
                self.sample = pictures;
            }
        }
    }

    /// Adds a picture: what the row of the shared taps of each of its `tiles` is at every tap.
    fn push(
        &mut self,
        extractor: &FeatureExtractor,
        place: usize,
        picture: &PreparedPicture,
        tiles: Vec<(Placement, Vec<f32>)>,
    ) -> anyhow::Result<()> {
        let content_hash = picture.content_hash.context("the picture was prepared without its hash")?;
        let first = self.row_count();
        let mut placements = Vec::with_capacity(tiles.len());
        for (placement, row) in tiles {
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
        let size = picture.original;
        self.pictures.push(Seen { place, size, placements, content_hash, first });
        Ok(())
    }

    /// The features at `taps` of a picture, or of each of its tiles, as pieces of picture `number`.
    pub(super) fn pieces<'f>(
        &'f self,
        seen: &'f Seen,
        taps: &'f [Tap],
        number: usize,
    ) -> impl Iterator<Item = Piece> + use<'f> {
        let count = seen.placements.len();
        seen.placements.iter().enumerate().map(move |(tile, placement)| {
            let rows = taps.iter().filter_map(|tap| self.rows.get(&(tap.layer, tap.pool)));
            let values = rows.flat_map(|rows| &rows.values[seen.first + tile]).copied().collect();
            let row = FeatureRow { content_hash: seen.content_hash, values };
            Piece::computed(number, tile + 1 == count, row, placement.clone(), Some(seen.size))
        })
    }

    /// Seconds that `extractor` takes for one picture, with all its tiles, in a batch, decoding
    /// not counted: the better of two runs.
    pub(super) fn seconds(&self, extractor: &FeatureExtractor) -> anyhow::Result<f64> {
        let mut best = f64::INFINITY;
        for _ in 0..2 {
            let begun = Instant::now();
            to_host(extractor, &self.sample)?;
            best = best.min(begun.elapsed().as_secs_f64());
        }
        let tiles = self.row_count() as f64 / self.pictures.len().max(1) as f64;
        Ok(best / self.sample.len().max(1) as f64 * tiles)
    }

    fn row_count(&self) -> usize {
        self.pictures.last().map_or(0, |last| last.first + last.placements.len())
    }

    /// What so many rows take.
    fn bytes(&self, rows: usize) -> u64 {
        let columns: u64 = self.rows.values().map(|rows| rows.shape.len() as u64).sum();
        4 * columns * rows as u64
    }
}

/// The rows of the tiles of one picture so far; none once one is not finite. A picture in one
/// piece is its only tile.
struct Tiles {
    /// Place of the picture in the list of paths.
    index: usize,
    found: Option<Vec<(Placement, Vec<f32>)>>,
}

impl Tiles {
    /// Adds the row of the next tile, which is one of picture `index`; all of them if it is the
    /// `last`. What is left of a picture whose other tiles never came is forgotten.
    fn push(
        &mut self,
        index: usize,
        found: Option<(Placement, Vec<f32>)>,
        last: bool,
    ) -> Option<Option<Vec<(Placement, Vec<f32>)>>> {
        if index != self.index {
            *self = Self { index, found: Some(Vec::new()) };
        }
        match (&mut self.found, found) {
            (Some(tiles), Some(tile)) => tiles.push(tile),
            _ => self.found = None,
        }
        last.then(|| self.found.replace(Vec::new()))
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
