//! What the colours of maps mean: a bar with numbers, as a picture.

use image::{Rgb, RgbImage};

use crate::glyphs::{self, LINE_HEIGHT, fill, short};
use crate::marks::LINE;
use crate::scale::{MapScale, colour};

/// Pixels of the bar.
const BAR: [u32; 2] = [600, 24];
/// Pixels around everything.
const MARGIN: u32 = 10;
/// Pixels between the bar and its numbers. The ticks end a little before the numbers.
const GAP: u32 = 6;
/// Pixels of a tick's width.
const TICK: u32 = 2;

/// Draws the colours of `scale` from dark to bright, with numbers below them. The pixel threshold is
/// drawn above them, in the colour of contours. `None` if the model does not fix the colours.
pub fn legend(scale: &MapScale) -> Option<RgbImage> {
    let ticks = scale.ticks()?;
    let top = MARGIN + LINE_HEIGHT + GAP;
    let below = top + BAR[1];
    let size = [BAR[0] + 2 * MARGIN, below + GAP + LINE_HEIGHT + MARGIN];
    let mut picture = RgbImage::from_pixel(size[0], size[1], Rgb([255; 3]));
    for x in 0..BAR[0] {
        let level = (x as f32 + 0.5) / BAR[0] as f32;
        fill(&mut picture, [MARGIN + x, top], [1, BAR[1]], Rgb(colour(level).map(|value| value as u8)));
    }
    let column = |level: f64| MARGIN + (level * f64::from(BAR[0])).round() as u32;
    for tick in ticks {
        let x = column(tick.level);
        if tick.is_threshold {
            let (from, height) = (top - GAP + 2, BAR[1] + 2 * (GAP - 2));
            fill(&mut picture, [x - TICK, from], [2 * TICK, height], Rgb([0; 3]));
            fill(&mut picture, [x - TICK / 2, from + 1], [TICK, height - 2], Rgb(LINE));
            glyphs::write(&mut picture, x, MARGIN, &short(tick.value));
        } else {
            fill(&mut picture, [x - TICK / 2, below], [TICK, GAP - 2], Rgb([0; 3]));
            glyphs::write(&mut picture, x, below + GAP, &short(tick.value));
        }
    }
    Some(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_goes_from_dark_to_bright_and_the_threshold_is_marked() {
        let columns = |pixel_threshold: Option<f64>| {
            let rule = dfm_core::RegionRule::default().with_pixel_threshold(pixel_threshold);
            let legend = legend(&MapScale { rule, middle: Some(6.25) }).unwrap();
            let row = MARGIN + LINE_HEIGHT + GAP + BAR[1] / 2;
            let marked = (0..legend.width()).filter(|x| legend.get_pixel(*x, row).0 == LINE).collect();
            let ends = [MARGIN, MARGIN + BAR[0] - 1].map(|x| {
                let Rgb([red, green, blue]) = *legend.get_pixel(x, row);
                u32::from(red) + u32::from(green) + u32::from(blue)
            });
            assert!(ends[0] < 20 && ends[1] > 600, "{ends:?}");
            let above = (0..MARGIN + LINE_HEIGHT).flat_map(|y| (0..legend.width()).map(move |x| (x, y)));
            (marked, above.filter(|(x, y)| legend.get_pixel(*x, *y).0 == [0; 3]).count() > 0)
        };
        let middle = MARGIN + BAR[0] / 2;
        assert_eq!(columns(Some(6.25)), (vec![middle - 1, middle], true));
        assert_eq!(columns(None), (Vec::<u32>::new(), false));
        assert!(legend(&MapScale { rule: Default::default(), middle: None }).is_none());
    }
}
