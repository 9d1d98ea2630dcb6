//! What a network expects of a picture.

use serde::{Deserialize, Serialize};

use crate::decode::Transparency;
use crate::input_error::InputError;
use crate::resize::Resize;

/// The longest side, in pixels, that pictures may be resized to.
const LARGEST_SIDE: usize = 4096;

/// The order of a pixel's channels as the network expects them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelOrder {
    /// Red first: torchvision and most others.
    Rgb,
    /// Blue first: networks that came from Caffe.
    Bgr,
}

/// The arithmetic in which a picture is resized.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resampling {
    /// Fixed point, with the result rounded to bytes: as PIL does, and torchvision for
    /// pictures of PIL.
    #[default]
    Bytes,
    /// Floating point, with the result not rounded: as torchvision does for tensors of
    /// floating-point numbers.
    Floats,
}

impl Resampling {
    /// Whether this is the value that files leave out. Weights that were written before the field
    /// existed keep their hashes in this way.
    fn is_default(&self) -> bool {
        *self == Self::Bytes
    }
}

/// What a network expects of a picture: the size, the order of the channels and the
/// normalisation that its weights were trained with. It is a part of every weights file.
/// A channel value `v` in 0–255 becomes `(v · scale − mean) / standard_deviation`.
///
/// ```
/// use dfm_image::InputContract;
///
/// let input = InputContract::imagenet().with_size(224, 320);
/// assert_eq!((input.height, input.width), (224, 320));
/// input.check()?;
/// # Ok::<(), dfm_image::InputError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputContract {
    /// Height to resize to, in pixels.
    pub height: usize,
    /// Width to resize to, in pixels.
    pub width: usize,
    /// Order of the channels in `mean`, `standard_deviation` and the tensor.
    pub channels: ChannelOrder,
    /// Factor of the 0–255 value, before the mean is subtracted.
    pub scale: f32,
    /// Subtracted after scaling, in the order of `channels`.
    pub mean: [f32; 3],
    /// Divides last, in the order of `channels`.
    pub standard_deviation: [f32; 3],
    /// The arithmetic in which pictures are resized.
    #[serde(default, skip_serializing_if = "Resampling::is_default")]
    pub resampling: Resampling,
    /// How pictures are brought to that size if their aspect ratio is another.
    #[serde(default, skip_serializing_if = "Resize::is_default")]
    pub resize: Resize,
    /// What is shown where a picture is transparent.
    #[serde(default, skip_serializing_if = "Transparency::is_default")]
    pub transparency: Transparency,
}

impl InputContract {
    /// What torchvision's ImageNet weights expect: RGB in 0–1, normalised with the mean and
    /// the standard deviation of ImageNet, at 256×256 pixels.
    pub const fn imagenet() -> Self {
        Self {
            height: 256,
            width: 256,
            channels: ChannelOrder::Rgb,
            scale: 1.0 / 255.0,
            mean: [0.485, 0.456, 0.406],
            standard_deviation: [0.229, 0.224, 0.225],
            resampling: Resampling::Bytes,
            resize: Resize::Stretch,
            transparency: Transparency::Ignored,
        }
    }

    /// What the half-width Caffe network `resnet50_1by2` expects: BGR in 0–255 minus
    /// ImageNet's mean, at 256×256 pixels.
    pub const fn caffe() -> Self {
        Self {
            height: 256,
            width: 256,
            channels: ChannelOrder::Bgr,
            scale: 1.0,
            mean: [104.0, 117.0, 123.0],
            standard_deviation: [1.0; 3],
            resampling: Resampling::Bytes,
            resize: Resize::Stretch,
            transparency: Transparency::Ignored,
        }
    }

    /// The same contract at `height` × `width` pixels.
    #[must_use]
    pub const fn with_size(mut self, height: usize, width: usize) -> Self {
        self.height = height;
        self.width = width;
        self
    }

    /// The largest magnitude that a normalised value can have.
    ///
    /// ```
    /// assert_eq!(dfm_image::InputContract::caffe().largest(), 255.0 - 104.0);
    /// ```
    pub fn largest(&self) -> f32 {
        let ends = |channel: usize| {
            [0.0, 255.0].map(|value: f32| {
                ((value * self.scale - self.mean[channel]) / self.standard_deviation[channel]).abs()
            })
        };
        (0..3).flat_map(ends).fold(0.0, f32::max)
    }

    /// Whether every field is usable.
    ///
    /// # Errors
    ///
    /// [`InputError::Field`] with the first field that is not: a side outside 1–4096
    /// pixels, a number that is not finite, or a scale or standard deviation that is not
    /// positive.
    pub fn check(&self) -> Result<(), InputError> {
        for (field, side) in [("height", self.height), ("width", self.width)] {
            if !(1..=LARGEST_SIDE).contains(&side) {
                return Err(wrong(field, "between 1 and 4096 pixels", side));
            }
        }
        let positive = |value: f32| value.is_normal() && value > 0.0;
        if !positive(self.scale) {
            return Err(wrong("scale", "positive and finite", self.scale));
        }
        if let Some(mean) = self.mean.iter().find(|mean| !mean.is_finite()) {
            return Err(wrong("mean", "finite", mean));
        }
        if let Some(deviation) = self.standard_deviation.iter().find(|value| !positive(**value)) {
            return Err(wrong("standard_deviation", "positive and finite", deviation));
        }
        Ok(())
    }
}

fn wrong(field: &'static str, expected: &'static str, got: impl ToString) -> InputError {
    InputError::Field { field, expected, got: got.to_string() }
}
