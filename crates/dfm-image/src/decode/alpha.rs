//! What is shown where a picture is transparent.

use image::{DynamicImage, ImageBuffer, Rgb, RgbImage};
use serde::{Deserialize, Serialize};

use crate::error::PreprocessError;
use crate::levels::Levels;

/// The colour, as RGB, that transparent pictures are laid on: the mean of ImageNet, which networks
/// see as about zero. The borders that [`Resize::Letterbox`](crate::Resize::Letterbox) adds are
/// the same to them.
pub const BACKGROUND: [u8; 3] = [124, 116, 104];

/// What is shown where a picture is transparent. A pixel that is half transparent shows half of its
/// own colour and half of the colour below. Opaque pixels never change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transparency {
    /// The colour that the file has there, as in PIL's `convert("RGB")`. Models that record nothing else
    /// were fitted in this way.
    #[default]
    Ignored,
    /// [`BACKGROUND`]. A picture that is transparent everywhere is refused.
    Background,
    /// Black, which marks nothing: for masks.
    Black,
}

impl Transparency {
    /// Whether this is the value that model files leave out.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::Ignored
    }
}

/// The relation between the colours of a file and its alpha channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alpha {
    /// Colours are not multiplied by alpha.
    Straight,
    /// Colours are multiplied by alpha already.
    Multiplied,
    /// Colours are taken as `Straight`, but the file does not say that the channel is alpha. A channel that
    /// is zero everywhere is then no alpha, because programs without alpha write it like that.
    Doubtful,
    /// The last channel is not alpha.
    None,
}

