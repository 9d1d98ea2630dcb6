//! A network laid out for one input size.

mod compile;
mod floats;
mod integer;
mod placed;
mod prepared;
mod ranges;

pub use compile::GraphTap;
pub use prepared::{Plan, StepTime};
pub use ranges::{ActivationRanges, NodeRanges};
