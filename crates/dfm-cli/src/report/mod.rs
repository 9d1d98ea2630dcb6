//! Results in words and numbers.

mod plain;
mod progress;
pub(crate) mod table;

pub(crate) use plain::plain;
pub(crate) use progress::{Progress, aside};
