//! From every kind of pixel to RGB with eight bits a channel.

use image::{DynamicImage, RgbImage};

/// `picture` as RGB. Grey becomes three equal channels, an alpha channel is dropped, and channels
/// of 16 bits keep their high byte.
pub(super) fn to_rgb(picture: DynamicImage) -> RgbImage {
    let high = |value: u16| (value >> 8) as u8;
    match picture {
        // The library's own conversion would go through a colour space.
        DynamicImage::ImageLuma8(grey) => {
            RgbImage::from_fn(grey.width(), grey.height(), |x, y| [grey.get_pixel(x, y).0[0]; 3].into())
        }
        DynamicImage::ImageLuma16(grey) => {
            let (width, height) = grey.dimensions();
            RgbImage::from_fn(width, height, |x, y| [high(grey.get_pixel(x, y).0[0]); 3].into())
        }
        DynamicImage::ImageLumaA16(grey) => {
            let (width, height) = grey.dimensions();
            RgbImage::from_fn(width, height, |x, y| [high(grey.get_pixel(x, y).0[0]); 3].into())
        }
        DynamicImage::ImageRgb16(colour) => {
            let (width, height) = colour.dimensions();
            RgbImage::from_fn(width, height, |x, y| colour.get_pixel(x, y).0.map(high).into())
        }
        DynamicImage::ImageRgba16(colour) => {
            let (width, height) = colour.dimensions();
            RgbImage::from_fn(width, height, |x, y| {
                let [red, green, blue, _] = colour.get_pixel(x, y).0;
                [red, green, blue].map(high).into()
            })
        }
        // Eight bits a channel already; alpha is dropped.
        other => other.into_rgb8(),
    }
}
