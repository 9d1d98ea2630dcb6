//! The levels of good pictures, from their values.

use crate::levels::Levels;
use crate::picture::Picture;

/// The share of all samples that may lie beyond either end of the range that good pictures use. Dead and
/// hot pixels lie there.
const SPARED: f64 = 1e-4;
/// The extension of the range on either side, as a share of its width.
const MARGIN: f64 = 0.5;
/// The numbers of bits that cameras fill.
const BITS: [u32; 5] = [8, 10, 12, 14, 16];

/// Counts the values of good pictures with 16 bits a channel, to take [`Levels`] from them.
///
/// One sample in ten thousand is not counted at either end. The other samples give the range that good
/// pictures use. The camera has as many bits as the highest value needs: 8, 10, 12, 14 or 16. If a
/// quarter or more of the values of these bits is used, the levels are all of them, such as 0 to 4095.
/// Nothing is then ever clamped. Otherwise the levels are the range that is used, extended by half of its
/// width on either side, within the bits. Later pictures may then be darker or brighter.
#[derive(Debug, Clone)]
pub struct LevelsTally {
    counts: Vec<u64>,
}

impl Default for LevelsTally {
    fn default() -> Self {
        Self { counts: vec![0; 1 << 16] }
    }
}

impl LevelsTally {
    /// Counts the samples of a picture with 16 bits a channel. Other pictures are not counted.
    pub fn push(&mut self, picture: &Picture<'_>) {
        if let Picture::Words(picture) = picture {
            picture.as_raw().iter().for_each(|value| self.counts[usize::from(*value)] += 1);
        }
    }

    pub(crate) fn push_pixels(&mut self, pixels: impl Iterator<Item = [u16; 3]>) {
        pixels.flatten().for_each(|value| self.counts[usize::from(value)] += 1);
    }

    /// Adds the samples that another tally has counted.
    pub fn join(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, other)| *own += other);
    }

    /// The levels; `None` if nothing was counted.
    pub fn levels(&self) -> Option<Levels> {
        let total: u64 = self.counts.iter().sum();
        let highest = self.counts.iter().rposition(|count| *count > 0)?;
        let spared = (total as f64 * SPARED) as u64;
        let low = end_of(self.counts.iter().enumerate(), spared);
        let high = end_of(self.counts.iter().enumerate().rev(), spared);
        let bits = BITS.into_iter().find(|bits| highest >> bits == 0).unwrap_or(16);
        let most = f64::from((1_u32 << bits) - 1);
        let margin = MARGIN * (high - low);
        match low < high && high - low < most / 4.0 {
            true => Some(Levels::Range {
                low: (low - margin).floor().max(0.0),
                high: (high + margin).ceil().min(most),
            }),
            // Pictures of one single value get the full range too, because they say nothing about levels.
            false => Some(Levels::Range { low: 0.0, high: most }),
        }
    }
}

/// The first value at which more than `spared` samples have been counted.
fn end_of<'c>(mut counts: impl Iterator<Item = (usize, &'c u64)>, mut spared: u64) -> f64 {
    let end = counts.find(|(_, count)| {
        let is_end = **count > spared;
        spared = spared.saturating_sub(**count);
        is_end
    });
    end.map_or(0.0, |(value, _)| value as f64)
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;
    use crate::picture::Rgb16Image;

    fn levels(values: impl Fn(u32) -> u16) -> Option<Levels> {
        let mut tally = LevelsTally::default();
        tally.push(&Picture::from(Rgb16Image::from_fn(200, 100, |x, y| Rgb([values(y * 200 + x); 3]))));
        tally.levels()
    }

    fn range(low: f64, high: f64) -> Option<Levels> {
        Some(Levels::Range { low, high })
    }

    #[test]
    fn a_camera_that_is_used_well_has_the_levels_of_its_bits() {
        assert_eq!(LevelsTally::default().levels(), None);
        for (bits, most) in [(8, 255.0), (10, 1023.0), (12, 4095.0), (14, 16_383.0), (16, 65_535.0)] {
            let values = |place: u32| ((place * 7919) % (1 << bits)) as u16;
            assert_eq!(levels(values), range(0.0, most), "{bits} bits");
        }
    }

    #[test]
    fn a_scene_that_uses_little_has_levels_of_its_own_with_room_on_either_side() {
        assert_eq!(levels(|place| 3000 + (place % 401) as u16), range(2800.0, 3600.0));
        // The used range is just below a quarter of 12 bits, then just above.
        assert_eq!(levels(|place| 1500 + (place % 1001) as u16), range(1000.0, 3000.0));
        assert_eq!(levels(|place| 1500 + (place % 1101) as u16), range(0.0, 4095.0));
        assert_eq!(levels(|place| 60_000 + (place % 1001) as u16), range(59_500.0, 61_500.0));
        assert_eq!(levels(|_| 77), range(0.0, 255.0));
    }

    #[test]
    fn a_hot_pixel_and_a_dead_one_change_little() {
        let values = |place: u32| match place {
            7 => 65_535,
            900 => 0,
            _ => 3000 + (place % 401) as u16,
        };
        assert_eq!(levels(values), range(2800.0, 3600.0));
    }

    #[test]
    fn what_is_joined_is_counted_together() {
        let tally = |value: u16| {
            let mut tally = LevelsTally::default();
            tally.push(&Picture::from(Rgb16Image::from_pixel(10, 10, Rgb([value; 3]))));
            tally
        };
        let mut both = tally(1000);
        both.join(&tally(2000));
        assert_eq!(both.levels(), range(500.0, 2500.0));
    }
}
