//! Where defects are marked.

use std::path::{Path, PathBuf};

use anyhow::bail;
use dfm_core::{PictureSize, RgbImage};

use crate::input::decode_file;

/// The pixels that any of `masks` marks, for a picture of `size`; otherwise the mask that
/// cannot be used, and why.
pub(crate) fn read_masks(
    masks: &[PathBuf],
    size: PictureSize,
) -> Result<Vec<bool>, (PathBuf, anyhow::Error)> {
    let mut marked = vec![false; size.width as usize * size.height as usize];
    for path in masks {
        let mask = read_mask(path, size).map_err(|error| (path.clone(), error))?;
        let level = level(&mask);
        marked.iter_mut().zip(mask.pixels()).for_each(|(marked, pixel)| *marked |= pixel.0[0] > level);
    }
    Ok(marked)
}

/// Whether the mask at `path` marks any pixel.
pub(super) fn marks_anything(path: &Path) -> anyhow::Result<bool> {
    Ok(decode_file(path)?.pixels().any(|pixel| pixel.0[0] > 0))
}

fn read_mask(path: &Path, size: PictureSize) -> anyhow::Result<RgbImage> {
    let mask = decode_file(path)?;
    let (width, height) = mask.dimensions();
    if (width, height) != (size.width, size.height) {
        bail!(
            "expected a mask of {}×{} pixels as its picture, found {width}×{height}",
            size.width,
            size.height
        );
    }
    Ok(mask)
}

/// Pixels above it are marked: 127 or, in a mask that holds nothing above, 0. Some data sets
/// number their defects, from 1.
fn level(mask: &RgbImage) -> u8 {
    let brightest = mask.pixels().map(|pixel| pixel.0[0]).max().unwrap_or(0);
    if brightest > 127 { 127 } else { 0 }
}
