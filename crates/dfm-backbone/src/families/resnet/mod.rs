//! ResNets, described by a few fields.
//!
//! Sources: He et al., *Deep Residual Learning for Image Recognition* (2016); Zagoruyko and Komodakis, *Wide
//! Residual Networks* (2016); Xie et al., *Aggregated Residual Transformations* (2017); shapes as in
//! torchvision.

mod description;
mod known;
mod network;
mod parts;
mod shape;

pub use description::ResNet;
pub(crate) use network::{RESNETS, draft};
pub use parts::{Block, MaxPoolPadding, StridePlacement};
pub(crate) use shape::BlockShape;
pub use shape::ConvolutionShape;
