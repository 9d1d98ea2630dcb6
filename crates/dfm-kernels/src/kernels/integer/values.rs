//! The values of feature maps in whole numbers.

use crate::layout::{LANES, Lanes, Map};

/// The largest activation.
pub(crate) const ACTIVATION: f32 = 255.0;

/// The activations of 16 channels of one pixel.
pub(super) type Pixel = [u8; LANES];

/// The number of [`Pixel`]s in as many bytes as [`Lanes`] have.
pub(super) const PIXELS: usize = size_of::<Lanes>() / size_of::<Pixel>();

/// The kind of values that a feature map holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// Multiples of the map's step, in `u8`.
    Bytes,
    /// Numbers, in `f32`.
    Floats,
}

impl Values {
    /// The [`Lanes`] of memory that `map` takes.
    pub(crate) fn len(self, map: Map) -> usize {
        match self {
            Self::Bytes => map.len().div_ceil(PIXELS),
            Self::Floats => map.len(),
        }
    }
}

/// `lanes` as pixels of bytes.
pub(super) fn pixels(lanes: &[Lanes]) -> &[Pixel] {
    // SAFETY: `Lanes` are 64 bytes without gaps, and any byte is a `u8`.
    unsafe { std::slice::from_raw_parts(lanes.as_ptr().cast(), lanes.len() * PIXELS) }
}

/// [`pixels`] that can be written.
pub(super) fn pixels_mut(lanes: &mut [Lanes]) -> &mut [Pixel] {
    // SAFETY: as above, and any four bytes are an `f32`.
    unsafe { std::slice::from_raw_parts_mut(lanes.as_mut_ptr().cast(), lanes.len() * PIXELS) }
}

/// `lanes` as 16-bit numbers.
pub(super) fn words_mut(lanes: &mut [Lanes]) -> &mut [i16] {
    // SAFETY: `Lanes` are 64 bytes without gaps. Any two bytes are an `i16`, and any four an `f32`.
    unsafe {
        std::slice::from_raw_parts_mut(lanes.as_mut_ptr().cast(), size_of_val(lanes) / size_of::<i16>())
    }
}
