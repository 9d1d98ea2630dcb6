//! The vector code of one instruction set.

use super::tile::MicroKernel;
use super::weights::Order;
use crate::kernels::tile::PixelStep;

/// The vector code of one instruction set.
#[derive(Clone, Copy)]
pub(crate) struct IntegerKernels {
    /// Micro-kernels by [`PixelStep`], blocks of output channels − 1, and pixels − 1.
    pub(super) tiles: [&'static [&'static [MicroKernel]]; 3],
    /// The order of the weights that they read.
    pub(super) order: Order,
}

impl IntegerKernels {
    /// The most blocks of output channels that a tile can have.
    pub(super) fn blocks(&self) -> usize {
        self.tiles[0].len()
    }

    /// The most pixels that a tile can have.
    pub(super) fn pixels(&self) -> usize {
        self.tiles[0][0].len()
    }

    /// The micro-kernel for tiles of `blocks` by `pixels`.
    pub(super) fn tile(&self, step: PixelStep, blocks: usize, pixels: usize) -> MicroKernel {
        self.tiles[step as usize][blocks - 1][pixels - 1]
    }
}

impl std::fmt::Debug for IntegerKernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IntegerKernels({} pixels × {} blocks)", self.pixels(), self.blocks())
    }
}
