//! From the bytes of a file to an upright RGB picture. The declared size of the picture is
//! compared with the limits before memory for its pixels is allocated.

mod jpeg;
mod jpeg_segments;
mod lossless;
mod rgb;
mod size_check;

use image::{ImageFormat, RgbImage};

use crate::error::PreprocessError;
use crate::limits::DecodeLimits;

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
    if bytes.len() as u64 > limits.max_bytes {
        return Err(PreprocessError::TooManyBytes { limit: limits.max_bytes, got: bytes.len() as u64 });
    }
    match format_of(bytes)? {
        (ImageFormat::Jpeg, _) => jpeg::decode(bytes, limits),
        (format, name) => lossless::decode(bytes, format, name, limits),
    }
    .map(rgb::to_rgb)
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
        Err(_) if bytes.starts_with(b"II+\0") || bytes.starts_with(b"MM\0+") => {
            Err(PreprocessError::UnknownFormat { found: "a BigTIFF; save it as a plain TIFF".to_owned() })
        }
        Err(_) => {
            let start = &bytes[..bytes.len().min(8)];
            Err(PreprocessError::UnknownFormat { found: format!("bytes {start:02x?}") })
        }
    }
}
