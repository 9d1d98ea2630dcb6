//! The model file: one safetensors container whose single metadata entry is a
//! versioned JSON header. `docs/model-format.md` describes every entry.
//!
//! Hostile until parsed: sizes are checked against limits before anything is
//! allocated, shapes against the header, the content against its hash, and the
//! computation against a stored probe.

mod arrivals;
mod container;
mod detail;
pub(crate) mod error;
mod faults;
mod header;
mod info;
mod names;
mod opened;
mod read;
pub(crate) mod self_test;
mod tap;
mod wanted;
mod write;

pub use info::{CalibrationInfo, ModelInfo, TapInfo};
pub use read::LoadOptions;
pub use write::{SaveOptions, WrittenSizes};
