//! Every format except JPEG.

use std::error::Error;
use std::io::Cursor;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::size_check::check_size;
use crate::error::PreprocessError;
use crate::limits::DecodeLimits;
use crate::picture::Depth;

/// Decodes a file of `format`, with `name`, and applies its EXIF orientation.
pub(super) fn decode(
    bytes: &[u8],
    format: ImageFormat,
    name: &'static str,
    limits: &DecodeLimits,
) -> Result<DynamicImage, PreprocessError> {
    let failed = |error| failed(name, &error, bytes.len());
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    // `check_size` limits the pixels. This limit also covers what decoders need beside them.
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

/// What the channels of a file of `format`, with `name`, are made of.
pub(super) fn depth(bytes: &[u8], format: ImageFormat, name: &'static str) -> Result<Depth, PreprocessError> {
    let reader = ImageReader::with_format(Cursor::new(bytes), format);
    let decoder = reader.into_decoder().map_err(|error| failed(name, &error, bytes.len()))?;
    match decoder.color_type() {
        ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16 => Ok(Depth::Bits16),
        ColorType::Rgb32F | ColorType::Rgba32F => Ok(Depth::Float32),
        _ => Ok(Depth::Bits8),
    }
}

/// The error of a decoder for a file of `got` bytes.
fn failed(format: &'static str, error: &ImageError, got: usize) -> PreprocessError {
    match error {
        ImageError::Unsupported(kind) => PreprocessError::Unsupported { format, found: kind.to_string() },
        error if is_cut_short(error) => PreprocessError::CutShort { format, got: got as u64 },
        error => PreprocessError::Decode { format, reason: reason_of(error) },
    }
}

/// Whether the decoder asked for more bytes than the file has.
fn is_cut_short(error: &ImageError) -> bool {
    let cause = match error {
        ImageError::IoError(cause) => Some(cause),
        error => error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>()),
    };
    cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::UnexpectedEof)
}

/// The message of the decoder alone. The library's text around it would name the format twice.
fn reason_of(error: &ImageError) -> String {
    match error.source() {
        Some(reason) => reason.to_string(),
        None => error.to_string(),
    }
}
