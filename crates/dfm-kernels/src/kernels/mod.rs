//! What runs for each picture: the steps of a network, and the micro-kernels that they are made
//! of. The only unsafe code of the project lies in this module.
//!
//! All of it rests on these rules:
//!
//! - The vector code of an instruction set is called only through the [`Kernels`] that
//!   [`Kernels::of`] gives out. That function looks whether the processor has the instructions.
//! - The steps of a plan find their feature maps in one arena, which threads share. [`Steps`]
//!   checks once that the output of a step overlaps none of its inputs, and runs the items of one
//!   step after those of the step before. The items of a step write pixels and channels of their
//!   own.

#![expect(unsafe_code, reason = "vector instructions, and an arena shared by threads; see each block")]

mod activate;
mod average;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod direct;
mod dispatch;
mod ends;
mod functions;
mod integer;
mod layers;
mod maximum;
mod picture;
mod portable;
mod routine;
mod set;
mod shared;
mod sliding;
mod stem;
mod step;
mod steps;
mod sweep;
mod tile;
mod transform;
mod vector;
mod winograd;
mod work;

pub(crate) use average::Average;
pub(crate) use direct::Direct;
pub(crate) use ends::Ends;
pub(crate) use integer::{
    ACTIVATION, IntegerConvolution, IntegerEnds, IntegerKernels, IntegerStem, PICTURE, Residual, TileKernels,
    TiledConvolution, Values, tiles_are_available,
};
pub(crate) use layers::{
    Attention, Concatenate, Depthwise, Layer, Load, Normalise, Other, Patches, Pixels, Planar, Pointwise,
    Pool, Pooling, Reduce, Reduction, Response, Tokens,
};
pub(crate) use set::Kernels;
pub(crate) use stem::Stem;
pub(crate) use step::Step;
pub(crate) use steps::{Memory, Steps};
pub(crate) use winograd::Winograd;
