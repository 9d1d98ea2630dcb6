//! From every kind of pixel to RGB.

use image::{DynamicImage, ImageBuffer, Rgb, Rgb32FImage, RgbImage};

use crate::picture::{Picture, Rgb16Image};

/// `picture` as RGB. Grey becomes three equal channels, and an alpha channel is dropped. Channels of
/// 16 bits and floating-point numbers stay as they are.
pub(super) fn to_rgb(picture: DynamicImage) -> Picture<'static> {
    match picture {
        // The library's own conversion would go through a colour space.
        DynamicImage::ImageLuma8(grey) => {
            let (width, height) = grey.dimensions();
            let mut rgb = RgbImage::new(width, height);
            rgb.pixels_mut().zip(grey.pixels()).for_each(|(rgb, grey)| rgb.0 = [grey.0[0]; 3]);
            Picture::from(rgb)
        }
        DynamicImage::ImageLuma16(grey) => words(grey.dimensions(), |x, y| [grey.get_pixel(x, y).0[0]; 3]),
        DynamicImage::ImageLumaA16(grey) => words(grey.dimensions(), |x, y| [grey.get_pixel(x, y).0[0]; 3]),
        DynamicImage::ImageRgb16(colour) => Picture::from(colour),
        DynamicImage::ImageRgba16(colour) => words(colour.dimensions(), |x, y| {
            let [red, green, blue, _] = colour.get_pixel(x, y).0;
            [red, green, blue]
        }),
        DynamicImage::ImageRgb32F(colour) => Picture::from(colour),
        DynamicImage::ImageRgba32F(colour) => {
            let (width, height) = colour.dimensions();
            Picture::from(Rgb32FImage::from_fn(width, height, |x, y| {
                let [red, green, blue, _] = colour.get_pixel(x, y).0;
                Rgb([red, green, blue])
            }))
        }
        // Eight bits a channel already; alpha is dropped.
        other => Picture::from(other.into_rgb8()),
    }
}

fn words((width, height): (u32, u32), pixel: impl Fn(u32, u32) -> [u16; 3]) -> Picture<'static> {
    let picture: Rgb16Image = ImageBuffer::from_fn(width, height, |x, y| Rgb(pixel(x, y)));
    Picture::from(picture)
}
