//! Files with one JSON object a line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::DataError;

/// The most bytes of a list.
const MAX_BYTES: u64 = 1 << 30;
/// The most bytes of a line.
const MAX_LINE: u64 = 1 << 20;

/// Reads the objects of the file at `path`, each with the number of its line, from 1. Empty lines
/// are skipped.
///
/// # Errors
///
/// [`DataError::Line`] if a line is not `expected`; [`DataError::Io`] and
/// [`DataError::ListTooLong`] if the file cannot be read.
pub fn json_lines<T: DeserializeOwned>(path: &Path, expected: &str) -> Result<Vec<(u64, T)>, DataError> {
    let mut reader = BufReader::new(open(path)?);
    let mut rows = Vec::new();
    for number in 1.. {
        let failed = |reason| DataError::Line { path: path.to_owned(), line: number, reason };
        let mut line = String::new();
        let read = reader.by_ref().take(MAX_LINE).read_line(&mut line);
        if read.map_err(|error| failed(error.to_string()))? == 0 {
            break;
        }
        // Some editors begin a file with a mark of its byte order, which JSON does not know.
        let line = if number == 1 { line.trim_start_matches('\u{feff}') } else { &line };
        if !line.trim().is_empty() {
            let row = serde_json::from_str(line);
            rows.push((number, row.map_err(|error| failed(format!("expected {expected}: {error}")))?));
        }
    }
    Ok(rows)
}

/// Opens a list that is not too long.
pub(crate) fn open(path: &Path) -> Result<impl Read + use<>, DataError> {
    let failed = |cause| DataError::Io { operation: "read", path: path.to_owned(), cause };
    let file = File::open(path).map_err(failed)?;
    let got = file.metadata().map_err(failed)?.len();
    if got > MAX_BYTES {
        return Err(DataError::ListTooLong { path: path.to_owned(), limit: MAX_BYTES, got });
    }
    Ok(file.take(MAX_BYTES))
}
