//! The micro-kernel: a tile of output pixels by one or two blocks of output channels,
//! summed in registers.

use std::mem::MaybeUninit;

use super::weights::Line;
use crate::kernels::tile::PixelStep;
use crate::kernels::vector::Vector;
use crate::layout::{LANES, Lanes};

/// Where results go, from the first pixel of the first block on.
#[derive(Clone, Copy)]
pub(super) enum Output {
    /// Rounded to whole numbers. A result beyond a `u8` becomes the nearest `u8`.
    Bytes(*mut u8),
    /// As they are, or with zero in place of negative results.
    Floats { to: *mut f32, relu: bool },
}

/// What is added to the results, from the first pixel of the first block on.
#[derive(Clone, Copy)]
pub(super) enum Added {
    Nothing,
    /// Bytes, each times a factor.
    Bytes {
        from: *const u8,
        factor: f32,
    },
    /// Numbers, each times a factor.
    Floats {
        from: *const f32,
        factor: f32,
    },
}

impl Output {
    /// The same output from a pixel on that lies `values` further.
    pub(super) fn skip(self, values: usize) -> Self {
        match self {
            Self::Bytes(to) => Self::Bytes(to.wrapping_add(values)),
            Self::Floats { to, relu } => Self::Floats { to: to.wrapping_add(values), relu },
        }
    }
}

impl Added {
    /// The same values from a pixel on that lies `values` further.
    pub(super) fn skip(self, values: usize) -> Self {
        match self {
            Self::Nothing => Self::Nothing,
            Self::Bytes { from, factor } => Self::Bytes { from: from.wrapping_add(values), factor },
            Self::Floats { from, factor } => Self::Floats { from: from.wrapping_add(values), factor },
        }
    }
}

/// What a micro-kernel reads and writes.
///
/// Pixel `i` of the tile reads, for every chunk `c`, four bytes `depth` times from
/// `input + offsets[c] + step · i`, and writes block `j` at value
/// `j · output_block + 16 · i` of the output.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a> {
    /// First pixel of the tile, in the first block of the input.
    pub(super) input: *const u8,
    /// From there to each chunk of input channels of each tap, in bytes.
    pub(super) offsets: &'a [usize],
    /// Lines of weights for each chunk, each of four bytes.
    pub(super) depth: usize,
    /// `[offsets.len()][depth][blocks]`.
    pub(super) weights: *const Line,
    /// The weights that will be read next. As many lines as one block has are fetched. Any address
    /// will do.
    pub(super) ahead: *const Line,
    /// `[blocks · 16]`: the size of one step of a sum, in steps of the output.
    pub(super) multipliers: *const f32,
    /// `[blocks · 16]`, in steps of the output.
    pub(super) bias: *const f32,
    pub(super) added: Added,
    pub(super) output: Output,
    /// Values from one output block to the next.
    pub(super) output_block: usize,
}

/// A micro-kernel for tiles of a fixed size.
///
/// # Safety
///
/// Every address that [`Tile`] describes must be valid for the kernel's pixels and blocks. Nobody
/// else may access the output meanwhile, or write the rest. The processor must have the
/// instructions.
pub(super) type MicroKernel = for<'a> unsafe fn(Tile<'a>);

/// The sums of 16 output channels of one pixel, in the registers of an instruction set.
///
/// # Safety
///
/// A method may be called only if the processor has the instructions. Pointers must be valid for
/// what is read and written through them.
pub(super) trait Sums: Copy {
    /// 16 numbers.
    type Floats: Vector;
    /// One [`Line`].
    type Weights: Copy;
    /// Four bytes of one pixel.
    type Value: Copy;