/// Lays a picture on a colour. The result has no alpha channel, unless that channel is to be ignored.
///
/// With 16 bits, the colour is the one that `levels` map to the colour of [`Transparency`].
///
/// # Errors
///
/// [`PreprocessError::Invisible`] if the picture is transparent everywhere;
/// [`PreprocessError::NoBackground`] if the levels map no value to the colour;
/// [`PreprocessError::Unsupported`] if a picture with floating-point numbers is transparent in places.
pub(super) fn lay(
    picture: DynamicImage,
    alpha: Alpha,
    transparency: Transparency,
    levels: Levels,
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
        DynamicImage::ImageLumaA16(grey) => {
            words(grey.pixels().map(|pixel| spread(pixel.0)), levels, on, multiplied)?
        }
        DynamicImage::ImageRgba16(colour) => {
            words(colour.pixels().map(|pixel| pixel.0), levels, on, multiplied)?
        }
        DynamicImage::ImageRgba32F(colour) => {
            let says = |value: f32| colour.pixels().all(|pixel| pixel.0[3] == value);
            return match says(1.0) || (alpha == Alpha::Doubtful && says(0.0)) {
                true => Ok(picture),
                false => {
                    let found = "floating-point numbers, transparent in places".to_owned();
                    Err(PreprocessError::Unsupported { format: "TIFF", found })
                }
            };
        }
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

/// Grey with alpha, as RGB with alpha.
pub(super) fn spread<T: Copy>([grey, alpha]: [T; 2]) -> [T; 4] {
    [grey, grey, grey, alpha]
}

/// The colours of the pixels that are opaque.
pub(super) fn opaque(
    pixels: impl Iterator<Item = [u16; 4]> + Clone,
    alpha: Alpha,
) -> impl Iterator<Item = [u16; 3]> {
    let is_no_alpha = alpha == Alpha::Doubtful && pixels.clone().all(|[.., alpha]| alpha == 0);
    pixels
        .filter(move |[.., alpha]| is_no_alpha || *alpha == u16::MAX)
        .map(|[red, green, blue, _]| [red, green, blue])
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

fn words(
    pixels: impl Iterator<Item = [u16; 4]> + Clone,
    levels: Levels,
    on: [u8; 3],
    multiplied: bool,
) -> Result<(Laid, Seen), PreprocessError> {
    let seen = seen(pixels.clone().map(|[.., alpha]| u32::from(alpha)), u32::from(u16::MAX));
    if seen == Seen::All {
        return Ok((Laid::Words(Vec::new()), seen));
    }
    let [red, green, blue] = on.map(|byte| levels.word_of(byte).map(u32::from));
    let on = red.zip(green).zip(blue).map(|((red, green), blue)| [red, green, blue]);
    let on = on.ok_or_else(|| PreprocessError::NoBackground { levels: levels.to_string() })?;
    let blend = |[red, green, blue, alpha]: [u16; 4]| {
        let channels = [red, green, blue].into_iter().zip(on);
        channels.map(move |(value, below)| {
            blend(value.into(), below, alpha.into(), u16::MAX.into(), multiplied) as u16
        })
    };
    Ok((Laid::Words(pixels.flat_map(blend).collect()), seen))
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
    // Colours that are multiplied already may be brighter than their alpha allows.
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
        // The same pixel, with its colours multiplied by alpha already.
        assert_eq!(blend(40, 100, 51, 255, true), 120);
        assert_eq!(blend(255, 255, 51, 255, true), 255);
    }

    fn laid(levels: Levels, alphas: [u16; 2]) -> Result<DynamicImage, PreprocessError> {
        let picture = ImageBuffer::<image::Rgba<u16>, _>::from_fn(2, 1, |x, _| {
            [900, 900, 900, alphas[x as usize]].into()
        });
        lay(picture.into(), Alpha::Straight, Transparency::Background, levels)
    }

    #[test]
    fn what_is_transparent_in_16_bits_is_the_background_at_its_levels() {
        for levels in [
            Levels::Auto,
            Levels::Full,
            Levels::Range { low: 0.0, high: 4095.0 },
            Levels::Range { low: 500.0, high: 2500.0 },
            Levels::Range { low: -1000.0, high: 70_000.0 },
        ] {
            let picture = super::super::rgb::to_rgb(laid(levels, [u16::MAX, 0]).unwrap());
            let shown = levels.read(picture).unwrap();
            assert_eq!(shown.to_bytes().get_pixel(1, 0).0, BACKGROUND, "{levels}");
            assert_eq!(shown.outside(), matches!(levels, Levels::Range { .. }).then_some(0), "{levels}");
        }
    }

    #[test]
    fn levels_without_a_value_for_the_background_are_refused_where_it_is_needed() {
        let levels = Levels::Range { low: 60_000.0, high: 90_000.0 };
        assert!(laid(levels, [u16::MAX; 2]).is_ok());
        let refused = laid(levels, [u16::MAX, 0]);
        assert!(matches!(refused, Err(PreprocessError::NoBackground { .. })));
    }

    #[test]
    fn only_opaque_pixels_are_values_of_the_camera() {
        let pixels = [[1, 2, 3, u16::MAX], [9, 9, 9, 0], [8, 8, 8, 300]];
        let counted = |pixels: &[[u16; 4]], alpha| opaque(pixels.iter().copied(), alpha).count();
        assert_eq!(counted(&pixels, Alpha::Straight), 1);
        assert_eq!(counted(&pixels[1..2], Alpha::Straight), 0);
        assert_eq!(counted(&pixels[1..2], Alpha::Doubtful), 1);
    }

    #[test]
    fn floating_point_numbers_may_be_opaque_only() {
        let laid = |alphas: [f32; 2], alpha| {
            let picture =
                image::Rgba32FImage::from_fn(2, 1, |x, _| [0.5, 0.5, 0.5, alphas[x as usize]].into());
            lay(picture.into(), alpha, Transparency::Background, Levels::Auto)
        };
        assert!(laid([1.0; 2], Alpha::Straight).is_ok());
        assert!(laid([0.0; 2], Alpha::Doubtful).is_ok());
        for alphas in [[1.0, 0.5], [0.0; 2], [f32::NAN, 1.0]] {
            let refused = laid(alphas, Alpha::Straight);
            assert!(matches!(refused, Err(PreprocessError::Unsupported { .. })), "{alphas:?}");
        }
    }
}
