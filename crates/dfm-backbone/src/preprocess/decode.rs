//! From bytes to upright RGB. Nothing is allocated for pixels before the
//! picture's declared size has been compared with the limits.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use super::error::PreprocessError;

/// How much a picture may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Bytes of the file.
    pub max_bytes: u64,
    /// Width times height.
    pub max_pixels: u64,
}

impl Default for DecodeLimits {
    /// 512 MiB and 256 megapixels.
    fn default() -> Self {
        Self { max_bytes: 512 << 20, max_pixels: 256_000_000 }
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
/// If the content is no such picture, beyond a limit, damaged or empty.
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage, PreprocessError> {
    if bytes.len() as u64 > limits.max_bytes {
        return Err(PreprocessError::TooManyBytes { limit: limits.max_bytes, got: bytes.len() as u64 });
    }
    let (format, name) = format_of(bytes)?;
    if format == ImageFormat::Jpeg && !has_end_of_image(bytes) {
        return Err(PreprocessError::CutShort { format: name, got: bytes.len() as u64 });
    }
    let failed = |source: ImageError| PreprocessError::Decode { format: name, source };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    // The pixels are limited below; decoders also keep to this for what they
    // need beside them. Eight bytes a pixel is 16-bit RGBA.
    let mut allowed = Limits::no_limits();
    allowed.max_alloc = Some(limits.max_pixels.saturating_mul(8).saturating_add(64 << 20));
    reader.limits(allowed);
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        return Err(PreprocessError::TooManyPixels { limit: limits.max_pixels, width, height });
    }
    if width == 0 || height == 0 {
        return Err(PreprocessError::Empty { width, height });
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(failed)?;
    picture.apply_orientation(orientation);
    Ok(to_rgb(picture))
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

/// Whether a JPEG's segments end with an end-of-image marker. Decoders fill what
/// is missing of a cut file with grey, which must not pass for a good part.
fn has_end_of_image(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xDA;
    const END_OF_IMAGE: u8 = 0xD9;
    let mut rest = bytes.get(2..).unwrap_or_default();
    // Segments name their length; after a scan's header come coded bytes, in
    // which a marker is the first 0xFF that neither a stuffed zero, a restart
    // nor another 0xFF follows.
    while let [0xFF, marker, after @ ..] = rest {
        rest = match (*marker, after) {
            (END_OF_IMAGE, _) => return true,
            (0xFF, _) => &rest[1..],
            (0x01 | 0xD0..=0xD8, after) => after,
            (marker, [high, low, ..]) => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                let segment = after.get(length..).unwrap_or_default();
                match marker {
                    START_OF_SCAN => {
                        let mut pairs = segment.windows(2);
                        let end = pairs
                            .position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xD0..=0xD7 | 0xFF));
                        end.map_or(&[][..], |end| &segment[end..])
                    }
                    _ => segment,
                }
            }
            _ => &[],
        };
    }
    false
}

fn to_rgb(picture: DynamicImage) -> RgbImage {
    let high = |value: u16| (value >> 8) as u8;
    match picture {
        DynamicImage::ImageLuma16(grey) => {
            let (width, height) = grey.dimensions();
            let pixels = GrayImage::from_fn(width, height, |x, y| [high(grey.get_pixel(x, y).0[0])].into());
            DynamicImage::ImageLuma8(pixels).into_rgb8()
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
