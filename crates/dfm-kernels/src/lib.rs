//! A residual network's forward pass on a CPU.
//!
//! [`Plan::new`] lays out weights and buffers for one network and one input
//! size; [`Plan::run`] then runs any number of pictures. The crate knows
//! convolutions, and nothing of what they are for.
//!
//! # How it computes
//!
//! Every feature map lies in planes (`layout::Plane`): blocks of 16 channels, and in
//! each block the rows of the picture one after the other with a single column
//! of zeros between them. In that layout the input of any tap of a stride-1
//! convolution is the output's own pixel index plus a constant, over row ends
//! too, so one micro-kernel over runs of pixels computes every convolution:
//! nothing is unrolled into matrices and no pixel is a special case. A stride of
//! two first parts the input into its even and odd rows and columns, each a
//! plane on which the same holds.
//!
//! Bias, residual addition and ReLU happen while the sums are still in
//! registers. Each sum runs over its terms in one fixed order: neither the
//! number of threads nor the batch changes a bit of the result.

mod buffers;
mod choice;
mod filters;
mod instructions;
mod kernels;
mod layout;
mod measure;
mod network;
mod plan;
mod team;

pub use choice::{FEWEST_CHANNELS, SIDES, Way};
pub use instructions::InstructionSet;
pub use measure::time_convolution;
pub use network::{Block, Convolution, KernelError, MaxPool, Network};
pub use plan::{Plan, StepTime};
