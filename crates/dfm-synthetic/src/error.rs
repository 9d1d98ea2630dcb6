//! The errors of this crate.

use thiserror::Error;

/// The reason why no defect can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SyntheticError {
    /// The picture has one pixel only, so a part of it would be all of it.
    #[error("a synthetic defect is a part of a picture: expected two pixels or more, got {width}×{height}")]
    TooSmall {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// No pixel of the picture may be defective.
    #[error("no pixel of the picture may be defective: give a region that holds one")]
    NoPlace,
    /// The pixels that may be defective are those of a picture of another size.
    #[error("the pixels that may be defective: expected one value for each of {expected} pixels, got {got}")]
    OtherSize {
        /// Number of pixels of the picture.
        expected: usize,
        /// Number of pixels that were given.
        got: usize,
    },
}
