//! What comes in: pictures and their geometry, data sets, and everything that can be wrong
//! with them.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a suite")]

mod awkward_data;
mod datasets;
mod foreign_bytes;
mod geometry;
mod inputs_page;
mod kinds;
mod malformed;
mod masks;
mod memory;
mod preprocess;
mod region;
mod resampling;
mod synthetic;
mod tiles;
