//! `dfm features`: feature rows before any statistics.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};
use dfm_core::{Dfm, FeatureExtractor, FitParams, Method, PreparedPicture, Run, Tap};
use safetensors::tensor::{Dtype, View};
use serde::Serialize;

use super::fit::readable;
use crate::flags::FeaturesFlags;
use crate::messages::Messages;
use crate::report::Progress;
use crate::{Outcome, args, atomic, input, output};

/// Runs the command.
pub(crate) fn run(flags: &FeaturesFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let device = args::device(&flags.compute)?;
    let jobs = args::jobs(&flags.compute);
    let method = Method::published();
    let taps = args::taps(&flags.backbone, &method.taps)?;
    let params = FitParams::from(method.with_taps(taps)).with_run(Run::default().with_batch(flags.batch));
    params.clone().check()?;
    atomic::check(&flags.output)?;
    let paths = input::expand(&flags.paths, messages);
    let model: Dfm;
    let owned: FeatureExtractor;
    let extractor = match &flags.model {
        Some(path) => {
            model =
                args::open_model(path, flags.backbone.weights.as_deref(), device, args::Purpose::Judging)?;
            model.extractor()
        }
        None => {
            owned = args::extractor(&flags.backbone, &params, None, &device)?;
            &owned
        }
    };
    let batch = flags.batch.min(extractor.largest_batch());
    let rows = extract(extractor, &paths, batch, jobs, messages)?;
    if rows.paths.is_empty() {
        bail!("no picture could be used: nothing is written");
    }
    write(&rows, extractor, &flags.output)?;
    let mut out = output::stdout();
    let (count, columns) = (rows.paths.len(), extractor.row_len());
    writeln!(out, "{}: {count} rows of {columns} features", flags.output.display())?;
    Ok(messages.outcome(Outcome::Success))
}

/// Feature rows and the pictures that they belong to.
struct Rows {
    values: Vec<f32>,
    paths: Vec<String>,
}

/// Runs the network over `paths`. What cannot be read, and what gives no finite
/// features, is reported and has no row.
fn extract(
    extractor: &FeatureExtractor,
    paths: &[PathBuf],
    batch: usize,
    jobs: usize,
    messages: &Messages,
) -> anyhow::Result<Rows> {
    let mut progress = Progress::new("extracting", paths.len(), messages.is_quiet());
    let mut rows = Rows { values: Vec::new(), paths: Vec::new() };
    let mut loaded = input::load(paths, &extractor.preprocessor().with_content_hash(false), jobs, batch)
        .map(|loaded| (loaded.index, loaded.last, readable(&paths[loaded.index], loaded.picture, messages)));
    loop {
        let (mut indices, mut pictures): (Vec<(usize, bool)>, Vec<PreparedPicture>) =
            (Vec::new(), Vec::new());
        while pictures.len() < batch
            && let Some((index, last, picture)) = loaded.next()
        {
            match picture {
                Some(picture) => {
                    indices.push((index, last));
                    pictures.push(picture);
                }
                None => progress.step(),
            }
        }
        if pictures.is_empty() {
            return Ok(rows);
        }
        let features = extractor.extract(&pictures)?;
        let values = features.try_into_vec_as::<f32>();
        let values = values.map_err(|error| anyhow::anyhow!("reading features back: {error}"))?;
        for ((index, last), row) in indices.into_iter().zip(values.chunks(extractor.row_len())) {
            if last {
                progress.step();
            }
            let path = &paths[index];
            if row.iter().all(|value| value.is_finite()) {
                rows.values.extend(row);
                rows.paths.push(path.display().to_string());
            } else {
                messages.error(path, "its features are not finite: the weights or the picture are unusable");
            }
        }
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

/// The columns of one tap, those of the next behind them.
#[derive(Clone, Serialize)]
struct TapDescription {
    layer: String,
    pool: usize,
    feature_shape: dfm_core::FeatureShape,
}

fn write(rows: &Rows, extractor: &FeatureExtractor, output: &std::path::Path) -> anyhow::Result<()> {
    let weights = extractor.weights();
    let taps: Vec<TapDescription> =
        extractor.taps().iter().zip(extractor.feature_shapes()).map(describe).collect();
    let last = taps.last().cloned().context("no layer is tapped")?;
    let description = Description {
        paths: &rows.paths,
        architecture: &weights.header().architecture.name,
        weights_sha256: weights.sha256(),
        last,
        taps,
    };
    let metadata = HashMap::from([("dfm-features".to_owned(), serde_json::to_string(&description)?)]);
    let tensor = Matrix { values: &rows.values, shape: [rows.paths.len(), extractor.row_len()] };
    let bytes = safetensors::serialize([("features", tensor)], Some(metadata))?;
    atomic::write(output, |writer| Ok(writer.write_all(&bytes)?))
}

fn describe((tap, shape): (&Tap, &dfm_core::FeatureShape)) -> TapDescription {
    TapDescription { layer: tap.layer.to_string(), pool: tap.pool, feature_shape: *shape }
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
