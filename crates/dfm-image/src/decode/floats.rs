//! TIFF pictures with floating-point numbers, grey ones too, which the `image` crate does not read. They
//! are files of one page.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, Rgb32FImage, Rgba32FImage};
use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;

use super::directories::FORMAT;
use super::size_check::check_size;
use crate::error::PreprocessError;
use crate::limits::DecodeLimits;

/// The value of the sample-format tag that means floating-point numbers.
const FLOATING_POINT: u16 = 3;

/// Whether the first picture of a TIFF has floating-point numbers. False for a damaged file.
pub(super) fn holds_floats(bytes: &[u8]) -> bool {
    let Ok(mut decoder) = Decoder::new(Cursor::new(bytes)) else { return false };
    matches!(decoder.find_tag_unsigned_vec::<u16>(Tag::SampleFormat), Ok(Some(formats))
        if formats.contains(&FLOATING_POINT))
}

/// Decodes such a picture and applies its orientation. Grey becomes three equal channels.
pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<DynamicImage, PreprocessError> {
    let damaged =
        |error: tiff::TiffError| PreprocessError::Decode { format: FORMAT, reason: error.to_string() };
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(damaged)?;
    let (width, height) = decoder.dimensions().map_err(damaged)?;
    let colours = decoder.colortype().map_err(damaged)?;
    let channels: usize = match colours {
        ColorType::Gray(32) => 1,
        ColorType::RGB(32) => 3,
        ColorType::RGBA(32) => 4,
        other => {
            let found = format!("floating-point channels of the kind {other:?}");
            return Err(PreprocessError::Unsupported { format: FORMAT, found });
        }
    };
    // The result is RGB, whatever the file has.
    check_size(width, height, 4 * channels.max(3) as u64, limits)?;
    let mut allowed = Limits::default();
    allowed.decoding_buffer_size = usize::try_from(limits.max_decoded_bytes).unwrap_or(usize::MAX);
    let mut decoder = decoder.with_limits(allowed);
    let turned = decoder.find_tag_unsigned::<u8>(Tag::Orientation).map_err(damaged)?;
    let DecodingResult::F32(values) = decoder.read_image().map_err(damaged)? else {
        let found = "numbers of another kind than its tags say".to_owned();
        return Err(PreprocessError::Unsupported { format: FORMAT, found });
    };
    let colour = |values| Rgb32FImage::from_raw(width, height, values).map(DynamicImage::ImageRgb32F);
    let picture = match channels {
        1 => colour(values.into_iter().flat_map(|value| [value; 3]).collect()),
        3 => colour(values),
        _ => Rgba32FImage::from_raw(width, height, values).map(DynamicImage::ImageRgba32F),
    };
    let mut picture = picture.ok_or_else(|| PreprocessError::Decode {
        format: FORMAT,
        reason: "fewer values than its size says".to_owned(),
    })?;
    picture.apply_orientation(turned.and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms));
    Ok(picture)
}