    unsafe fn zero() -> Self;
    unsafe fn weights(from: *const Line) -> Self::Weights;
    unsafe fn value(from: *const u8) -> Self::Value;
    /// Adds the products of four `u8` with each channel's four `i8` within ±64.
    unsafe fn dot_bytes(self, value: Self::Value, weights: Self::Weights) -> Self;
    /// Adds the products of two `i16` with each channel's two.
    unsafe fn dot_words(self, value: Self::Value, weights: Self::Weights) -> Self;
    unsafe fn to_floats(self) -> Self::Floats;
    unsafe fn multiply(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// 16 bytes as numbers.
    unsafe fn load_bytes(from: *const u8) -> Self::Floats;
    /// Stores 16 numbers as bytes. Each is rounded to the nearest whole number, and halves to the
    /// even one. A number beyond a `u8` becomes the nearest `u8`, and what is not a number becomes
    /// zero.
    unsafe fn store_bytes(values: Self::Floats, to: *mut u8);
}

/// See [`MicroKernel`]. The sums and `BLOCKS + 1` more must fit the registers.
#[inline(always)]
pub(super) unsafe fn tile<S: Sums, const PIXELS: usize, const BLOCKS: usize, const STEP: usize>(
    tile: Tile<'_>,
) {
    // SAFETY: the caller vouches for every address below.
    unsafe {
        let mut sums = [[S::zero(); BLOCKS]; PIXELS];
        let (mut weights, mut ahead) = (tile.weights, tile.ahead);
        for offset in tile.offsets {
            let input = tile.input.add(*offset);
            for quad in 0..tile.depth {
                let mut weight = [S::weights(weights); BLOCKS];
                for (block, weight) in weight.iter_mut().enumerate().skip(1) {
                    *weight = S::weights(weights.add(block));
                }
                weights = weights.add(BLOCKS);
                S::Floats::prefetch_far(ahead.cast());
                ahead = ahead.wrapping_add(1);
                for (pixel, sums) in sums.iter_mut().enumerate() {
                    let value = S::value(input.add(STEP * pixel + 4 * quad));
                    for (sum, weight) in sums.iter_mut().zip(weight) {
                        *sum = match STEP == PixelStep::Picture.bytes() {
                            true => sum.dot_words(value, weight),
                            false => sum.dot_bytes(value, weight),
                        };
                    }
                }
            }
        }
        // Results go into memory first: the sums stay in registers only as long as every loop over
        // them is short enough to be unrolled.
        let mut results = MaybeUninit::<[[Lanes; PIXELS]; BLOCKS]>::uninit();
        let results = results.as_mut_ptr().cast::<f32>();
        for block in 0..BLOCKS {
            let multiplier = S::Floats::load(tile.multipliers.add(LANES * block));
            let bias = S::Floats::load(tile.bias.add(LANES * block));
            for (pixel, sums) in sums.iter().enumerate() {
                // Each operation is rounded by itself, so that all processors give the same result.
                let value = S::multiply(sums[block].to_floats(), multiplier).add(bias);
                value.store(results.add(LANES * (block * PIXELS + pixel)));
            }
        }
        for block in 0..BLOCKS {
            let (results, at) = (results.add(LANES * PIXELS * block), block * tile.output_block);
            finish::<S>(results, PIXELS, tile.added.skip(at), tile.output.skip(at));
        }
    }
}

/// Adds what is to be added to the results of some pixels of one block, and writes them.
#[inline(always)]
unsafe fn finish<S: Sums>(results: *const f32, pixels: usize, added: Added, output: Output) {
    // SAFETY: the caller vouches for so many pixels of all three.
    unsafe {
        for at in (0..pixels).map(|pixel| LANES * pixel) {
            let mut value = S::Floats::load(results.add(at));
            match added {
                Added::Nothing => {}
                Added::Bytes { from, factor } => {
                    let factor = S::Floats::splat(factor);
                    value = value.add(S::multiply(S::load_bytes(from.add(at)), factor));
                }
                Added::Floats { from, factor } => {
                    let factor = S::Floats::splat(factor);
                    value = value.add(S::multiply(S::Floats::load(from.add(at)), factor));
                }
            }
            match output {
                Output::Bytes(to) => S::store_bytes(value, to.add(at)),
                Output::Floats { to, relu } => {
                    if relu {
                        // With the operands in this order, a value that is not a number stays so.
                        value = S::Floats::splat(0.0).max(value);
                    }
                    value.store(to.add(at));
                }
            }
        }
    }
}
