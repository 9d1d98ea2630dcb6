//! From the bytes of a file to an upright RGB picture. The declared size of the picture is
//! compared with the limits before memory for its pixels is allocated.

mod floats;
mod jpeg;
mod jpeg_segments;
mod lossless;
mod rgb;
mod size_check;

use image::{ImageFormat, RgbImage};

use crate::error::PreprocessError;
use crate::levels::high_bytes;
use crate::limits::DecodeLimits;
use crate::picture::{Depth, Picture};

/// Decodes JPEG, PNG, BMP, TIFF or WebP. The content of the file says which format it is.
///
/// The EXIF orientation is applied. Grey becomes three equal channels. Palettes are looked up.
/// An alpha channel is dropped without blending, as PIL's `convert("RGB")` does. Channels of
/// 16 bits keep their high byte.
///
/// ```
/// use dfm_image::{DecodeLimits, decode};
///
/// // The smallest BMP: one blue pixel.
/// let bmp = [
///     b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0".as_slice(),
///     &[0; 24],
///     &[255, 0, 0, 0],
/// ]
/// .concat();
/// let picture = decode(&bmp, &DecodeLimits::default())?;
/// assert_eq!(picture.get_pixel(0, 0).0, [0, 0, 255]);
/// # Ok::<(), dfm_image::PreprocessError>(())
/// ```
///
/// # Errors
///
/// If the content is not such a picture, exceeds a limit, is damaged or empty, or has pixels
/// that are not whole numbers, such as floating point. A damaged JPEG is refused even where
/// other programs show a part of it.
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage, PreprocessError> {
    match decode_picture(bytes, limits)? {
        Picture::Bytes(picture) => Ok(picture.into_owned()),
        Picture::Words(picture) => Ok(high_bytes(&picture)),
        Picture::Floats(_) => {
            let found = "32-bit floating-point channels".to_owned();
            Err(PreprocessError::Unsupported { format: "TIFF", found })
        }
    }
}

/// [`decode`] to the numbers of the file: channels of 16 bits stay as they are, and so do 32-bit
/// floating-point numbers of a TIFF.
///
/// # Errors
///
/// Those of [`decode`] but for floating-point numbers.
pub fn decode_picture(bytes: &[u8], limits: &DecodeLimits) -> Result<Picture<'static>, PreprocessError> {
    let format = checked_format(bytes, limits)?;
    match format {
        (ImageFormat::Jpeg, _) => Ok(rgb::to_rgb(jpeg::decode(bytes, limits)?)),
        (ImageFormat::Tiff, _) if floats::holds_floats(bytes) => {
            Ok(Picture::from(floats::decode(bytes, limits)?))
        }
        (format, name) => Ok(rgb::to_rgb(lossless::decode(bytes, format, name, limits)?)),
    }
}

/// What the channels of a picture file are made of, by its headers.
///
/// # Errors
///
/// If the content is no such picture, or larger than the limit.
pub fn depth(bytes: &[u8], limits: &DecodeLimits) -> Result<Depth, PreprocessError> {
    match checked_format(bytes, limits)? {
        (ImageFormat::Jpeg, _) => Ok(Depth::Bits8),
        (ImageFormat::Tiff, _) if floats::holds_floats(bytes) => Ok(Depth::Float32),
        (format, name) => lossless::depth(bytes, format, name),
    }
}

fn checked_format(
    bytes: &[u8],
    limits: &DecodeLimits,
) -> Result<(ImageFormat, &'static str), PreprocessError> {
    if bytes.len() as u64 > limits.max_bytes {
        return Err(PreprocessError::TooManyBytes { limit: limits.max_bytes, got: bytes.len() as u64 });
    }
    format_of(bytes)
}

/// The format by its first bytes, and its name.
fn format_of(bytes: &[u8]) -> Result<(ImageFormat, &'static str), PreprocessError> {
    match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => Ok((ImageFormat::Jpeg, "JPEG")),
        Ok(ImageFormat::Png) => Ok((ImageFormat::Png, "PNG")),
        Ok(ImageFormat::Bmp) => Ok((ImageFormat::Bmp, "BMP")),
        Ok(ImageFormat::Tiff) => Ok((ImageFormat::Tiff, "TIFF")),
        Ok(ImageFormat::WebP) => Ok((ImageFormat::WebP, "WebP")),
        Ok(other) => Err(PreprocessError::UnknownFormat { found: format!("{other:?}") }),
        Err(_) if bytes.is_empty() => {
            Err(PreprocessError::UnknownFormat { found: "an empty file".to_owned() })
        }
        Err(_) => {
            let start = &bytes[..bytes.len().min(8)];
            Err(PreprocessError::UnknownFormat { found: format!("bytes {start:02x?}") })
        }
    }
}
