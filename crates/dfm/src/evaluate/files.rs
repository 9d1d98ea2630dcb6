//! The folder that an evaluation leaves.

use std::path::Path;

use serde::Serialize;

use super::json::PictureLine;
use crate::error::Error;
use crate::files::{check_file, make_folder, write_file};
use crate::kind::{FileKind, SETTINGS_MARK};

/// Figures, intervals, settings and curves: one JSON object.
pub const METRICS: &str = "metrics.json";
/// One JSON object a line, one line a picture.
pub const PREDICTIONS: &str = "predictions.jsonl";
/// The settings of the run, as the caller hands them in.
pub const CONFIG: &str = "config.toml";

/// Makes `folder` and refuses, before any work is done, one in which something of these names must
/// stay.
pub(crate) fn check(folder: &Path) -> Result<(), Error> {
    make_folder(folder)?;
    for (name, kind) in
        [(PREDICTIONS, FileKind::VERDICTS), (CONFIG, FileKind::SETTINGS), (METRICS, FileKind::METRICS)]
    {
        check_file(&folder.join(name), kind)?;
    }
    Ok(())
}

/// Writes the `lines` as [`PREDICTIONS`] into `folder`, the `figures` as [`METRICS`], and the `config`
/// of the run as [`CONFIG`]. The folder is made if it is not there.
pub(crate) fn write(
    folder: &Path,
    mut lines: impl Iterator<Item = PictureLine>,
    figures: &impl Serialize,
    config: Option<&str>,
) -> Result<(), Error> {
    make_folder(folder)?;
    write_file(&folder.join(PREDICTIONS), FileKind::VERDICTS, |writer| {
        lines.try_for_each(|line| Ok(writeln!(writer, "{}", serde_json::to_string(&line)?)?))
    })?;
    if let Some(config) = config {
        write_file(&folder.join(CONFIG), FileKind::SETTINGS, |writer| {
            writer.write_all(SETTINGS_MARK.as_bytes())?;
            Ok(writer.write_all(config.as_bytes())?)
        })?;
    }
    // This file is written last: if it is there, all files are.
    let text = serde_json::to_string(figures)?;
    write_file(&folder.join(METRICS), FileKind::METRICS, |writer| Ok(writeln!(writer, "{text}")?))
}
