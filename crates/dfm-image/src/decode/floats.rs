//! TIFF pictures with floating-point numbers, grey ones too, which the `image` crate does not read.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, Rgb32FImage};
use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;

use super::size_check::check_size;
use crate::error::PreprocessError;
use crate::limits::DecodeLimits;

const FORMAT: &str = "TIFF";
/// What the tag of the sample format says of floating-point numbers.
const FLOATING_POINT: u16 = 3;

/// Whether the first picture of a TIFF has floating-point numbers. What is damaged has none.
pub(super) fn holds_floats(bytes: &[u8]) -> bool {
    let Ok(mut decoder) = Decoder::new(Cursor::new(bytes)) else { return false };
    matches!(decoder.find_tag_unsigned_vec::<u16>(Tag::SampleFormat), Ok(Some(formats))
        if formats.contains(&FLOATING_POINT))
}

/// Decodes such a picture and applies its orientation. Grey becomes three equal channels, and an
/// alpha channel is dropped.
pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Rgb32FImage, PreprocessError> {
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
    // It becomes RGB, whatever it is.
    check_size(width, height, 4 * channels.max(3) as u64, limits)?;
    let mut allowed = Limits::default();
    allowed.decoding_buffer_size = usize::try_from(limits.max_decoded_bytes).unwrap_or(usize::MAX);
    let mut decoder = decoder.with_limits(allowed);
    let turned = decoder.find_tag_unsigned::<u8>(Tag::Orientation).map_err(damaged)?;
    let DecodingResult::F32(values) = decoder.read_image().map_err(damaged)? else {
        let found = "numbers of another kind than its tags say".to_owned();
        return Err(PreprocessError::Unsupported { format: FORMAT, found });
    };
    let pixels = match channels {
        1 => values.into_iter().flat_map(|value| [value; 3]).collect(),
        3 => values,
        _ => values.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
    };
    let picture = Rgb32FImage::from_raw(width, height, pixels).ok_or_else(|| PreprocessError::Decode {
        format: FORMAT,
        reason: "fewer values than its size says".to_owned(),
    })?;
    match turned.and_then(Orientation::from_exif) {
        None | Some(Orientation::NoTransforms) => Ok(picture),
        Some(turned) => {
            let mut picture = DynamicImage::from(picture);
            picture.apply_orientation(turned);
            Ok(picture.into_rgb32f())
        }
    }
}
