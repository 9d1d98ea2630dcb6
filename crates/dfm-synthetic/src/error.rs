//! What can be wrong with a picture.

use thiserror::Error;

/// Why no defect can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SyntheticError {
    /// A part of one pixel is all of it.
    #[error(
        "a synthetic defect takes a picture of two pixels or more, of which it is a part, got {width}×{height}"
    )]
    TooSmall {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// Nothing of the picture may be defective.
    #[error("no pixel of the picture lies where a synthetic defect may be")]
    NoPlace,
    /// What says where a defect may be does not belong to the picture.
    #[error("where a synthetic defect may be: expected {expected} pixels, got {got}")]
    OtherSize {
        /// Pixels of the picture.
        expected: usize,
        /// Pixels that were given.
        got: usize,
    },
}
