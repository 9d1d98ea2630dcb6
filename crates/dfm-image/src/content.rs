//! The hash of a picture's pixels.

use image::RgbImage;

use crate::picture::Picture;

/// SHA-256 over the width and the height (little-endian `u32`) and the RGB bytes of an upright
/// picture, row by row. Two lossless files of the same picture have the same hash.
///
/// ```
/// use dfm_image::{RgbImage, content_hash};
///
/// let wide = RgbImage::new(3, 2);
/// assert_eq!(content_hash(&wide), content_hash(&wide.clone()));
/// assert_ne!(content_hash(&wide), content_hash(&RgbImage::new(2, 3)));
/// ```
pub fn content_hash(picture: &RgbImage) -> [u8; 32] {
    Picture::from(picture).content_hash()
}
