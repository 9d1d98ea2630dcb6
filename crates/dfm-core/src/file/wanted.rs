//! How much of a file is kept in memory.

use std::collections::HashMap;

use crate::file::error::ModelFileError;
use crate::file::header::{ASIDE_ROWS, Header};

/// How much of a tensor to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Nothing. Its bytes are hashed all the same.
    Nothing,
    /// The first rows: as many, or all if there are fewer.
    Rows(usize),
    /// All of it.
    All,
}

/// The tensors of which judging needs less than there is, and how much it needs.
///
/// # Errors
///
/// Those of [`Header::tap_tensors`].
pub(super) fn needed_to_judge(header: &Header) -> Result<HashMap<String, Wanted>, ModelFileError> {
    let mut few = HashMap::new();
    for tap in header.tap_tensors()? {
        // If the components are those of fewer pictures, they have a tensor of their own.
        let is_apart = header.is_split() && header.fit_statistic;
        let components = if is_apart { 0 } else { tap.record.components };
        few.insert(tap.name("directions"), Wanted::Rows(components));
        few.insert(tap.name("coordinates"), Wanted::Nothing);
        few.insert(tap.name(ASIDE_ROWS), Wanted::Nothing);
    }
    Ok(few)
}
