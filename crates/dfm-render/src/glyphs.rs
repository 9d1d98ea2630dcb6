//! Numbers in pictures: a font of the characters that numbers are made of.

use image::{Rgb, RgbImage};

/// Columns of a glyph. An empty column follows each glyph.
const WIDTH: u32 = 5;
const ADVANCE: u32 = WIDTH + 1;
/// Rows of a glyph.
const HEIGHT: u32 = 7;
/// A pixel of a glyph has this many pixels of the picture along each side.
const SCALE: u32 = 2;

/// For each character, its rows from top to bottom. A bit that is 1 is drawn; the highest of five bits
/// is the leftmost.
const GLYPHS: [(char, [u8; HEIGHT as usize]); 14] = [
    ('0', [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110]),
    ('1', [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110]),
    ('2', [0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111]),
    ('3', [0b01110, 0b10001, 0b00001, 0b00110, 0b00001, 0b10001, 0b01110]),
    ('4', [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010]),
    ('5', [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110]),
    ('6', [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110]),
    ('7', [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000]),
    ('8', [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110]),
    ('9', [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100]),
    ('.', [0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b01100, 0b01100]),
    ('-', [0b00000, 0b00000, 0b00000, 0b11111, 0b00000, 0b00000, 0b00000]),
    ('+', [0b00000, 0b00100, 0b00100, 0b11111, 0b00100, 0b00100, 0b00000]),
    ('e', [0b00000, 0b00000, 0b01110, 0b10001, 0b11111, 0b10000, 0b01110]),
];

/// Rows of pixels that text takes.
pub(crate) const LINE_HEIGHT: u32 = HEIGHT * SCALE;

/// Writes a number in black. Its middle is at column `centre` if the picture has room for that, and its
/// upper end is at row `top`. A character that is not in [`GLYPHS`] leaves a gap.
pub(crate) fn write(picture: &mut RgbImage, centre: u32, top: u32, number: &str) {
    let width = (number.chars().count() as u32 * ADVANCE).saturating_sub(1) * SCALE;
    let last = picture.width().saturating_sub(width);
    let mut left = centre.saturating_sub(width / 2).min(last);
    for character in number.chars() {
        let rows = GLYPHS.iter().find(|(name, _)| *name == character).map(|(_, rows)| rows);
        for (y, row) in rows.into_iter().flatten().enumerate() {
            for x in (0..WIDTH).filter(|x| row >> (WIDTH - 1 - x) & 1 == 1) {
                fill(picture, [left + x * SCALE, top + y as u32 * SCALE], [SCALE, SCALE], Rgb([0; 3]));
            }
        }
        left += ADVANCE * SCALE;
    }
}

/// Fills a rectangle, as far as it lies in the picture.
pub(crate) fn fill(picture: &mut RgbImage, corner: [u32; 2], [width, height]: [u32; 2], colour: Rgb<u8>) {
    for y in corner[1]..(corner[1] + height).min(picture.height()) {
        for x in corner[0]..(corner[0] + width).min(picture.width()) {
            picture.put_pixel(x, y, colour);
        }
    }
}

/// The number with about three digits, in characters that [`write`] has.
pub fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    match value.abs().log10().floor() as i32 {
        exponent @ -3..=4 => format!("{value:.*}", (2 - exponent).max(0) as usize),
        _ => format!("{value:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glyphs_differ_and_lie_within_their_width() {
        for (place, (name, rows)) in GLYPHS.iter().enumerate() {
            assert!(rows.iter().all(|row| row >> WIDTH == 0) && rows.iter().any(|row| *row > 0), "{name}");
            assert!(GLYPHS[..place].iter().all(|(other, shape)| other != name && shape != rows), "{name}");
        }
    }

    #[test]
    fn numbers_are_short_and_made_of_glyphs() {
        for (value, expected) in [
            (0.0, "0"),
            (6.2572, "6.26"),
            (0.00123456, "0.00123"),
            (12345.6, "12346"),
            (-54.32, "-54.3"),
            (1.5e-9, "1.5e-9"),
            (2.34e12, "2.3e12"),
        ] {
            assert_eq!(short(value), expected);
            assert!(expected.chars().all(|character| GLYPHS.iter().any(|(name, _)| *name == character)));
        }
    }

    #[test]
    fn a_number_is_centred_and_stays_within_the_picture() {
        let dark = |picture: &RgbImage| -> Vec<u32> {
            let dark = picture.enumerate_pixels().filter(|(_, _, pixel)| pixel.0 == [0; 3]);
            dark.map(|(x, _, _)| x).collect()
        };
        for centre in [0, 30, 59] {
            let mut picture = RgbImage::from_pixel(60, LINE_HEIGHT, Rgb([255; 3]));
            write(&mut picture, centre, 0, "88");
            let columns = dark(&picture);
            let (first, last) = (*columns.iter().min().unwrap(), *columns.iter().max().unwrap());
            // The text has eleven columns of two pixels, and none is cut off.
            assert_eq!((last - first + 1, columns.len()), (22, 2 * 17 * 4), "{centre}");
            assert!(centre != 30 || first == 19, "{first}");
        }
        let mut narrow = RgbImage::from_pixel(5, 3, Rgb([255; 3]));
        write(&mut narrow, 2, 0, "8.5e+9");
        assert!(!dark(&narrow).is_empty());
    }
}
