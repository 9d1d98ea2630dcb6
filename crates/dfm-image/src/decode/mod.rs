//! From the bytes of a file to an upright RGB picture. The declared size of the picture is
//! compared with the limits before memory for its pixels is allocated.

mod alpha;
mod directories;
mod jpeg;
mod jpeg_segments;
mod kind;
mod lossless;
mod rgb;
mod several;
mod size_check;

use std::borrow::Cow;
use std::io::Cursor;

use image::{ImageFormat, RgbImage};

pub use alpha::{BACKGROUND, Transparency};
pub use directories::{page, page_count};
pub use kind::{FIRST_BYTES, FileKind, file_kind};

use alpha::Alpha;
use directories::Directories;

use crate::error::PreprocessError;
use crate::limits::DecodeLimits;

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
    if bytes.len() as u64 > limits.max_bytes {
        return Err(PreprocessError::TooManyBytes { limit: limits.max_bytes, got: bytes.len() as u64 });
    }
    let (format, name) = format_of(bytes)?;
    several::check_single(bytes, format, name)?;
    let (picture, alpha) = match format {
        ImageFormat::Jpeg => (jpeg::decode(bytes, limits)?, Alpha::None),
        ImageFormat::Tiff => {
            let (page, alpha) = only_page(bytes)?;
            (lossless::decode(&page, format, name, limits)?, alpha)
        }
        ImageFormat::Bmp => (lossless::decode(bytes, format, name, limits)?, Alpha::Doubtful),
        _ => (lossless::decode(bytes, format, name, limits)?, Alpha::Straight),
    };
    Ok(rgb::to_rgb(alpha::lay(picture, alpha, transparency)?))
}

/// The TIFF file `bytes` without what lies beside its one picture, such as a smaller copy, and how
/// its colours go with its alpha channel.
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
