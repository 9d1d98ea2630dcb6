//! Which values of a picture are black and white.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use image::{ImageBuffer, Rgb, RgbImage};
use serde::{Deserialize, Serialize};

use crate::error::PreprocessError;
use crate::picture::{Depth, Picture, Rgb16Image};

/// The value of white in a picture that uses all of its 16 bits a channel.
const WHITE: f64 = 65_535.0;

/// Which values of a picture are black and white. A network sees values from 0 to 255. Pictures with
/// 16 bits a channel or with floating-point numbers are scaled to this range. Values outside of the
/// levels are clamped.
///
/// | | 8 bits | 16 bits | floating point |
/// |---|---|---|---|
/// | `Auto` | 0 to 255 | the high byte | refused |
/// | `Full` | 0 to 255 | 0 to 65535 | refused |
/// | `Range` | refused | `low` to `high` | `low` to `high` |
///
/// ```
/// use dfm_image::Levels;
///
/// assert_eq!("0..4095".parse(), Ok(Levels::Range { low: 0.0, high: 4095.0 }));
/// assert_eq!(Levels::Range { low: -0.5, high: 1.5 }.to_string(), "-0.5..1.5");
/// assert!("4095..0".parse::<Levels>().is_err());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Levels {
    /// Not stated. A fit takes the levels of good pictures with 16 bits from their values. In a model,
    /// `Auto` means that its pictures have 8 bits, or that the model is older than levels.
    #[default]
    Auto,
    /// From 0 to the largest value of the channels' type.
    Full,
    /// From `low` to `high`, in the values of the file.
    Range {
        /// Black.
        low: f64,
        /// White.
        high: f64,
    },
}

/// The error for a text that names no levels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {}, got {got}", Levels::EXPECTED)]
pub struct LevelsError {
    /// What was given.
    pub got: String,
}

impl Levels {
    /// What [`FromStr`] takes.
    pub const EXPECTED: &str = "auto, full, or LOW..HIGH with LOW below HIGH, such as 0..4095";

    /// Whether a range has finite ends, the lower one first.
    pub fn is_valid(self) -> bool {
        match self {
            Self::Auto | Self::Full => true,
            Self::Range { low, high } => {
                let held = |end: f64| (end as f32).is_finite();
                held(low) && held(high) && low < high && (high - low).is_finite()
            }
        }
    }

    /// Whether nothing is stated. Model files then leave the levels out, as older model files do.
    pub fn is_auto(&self) -> bool {
        *self == Self::Auto
    }

    /// The 16-bit value that these levels map to `byte`. `None` if there is none.
    pub(crate) fn word_of(self, byte: u8) -> Option<u16> {
        match self {
            Self::Auto | Self::Full => Some(257 * u16::from(byte)),
            Self::Range { low, high } => {
                let value = (low + f64::from(byte) / 255.0 * (high - low)).round();
                (0.0..=WHITE).contains(&value).then_some(value as u16)
            }
        }
    }

    /// The picture with its levels applied: bytes, or values with their black and white.
    ///
    /// # Errors
    ///
    /// If these levels do not suit the depth of the picture, or a value is not finite.
    pub fn read<'p>(self, picture: Picture<'p>) -> Result<Levelled<'p>, PreprocessError> {
        let (picture, range) = match (picture, self) {
            (Picture::Bytes(picture), Self::Auto | Self::Full) => (Picture::Bytes(picture), None),
            (Picture::Bytes(_), Self::Range { .. }) => {
                return Err(PreprocessError::Depth { levels: self.to_string(), found: Depth::Bits8 });
            }
            (Picture::Words(picture), Self::Auto) => (Picture::from(high_bytes(&picture)), None),
            (picture @ Picture::Words(_), Self::Full) => (picture, Some([0.0, WHITE])),
            (picture @ Picture::Words(_), Self::Range { low, high }) => (picture, Some([low, high])),
            (Picture::Floats(_), Self::Auto | Self::Full) => return Err(PreprocessError::LevelsNeeded),
            (Picture::Floats(picture), Self::Range { low, high }) => {
                if let Some(place) = picture.as_raw().iter().position(|value| !value.is_finite()) {
                    let (pixel, width) = (place / 3, picture.width() as usize);
                    let got = picture.as_raw()[place];
                    return Err(PreprocessError::NotFinite { x: pixel % width, y: pixel / width, got });
                }
                (Picture::Floats(picture), Some([low, high]))
            }
        };
        let outside = match self {
            Self::Range { low, high } => Some(outside(&picture, low, high)),
            Self::Auto | Self::Full => None,
        };
        Ok(Levelled { picture, range, outside })
    }
}

