//! A residual network's forward pass on a CPU.
//!
//! [`Plan::new`] lays out weights and buffers for one network and one input
//! size; [`Plan::run`] then runs any number of pictures. The crate knows
//! convolutions, and nothing of what they are for.
//!
//! # How it computes
//!
//! Feature maps lie in blocks of 16 channels, `[blocks][height][width][16]`, without
//! gaps. One micro-kernel, a tile of up to 14 pixels by 32 output channels summed in
//! registers, computes every convolution: a 1×1 reads its input where it lies, larger
//! windows read a copy of some rows with zeros around them, and 3×3 ones of stride one
//! are turned into 1×1 ones by Winograd's transforms where a table says that this pays.
//! Bias, residual addition and ReLU happen while the sums are still in registers, and
//! the residual lies where the output goes.
//!
//! A plan is a list of steps over one arena. Pictures are divided among threads; where
//! there are fewer pictures than threads, the steps of each are shared by a team of
//! threads that stay together for the whole run.
//!
//! # In whole numbers
//!
//! [`Plan::int8`] computes the same network in eight bits, from the [`ActivationRanges`]
//! that [`Plan::ranges`] measures: an approximation, but the same to the bit on every
//! instruction set. `kernels/integer` says how.
//!
//! # Order of sums
//!
//! Each sum runs over its terms in one fixed order: neither the number of threads nor
//! the batch changes a bit of the result.

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
pub use network::{Block, Convolution, KernelError, MaxPool, Network, Tap};
pub use plan::{ActivationRanges, Plan, StepTime};
