//! Files with one JSON object a line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;

/// A file of lines is no longer.
pub(super) const MAX_BYTES: u64 = 1 << 30;
/// A line is no longer.
const MAX_LINE: u64 = 1 << 20;

/// The objects at `path`, each with the number of its line.
///
/// # Errors
///
/// If the file cannot be read, or a line is not `expected`.
pub(crate) fn json_lines<T: DeserializeOwned>(path: &Path, expected: &str) -> anyhow::Result<Vec<(u64, T)>> {
    let mut reader = BufReader::new(open(path)?);
    let mut rows = Vec::new();
    for number in 1.. {
        let at = || format!("{}, line {number}", path.display());
        let mut line = String::new();
        if reader.by_ref().take(MAX_LINE).read_line(&mut line).with_context(at)? == 0 {
            break;
        }
        if !line.trim().is_empty() {
            let row = serde_json::from_str(&line);
            rows.push((number, row.with_context(|| format!("expected {expected}")).with_context(at)?));
        }
    }
    Ok(rows)
}

/// A file that is not too long to be a list.
pub(super) fn open(path: &Path) -> anyhow::Result<impl Read + use<>> {
    let named = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(named)?;
    let length = file.metadata().with_context(named)?.len();
    if length > MAX_BYTES {
        bail!("{}: expected a list of at most {MAX_BYTES} bytes, found {length}", path.display());
    }
    Ok(file.take(MAX_BYTES))
}
