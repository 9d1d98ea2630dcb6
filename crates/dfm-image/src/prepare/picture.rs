//! A picture in the form that a network takes.

use crate::placement::Placement;
use crate::size::PictureSize;

/// A picture, or a tile of one, in the form that the network takes.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedPicture {
    /// `[3, H, W]`, normalised, in the channel order of the input contract.
    pub pixels: Vec<f32>,
    /// The size of the whole picture before it was cut and resized.
    pub original: PictureSize,
    /// Where the whole picture lies in the network's input, and which tile of it this is.
    pub placement: Placement,
    /// The [`content_hash`](crate::content_hash) of the whole picture, or
    /// [`NOT_HASHED`](Self::NOT_HASHED) from a
    /// [`Preprocessor`](crate::Preprocessor::with_content_hash) that computes none.
    pub content_hash: [u8; 32],
}

impl PreparedPicture {
    /// Stands for the content hash of a picture that was not hashed.
    pub const NOT_HASHED: [u8; 32] = [0; 32];
}
