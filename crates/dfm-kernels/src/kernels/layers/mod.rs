//! The layers of networks that are no plain stack of convolutions.
//!
//! The lanes of the last block that belong to no channel hold any values. They are finite where all
//! values of the map are. A layer that sums over channels leaves them out, and every layer writes
//! them, so that nothing of an earlier picture is left there.

mod attention;
#[cfg(test)]
pub(super) mod check;
mod concatenate;
mod depthwise;
mod layer;
mod load;
mod normalise;
mod patches;
mod planar;
mod pointwise;
mod pool;
mod reduce;
mod response;
mod softmax;
mod tokens;

pub(crate) use attention::Attention;
pub(crate) use concatenate::Concatenate;
pub(crate) use depthwise::Depthwise;
pub(crate) use layer::Layer;
pub(crate) use load::Load;
pub(crate) use normalise::Normalise;
pub(crate) use patches::Patches;
pub(crate) use planar::Planar;
pub(crate) use pointwise::{Other, Pointwise};
pub(crate) use pool::{Pool, Pooling};
pub(crate) use reduce::{Reduce, Reduction};
pub(crate) use response::Response;
pub(crate) use tokens::{Pixels, Tokens};
