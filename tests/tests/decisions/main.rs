//! Decisions from good pictures alone: thresholds, p-values, validation by synthetic defects,
//! and drift.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a suite")]

mod answers;
mod drift;
mod laws;
mod program;
mod set_aside;
mod validation;
