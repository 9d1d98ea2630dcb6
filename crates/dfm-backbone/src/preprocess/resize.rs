//! Bilinear with antialias: a triangle filter as wide as the scale, in the
//! fixed-point arithmetic that PIL uses too.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;

use super::error::PreprocessError;

/// `picture` at `width` × `height` pixels.
pub(super) fn resize(picture: &RgbImage, width: usize, height: usize) -> Result<Vec<u8>, PreprocessError> {
    let failed = |reason: String| PreprocessError::Resize {
        width: picture.width(),
        height: picture.height(),
        to_width: width,
        to_height: height,
        reason,
    };
    if picture.width() as usize == width && picture.height() as usize == height {
        return Ok(picture.as_raw().clone());
    }
    let source = ImageRef::new(picture.width(), picture.height(), picture.as_raw(), PixelType::U8x3)
        .map_err(|error| failed(error.to_string()))?;
    // The input contract bounds both sides far below `u32`.
    let mut target = Image::new(width as u32, height as u32, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    Resizer::new().resize(&source, &mut target, &options).map_err(|error| failed(error.to_string()))?;
    Ok(target.into_vec())
}
