//! A network's forward pass on a CPU.
//!
//! [`Plan::compile`] lays out weights and buffers for one graph and one input size. [`Plan::run`]
//! then runs any number of pictures. The crate knows layers, and not what they are used for.
//!
//! # How it computes
//!
//! Feature maps lie in blocks of 16 channels, `[blocks][height][width][16]`, without gaps. Tokens lie
//! as the pixels of one row, so that a matrix product at each token is a 1×1 convolution. One
//! micro-kernel computes every convolution but depthwise ones, and both products of attention: it sums
//! a tile of up to 14 pixels by 32 output channels in registers. A 1×1 convolution reads its input
//! where it lies. Larger windows read a copy of some rows with zeros around them. A 3×3 convolution of
//! stride one is turned into 1×1 ones by Winograd's transforms where a table says that this is faster.
//! Bias, residual addition, ReLU and ReLU6 happen while the sums are still in registers, and longer
//! activations while they are in the first-level cache. The residual lies where the output goes.
//!
//! A plan of a graph computes neighbouring nodes in one step where it can: a convolution with the layer
//! scale, the sum and the activation behind it. Sums, products and norms write onto a value that
//! nothing else will read. A graph with a node that is not computed here is refused as a whole, with
//! the name of the node.
//!
//! A plan is a list of steps over one arena. Pictures are divided among threads. If there are fewer
//! pictures than threads, a team of threads shares the steps of each picture and stays together for
//! the whole run.
//!
//! # In whole numbers
//!
//! [`Plan::compile_int8`] computes a residual network in eight bits, from the [`NodeRanges`] that
//! [`Plan::ranges`] measures. The result is an approximation, but it is the same to the bit on every
//! instruction set. `kernels/integer` explains how.
//!
//! # Order of sums
//!
//! Each sum runs over its terms in one fixed order. Neither the number of threads nor the batch
//! changes a bit of the result.

mod activation;
mod buffers;
mod choice;
mod convolution;
mod error;
mod filters;
mod instructions;
mod kernels;
mod layout;
mod measure;
mod plan;
mod pool;
mod team;
mod way;
mod window;

pub use choice::{FEWEST_CHANNELS, SIDES};
pub use convolution::Convolution;
pub use error::KernelError;
pub use instructions::InstructionSet;
pub use measure::time_convolution;
pub use plan::{GraphTap, NodeRanges, Plan, StepTime};
pub use way::Way;
