//! From the bytes of a file to an upright RGB picture. The declared size of the picture is
//! compared with the limits before memory for its pixels is allocated.

mod alpha;
mod directories;
mod floats;
mod jpeg;
mod jpeg_segments;
mod kind;
mod lossless;
mod mask;
mod rgb;
mod several;
mod size_check;

use std::borrow::Cow;
use std::io::Cursor;

use image::{DynamicImage, ImageFormat, RgbImage};

pub use alpha::{BACKGROUND, Transparency};
pub use directories::{page, page_count};
pub use kind::{FIRST_BYTES, FileKind, file_kind};

use alpha::Alpha;
use directories::Directories;

use crate::error::PreprocessError;
use crate::levels::{Levels, high_bytes};
use crate::levels_tally::LevelsTally;
use crate::limits::DecodeLimits;
use crate::picture::{Depth, Picture};

pub use mask::decode_mask;

/// Decodes JPEG, PNG, BMP, TIFF, WebP, GIF, PNM or QOI. The content of the file says which format it is.
///
/// The EXIF orientation is applied. Grey becomes three equal channels. Palettes are looked up.
/// Where the picture is transparent, it shows [`BACKGROUND`]. Channels of 16 bits keep their high
/// byte.
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
/// If the content is not such a picture, holds several, exceeds a limit, is damaged, empty or
/// transparent everywhere, or has pixels that are not whole numbers, such as floating point. A
/// damaged JPEG is refused even where other programs show a part of it.
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage, PreprocessError> {
    decode_with(bytes, limits, Transparency::Background)
}

/// Decodes as [`decode`] does, and shows what `transparency` says where the picture is transparent.
///
/// # Errors
///
/// Those of [`decode`].
pub fn decode_with(
    bytes: &[u8],
    limits: &DecodeLimits,
    transparency: Transparency,
) -> Result<RgbImage, PreprocessError> {
    match decode_picture(bytes, limits, transparency)? {
        Picture::Bytes(picture) => Ok(picture.into_owned()),
        Picture::Words(picture) => Ok(high_bytes(&picture)),
        Picture::Floats(_) => {
            let found = "32-bit floating-point channels".to_owned();
            Err(PreprocessError::Unsupported { format: directories::FORMAT, found })
        }
    }
}

/// Decodes as [`decode_with`] does, to the numbers of the file: channels of 16 bits stay as they are,
/// and so do 32-bit floating-point numbers of a TIFF.
///
/// In pictures with 16 bits, transparent pixels show [`BACKGROUND`] on a scale where 65535 is white. For
/// other [`Levels`] use [`decode_at`].
///
/// # Errors
///
/// Those of [`decode`], but floating-point numbers are refused only where they are transparent.
pub fn decode_picture(
    bytes: &[u8],
    limits: &DecodeLimits,
    transparency: Transparency,
) -> Result<Picture<'static>, PreprocessError> {
    decode_at(bytes, limits, transparency, Levels::Auto)
}

/// Decodes as [`decode_picture`] does, for a picture that is prepared with these `levels`. Transparent
/// pixels show the colour that the levels map to [`BACKGROUND`].
///
/// # Errors
///
/// Those of [`decode_picture`]; [`PreprocessError::NoBackground`] if the picture has 16 bits a channel,
/// is transparent in places, and the levels map no value to that colour.
pub fn decode_at(
    bytes: &[u8],
    limits: &DecodeLimits,
    transparency: Transparency,
    levels: Levels,
) -> Result<Picture<'static>, PreprocessError> {
    decode_as_stored(bytes, limits, transparency, levels).map(rgb::to_rgb)
}

/// What the channels of a picture file are made of, by its headers.
///
/// # Errors
///
/// If the content is no such picture, holds several, or is larger than the limit.
pub fn depth(bytes: &[u8], limits: &DecodeLimits) -> Result<Depth, PreprocessError> {
    let (format, name) = checked_format(bytes, limits)?;
    match format {
        ImageFormat::Jpeg => Ok(Depth::Bits8),
        ImageFormat::Tiff => {
            let (page, _) = only_page(bytes)?;
            match floats::holds_floats(&page) {
                true => Ok(Depth::Float32),
                false => lossless::depth(&page, format, name),
            }
        }
        _ => lossless::depth(bytes, format, name),
    }
}

