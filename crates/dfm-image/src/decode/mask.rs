//! Masks, in the depth that they were saved with.

use image::{DynamicImage, ImageBuffer, Pixel};

use super::directories::FORMAT;
use super::{Transparency, decode_as_stored};
use crate::error::PreprocessError;
use crate::levels::Levels;
use crate::limits::DecodeLimits;
use crate::mask::MaskPixels;
use crate::size::PictureSize;

/// Decodes a mask, in 16 bits if it has them. [`MaskReading`](crate::MaskReading) has the rule for
/// what is inside. The value of a pixel is the largest of its colours, laid on black where it
/// is transparent.
///
/// # Errors
///
/// Those of [`decode`](crate::decode), floating-point numbers among them.
pub fn decode_mask(bytes: &[u8], limits: &DecodeLimits) -> Result<MaskPixels, PreprocessError> {
    let picture = decode_as_stored(bytes, limits, Transparency::Black, Levels::Auto)?;
    let size = PictureSize { width: picture.width(), height: picture.height() };
    let (range, values) = match &picture {
        DynamicImage::ImageLuma8(pixels) => (u8::MAX.into(), values(pixels)),
        DynamicImage::ImageLumaA8(pixels) => (u8::MAX.into(), values(pixels)),
        DynamicImage::ImageRgba8(pixels) => (u8::MAX.into(), values(pixels)),
        DynamicImage::ImageLuma16(pixels) => (u16::MAX, values(pixels)),
        DynamicImage::ImageLumaA16(pixels) => (u16::MAX, values(pixels)),
        DynamicImage::ImageRgb16(pixels) => (u16::MAX, values(pixels)),
        DynamicImage::ImageRgba16(pixels) => (u16::MAX, values(pixels)),
        DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_) => {
            let found = "a mask with floating-point numbers, which have no range".to_owned();
            return Err(PreprocessError::Unsupported { format: FORMAT, found });
        }
        other => (u8::MAX.into(), values(&other.to_rgb8())),
    };
    Ok(MaskPixels::new(size, range, &values))
}

fn values<P: Pixel<Subpixel: Into<u16>>>(pixels: &ImageBuffer<P, Vec<P::Subpixel>>) -> Vec<u16> {
    let has_alpha = P::CHANNEL_COUNT.is_multiple_of(2);
    let value = |pixel: &P| {
        let channels = pixel.channels();
        // A picture whose alpha channel means something was laid on black already. An alpha channel that is
        // left means nothing.
        let colours = &channels[..channels.len() - usize::from(has_alpha)];
        colours.iter().map(|colour| (*colour).into()).max().unwrap_or(0)
    };
    pixels.pixels().map(value).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{GrayImage, ImageFormat, Luma, RgbaImage};

    use super::*;

    fn decoded(picture: impl Into<DynamicImage>) -> MaskPixels {
        let mut png = Cursor::new(Vec::new());
        picture.into().write_to(&mut png, ImageFormat::Png).unwrap();
        decode_mask(png.get_ref(), &DecodeLimits::default()).unwrap()
    }

    #[test]
    fn a_mask_of_16_bits_is_read_in_16_bits() {
        for value in [1, 255, 65535_u16] {
            let mask = ImageBuffer::from_fn(2, 1, |x, _| Luma([if x == 1 { value } else { 0 }]));
            let found = decoded(mask);
            assert_eq!((found.inside, found.reading.range), (vec![false, true], u16::MAX), "{value}");
        }
        let grey = GrayImage::from_fn(2, 1, |x, _| Luma([x as u8]));
        assert_eq!(decoded(grey).inside, [false, true]);
    }

    #[test]
    fn every_colour_counts_and_a_transparent_pixel_does_not() {
        let colours = [[0, 0, 9, 255], [0, 0, 0, 255], [255, 255, 255, 0], [0, 9, 0, 255]];
        let mask = RgbaImage::from_fn(4, 1, |x, _| colours[x as usize].into());
        assert_eq!(decoded(mask).inside, [true, false, false, true]);
    }
}
