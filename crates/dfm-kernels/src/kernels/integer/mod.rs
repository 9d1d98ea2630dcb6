//! Convolutions in whole numbers: activations in eight bits, weights in seven and a
//! sign, sums in 32 bits.
//!
//! A `u8` activation stands for a multiple of its map's step, and an `i8` weight for a multiple of
//! its output channel's step. Sums of their products are exact. What is done to a sum afterwards
//! are single operations of `f32`, each rounded by itself. Features in whole numbers are therefore
//! the same on every instruction set. There are no transforms, because their sums would not fit.
//!
//! Weights stay within ±64 so that AVX2's sums of two products fit 16 bits (255 · 64 · 2 is below
//! 2¹⁵). The weights are rounded more coarsely than the activations, because their error is the
//! same for every picture: it makes another network, slightly, for good and bad parts alike.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod convolution;
mod dispatch;
mod ends;
mod portable;
mod set;
mod stem;
mod sweep;
mod tile;
mod tiles;
mod values;
#[cfg(target_arch = "x86_64")]
mod vnni;
mod weights;

pub(crate) use convolution::IntegerConvolution;
pub(crate) use ends::{IntegerEnds, Residual};
pub(crate) use set::IntegerKernels;
pub(crate) use stem::{IntegerStem, PICTURE};
pub(crate) use tiles::{TileKernels, TiledConvolution, are_available as tiles_are_available};
pub(crate) use values::{ACTIVATION, Values};
