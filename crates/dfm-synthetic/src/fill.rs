//! The look of a defect.

use image::{Rgb, RgbImage};

use crate::stream::{Stream, mix};

/// The smallest opacity of a defect.
pub const LEAST_OPACITY: f64 = 0.5;
/// The smallest difference, in 256 levels, between a defective pixel and the good pixel in at least
/// one channel. A pixel that differs by less would be called a defect without being one.
pub const LEAST_DIFFERENCE: u8 = 32;

/// What a pixel is blended with, and how strongly.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fill {
    matter: Matter,
    /// Opacity in 256ths.
    opacity: u32,
}

/// The foreign matter of a defect.
#[derive(Debug, Clone, Copy)]
enum Matter {
    /// The texture of another picture, moved and altered.
    Texture { moved: [u64; 2], alteration: Alteration },
    /// One colour.
    Colour([u8; 3]),
    /// Grain: one colour for each square with sides of this many pixels.
    Grain { seed: u64, side: u32 },
}

/// How a texture is altered, so that it differs from what it replaces.
#[derive(Debug, Clone, Copy)]
enum Alteration {
    /// Brightness is inverted.
    Inverted,
    /// Every level is raised by this number, modulo 256, and the channels change their order.
    Shifted(u8),
}

impl Fill {
    /// Draws a fill for a picture of `size` (width, height).
    pub(crate) fn draw(size: [u32; 2], stream: &mut Stream) -> Self {
        let matter = match stream.below(4) {
            0 | 1 => {
                let moved = [stream.bits(), stream.bits()];
                let alteration = match stream.below(2) {
                    0 => Alteration::Inverted,
                    _ => Alteration::Shifted(64 + stream.below(128) as u8),
                };
                Matter::Texture { moved, alteration }
            }
            2 => Matter::Colour(bytes(stream.bits())),
            _ => {
                // The sides are 1/256 to 8/256 of the longer side, so a network that sees the whole
                // picture can see the grain.
                let longer = f64::from(size[0].max(size[1]));
                let side = (longer / 256.0 * stream.scale(3)) as u32;
                Matter::Grain { seed: stream.bits(), side: side.max(1) }
            }
        };
        let opacity = LEAST_OPACITY + (1.0 - LEAST_OPACITY) * stream.unit();
        Self { matter, opacity: (256.0 * opacity).ceil() as u32 }
    }

    /// Returns the picture with the pixels of `mask` filled. A grey picture stays grey. The texture
    /// comes from `lender`, which must have pixels.
    pub(crate) fn apply(&self, picture: &RgbImage, lender: &RgbImage, mask: &[bool]) -> RgbImage {
        let grey = picture.pixels().all(|Rgb([red, green, blue])| red == green && green == blue);
        let mut defective = picture.clone();
        let marked = defective.enumerate_pixels_mut().zip(mask).filter(|(_, marked)| **marked);
        for ((x, y, pixel), _) in marked {
            let matter = self.matter.at(x, y, lender);
            let matter = if grey { [luminance(matter); 3] } else { matter };
            pixel.0 = distinct(pixel.0, self.blended(pixel.0, matter));
        }
        defective
    }

    fn blended(&self, old: [u8; 3], matter: [u8; 3]) -> [u8; 3] {
        let channel = |channel: usize| {
            let [old, new] = [old[channel], matter[channel]].map(u32::from);
            ((old * (256 - self.opacity) + new * self.opacity + 128) / 256) as u8
        };
        [channel(0), channel(1), channel(2)]
    }
}

impl Matter {
    fn at(&self, x: u32, y: u32, lender: &RgbImage) -> [u8; 3] {
        match *self {
            Self::Colour(colour) => colour,
            Self::Grain { seed, side } => bytes(mix(mix(seed ^ u64::from(x / side)) ^ u64::from(y / side))),
            Self::Texture { moved, alteration } => {
                let along = |place: u32, moved: u64, side: u32| {
                    ((u64::from(place) + moved % u64::from(side)) % u64::from(side)) as u32
                };
                let x = along(x, moved[0], lender.width());
                let y = along(y, moved[1], lender.height());
                alteration.of(lender.get_pixel(x, y).0)
            }
        }
    }
}

impl Alteration {
    fn of(self, [red, green, blue]: [u8; 3]) -> [u8; 3] {
        match self {
            Self::Inverted => [red, green, blue].map(|level| 255 - level),
            Self::Shifted(step) => [green, blue, red].map(|level| level.wrapping_add(step)),
        }
    }
}

/// `new`, unless it is too similar to `old`. The result is then `old` with every channel moved to
/// the side that has room.
fn distinct(old: [u8; 3], new: [u8; 3]) -> [u8; 3] {
    match old.iter().zip(&new).any(|(old, new)| old.abs_diff(*new) >= LEAST_DIFFERENCE) {
        true => new,
        false => old.map(|old| if old < 128 { old + LEAST_DIFFERENCE } else { old - LEAST_DIFFERENCE }),
    }
}

fn bytes(bits: u64) -> [u8; 3] {
    let [red, green, blue, ..] = bits.to_le_bytes();
    [red, green, blue]
}

/// The luminance of sRGB's primaries (BT.601), in 256ths.
fn luminance([red, green, blue]: [u8; 3]) -> u8 {
    ((77 * u32::from(red) + 150 * u32::from(green) + 29 * u32::from(blue)) / 256) as u8
}
