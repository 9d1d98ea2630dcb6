//! The errors of this crate.

use std::io;

/// The reason why no page was written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A number cannot be drawn.
    #[error("writing a report: {what}: expected {expected}, got {got}")]
    Number {
        /// Name of the number.
        what: String,
        /// The expected range.
        expected: &'static str,
        /// The number.
        got: f64,
    },
    /// The page could not be written, or the pixels of a picture could not be fetched.
    #[error("writing a report: {0}")]
    Write(#[from] io::Error),
}
