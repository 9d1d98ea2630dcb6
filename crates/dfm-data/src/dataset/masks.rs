//! Where defects are marked.

use std::path::{Path, PathBuf};

use dfm_image::{MaskReading, PictureSize};

use crate::error::{DataError, Problem};
use crate::picture::open_mask;

/// The pixels that the masks of a picture mark.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TruthMask {
    /// Whether any mask marks each pixel, row by row.
    pub marked: Vec<bool>,
    /// How each mask was read, in the order of the masks.
    pub readings: Vec<MaskReading>,
}

/// Reads the pixels that any of `masks` marks, for a picture of `size`. [`MaskReading`] has the rule.
///
/// # Errors
///
/// The first mask that cannot be read or has another size.
pub fn read_masks(masks: &[PathBuf], size: PictureSize) -> Result<TruthMask, Problem> {
    let mut marked = vec![false; size.width as usize * size.height as usize];
    let mut readings = Vec::with_capacity(masks.len());
    for path in masks {
        let mask = open_mask(path).map_err(|error| Problem::new(path, error))?;
        let (expected, got) = ([size.width, size.height], [mask.size.width, mask.size.height]);
        if got != expected {
            return Err(Problem::new(path, DataError::MaskSize { expected, got }));
        }
        marked.iter_mut().zip(&mask.inside).for_each(|(marked, inside)| *marked |= inside);
        readings.push(mask.reading);
    }
    Ok(TruthMask { marked, readings })
}

/// Whether the mask at `path` marks any pixel.
pub(super) fn marks_anything(path: &Path) -> Result<bool, DataError> {
    Ok(open_mask(path)?.reading.inside > 0)
}
