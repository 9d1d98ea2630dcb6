//! Cutting a region out of a picture.

use std::borrow::Cow;

use image::{Rgb, RgbImage};

use super::normalise;
use crate::error::PreprocessError;
use crate::input::InputContract;
use crate::levels::{Levelled, scaled};
use crate::picture::Picture;
use crate::region::Region;
use crate::size::PictureSize;

/// The part of a picture that is prepared, with values from 0 to 255.
pub(super) enum Part<'p> {
    /// Bytes.
    Bytes(Cow<'p, RgbImage>),
    /// Numbers that need not be whole, row by row.
    Floats(PictureSize, Vec<[f32; 3]>),
}

impl<'p> Part<'p> {
    /// Width and height in pixels.
    pub(super) fn size(&self) -> PictureSize {
        match self {
            Self::Bytes(part) => PictureSize::from(part.as_ref()),
            Self::Floats(size, _) => *size,
        }
    }

    /// Rounded to bytes.
    pub(super) fn into_bytes(self) -> Cow<'p, RgbImage> {
        match self {
            Self::Bytes(part) => part,
            Self::Floats(PictureSize { width, height }, values) => {
                let bytes = values.as_flattened().iter().map(|value| value.round() as u8).collect();
                let picture = RgbImage::from_raw(width, height, bytes);
                Cow::Owned(picture.expect("three values for each pixel"))
            }
        }
    }

    /// Row by row.
    pub(super) fn into_floats(self) -> Vec<[f32; 3]> {
        match self {
            Self::Bytes(part) => part.pixels().map(|pixel| pixel.0.map(f32::from)).collect(),
            Self::Floats(_, values) => values,
        }
    }
}

/// The bounding rectangle of `region`, or the whole picture if there is no region. Pixels outside the
/// region become the mean of the input contract.
pub(super) fn cut<'p>(
    picture: &'p Levelled<'_>,
    region: Option<&Region>,
    contract: &InputContract,
) -> Result<Part<'p>, PreprocessError> {
    if let Some(region) = region {
        check(region, picture.picture.size())?;
    }
    let range = picture.range.unwrap_or([0.0, 255.0]);
    Ok(match (&picture.picture, region) {
        (Picture::Bytes(picture), None) => Part::Bytes(Cow::Borrowed(picture.as_ref())),
        (Picture::Bytes(picture), Some(region)) => {
            Part::Bytes(Cow::Owned(cut_bytes(picture, region, contract)))
        }
        (Picture::Words(picture), region) => {
            let value = |sample: u16| scaled(f64::from(sample), range);
            cut_floats(picture.as_raw(), picture.dimensions(), region, contract, value)
        }
        (Picture::Floats(picture), region) => {
            let value = |sample: f32| scaled(f64::from(sample), range);
            cut_floats(picture.as_raw(), picture.dimensions(), region, contract, value)
        }
    })
}

fn cut_bytes(picture: &RgbImage, region: &Region, contract: &InputContract) -> RgbImage {
    let ([left, top], PictureSize { width, height }) = (region.corner(), region.size());
    let mut part = RgbImage::from_pixel(width, height, Rgb(normalise::mean_colour(contract)));
    let pixels: &mut [u8] = &mut part;
    for [y, from, to] in region.pieces() {
        let source = row(picture.width(), y, from, to);
        let target = row(width, y - top, from - left, to - left);
        pixels[target].copy_from_slice(&picture.as_raw()[source]);
    }
    part
}

fn cut_floats<'p, S: Copy>(
    samples: &[S],
    (across, down): (u32, u32),
    region: Option<&Region>,
    contract: &InputContract,
    value: impl Fn(S) -> f32,
) -> Part<'p> {
    let (samples, _) = samples.as_chunks::<3>();
    let values =
        |pixels: &[[S; 3]]| -> Vec<[f32; 3]> { pixels.iter().map(|pixel| pixel.map(&value)).collect() };
    let Some(region) = region else {
        return Part::Floats(PictureSize { width: across, height: down }, values(samples));
    };
    let ([left, top], size) = (region.corner(), region.size());
    let mean = normalise::mean_colour(contract).map(f32::from);
    let mut part = vec![mean; size.width as usize * size.height as usize];
    for [y, from, to] in region.pieces() {
        let source = row(across, y, from, to);
        let target = row(size.width, y - top, from - left, to - left);
        let source = &samples[source.start / 3..source.end / 3];
        part[target.start / 3..target.end / 3].copy_from_slice(&values(source));
    }
    Part::Floats(size, part)
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
