//! Results in words, numbers and pictures.

pub(crate) mod gallery;
mod glyphs;
pub(crate) mod heatmap;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod legend;
mod marks;
mod plain;
mod progress;
pub(crate) mod scale;
pub(crate) mod table;

pub(crate) use plain::plain;
pub(crate) use progress::{Progress, aside};
