//! The micro-kernel: a tile of output pixels by one or two blocks of output channels,
//! summed in registers.

use super::functions::clamp;
use super::vector::Vector;
use crate::layout::LANES;

/// What lies between the inputs of two neighbouring output pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PixelStep {
    /// Two values of a picture: every second pixel of one channel.
    Picture,
    /// One pixel of 16 channels.
    Next,
    /// Two pixels of 16 channels.
    Second,
}

impl PixelStep {
    /// In values.
    pub(super) const fn values(self) -> usize {
        match self {
            Self::Picture => 2,
            Self::Next => LANES,
            Self::Second => 2 * LANES,
        }
    }

    /// In bytes, where values are one byte and those of a picture two.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::Picture => 4,
            Self::Next | Self::Second => self.values(),
        }
    }
}

/// What a micro-kernel reads and writes.
///
/// Pixel `i` of the tile reads, for every chunk `c`, the `depth` values from `input +
/// offsets[c] + step · i`, and writes block `j` at `output + j · output_block + 16 · i`.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a> {
    /// First pixel of the tile, in the first block of the input.
    pub(super) input: *const f32,
    /// From there to each chunk of input channels of each tap, in values.
    pub(super) offsets: &'a [usize],
    /// The number of values of each chunk.
    pub(super) depth: usize,
    /// `[offsets.len()][depth][blocks · 16]`.
    pub(super) weights: *const f32,
    /// The weights that will be read next. One line for every value of every chunk is fetched. Any
    /// address will do.
    pub(super) ahead: *const f32,
    /// `[blocks · 16]`.
    pub(super) bias: *const f32,
    /// First pixel of the tile, in the first of the output blocks.
    pub(super) output: *mut f32,
    /// Values from one output block to the next.
    pub(super) output_block: usize,
    /// Whether the sums are added to the values that the output holds.
    pub(super) add: bool,
    /// The least and the largest result. Sums beyond them become them.
    pub(super) bounds: [f32; 2],
}

/// A micro-kernel for tiles of a fixed size.
///
/// # Safety
///
/// Every address that [`Tile`] describes must be valid for the kernel's pixels and blocks. Nobody
/// else may access the output meanwhile, or write the rest. The processor must have the
/// instructions.
pub(super) type MicroKernel = for<'a> unsafe fn(Tile<'a>);

/// See [`MicroKernel`]. The sums and `BLOCKS + 1` more must fit the registers.
#[inline(always)]
pub(super) unsafe fn tile<V: Vector, const PIXELS: usize, const BLOCKS: usize, const STEP: usize>(
    tile: Tile<'_>,
) {
    // SAFETY: the caller vouches for every address below.
    unsafe {
        // The output may be far away. It is in the cache when the sums are ready.
        for block in 0..BLOCKS {
            for pixel in 0..PIXELS {
                V::prefetch(tile.output.wrapping_add(block * tile.output_block + LANES * pixel));
            }
        }
        let mut sums = [[V::splat(0.0); BLOCKS]; PIXELS];
        let (mut weights, mut ahead) = (tile.weights, tile.ahead);
        for offset in tile.offsets {
            let input = tile.input.add(*offset);
            for channel in 0..tile.depth {
                let mut weight = [V::splat(0.0); BLOCKS];
                for (block, weight) in weight.iter_mut().enumerate() {
                    *weight = V::load(weights.add(LANES * block));
                }
                weights = weights.add(LANES * BLOCKS);
                V::prefetch_far(ahead);
                ahead = ahead.wrapping_add(LANES);
                for (pixel, sums) in sums.iter_mut().enumerate() {
                    let value = V::splat(*input.add(STEP * pixel + channel));
                    for (sum, weight) in sums.iter_mut().zip(weight) {
                        *sum = value.multiply_add(weight, *sum);
                    }
                }
            }
        }
        for block in 0..BLOCKS {
            let bias = V::load(tile.bias.add(LANES * block));
            let output = tile.output.add(block * tile.output_block);
            for (pixel, sums) in sums.iter().enumerate() {
                let mut sum = sums[block].add(bias);
                let output = output.add(LANES * pixel);
                if tile.add {
                    sum = sum.add(V::load(output));
                }
                clamp(sum, tile.bounds).store(output);
            }
        }
    }
}

/// The micro-kernels of `$run` by [`PixelStep`] (in `$unit`), blocks and pixels.
macro_rules! micro_kernels {
    ($run:ident, step: $unit:ident, blocks: $blocks:tt, pixels: $pixels:tt) => {
        [
            micro_kernels!(@step $run, { $crate::kernels::tile::PixelStep::Picture.$unit() }, $blocks, $pixels),
            micro_kernels!(@step $run, { $crate::kernels::tile::PixelStep::Next.$unit() }, $blocks, $pixels),
            micro_kernels!(@step $run, { $crate::kernels::tile::PixelStep::Second.$unit() }, $blocks, $pixels),
        ]
    };
    (@step $run:ident, $step:block, [$($blocks:literal)*], $pixels:tt) => {
        &[$(micro_kernels!(@blocks $run, $step, $blocks, $pixels)),*]
    };
    (@blocks $run:ident, $step:block, $blocks:literal, [$($pixels:literal)*]) => {
        &[$($run::<$pixels, $blocks, $step>),*]
    };
}

pub(super) use micro_kernels;
