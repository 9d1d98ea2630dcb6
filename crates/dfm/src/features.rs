//! Feature rows before any statistics.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use dfm_core::{FeatureExtractor, FeatureShape, PreparedPicture, Tap};
use safetensors::tensor::{Dtype, View};
use serde::Serialize;

use crate::error::Error;
use crate::files::write_file;
use crate::judge::{Ready, next_batch};
use crate::kind::FileKind;
use crate::levels::LevelsWatch;
use crate::observer::{Observer, Reporter, Stage};
use crate::source::{Give, Source, ahead, give_all};
use crate::workers::Workers;

/// Feature rows `[N, D]` and the pictures that they belong to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FeatureRows {
    /// The values, row by row.
    pub values: Vec<f32>,
    /// For each row the path of its picture; a picture in tiles has a row for each tile.
    pub paths: Vec<String>,
}

impl FeatureRows {
    /// Runs the network over the pictures of `source`, `batch` pieces at a time. The observer hears
    /// pictures that cannot be read or have no finite features; they have no row.
    ///
    /// # Errors
    ///
    /// If the network does not run; [`Error::NoPicture`] if there is no row.
    pub fn extract(
        extractor: &FeatureExtractor,
        source: &dyn Source,
        batch: usize,
        workers: &Workers,
        observer: &dyn Observer,
    ) -> Result<Self, Error> {
        let reporter = Reporter::new(observer);
        let preprocessor = extractor.preprocessor().with_content_hash(false);
        let watch = LevelsWatch::new(preprocessor.levels());
        let size = batch.min(extractor.largest_batch());
        let prepare = |index: usize, give: Give<'_, PreparedPicture>| {
            let picture = source.read(index)?.decode_for(&preprocessor)?;
            watch.picture(&picture);
            give_all(preprocessor.prepare_tiles(picture)?, give, |tile: PreparedPicture, last| {
                if let (Some(outside), true) = (tile.outside, last) {
                    watch.outside(outside, tile.original);
                }
                tile
            })?;
            Ok(())
        };
        let progress = reporter.stage(Stage::Extracting, Some(source.count()));
        let mut rows = Self { values: Vec::new(), paths: Vec::new() };
        workers.run(|| {
            ahead(source.count(), workers.jobs(), size, prepare, |loaded| {
                loop {
                    let (ready, ended) = next_batch(loaded, size, |index, error| {
                        reporter.problem(&source.path(index), error);
                        progress.step();
                    });
                    let (places, pictures): (Vec<_>, Vec<_>) =
                        ready.into_iter().map(|Ready { index, last, found }| ((index, last), found)).unzip();
                    rows.push(extractor, source, &places, &pictures, |last, error| {
                        if let Some((index, error)) = error {
                            reporter.problem(&source.path(index), error);
                        }
                        if last {
                            progress.step();
                        }
                    })?;
                    if ended {
                        return Ok::<(), Error>(());
                    }
                }
            })
        })??;
        watch.tell(&reporter);
        match rows.paths.is_empty() {
            true => Err(Error::NoPicture { what: "no picture could be used: nothing is written" }),
            false => Ok(rows),
        }
    }

    fn push(
        &mut self,
        extractor: &FeatureExtractor,
        source: &dyn Source,
        places: &[(usize, bool)],
        pictures: &[PreparedPicture],
        mut tell: impl FnMut(bool, Option<(usize, Error)>),
    ) -> Result<(), Error> {
        if pictures.is_empty() {
            return Ok(());
        }
        let values = dfm_core::features_of(extractor, pictures)?;
        for ((index, last), row) in places.iter().zip(values.chunks(extractor.row_len())) {
            let finite = row.iter().all(|value| value.is_finite());
            if finite {
                self.values.extend(row);
                self.paths.push(source.path(*index).display().to_string());
            }
            tell(*last, (!finite).then_some((*index, Error::NotFinite)));
        }
        Ok(())
    }

    /// Writes the rows to `path` as safetensors, with the paths and what the columns are.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the file cannot be written.
    pub fn write(&self, extractor: &FeatureExtractor, path: &Path) -> Result<(), Error> {
        let weights = extractor.weights();
        let taps: Vec<TapDescription> =
            extractor.taps().iter().zip(extractor.feature_shapes()).map(TapDescription::new).collect();
        let last = taps.last().cloned().expect("an extractor has a tap");
        let description = Description {
            paths: &self.paths,
            architecture: weights.header().architecture.name(),
            weights_sha256: weights.sha256(),
            last,
            taps,
        };
        let metadata = HashMap::from([("dfm-features".to_owned(), serde_json::to_string(&description)?)]);
        let tensor = Matrix { values: &self.values, shape: [self.paths.len(), extractor.row_len()] };
        let bytes = safetensors::serialize([("features", tensor)], Some(metadata))?;
        write_file(path, FileKind::FEATURES, |writer| Ok(writer.write_all(&bytes)?))
    }
}

/// What the single metadata entry `dfm-features` holds.
#[derive(Serialize)]
struct Description<'a> {
    paths: &'a [String],
    architecture: &'a str,
    weights_sha256: String,
    /// The last tap.
    #[serde(flatten)]
    last: TapDescription,
    taps: Vec<TapDescription>,
}

/// The columns of one tap; those of the next tap follow.
#[derive(Clone, Serialize)]
struct TapDescription {
    layer: String,
    pool: usize,
    feature_shape: FeatureShape,
}

impl TapDescription {
    fn new((tap, shape): (&Tap, &FeatureShape)) -> Self {
        Self { layer: tap.layer.to_string(), pool: tap.pool, feature_shape: *shape }
    }
}

/// Rows `[N, D]` on their way to a file.
struct Matrix<'a> {
    values: &'a [f32],
    shape: [usize; 2],
}

impl View for Matrix<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.values.iter().copied().flat_map(f32::to_le_bytes).collect::<Vec<u8>>().into()
    }

    fn data_len(&self) -> usize {
        4 * self.values.len()
    }
}