/// Counts in `tally` the values of a picture file with 16 bits a channel. Other files are not counted. If
/// `transparency` lays the picture on a colour, only opaque pixels count, because that colour does not come
/// from the camera.
///
/// # Errors
///
/// Those of [`decode_picture`].
pub fn count_values(
    bytes: &[u8],
    limits: &DecodeLimits,
    transparency: Transparency,
    tally: &mut LevelsTally,
) -> Result<(), PreprocessError> {
    let (picture, alpha) = decode_with_alpha(bytes, limits)?;
    let is_laid = transparency != Transparency::Ignored && alpha != Alpha::None;
    match &picture {
        DynamicImage::ImageLumaA16(grey) if is_laid => {
            tally.push_pixels(alpha::opaque(grey.pixels().map(|pixel| alpha::spread(pixel.0)), alpha));
        }
        DynamicImage::ImageRgba16(colour) if is_laid => {
            tally.push_pixels(alpha::opaque(colour.pixels().map(|pixel| pixel.0), alpha));
        }
        _ => tally.push(&rgb::to_rgb(picture)),
    }
    Ok(())
}

/// The upright picture with the depth that the file has.
fn decode_as_stored(
    bytes: &[u8],
    limits: &DecodeLimits,
    transparency: Transparency,
    levels: Levels,
) -> Result<DynamicImage, PreprocessError> {
    let (picture, alpha) = decode_with_alpha(bytes, limits)?;
    alpha::lay(picture, alpha, transparency, levels)
}

/// The upright picture as the file has it, and the relation between its colours and its alpha channel.
fn decode_with_alpha(bytes: &[u8], limits: &DecodeLimits) -> Result<(DynamicImage, Alpha), PreprocessError> {
    let (format, name) = checked_format(bytes, limits)?;
    several::check_single(bytes, format, name)?;
    Ok(match format {
        ImageFormat::Jpeg => (jpeg::decode(bytes, limits)?, Alpha::None),
        ImageFormat::Tiff => {
            let (page, alpha) = only_page(bytes)?;
            let picture = match floats::holds_floats(&page) {
                true => floats::decode(&page, limits)?,
                false => lossless::decode(&page, format, name, limits)?,
            };
            (picture, alpha)
        }
        ImageFormat::Bmp => (lossless::decode(bytes, format, name, limits)?, Alpha::Doubtful),
        _ => (lossless::decode(bytes, format, name, limits)?, Alpha::Straight),
    })
}

/// The format by its first bytes, and its name, of a file that is not too large.
fn checked_format(
    bytes: &[u8],
    limits: &DecodeLimits,
) -> Result<(ImageFormat, &'static str), PreprocessError> {
    if bytes.len() as u64 > limits.max_bytes {
        return Err(PreprocessError::TooManyBytes { limit: limits.max_bytes, got: bytes.len() as u64 });
    }
    format_of(bytes)
}

/// The TIFF file `bytes` without what lies beside its one picture, such as a smaller copy. Also the
/// relation between the colours of that picture and its alpha channel.
fn only_page(bytes: &[u8]) -> Result<(Cow<'_, [u8]>, Alpha), PreprocessError> {
    let directories = Directories::read(Cursor::new(bytes))?;
    if directories.count() > 1 {
        return Err(PreprocessError::SeveralPictures {
            format: directories::FORMAT,
            count: directories.count(),
        });
    }
    let mut page = Cow::Borrowed(bytes);
    if !directories.is_alone(0) {
        directories.keep(0, page.to_mut());
    }
    Ok((page, directories.alpha(0)))
}

/// The format by its first bytes, and its name.
fn format_of(bytes: &[u8]) -> Result<(ImageFormat, &'static str), PreprocessError> {
    if let FileKind::OtherPicture(format) = file_kind(bytes) {
        return Err(PreprocessError::OtherFormat { format });
    }
    if directories::is_tiff(bytes) {
        return Ok((ImageFormat::Tiff, directories::FORMAT));
    }
    match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => Ok((ImageFormat::Jpeg, "JPEG")),
        Ok(ImageFormat::Png) => Ok((ImageFormat::Png, "PNG")),
        Ok(ImageFormat::Bmp) => Ok((ImageFormat::Bmp, "BMP")),
        Ok(ImageFormat::WebP) => Ok((ImageFormat::WebP, "WebP")),
        Ok(ImageFormat::Gif) => Ok((ImageFormat::Gif, "GIF")),
        Ok(ImageFormat::Pnm) => Ok((ImageFormat::Pnm, "PNM")),
        Ok(ImageFormat::Qoi) => Ok((ImageFormat::Qoi, "QOI")),
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
