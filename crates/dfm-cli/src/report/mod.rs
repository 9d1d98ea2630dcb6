//! Results in words, numbers and pictures.

pub(crate) mod heatmap;
pub(crate) mod json;
mod progress;
pub(crate) mod table;

pub(crate) use progress::Progress;
