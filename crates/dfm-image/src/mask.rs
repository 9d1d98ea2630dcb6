//! Which pixels of a mask are inside: the one rule for masks of defects and of regions.

use std::collections::BTreeSet;
use std::fmt;

use crate::size::PictureSize;

/// The pixels that a mask marks, and how its values were read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MaskPixels {
    /// The size of the mask.
    pub size: PictureSize,
    /// Whether each pixel is inside, row by row.
    pub inside: Vec<bool>,
    /// How the values were read.
    pub reading: MaskReading,
}

/// How the values of a mask were read.
///
/// Zero is outside, and every other value is inside. A mask that has more than two values, one of
/// them above half of its range, is read in another way: what lies above half of the range is
/// inside. Half of the range is 127, and 32767 in 16 bits. Such masks have soft edges, or come
/// from JPEG.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MaskReading {
    /// A pixel is inside if its value is larger.
    pub above: u16,
    /// The largest value that the mask could have: 255, or 65535 in 16 bits.
    pub range: u16,
    /// The largest value that the mask has.
    pub largest: u16,
    /// Pixels that are inside.
    pub inside: usize,
    /// Pixels whose value is neither zero nor above half of the range. The two ways to read a
    /// mask differ in them.
    pub between: usize,
    /// All pixels.
    pub pixels: usize,
}

impl MaskPixels {
    /// Applies the rule to `values`, row by row, of a mask of `size` whose values go up to `range`.
    ///
    /// ```
    /// use dfm_image::{MaskPixels, PictureSize};
    ///
    /// let size = PictureSize { width: 3, height: 1 };
    /// assert_eq!(MaskPixels::new(size, u8::MAX.into(), &[0, 1, 1]).inside, [false, true, true]);
    /// assert_eq!(MaskPixels::new(size, u8::MAX.into(), &[0, 1, 200]).inside, [false, false, true]);
    /// assert_eq!(MaskPixels::new(size, u16::MAX, &[0, 1, 200]).inside, [false, true, true]);
    /// ```
    pub fn new(size: PictureSize, range: u16, values: &[u16]) -> Self {
        let half = range / 2;
        let largest = values.iter().copied().max().unwrap_or(0);
        let mut different = BTreeSet::new();
        // Three are enough to know that there are more than two.
        let _ = values.iter().try_for_each(|value| {
            different.insert(*value);
            if different.len() > 2 { Err(()) } else { Ok(()) }
        });
        let above = if different.len() > 2 && largest > half { half } else { 0 };
        let inside: Vec<bool> = values.iter().map(|value| *value > above).collect();
        let reading = MaskReading {
            above,
            range,
            largest,
            inside: inside.iter().filter(|inside| **inside).count(),
            between: values.iter().filter(|value| (1..=half).contains(*value)).count(),
            pixels: values.len(),
        };
        Self { size, inside, reading }
    }
}

impl MaskReading {
    /// Whether both ways to read the mask give the same pixels.
    pub fn is_obvious(&self) -> bool {
        self.between == 0
    }

    /// Whether every pixel is inside.
    pub fn is_all_inside(&self) -> bool {
        self.pixels > 0 && self.inside == self.pixels
    }

    /// Whether more than nine tenths of the pixels are inside, as in an inverted mask.
    pub fn is_mostly_inside(&self) -> bool {
        10 * self.inside as u128 > 9 * self.pixels as u128
    }
}

/// What is inside, and how many pixels that decides.
impl fmt::Display for MaskReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { above, range, largest, inside, between, pixels } = *self;
        match above {
            0 => write!(
                f,
                "its values go up to {largest} of {range}: every value but 0 is inside ({inside} of {pixels} pixels)"
            ),
            half => write!(
                f,
                "it has more than two values: those above {half} are inside ({inside} of {pixels} pixels), those from \
                 1 to {half} are not ({between} pixels)"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(range: u16, values: &[u16]) -> MaskPixels {
        MaskPixels::new(PictureSize { width: values.len() as u32, height: 1 }, range, values)
    }

    #[test]
    fn every_common_way_to_write_a_mask_marks_the_same_pixels() {
        for (range, high) in [(255, 1), (255, 255), (255, 127), (65535, 1), (65535, 255), (65535, 65535)] {
            assert_eq!(read(range, &[0, high, 0, high]).inside, [false, true, false, true], "{high}/{range}");
        }
        // Numbered defects.
        assert_eq!(read(255, &[0, 1, 2, 9]).inside, [false, true, true, true]);
        assert_eq!(read(65535, &[0, 1, 300, 32767]).inside, [false, true, true, true]);
        // Soft edges.
        assert_eq!(read(255, &[0, 3, 127, 128, 255]).inside, [false, false, false, true, true]);
        assert_eq!(read(65535, &[0, 255, 32767, 32768]).inside, [false, false, false, true]);
    }

    #[test]
    fn a_reading_says_whether_it_was_obvious_and_what_is_inside() {
        assert!(read(255, &[0, 255]).reading.is_obvious() && read(255, &[0, 0]).reading.is_obvious());
        let numbered = read(255, &[0, 0, 2, 1]).reading;
        assert!(!numbered.is_obvious());
        assert_eq!(
            numbered.to_string(),
            "its values go up to 2 of 255: every value but 0 is inside (2 of 4 pixels)"
        );
        let soft = read(255, &[0, 255, 2, 1]).reading;
        assert!(!soft.is_obvious());
        assert_eq!((soft.above, soft.inside, soft.between), (127, 1, 2));
        assert!(soft.to_string().contains("those above 127 are inside (1 of 4 pixels), those from 1 to 127"));
    }

    #[test]
    fn masks_that_are_all_inside_or_inverted_are_known() {
        let mut values = vec![255; 100];
        assert!(read(255, &values).reading.is_all_inside());
        values[..10].fill(0);
        assert!(!read(255, &values).reading.is_mostly_inside());
        values[0] = 255;
        let reading = read(255, &values).reading;
        assert!(reading.is_mostly_inside() && !reading.is_all_inside());
        assert!(!read(255, &[0; 4]).reading.is_mostly_inside());
    }
}
