//! One picture file: its bytes, and what they show.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use dfm_image::{DecodeLimits, PictureSize, Region, RgbImage, Transparency, decode, decode_with, page};

use crate::error::DataError;
use crate::pages::split_page;

/// Reads the bytes of a picture file. `scan.tif#2` is the second page of `scan.tif`, as a file of its
/// own, unless there is a file of that name. If the file is
/// beyond the decoder's limit, one byte more than the limit is read, so that [`decode_picture`] refuses
/// it.
///
/// # Errors
///
/// [`DataError::ReadPicture`] if the file cannot be read; [`DataError::Picture`] if it has no such
/// page.
pub fn read_picture(path: &Path) -> Result<Vec<u8>, DataError> {
    match split_page(path) {
        Some((file, number)) => Ok(page(read_file(&file)?, number)?),
        None => read_file(path),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, DataError> {
    let failed = |operation| move |cause| DataError::ReadPicture { operation, cause };
    let file = File::open(path).map_err(failed("open"))?;
    let mut bytes = Vec::new();
    let most = DecodeLimits::default().max_bytes + 1;
    file.take(most).read_to_end(&mut bytes).map_err(failed("read"))?;
    Ok(bytes)
}

/// Decodes the bytes of a picture file within the default limits. Where it is transparent, it shows
/// [`BACKGROUND`](dfm_image::BACKGROUND).
///
/// # Errors
///
/// [`DataError::Picture`] if they are no picture, damaged, or beyond a limit.
pub fn decode_picture(bytes: &[u8]) -> Result<RgbImage, DataError> {
    Ok(decode(bytes, &DecodeLimits::default())?)
}

/// Reads and decodes one picture file.
///
/// # Errors
///
/// Those of [`read_picture`] and [`decode_picture`].
pub fn open_picture(path: &Path) -> Result<RgbImage, DataError> {
    decode_picture(&read_picture(path)?)
}

/// Reads and decodes one mask. What is transparent marks nothing.
///
/// # Errors
///
/// Those of [`open_picture`].
pub(crate) fn open_mask(path: &Path) -> Result<RgbImage, DataError> {
    Ok(decode_with(&read_picture(path)?, &DecodeLimits::default(), Transparency::Black)?)
}

/// Reads a region of interest from a mask picture: red above 127 is inside.
///
/// # Errors
///
/// Those of [`open_picture`]; [`DataError::Region`] if nothing is inside or the mask is too
/// intricate.
pub fn open_region(path: &Path) -> Result<Region, DataError> {
    let mask = open_mask(path)?;
    let size = PictureSize { width: mask.width(), height: mask.height() };
    let inside: Vec<bool> = mask.pixels().map(|pixel| pixel.0[0] > 127).collect();
    Ok(Region::mask(size, &inside)?)
}
