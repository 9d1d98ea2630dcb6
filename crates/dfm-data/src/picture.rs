//! One picture file: its bytes, and what they show.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use dfm_image::{DecodeLimits, Depth, Picture, PictureSize, Region, RgbImage};

use crate::error::DataError;

/// Reads the bytes of a picture file. Of a file beyond the decoder's limit, it reads one byte more
/// than the limit, so that [`decode_picture`] refuses it.
///
/// # Errors
///
/// [`DataError::ReadPicture`] if the file cannot be read.
pub fn read_picture(path: &Path) -> Result<Vec<u8>, DataError> {
    let failed = |operation| move |cause| DataError::ReadPicture { operation, cause };
    let file = File::open(path).map_err(failed("open"))?;
    let mut bytes = Vec::new();
    let most = DecodeLimits::default().max_bytes + 1;
    file.take(most).read_to_end(&mut bytes).map_err(failed("read"))?;
    Ok(bytes)
}

/// Decodes the bytes of a picture file within the default limits, to the numbers of the file.
///
/// # Errors
///
/// [`DataError::Picture`] if they are no picture, damaged, or beyond a limit.
pub fn decode_picture(bytes: &[u8]) -> Result<Picture<'static>, DataError> {
    Ok(dfm_image::decode_picture(bytes, &DecodeLimits::default())?)
}

/// What the channels of a picture file are made of, by its headers.
///
/// # Errors
///
/// [`DataError::Picture`] if the bytes are no picture, or beyond the limit.
pub fn picture_depth(bytes: &[u8]) -> Result<Depth, DataError> {
    Ok(dfm_image::depth(bytes, &DecodeLimits::default())?)
}

/// Reads and decodes one picture file to 8 bits a channel: of 16 bits, the high byte.
///
/// # Errors
///
/// Those of [`read_picture`]; [`DataError::Picture`] if the content is no picture, damaged, beyond a
/// limit, or has floating-point numbers.
pub fn open_picture(path: &Path) -> Result<RgbImage, DataError> {
    Ok(dfm_image::decode(&read_picture(path)?, &DecodeLimits::default())?)
}

/// Reads a region of interest from a mask picture: red above 127 is inside.
///
/// # Errors
///
/// Those of [`open_picture`]; [`DataError::Region`] if nothing is inside or the mask is too
/// intricate.
pub fn open_region(path: &Path) -> Result<Region, DataError> {
    let mask = open_picture(path)?;
    let size = PictureSize { width: mask.width(), height: mask.height() };
    let inside: Vec<bool> = mask.pixels().map(|pixel| pixel.0[0] > 127).collect();
    Ok(Region::mask(size, &inside)?)
}
