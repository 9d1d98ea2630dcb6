//! Resizing, bilinear with antialias: a triangle filter as wide as the scale. The arithmetic is
//! the fixed point of PIL, or the floating point of torch's tensors.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;

use super::antialias;
use super::cut::Part;
use crate::error::PreprocessError;
use crate::size::PictureSize;

/// The rectangle `source` (left, top, width, height) of `picture` at `width` × `height` pixels,
/// `[H, W, 3]`, rounded to bytes. As with PIL's `box`, the filter also reads the pixels just
/// outside the rectangle.
pub(super) fn bytes(
    picture: &RgbImage,
    source: [f64; 4],
    width: usize,
    height: usize,
) -> Result<Vec<u8>, PreprocessError> {
    let size = PictureSize::from(picture);
    let failed = |reason: String| failed(size, [width, height], reason);
    if is_there(size, source, width, height) {
        return Ok(picture.as_raw().clone());
    }
    let whole = ImageRef::new(picture.width(), picture.height(), picture.as_raw(), PixelType::U8x3)
        .map_err(|error| failed(error.to_string()))?;
    // The input contract bounds both sides far below `u32`.
    let mut target = Image::new(width as u32, height as u32, PixelType::U8x3);
    Resizer::new()
        .resize(&whole, &mut target, &options(source))
        .map_err(|error| failed(error.to_string()))?;
    Ok(target.into_vec())
}

/// The same as [`bytes`] without rounding: values from 0 to 255, row by row.
pub(super) fn floats(part: Part<'_>, source: [f64; 4], width: usize, height: usize) -> Vec<[f32; 3]> {
    let size = part.size();
    if is_there(size, source, width, height) {
        return part.into_floats();
    }
    let across = size.width as usize;
    match part {
        Part::Bytes(picture) => {
            let (pixels, _) = picture.as_raw().as_chunks::<3>();
            antialias::resize(pixels, across, source, width, height)
        }
        Part::Floats(_, pixels) => antialias::resize(&pixels, across, source, width, height),
    }
}

fn options([left, top, width, height]: [f64; 4]) -> ResizeOptions {
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    options.crop(left, top, width, height)
}

/// Whether a picture has its target size already.
fn is_there(size: PictureSize, source: [f64; 4], width: usize, height: usize) -> bool {
    let whole = [0.0, 0.0, f64::from(size.width), f64::from(size.height)];
    source == whole && size.width as usize == width && size.height as usize == height
}

fn failed(size: PictureSize, [to_width, to_height]: [usize; 2], reason: String) -> PreprocessError {
    PreprocessError::Resize { width: size.width, height: size.height, to_width, to_height, reason }
}
