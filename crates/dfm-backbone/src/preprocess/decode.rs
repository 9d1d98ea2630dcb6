//! From bytes to upright RGB. Nothing is allocated for pixels before the
//! picture's declared size has been compared with the limits.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "pictures are decoded here alone")]

use std::io::Cursor;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use super::error::PreprocessError;
use super::jpeg;

/// How much a picture may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Bytes of the file.
    pub max_bytes: u64,
    /// Width times height.
    pub max_pixels: u64,
    /// Bytes of the decoded pixels as the file keeps them, before they become RGB
    /// of eight bits: up to eight bytes a pixel.
    pub max_decoded_bytes: u64,
}

impl Default for DecodeLimits {
    /// 512 MiB of file, 256 megapixels, 1 GiB decoded.
    fn default() -> Self {
        Self { max_bytes: 512 << 20, max_pixels: 256_000_000, max_decoded_bytes: 1 << 30 }
    }
}

/// Decodes JPEG, PNG, BMP, TIFF or WebP, told apart by their content.
///
/// The EXIF orientation is applied. Grey becomes three equal channels, palettes
/// are looked up, an alpha channel is dropped without blending (as PIL's
/// `convert("RGB")` does), and of 16-bit channels the high byte is kept.
///
/// ```
/// use dfm_backbone::{DecodeLimits, decode};
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
/// # Ok::<(), dfm_backbone::PreprocessError>(())
/// ```
///
/// # Errors
///
/// If the content is no such picture, beyond a limit, damaged, empty, or of a kind
/// that has no bytes for pixels, such as floating point. A damaged JPEG is refused
/// even where other programs show some of it.
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage, PreprocessError> {
    if bytes.len() as u64 > limits.max_bytes {
        return Err(PreprocessError::TooManyBytes { limit: limits.max_bytes, got: bytes.len() as u64 });
    }
    match format_of(bytes)? {
        (ImageFormat::Jpeg, _) => jpeg::decode(bytes, limits),
        (format, name) => decode_lossless(bytes, format, name, limits),
    }
    .map(to_rgb)
}

/// Every format but JPEG; upright.
fn decode_lossless(
    bytes: &[u8],
    format: ImageFormat,
    name: &'static str,
    limits: &DecodeLimits,
) -> Result<DynamicImage, PreprocessError> {
    let failed = |source: ImageError| match source {
        ImageError::Unsupported(kind) => {
            PreprocessError::Unsupported { format: name, found: kind.to_string() }
        }
        source => PreprocessError::Decode { format: name, source },
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    // The pixels are limited below; decoders also keep to this for what they
    // need beside them.
    let mut allowed = Limits::no_limits();
    allowed.max_alloc = Some(limits.max_decoded_bytes.saturating_add(64 << 20));
    reader.limits(allowed);
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    let colours = decoder.color_type();
    check_size(width, height, u64::from(colours.bytes_per_pixel()), limits)?;
    if matches!(colours, ColorType::Rgb32F | ColorType::Rgba32F) {
        let found = "32-bit floating-point channels".to_owned();
        return Err(PreprocessError::Unsupported { format: name, found });
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(failed)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Compares a picture's declared size with the limits.
pub(super) fn check_size(
    width: u32,
    height: u32,
    bytes_a_pixel: u64,
    limits: &DecodeLimits,
) -> Result<(), PreprocessError> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits.max_pixels {
        return Err(PreprocessError::TooManyPixels { limit: limits.max_pixels, width, height });
    }
    if pixels == 0 {
        return Err(PreprocessError::Empty { width, height });
    }
    let got = pixels.saturating_mul(bytes_a_pixel);
    if got > limits.max_decoded_bytes {
        let limit = limits.max_decoded_bytes;
        return Err(PreprocessError::TooManyDecodedBytes { limit, got, width, height });
    }
    Ok(())
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

fn to_rgb(picture: DynamicImage) -> RgbImage {
    let high = |value: u16| (value >> 8) as u8;
    match picture {
        // By hand, since the library would convert through a colour space.
        DynamicImage::ImageLuma8(grey) => {
            RgbImage::from_fn(grey.width(), grey.height(), |x, y| [grey.get_pixel(x, y).0[0]; 3].into())
        }
        DynamicImage::ImageLuma16(grey) => {
            let (width, height) = grey.dimensions();
            RgbImage::from_fn(width, height, |x, y| [high(grey.get_pixel(x, y).0[0]); 3].into())
        }
        DynamicImage::ImageLumaA16(grey) => {
            let (width, height) = grey.dimensions();
            RgbImage::from_fn(width, height, |x, y| [high(grey.get_pixel(x, y).0[0]); 3].into())
        }
        DynamicImage::ImageRgb16(colour) => {
            let (width, height) = colour.dimensions();
            RgbImage::from_fn(width, height, |x, y| colour.get_pixel(x, y).0.map(high).into())
        }
        DynamicImage::ImageRgba16(colour) => {
            let (width, height) = colour.dimensions();
            RgbImage::from_fn(width, height, |x, y| {
                let [red, green, blue, _] = colour.get_pixel(x, y).0;
                [red, green, blue].map(high).into()
            })
        }
        // Eight bits a channel already; alpha is dropped.
        other => other.into_rgb8(),
    }
}
