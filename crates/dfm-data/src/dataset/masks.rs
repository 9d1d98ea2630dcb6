//! Where defects are marked.

use std::path::{Path, PathBuf};

use dfm_image::{PictureSize, RgbImage};

use crate::error::{DataError, Problem};
use crate::picture::open_mask;

/// Reads the pixels that any of `masks` marks, row by row, for a picture of `size`.
///
/// # Errors
///
/// The first mask that cannot be read or has another size.
pub fn read_masks(masks: &[PathBuf], size: PictureSize) -> Result<Vec<bool>, Problem> {
    let mut marked = vec![false; size.width as usize * size.height as usize];
    for path in masks {
        let mask = read_mask(path, size).map_err(|error| Problem::new(path, error))?;
        let level = level(&mask);
        marked.iter_mut().zip(mask.pixels()).for_each(|(marked, pixel)| *marked |= pixel.0[0] > level);
    }
    Ok(marked)
}

/// Whether the mask at `path` marks any pixel.
pub(super) fn marks_anything(path: &Path) -> Result<bool, DataError> {
    Ok(open_mask(path)?.pixels().any(|pixel| pixel.0[0] > 0))
}

fn read_mask(path: &Path, size: PictureSize) -> Result<RgbImage, DataError> {
    let mask = open_mask(path)?;
    let (expected, got) = ([size.width, size.height], [mask.width(), mask.height()]);
    if got != expected {
        return Err(DataError::MaskSize { expected, got });
    }
    Ok(mask)
}

/// The level above which a pixel is marked. It is 127, or 0 if no pixel of the mask is above 127,
/// because some data sets number their defects from 1.
fn level(mask: &RgbImage) -> u8 {
    let brightest = mask.pixels().map(|pixel| pixel.0[0]).max().unwrap_or(0);
    if brightest > 127 { 127 } else { 0 }
}
