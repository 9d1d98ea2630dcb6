//! What is shown where a picture is transparent.

use image::{DynamicImage, ImageBuffer, Rgb, RgbImage};
use serde::{Deserialize, Serialize};

use crate::error::PreprocessError;

/// The colour, as RGB, that transparent pictures are laid on: the mean of ImageNet, which networks
/// see as about zero. The borders that [`Resize::Letterbox`](crate::Resize::Letterbox) adds are
/// the same to them.
pub const BACKGROUND: [u8; 3] = [124, 116, 104];

/// What is shown where a picture is transparent. A pixel that is half transparent shows half of its
/// own colour and half of the colour below. Opaque pixels never change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transparency {
    /// The colour that the file hides there, as in PIL's `convert("RGB")`. Models that do not say
    /// otherwise were fitted so.
    #[default]
    Ignored,
    /// [`BACKGROUND`]. A picture of which nothing can be seen is refused.
    Background,
    /// Black, which marks nothing: for masks.
    Black,
}

impl Transparency {
    /// Whether this is the value that files leave out.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::Ignored
    }
}

/// How the colours of a file go with its alpha channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alpha {
    /// Colours are as bright as if they were opaque.
    Straight,
    /// Colours are multiplied by alpha already.
    Multiplied,
    /// As `Straight`, but the file does not say so, and a channel that is zero everywhere is no alpha:
    /// programs that write none leave it so.
    Doubtful,
    /// The last channel is something else than alpha.
    None,
}

/// Lays a picture on a colour. What comes out has no alpha channel, unless that is to be ignored.
///
/// # Errors
///
/// [`PreprocessError::Invisible`] if nothing of the picture is seen.
pub(super) fn lay(
    picture: DynamicImage,
    alpha: Alpha,
    transparency: Transparency,
) -> Result<DynamicImage, PreprocessError> {
    let on = match transparency {
        Transparency::Ignored => return Ok(picture),
        _ if alpha == Alpha::None => return Ok(picture),
        Transparency::Background => BACKGROUND,
        Transparency::Black => [0; 3],
    };
    let (width, height) = (picture.width(), picture.height());
    let multiplied = alpha == Alpha::Multiplied;
    let (laid, seen) = match &picture {
        DynamicImage::ImageLumaA8(grey) => bytes(grey.pixels().map(|pixel| spread(pixel.0)), on, multiplied),
        DynamicImage::ImageRgba8(colour) => bytes(colour.pixels().map(|pixel| pixel.0), on, multiplied),
        DynamicImage::ImageLumaA16(grey) => words(grey.pixels().map(|pixel| spread(pixel.0)), on, multiplied),
        DynamicImage::ImageRgba16(colour) => words(colour.pixels().map(|pixel| pixel.0), on, multiplied),
        _ => return Ok(picture),
    };
    match (laid, seen) {
        (_, Seen::All) => Ok(picture),
        (_, Seen::Nothing) if alpha == Alpha::Doubtful => Ok(picture),
        (_, Seen::Nothing) if transparency == Transparency::Background => {
            Err(PreprocessError::Invisible { width, height })
        }
        (Laid::Bytes(values), _) => {
            Ok(RgbImage::from_raw(width, height, values).expect("three values a pixel").into())
        }
        (Laid::Words(values), _) => {
            let picture = ImageBuffer::<Rgb<u16>, _>::from_raw(width, height, values);
            Ok(picture.expect("three values a pixel").into())
        }
    }
}

/// Values of a picture without alpha.
enum Laid {
    Bytes(Vec<u8>),
    Words(Vec<u16>),
}

/// How much of a picture is seen.
#[derive(PartialEq, Eq)]
enum Seen {
    All,
    Some,
    Nothing,
}

fn spread<T: Copy>([grey, alpha]: [T; 2]) -> [T; 4] {
    [grey, grey, grey, alpha]
}

fn bytes(pixels: impl Iterator<Item = [u8; 4]> + Clone, on: [u8; 3], multiplied: bool) -> (Laid, Seen) {
    let seen = seen(pixels.clone().map(|[.., alpha]| u32::from(alpha)), u32::from(u8::MAX));
    let blend = |[red, green, blue, alpha]: [u8; 4]| {
        let channels = [red, green, blue].into_iter().zip(on);
        channels.map(move |(value, below)| {
            blend(value.into(), below.into(), alpha.into(), u8::MAX.into(), multiplied) as u8
        })
    };
    (Laid::Bytes(if seen == Seen::All { Vec::new() } else { pixels.flat_map(blend).collect() }), seen)
}

fn words(pixels: impl Iterator<Item = [u16; 4]> + Clone, on: [u8; 3], multiplied: bool) -> (Laid, Seen) {
    let seen = seen(pixels.clone().map(|[.., alpha]| u32::from(alpha)), u32::from(u16::MAX));
    let on = on.map(|value| 257 * u32::from(value));
    let blend = |[red, green, blue, alpha]: [u16; 4]| {
        let channels = [red, green, blue].into_iter().zip(on);
        channels.map(move |(value, below)| {
            blend(value.into(), below, alpha.into(), u16::MAX.into(), multiplied) as u16
        })
    };
    (Laid::Words(if seen == Seen::All { Vec::new() } else { pixels.flat_map(blend).collect() }), seen)
}

fn seen(mut alphas: impl Iterator<Item = u32> + Clone, opaque: u32) -> Seen {
    match alphas.clone().all(|alpha| alpha == opaque) {
        true => Seen::All,
        false if alphas.any(|alpha| alpha > 0) => Seen::Some,
        false => Seen::Nothing,
    }
}

/// A value laid on the one `below`, rounded. Values and `alpha` go up to `largest`.
fn blend(value: u32, below: u32, alpha: u32, largest: u32, multiplied: bool) -> u32 {
    let [value, below, alpha, largest] = [value, below, alpha, largest].map(u64::from);
    let own = if multiplied { value * largest } else { value * alpha };
    let sum = (own + below * (largest - alpha) + largest / 2) / largest;
    // Colours that were multiplied may be brighter than they can be.
    sum.min(largest) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opaque_pixels_never_change_and_transparent_ones_show_what_is_below() {
        for value in [0, 1, 127, 254, 255] {
            for below in [0, 124, 255] {
                assert_eq!(blend(value, below, 255, 255, false), value);
                assert_eq!(blend(value, below, 0, 255, false), below);
                assert_eq!(blend(257 * value, 257 * below, 65_535, 65_535, false), 257 * value);
            }
        }
        assert_eq!(blend(200, 100, 51, 255, false), 120);
        // The same pixel, multiplied before.
        assert_eq!(blend(40, 100, 51, 255, true), 120);
        assert_eq!(blend(255, 255, 51, 255, true), 255);
    }
}
