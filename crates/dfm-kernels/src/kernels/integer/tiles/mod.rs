//! Convolutions in whole numbers by products of tiles: 16 pixels of 64 bytes by 64 bytes of 16
//! output channels.
//!
//! The sums are the same as those of the other instruction sets, and so is every operation on a sum.
//! What differs is the order of the bytes: see [`Values::Groups`](super::values::Values::Groups).
//!
//! Tiles belong to a thread and are set up for one shape. A step sets them up before its products and
//! releases them behind, also if it panics.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(test)]
mod check;
mod convolution;
mod dispatch;
#[cfg(target_arch = "x86_64")]
mod finish;
mod kernels;
#[cfg(test)]
mod portable;
mod sweep;

pub(crate) use convolution::TiledConvolution;
pub(crate) use kernels::TileKernels;

/// Whether this processor has such tiles and the system lets this process use them.
pub(crate) fn are_available() -> bool {
    #[cfg(target_arch = "x86_64")]
    return amx::is_available();
    #[cfg(not(target_arch = "x86_64"))]
    false
}
