//! An anomaly map as a picture.

use std::borrow::Cow;

use dfm_core::{AnomalyGrid, AnomalyMap, MarkedPixels, PictureSize, RegionRule};
use image::{Rgb, RgbImage};

use crate::marks;
use crate::scale::{MapScale, colour};

/// How strongly the brightest colour covers the picture in an overlay.
const STRONGEST: f32 = 0.8;

/// The map of one picture, in the colours of its model's scale.
#[derive(Debug)]
pub struct Heatmap<'m> {
    map: Cow<'m, AnomalyMap>,
    middle: f32,
    rule: RegionRule,
}

impl Heatmap<'static> {
    /// Makes the map of a grid for a picture of `size`.
    pub fn new(grid: &AnomalyGrid, size: PictureSize, scale: &MapScale) -> Self {
        Self::with(Cow::Owned(grid.upsample(size)), grid, scale)
    }
}

impl<'m> Heatmap<'m> {
    /// Takes the map of `grid`, which was made already.
    pub fn of_map(map: &'m AnomalyMap, grid: &AnomalyGrid, scale: &MapScale) -> Self {
        Self::with(Cow::Borrowed(map), grid, scale)
    }

    fn with(map: Cow<'m, AnomalyMap>, grid: &AnomalyGrid, scale: &MapScale) -> Self {
        let middle = (scale.middle_of(grid) as f32).max(f32::MIN_POSITIVE);
        Self { map, middle, rule: scale.rule }
    }

    /// The colours alone.
    pub fn colours(&self) -> RgbImage {
        self.picture(|level, _, _| Rgb(colour(level).map(|value| value as u8)))
    }

    /// Lays the colours over `picture`: the higher the level, the stronger. Each region that reaches
    /// the pixel threshold gets its contour and its box.
    pub fn over(&self, picture: &RgbImage) -> RgbImage {
        self.over_with(picture, self.map.marked(&self.rule).as_ref())
    }

    /// [`over`](Self::over), where the pixels that belong to regions are known already.
    pub fn over_with(&self, picture: &RgbImage, marked: Option<&MarkedPixels>) -> RgbImage {
        let mut overlay = self.picture(|level, x, y| {
            let under = picture.get_pixel_checked(x, y).copied().unwrap_or(Rgb([0; 3])).0;
            // A smooth step, squared. Good parts have levels below the middle, where the picture keeps
            // its looks.
            let step = level * level * (3.0 - 2.0 * level);
            let share = STRONGEST * step * step;
            let over = colour(level);
            Rgb(std::array::from_fn(|channel| {
                (f32::from(under[channel]) * (1.0 - share) + over[channel] * share) as u8
            }))
        });
        if let Some(marked) = marked {
            marks::draw(&mut overlay, &self.map, marked);
        }
        overlay
    }

    /// The level of the pixel with index `at`, in [0, 1). The middle of the scale is at ½.
    fn level(&self, at: usize) -> f32 {
        let value = self.map.values.get(at).copied().unwrap_or(0.0).max(0.0);
        value / (value + self.middle)
    }

    fn picture(&self, pixel: impl Fn(f32, u32, u32) -> Rgb<u8>) -> RgbImage {
        RgbImage::from_fn(self.map.width as u32, self.map.height as u32, |x, y| {
            pixel(self.level(y as usize * self.map.width + x as usize), x, y)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::LINE;

    fn scale(middle: Option<f64>) -> MapScale {
        MapScale { rule: RegionRule::default().with_pixel_threshold(middle), middle }
    }

    #[test]
    fn the_scale_belongs_to_the_model_and_brighter_is_more() {
        let size = PictureSize { width: 2, height: 1 };
        let grid = |values: [f32; 2]| AnomalyGrid::new(1, 2, values.to_vec());
        let levels = |values, middle| {
            let heatmap = Heatmap::new(&grid(values), size, &scale(middle));
            [0, 1].map(|at| heatmap.level(at))
        };
        let (weak, strong) = (levels([1.0, 2.0], Some(4.0)), levels([1.0, 20.0], Some(4.0)));
        assert_eq!(weak[0], strong[0]);
        assert!(strong[1] > weak[1]);
        assert_eq!(levels([4.0, 4.0], Some(4.0)), [0.5, 0.5]);
        // Without a scale, the middle is four times the mean of the map.
        assert_eq!(levels([1.0, 1.0], None), [0.2, 0.2]);
        assert_eq!(levels([0.0, 0.0], None), [0.0, 0.0]);
    }

    #[test]
    fn an_overlay_leaves_quiet_pixels_as_they_are_and_marks_what_reaches_the_threshold() {
        let size = PictureSize { width: 40, height: 20 };
        let picture = RgbImage::from_fn(40, 20, |x, y| Rgb([x as u8, 200, y as u8]));
        let quiet = AnomalyGrid::new(1, 1, vec![0.0]);
        assert_eq!(Heatmap::new(&quiet, size, &scale(Some(1.0))).over(&picture), picture);
        assert_eq!(Heatmap::new(&quiet, size, &scale(None)).colours().dimensions(), (40, 20));
        let half = AnomalyGrid::new(1, 2, vec![0.0, 2.0]);
        let overlay = Heatmap::new(&half, size, &scale(Some(1.0))).over(&picture);
        // Cells meet in the middle, where the map passes from 0 to 2.
        let marked: Vec<u32> = (0..40).filter(|x| overlay.get_pixel(*x, 10).0 == LINE).collect();
        assert_eq!(marked, [20, 39]);
        let unmarked = MapScale { rule: RegionRule::default(), middle: Some(1.0) };
        let overlay = Heatmap::new(&half, size, &unmarked).over(&picture);
        assert!(overlay.pixels().all(|pixel| pixel.0 != LINE));
    }
}
