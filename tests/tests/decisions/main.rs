//! Decisions from good pictures alone: thresholds, p-values, validation by synthetic defects,
//! and drift.

mod drift;
mod laws;
mod program;
mod validation;
