//! One picture file: its bytes, and what they show.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use dfm_image::{
    DecodeLimits, Depth, MaskPixels, Picture, Region, RgbImage, Transparency, decode_mask, page,
};

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

/// Decodes the bytes of a picture file within the default limits, to the numbers of the file. Where it
/// is transparent, it shows [`BACKGROUND`](dfm_image::BACKGROUND).
///
/// # Errors
///
/// [`DataError::Picture`] if they are no picture, damaged, or beyond a limit.
pub fn decode_picture(bytes: &[u8]) -> Result<Picture<'static>, DataError> {
    Ok(dfm_image::decode_picture(bytes, &DecodeLimits::default(), Transparency::Background)?)
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

/// Reads a mask: of defects, or of a region of interest. [`MaskReading`](dfm_image::MaskReading) has
/// the rule for what is inside.
///
/// # Errors
///
/// Those of [`open_picture`].
pub fn open_mask(path: &Path) -> Result<MaskPixels, DataError> {
    Ok(decode_mask(&read_picture(path)?, &DecodeLimits::default())?)
}

/// Reads a region of interest from a mask.
///
/// # Errors
///
/// Those of [`open_mask`]; [`DataError::Region`] if nothing is inside or the mask is too intricate.
pub fn open_region(path: &Path) -> Result<Region, DataError> {
    let MaskPixels { size, inside, .. } = open_mask(path)?;
    Ok(Region::mask(size, &inside)?)
}
