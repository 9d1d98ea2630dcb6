//! The folder that an evaluation leaves.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

use super::{Evaluated, Evaluation, PictureLine};
use crate::atomic;

/// Figures, intervals, settings and curves: one JSON object.
pub(crate) const METRICS: &str = "metrics.json";
/// One JSON object a line and picture.
pub(crate) const PREDICTIONS: &str = "predictions.jsonl";
/// The flags of the run: a file for `--config`.
const CONFIG: &str = "config.toml";

/// Writes [`METRICS`], [`PREDICTIONS`] and, as [`CONFIG`], `flags` into `folder`, which is made if it is not there.
/// Paths are written as they lie below `root`.
pub(crate) fn write(
    folder: &Path,
    root: &Path,
    evaluated: &Evaluated,
    evaluation: &Evaluation,
    flags: &str,
) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    atomic::write(&folder.join(PREDICTIONS), |writer| {
        for picture in &evaluated.pictures {
            let line = PictureLine::new(picture, root, evaluated);
            writeln!(writer, "{}", serde_json::to_string(&line)?)?;
        }
        Ok(())
    })?;
    atomic::write(&folder.join(CONFIG), |writer| Ok(writer.write_all(flags.as_bytes())?))?;
    // Last, so that whoever finds it finds all.
    let whole = evaluation.clone().with_curves(evaluated);
    atomic::write(&folder.join(METRICS), |writer| Ok(writeln!(writer, "{}", serde_json::to_string(&whole)?)?))
}
