//! The size of a picture.

use image::RgbImage;
use serde::{Deserialize, Serialize};

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureSize {
    /// Pixels in a row.
    pub width: u32,
    /// Number of rows.
    pub height: u32,
}

impl From<&RgbImage> for PictureSize {
    fn from(picture: &RgbImage) -> Self {
        Self { width: picture.width(), height: picture.height() }
    }
}
