//! The values of feature maps in whole numbers.

use crate::layout::{LANES, Lanes, Map};

/// The largest activation.
pub(crate) const ACTIVATION: f32 = 255.0;

/// The activations of 16 channels of one pixel.
pub(super) type Pixel = [u8; LANES];

/// The number of [`Pixel`]s in as many bytes as [`Lanes`] have.
pub(super) const PIXELS: usize = size_of::<Lanes>() / size_of::<Pixel>();

/// The most blocks of channels that lie together in [`Values::Groups`].
const TOGETHER: usize = 4;

/// The kind of values that a feature map holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// Multiples of the map's step, in `u8`.
    Bytes,
    /// The same, but up to 64 channels of a pixel lie together: `[groups][height][width]` pixels of
    /// 16, 32, 48 or 64 bytes. Products of tiles read them.
    Groups,
    /// Numbers, in `f32`.
    Floats,
}

impl Values {
    /// The [`Lanes`] of memory that `map` takes.
    pub(crate) fn len(self, map: Map) -> usize {
        match self {
            Self::Bytes => map.len().div_ceil(PIXELS),
            Self::Groups => {
                let together = self.together(map);
                let groups = map.blocks().div_ceil(together);
                (groups * map.pixels() * together).div_ceil(PIXELS)
            }
            Self::Floats => map.len(),
        }
    }

    /// The blocks of channels of a pixel that lie together.
    pub(super) fn together(self, map: Map) -> usize {
        match self {
            Self::Groups => map.blocks().min(TOGETHER),
            Self::Bytes | Self::Floats => 1,
        }
    }

    /// The pieces of 16 channels from one pixel to the next, and from one block to the next that lies
    /// in the same group.
    pub(super) fn strides(self, map: Map) -> [usize; 2] {
        match self {
            Self::Groups => [self.together(map), 1],
            Self::Bytes | Self::Floats => [1, map.pixels()],
        }
    }

    /// The number of pieces of 16 channels before that of a pixel and a block.
    pub(super) fn piece(self, map: Map, block: usize, pixel: usize) -> usize {
        let together = self.together(map);
        (block / together * map.pixels() + pixel) * together + block % together
    }
}

/// `lanes` as bytes.
pub(super) fn bytes(lanes: &[Lanes]) -> &[u8] {
    pixels(lanes).as_flattened()
}

/// [`bytes`] that can be written.
pub(super) fn bytes_mut(lanes: &mut [Lanes]) -> &mut [u8] {
    pixels_mut(lanes).as_flattened_mut()
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
