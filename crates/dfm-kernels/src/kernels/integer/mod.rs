//! Convolutions in whole numbers: activations in eight bits, weights in seven and a
//! sign, sums in 32 bits.
//!
//! A `u8` activation stands for a multiple of its map's step, an `i8` weight for one
//! of its output channel's. Sums of their products are exact, and what is done to a sum
//! afterwards are single operations of `f32`, each rounded by itself: features in whole
//! numbers are the same on every instruction set.
//!
//! Weights stay within ±64 so that AVX2's sums of two products fit 16 bits (255 · 64 · 2
//! is below 2¹⁵). It is the weights that give way, since their error is the same for
//! every picture: another network, slightly, but for good and bad parts alike.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod convolution;
mod portable;
mod stem;
mod sweep;
mod tile;
#[cfg(target_arch = "x86_64")]
mod vnni;
mod weights;

pub(crate) use convolution::{IntegerConvolution, IntegerEnds, Residual};
pub(crate) use stem::{IntegerStem, PICTURE};

use crate::instructions::InstructionSet;
use crate::layout::{LANES, Lanes, Map};
use tile::{MicroKernel, PixelStep};
use weights::Order;

/// The largest activation.
pub(crate) const ACTIVATION: f32 = 255.0;

/// Activations of 16 channels of one pixel.
pub(super) type Pixel = [u8; LANES];

/// [`Pixel`]s in as many bytes as [`Lanes`] have.
const PIXELS: usize = size_of::<Lanes>() / size_of::<Pixel>();

/// What a feature map holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// Steps, in `u8`.
    Bytes,
    /// Numbers, in `f32`.
    Floats,
}

impl Values {
    /// [`Lanes`] of memory that `map` takes.
    pub(crate) fn len(self, map: Map) -> usize {
        match self {
            Self::Bytes => map.len().div_ceil(PIXELS),
            Self::Floats => map.len(),
        }
    }
}

/// The vector code of one instruction set.
#[derive(Clone, Copy)]
pub(crate) struct IntegerKernels {
    /// By [`PixelStep`], blocks of output channels − 1, and pixels − 1.
    tiles: [&'static [&'static [MicroKernel]]; 3],
    /// The order of the weights that they read.
    order: Order,
}

impl IntegerKernels {
    /// The fastest of `instructions` and less that this processor has.
    pub(crate) fn of(instructions: InstructionSet) -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if instructions == InstructionSet::Avx512 && vnni::is_available() {
                return vnni::KERNELS;
            }
            if instructions != InstructionSet::Portable && InstructionSet::Avx2.is_available() {
                return avx2::KERNELS;
            }
        }
        let _ = instructions;
        portable::KERNELS
    }

    /// Blocks of output channels that a tile can have.
    fn blocks(&self) -> usize {
        self.tiles[0].len()
    }

    /// The most pixels that a tile can have.
    fn pixels(&self) -> usize {
        self.tiles[0][0].len()
    }

    fn tile(&self, step: PixelStep, blocks: usize, pixels: usize) -> MicroKernel {
        self.tiles[step as usize][blocks - 1][pixels - 1]
    }
}

impl std::fmt::Debug for IntegerKernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IntegerKernels({} pixels × {} blocks)", self.pixels(), self.blocks())
    }
}

/// The bytes of `lanes` by pixels.
fn pixels(lanes: &[Lanes]) -> &[Pixel] {
    // SAFETY: `Lanes` are 64 bytes without gaps, of which any are a `u8`.
    unsafe { std::slice::from_raw_parts(lanes.as_ptr().cast(), lanes.len() * PIXELS) }
}

/// [`pixels`] to be written.
fn pixels_mut(lanes: &mut [Lanes]) -> &mut [Pixel] {
    // SAFETY: as above, and any bytes are an `f32`.
    unsafe { std::slice::from_raw_parts_mut(lanes.as_mut_ptr().cast(), lanes.len() * PIXELS) }
}

/// `lanes` as 16-bit numbers.
fn words_mut(lanes: &mut [Lanes]) -> &mut [i16] {
    // SAFETY: `Lanes` are 64 bytes without gaps, of which any two are an `i16`, and the
    // other way round.
    unsafe {
        std::slice::from_raw_parts_mut(lanes.as_mut_ptr().cast(), size_of_val(lanes) / size_of::<i16>())
    }
}
