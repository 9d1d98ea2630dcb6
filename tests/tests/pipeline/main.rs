//! From pictures to verdicts by `dfm-core`: what models of whole pictures, layers and tiles
//! say, their scores, their figures and their file.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a suite")]

mod anomalib_golden;
mod cells;
mod explain;
mod fine;
mod fine_foreign;
mod golden;
mod int8;
mod laws;
mod layers;
mod metrics;
mod model_file;
mod model_reading;
mod networks;
mod places;
mod scores;
mod verdicts;
