//! How the values of pixels become the numbers that a network sees.

use std::fmt;
use std::str::FromStr;

use crate::input::InputContract;
use crate::input_error::InputError;

/// How a channel value `v` in 0–255 becomes a number: `(v · scale − mean) / standard_deviation`. As text, it is the
/// name of a usual one, or the mean and the standard deviation of pixels in 0–1.
///
/// ```
/// use dfm_image::{InputContract, Normalisation};
///
/// let half: Normalisation = "half".parse()?;
/// assert_eq!(half, "0.5,0.5,0.5/0.5,0.5,0.5".parse()?);
/// let input = InputContract::imagenet().normalised(half);
/// assert_eq!((input.mean, input.standard_deviation), ([0.5; 3], [0.5; 3]));
/// # Ok::<(), dfm_image::InputError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalisation {
    scale: f32,
    mean: [f32; 3],
    standard_deviation: [f32; 3],
}

impl Normalisation {
    /// Pixels in 0–1, minus ImageNet's mean, divided by ImageNet's standard deviation.
    pub const IMAGENET: Self = Self {
        scale: 1.0 / 255.0,
        mean: InputContract::imagenet().mean,
        standard_deviation: InputContract::imagenet().standard_deviation,
    };
    /// Pixels in −1 to 1.
    pub const HALF: Self = Self { scale: 1.0 / 255.0, mean: [0.5; 3], standard_deviation: [0.5; 3] };
    /// Pixels in 0–1.
    pub const UNIT: Self = Self { scale: 1.0 / 255.0, mean: [0.0; 3], standard_deviation: [1.0; 3] };
    /// Pixels in 0–255.
    pub const BYTES: Self = Self { scale: 1.0, mean: [0.0; 3], standard_deviation: [1.0; 3] };

    /// The usual ones, by name.
    const NAMED: [(&'static str, Self); 4] =
        [("imagenet", Self::IMAGENET), ("half", Self::HALF), ("unit", Self::UNIT), ("bytes", Self::BYTES)];
}

impl InputContract {
    /// The same contract with another normalisation.
    #[must_use]
    pub const fn normalised(mut self, normalisation: Normalisation) -> Self {
        let Normalisation { scale, mean, standard_deviation } = normalisation;
        (self.scale, self.mean, self.standard_deviation) = (scale, mean, standard_deviation);
        self
    }

    /// The normalisation.
    pub const fn normalisation(&self) -> Normalisation {
        let Self { scale, mean, standard_deviation, .. } = *self;
        Normalisation { scale, mean, standard_deviation }
    }
}

impl fmt::Display for Normalisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = Self::NAMED.iter().find(|(_, usual)| usual == self) {
            return f.pad(name);
        }
        let list = |values: [f32; 3]| values.map(|value| value.to_string()).join(",");
        let text = format!("{}/{}", list(self.mean), list(self.standard_deviation));
        match self.scale {
            1.0 => write!(f, "{text} of 0–255"),
            _ => f.pad(&text),
        }
    }
}

impl FromStr for Normalisation {
    type Err = InputError;

    fn from_str(text: &str) -> Result<Self, InputError> {
        if let Some((_, usual)) = Self::NAMED.iter().find(|(name, _)| *name == text) {
            return Ok(*usual);
        }
        let three = |text: &str| {
            let values: Option<Vec<f32>> = text.split(',').map(|value| value.parse().ok()).collect();
            <[f32; 3]>::try_from(values?).ok()
        };
        let read = || {
            let (mean, deviation) = text.split_once('/')?;
            let found =
                Self { scale: 1.0 / 255.0, mean: three(mean)?, standard_deviation: three(deviation)? };
            InputContract::imagenet().normalised(found).check().is_ok().then_some(found)
        };
        read().ok_or_else(|| InputError::UnknownNormalisation { got: text.chars().take(64).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_normalisation_is_read_as_it_is_written() {
        for text in ["imagenet", "half", "unit", "bytes", "0.1,0.2,0.3/1,2,0.5"] {
            let read: Normalisation = text.parse().unwrap();
            assert_eq!(read.to_string(), text);
        }
        for text in ["", "Half", "0.5,0.5/1,1,1", "0,0,0/1,0,1", "0,0,0/1,-1,1", "nan,0,0/1,1,1", "0,0,0"] {
            assert!(text.parse::<Normalisation>().is_err(), "{text}");
        }
        assert_eq!(InputContract::caffe().normalisation().to_string(), "104,117,123/1,1,1 of 0–255");
    }
}
