//! The errors of this crate.

use thiserror::Error;

/// The reason why no defect can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SyntheticError {
    /// The picture has one pixel only, so a part of it would be all of it.
    #[error(
        "a synthetic defect takes a picture of two pixels or more, of which it is a part, got {width}×{height}"
    )]
    TooSmall {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// No pixel of the picture may be defective.
    #[error("no pixel of the picture lies where a synthetic defect may be")]
    NoPlace,
    /// The pixels that may be defective are those of a picture of another size.
    #[error("where a synthetic defect may be: expected {expected} pixels, got {got}")]
    OtherSize {
        /// Number of pixels of the picture.
        expected: usize,
        /// Number of pixels that were given.
        got: usize,
    },
}
