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
    /// The [`content_hash`](crate::content_hash) of the whole picture; `None` from a
    /// [`Preprocessor`](crate::Preprocessor::with_content_hash) that computes none.
    pub content_hash: Option<[u8; 32]>,
    /// How many pixels of the whole picture have a channel outside of the levels, where it is
    /// clamped; `None` unless the levels are a range.
    pub outside: Option<u64>,
}
