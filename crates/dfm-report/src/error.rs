//! Why no page was written.

use std::io;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A number cannot be drawn.
    #[error("writing a report: {what}: expected {expected}, got {got}")]
    Number {
        /// What the number is.
        what: String,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        got: f64,
    },
    /// The page could not be written, or a picture's pixels not be fetched.
    #[error("writing a report: {0}")]
    Write(#[from] io::Error),
}