/// A picture, and which of its values are black and white.
#[derive(Debug, Clone, PartialEq)]
pub struct Levelled<'p> {
    pub(crate) picture: Picture<'p>,
    /// Black and white. For bytes, they are 0 and 255.
    pub(crate) range: Option<[f64; 2]>,
    outside: Option<u64>,
}

impl Levelled<'_> {
    /// The picture as it is prepared.
    pub fn picture(&self) -> &Picture<'_> {
        &self.picture
    }

    /// How many pixels have a channel outside of the levels, where it is clamped; `None` unless the
    /// levels are a range.
    pub fn outside(&self) -> Option<u64> {
        self.outside
    }

    /// The picture with 8 bits a channel, for people to look at.
    pub fn to_bytes(&self) -> Cow<'_, RgbImage> {
        let byte = |value: f64| scaled(value, self.range.unwrap_or([0.0, 255.0])).round() as u8;
        match &self.picture {
            Picture::Bytes(picture) => Cow::Borrowed(picture.as_ref()),
            Picture::Words(picture) => Cow::Owned(map(picture, |value| byte(f64::from(value)))),
            Picture::Floats(picture) => Cow::Owned(map(picture, |value| byte(f64::from(value)))),
        }
    }

    /// The picture with the pixels of `painted` that differ from [`to_bytes`](Self::to_bytes), converted to
    /// the values of these levels. The other pixels keep their values.
    pub fn painted(&self, painted: RgbImage) -> Picture<'static> {
        let Some([low, high]) = self.range else { return Picture::from(painted) };
        let value = |byte: u8| low + f64::from(byte) / 255.0 * (high - low);
        let before = self.to_bytes();
        match &self.picture {
            Picture::Bytes(_) => Picture::from(painted),
            Picture::Words(picture) => {
                let word = |byte| value(byte).round().clamp(0.0, WHITE) as u16;
                Picture::from(replace(picture, &before, &painted, word))
            }
            Picture::Floats(picture) => {
                Picture::from(replace(picture, &before, &painted, |byte| value(byte) as f32))
            }
        }
    }
}

/// `value` on the scale from 0 to 255, clamped.
pub(crate) fn scaled(value: f64, [low, high]: [f64; 2]) -> f32 {
    ((value - low) * (255.0 / (high - low))).clamp(0.0, 255.0) as f32
}

/// The high byte of every channel.
pub(crate) fn high_bytes(picture: &Rgb16Image) -> RgbImage {
    map(picture, |value| (value >> 8) as u8)
}

type Image<S> = ImageBuffer<Rgb<S>, Vec<S>>;

fn map<S: Copy>(picture: &Image<S>, value: impl Fn(S) -> u8) -> RgbImage
where
    Rgb<S>: image::Pixel<Subpixel = S>,
{
    let bytes = picture.as_raw().iter().map(|sample| value(*sample)).collect();
    RgbImage::from_raw(picture.width(), picture.height(), bytes).expect("a byte for each sample")
}

fn replace<S: Copy>(
    picture: &Image<S>,
    before: &RgbImage,
    after: &RgbImage,
    value: impl Fn(u8) -> S,
) -> Image<S>
where
    Rgb<S>: image::Pixel<Subpixel = S>,
{
    let mut changed = picture.clone();
    let pixels = changed.iter_mut().zip(before.as_raw()).zip(after.as_raw());
    pixels
        .filter(|((_, before), after)| before != after)
        .for_each(|((sample, _), after)| *sample = value(*after));
    changed
}

fn outside(picture: &Picture<'_>, low: f64, high: f64) -> u64 {
    fn count<S: Copy + Into<f64>>(samples: &[S], low: f64, high: f64) -> u64 {
        let is_outside = |sample: &S| {
            let value: f64 = (*sample).into();
            (value < low) | (value > high)
        };
        samples.chunks_exact(3).filter(|pixel| pixel.iter().any(is_outside)).count() as u64
    }
    match picture {
        Picture::Bytes(picture) => count(picture.as_raw(), low, high),
        Picture::Words(picture) => count(picture.as_raw(), low, high),
        Picture::Floats(picture) => count(picture.as_raw(), low, high),
    }
}

