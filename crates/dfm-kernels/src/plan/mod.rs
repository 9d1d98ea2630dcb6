//! A network laid out for one input size.

mod compile;
mod prepared;
mod ranges;

pub use compile::GraphTap;
pub use prepared::{Plan, StepTime};
pub use ranges::NodeRanges;
