//! What the suites share: golden files, tolerances, the devices to run on, and
//! small pictures made on the spot.
//!
//! Every expectation in `fixtures/` was written by the seeded Python script in
//! the same folder, from an independent implementation; nothing there was made
//! by the code under test.

#![allow(clippy::print_stdout, reason = "suites say what they ran on")]

pub mod browser;
pub mod datasets;
pub mod devices;
pub mod golden;
pub mod model_file;
pub mod models;
pub mod pictures;
pub mod program;
pub mod statistics;
pub mod tiff;
pub mod tolerance;
