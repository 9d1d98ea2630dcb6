//! Convolution: the micro-kernels, each a tile of output pixels by one or two
//! blocks of output channels summed in registers, and the sweep that drives them.
//! The only unsafe code of the project lies in this module.

#![expect(unsafe_code, reason = "vector instructions and output shared by threads; see each block")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod maximum;
mod portable;
mod product;
mod sweep;
mod transform;

pub(crate) use maximum::Maximum;
pub(crate) use product::Product;
pub(crate) use sweep::{OutputGroup, Sweep};
pub(crate) use transform::{IN, OUT, PRODUCTS, Strided, Transforms};

use crate::instructions::InstructionSet;

/// One tile: what a micro-kernel reads and writes.
///
/// Pixel `i` of the tile reads, for every chunk `c`, the 16 values at
/// `input + offsets[c] + 16·i`, and writes block `j` at `output + j·output_block +
/// 16·i`.
#[derive(Clone, Copy)]
pub(crate) struct Tile<'a> {
    /// First pixel of the tile, in the first block of the input.
    pub(crate) input: *const f32,
    /// From there to each chunk of 16 input channels of each tap, in values.
    pub(crate) offsets: &'a [isize],
    /// Channels of each chunk that are used.
    pub(crate) depth: usize,
    /// `[offsets.len()][depth][blocks · 16]`.
    pub(crate) weights: *const f32,
    /// `[blocks · 16]`.
    pub(crate) bias: *const f32,
    /// Added before the ReLU; laid out as the output. Null for none.
    pub(crate) residual: *const f32,
    /// First pixel of the tile, in the first of the output blocks.
    pub(crate) output: *mut f32,
    /// Values from one output block to the next, in output and residual.
    pub(crate) output_block: usize,
    /// Whether negative sums become zero.
    pub(crate) relu: bool,
}

/// A micro-kernel for tiles of a fixed size.
///
/// # Safety
///
/// Every address that [`Tile`] describes must be valid for the kernel's pixels
/// and blocks, nothing else may write there meanwhile, and the processor must
/// have the instructions.
type MicroKernel = for<'a> unsafe fn(Tile<'a>);

/// One micro-kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernel {
    /// Pixels in a tile.
    pixels: usize,
    /// Blocks of output channels.
    blocks: usize,
    /// The code.
    run: MicroKernel,
}

impl Kernel {
    /// Pixels in a tile.
    pub(crate) fn pixels(self) -> usize {
        self.pixels
    }

    /// Blocks of output channels that it computes at once.
    pub(crate) fn blocks(self) -> usize {
        self.blocks
    }
}

/// The micro-kernels of one instruction set.
#[derive(Clone, Copy)]
pub(crate) struct Kernels {
    /// For one block of output channels.
    pub(crate) single: Kernel,
    /// For two at once, where that is faster.
    pub(crate) pair: Option<Kernel>,
    /// For the products of [`winograd`](crate::winograd), whose tiles are few.
    pub(crate) product: Kernel,
    /// For its transforms.
    pub(crate) transforms: Transforms,
    /// For the pool after the stem.
    pub(crate) maximum: Maximum,
}

impl Kernels {
    /// Those for `instructions`, or the portable ones if this processor lacks them.
    pub(crate) fn of(instructions: InstructionSet) -> Self {
        match instructions {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 if instructions.is_available() => avx512::KERNELS,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 if instructions.is_available() => avx2::KERNELS,
            _ => portable::KERNELS,
        }
    }
}
