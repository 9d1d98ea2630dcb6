//! The vector code of one instruction set.

use super::maximum::MaximumRow;
use super::tile::{MicroKernel, PixelStep};
use super::transform::{InputTiles, OutputTiles};
use crate::instructions::InstructionSet;

/// The vector code of one instruction set.
#[derive(Clone, Copy)]
pub(crate) struct Kernels {
    /// The set, which this processor has.
    pub(super) instructions: InstructionSet,
    /// Micro-kernels by [`PixelStep`], blocks of output channels − 1, and pixels − 1.
    pub(super) tiles: [&'static [&'static [MicroKernel]]; 3],
    /// Winograd's transform of inputs.
    pub(super) input_tiles: InputTiles,
    /// Winograd's transform of outputs.
    pub(super) output_tiles: OutputTiles,
    /// The maximum behind the stem.
    pub(super) maximum_row: MaximumRow,
}

impl Kernels {
    /// The most blocks of output channels that a tile can have.
    pub(crate) fn blocks(&self) -> usize {
        self.tiles[0].len()
    }

    /// The most pixels that a tile can have.
    pub(crate) fn pixels(&self) -> usize {
        self.tiles[0][0].len()
    }

    /// The micro-kernel for tiles of `blocks` by `pixels`.
    pub(super) fn tile(&self, step: PixelStep, blocks: usize, pixels: usize) -> MicroKernel {
        self.tiles[step as usize][blocks - 1][pixels - 1]
    }
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kernels({} pixels × {} blocks)", self.pixels(), self.blocks())
    }
}
