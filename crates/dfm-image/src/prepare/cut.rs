//! Cutting a region out of a picture.

use std::borrow::Cow;

use image::{Rgb, RgbImage};

use super::normalise;
use crate::error::PreprocessError;
use crate::input::InputContract;
use crate::region::Region;
use crate::size::PictureSize;

/// The bounding rectangle of `region`, or the whole picture if there is none. Pixels outside the
/// region become the mean of the input contract, whatever they were.
pub(super) fn cut<'p>(
    picture: &'p RgbImage,
    region: Option<&Region>,
    contract: &InputContract,
) -> Result<Cow<'p, RgbImage>, PreprocessError> {
    let Some(region) = region else { return Ok(Cow::Borrowed(picture)) };
    let ([left, top], PictureSize { width, height }) = (region.corner(), region.size());
    check(region, picture.into())?;
    let mut part = RgbImage::from_pixel(width, height, Rgb(normalise::mean_colour(contract)));
    let pixels: &mut [u8] = &mut part;
    for [y, from, to] in region.pieces() {
        let source = row(picture.width(), y, from, to);
        let target = row(width, y - top, from - left, to - left);
        pixels[target].copy_from_slice(&picture.as_raw()[source]);
    }
    Ok(Cow::Owned(part))
}

/// Checks that `region` fits a picture of `size`.
pub(super) fn check(region: &Region, size: PictureSize) -> Result<(), PreprocessError> {
    let ([left, top], part) = (region.corner(), region.size());
    let PictureSize { width, height } = size;
    match region.picture_size() {
        Some(expected) if size == expected => Ok(()),
        Some(_) => Err(PreprocessError::RegionOfOthers { region: region.to_string(), width, height }),
        None if left + part.width <= width && top + part.height <= height => Ok(()),
        None => Err(PreprocessError::Region { region: region.to_string(), width, height }),
    }
}

/// The positions of the bytes of columns `from` up to `to` in row `y` of a picture `width` wide.
fn row(width: u32, y: u32, from: u32, to: u32) -> std::ops::Range<usize> {
    let byte = |x: u32| 3 * (y as usize * width as usize + x as usize);
    byte(from)..byte(to)
}
