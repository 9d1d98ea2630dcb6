//! The folder that an evaluation leaves.

use std::path::Path;

use super::evaluated::Evaluated;
use super::json::{Evaluation, PictureLine};
use crate::error::Error;
use crate::files::{make_folder, write_file};

/// Figures, intervals, settings and curves: one JSON object.
pub const METRICS: &str = "metrics.json";
/// One JSON object a line, one line a picture.
pub const PREDICTIONS: &str = "predictions.jsonl";
/// The settings of the run, as the caller hands them in.
pub const CONFIG: &str = "config.toml";

/// Writes [`METRICS`] and [`PREDICTIONS`] into `folder`, and as [`CONFIG`] the `config` of the run.
/// The folder is made if it is not there. Paths are written as they lie below `root`.
pub(crate) fn write(
    folder: &Path,
    root: &Path,
    evaluated: &Evaluated,
    evaluation: &Evaluation,
    config: Option<&str>,
) -> Result<(), Error> {
    make_folder(folder)?;
    write_file(&folder.join(PREDICTIONS), |writer| {
        for picture in &evaluated.pictures {
            let line = PictureLine::new(picture, root, evaluated);
            writeln!(writer, "{}", serde_json::to_string(&line)?)?;
        }
        Ok(())
    })?;
    if let Some(config) = config {
        write_file(&folder.join(CONFIG), |writer| Ok(writer.write_all(config.as_bytes())?))?;
    }
    // This file is written last: if it is there, all files are.
    let whole = evaluation.clone().with_curves(evaluated);
    write_file(&folder.join(METRICS), |writer| Ok(writeln!(writer, "{}", serde_json::to_string(&whole)?)?))
}
