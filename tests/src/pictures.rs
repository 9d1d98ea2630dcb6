//! Small pictures made on the spot, the same on every machine.

use dfm_backbone::CounterGenerator;
use image::{Rgb, RgbImage};

/// A coloured grating of `width` × `height` pixels with a little noise: a good
/// part. Pictures with different `seed`s differ only in phase and noise.
pub fn good(seed: u64, width: u32, height: u32) -> RgbImage {
    let noise = CounterGenerator::new(seed);
    let phase = 0.3 * noise.unit_f32(0);
    RgbImage::from_fn(width, height, |x, y| {
        let index = 1 + u64::from(y) * u64::from(width) + u64::from(x);
        let wave = (0.35 * x as f32 + phase).sin() + (0.2 * y as f32 - phase).cos();
        let level = 128.0 + 40.0 * wave + 6.0 * noise.unit_f32(index);
        Rgb([level as u8, (0.8 * level) as u8, (255.0 - 0.7 * level) as u8])
    })
}

/// [`good`], with a bright square of a quarter of the shorter side in its middle.
pub fn defective(seed: u64, width: u32, height: u32) -> RgbImage {
    let mut picture = good(seed, width, height);
    let side = (width.min(height) / 4).max(1);
    for y in (height - side) / 2..(height + side) / 2 {
        for x in (width - side) / 2..(width + side) / 2 {
            picture.put_pixel(x, y, Rgb([250, 20, 240]));
        }
    }
    picture
}

/// The seed of the generator in `fixtures/backbone/make_backbone.py`.
const SEED: u64 = 3;

/// A colourful picture that Python can make too: see `picture` in
/// `fixtures/backbone/make_backbone.py`.
pub fn generated(height: u32, width: u32) -> RgbImage {
    let noise = CounterGenerator::for_name(SEED, &format!("picture {height} {width}"));
    RgbImage::from_fn(width, height, |x, y| {
        let block = (x / 32 + y / 32) % 3;
        let levels = [
            200 + x / 8 - if block == 0 { 60 } else { 0 },
            90 + y / 4 - if block == 1 { 50 } else { 0 },
            30 + (x + y) / 6 + if block == 2 { 70 } else { 0 },
        ];
        let first = 3 * (u64::from(y) * u64::from(width) + u64::from(x));
        Rgb(std::array::from_fn(|channel| {
            let noise = (noise.value(first + channel as u64) >> 59) as i64;
            (i64::from(levels[channel]) + noise - 16).clamp(0, 255) as u8
        }))
    })
}