impl fmt::Display for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::Full => f.pad("full"),
            Self::Range { low, high } => f.pad(&format!("{low}..{high}")),
        }
    }
}

impl FromStr for Levels {
    type Err = LevelsError;

    fn from_str(text: &str) -> Result<Self, LevelsError> {
        let range = || {
            let (low, high) = text.split_once("..")?;
            Some(Self::Range { low: low.parse().ok()?, high: high.parse().ok()? })
        };
        match text {
            "auto" => Ok(Self::Auto),
            "full" => Ok(Self::Full),
            _ => range().filter(|range| range.is_valid()).ok_or_else(|| LevelsError { got: text.to_owned() }),
        }
    }
}

impl TryFrom<String> for Levels {
    type Error = LevelsError;

    fn try_from(text: String) -> Result<Self, LevelsError> {
        text.parse()
    }
}

impl From<Levels> for String {
    fn from(levels: Levels) -> Self {
        levels.to_string()
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb32FImage;

    use super::*;

    const RANGE: Levels = Levels::Range { low: 100.0, high: 300.0 };

    #[test]
    fn what_is_written_is_read_again() {
        let sensitive = Levels::Range { low: -1e-9, high: 1.5e20 };
        for levels in [Levels::Auto, Levels::Full, RANGE, sensitive] {
            assert_eq!(levels.to_string().parse(), Ok(levels));
        }
        for text in ["", "Auto", "1", "1..", "..2", "2..2", "3..2", "NaN..1", "0..inf", "-1e39..0", "0..1..2"]
        {
            assert!(text.parse::<Levels>().is_err(), "{text}");
        }
    }

    fn words(values: [u16; 2]) -> Picture<'static> {
        Picture::from(Rgb16Image::from_fn(2, 1, |x, _| Rgb([values[x as usize]; 3])))
    }

    #[test]
    fn values_outside_are_clamped_and_counted() {
        for (values, bytes, outside) in
            [([100, 300], [0, 255], 0), ([99, 200], [0, 128], 1), ([301, 65_535], [255, 255], 2)]
        {
            let levelled = RANGE.read(words(values)).unwrap();
            assert_eq!(levelled.to_bytes().as_raw()[..], [[bytes[0]; 3], [bytes[1]; 3]].concat());
            assert_eq!(levelled.outside(), Some(outside));
        }
    }

    #[test]
    fn each_kind_of_levels_reads_its_pictures_and_refuses_others() {
        let bytes = || Picture::from(RgbImage::new(2, 1));
        assert!(matches!(RANGE.read(bytes()), Err(PreprocessError::Depth { found: Depth::Bits8, .. })));
        let shown = |levels: Levels, values| levels.read(words(values)).unwrap().to_bytes().as_raw().clone();
        // `Auto` takes the high byte. `Full` scales all values and rounds.
        assert_eq!(shown(Levels::Auto, [511, 65_535])[..], [1, 1, 1, 255, 255, 255]);
        assert_eq!(shown(Levels::Full, [511, 65_535])[..], [2, 2, 2, 255, 255, 255]);
        let floats = |value: f32| Picture::from(Rgb32FImage::from_pixel(2, 1, Rgb([0.5, 0.5, value])));
        for levels in [Levels::Auto, Levels::Full] {
            assert!(levels.read(bytes()).unwrap().outside().is_none());
            assert!(matches!(levels.read(floats(0.5)), Err(PreprocessError::LevelsNeeded)));
        }
        let unit = Levels::Range { low: 0.0, high: 1.0 };
        assert_eq!(unit.read(floats(2.0)).unwrap().outside(), Some(2));
        for value in [f32::NAN, f32::INFINITY] {
            let refused = unit.read(floats(value));
            assert!(matches!(refused, Err(PreprocessError::NotFinite { x: 0, y: 0, .. })));
        }
    }

    #[test]
    fn only_what_was_painted_changes() {
        let levelled = RANGE.read(words([101, 202])).unwrap();
        let mut painted = levelled.to_bytes().into_owned();
        painted.put_pixel(1, 0, Rgb([255, 0, 51]));
        let Picture::Words(changed) = levelled.painted(painted) else { panic!("16 bits stay 16 bits") };
        assert_eq!(changed.as_raw()[..], [101, 101, 101, 300, 100, 140]);
    }
}
