//! An anomaly map as a picture.

use dfm_core::{Aggregation, AnomalyGrid, PictureSize};
use image::{Rgb, RgbImage};

/// Nine colours along matplotlib's `inferno` (CC0): dark to bright, and
/// distinguishable without colour vision.
const INFERNO: [[f32; 3]; 9] = [
    [0.0, 0.0, 4.0],
    [31.0, 12.0, 72.0],
    [85.0, 15.0, 109.0],
    [136.0, 34.0, 106.0],
    [186.0, 54.0, 85.0],
    [227.0, 89.0, 51.0],
    [249.0, 140.0, 10.0],
    [249.0, 201.0, 50.0],
    [252.0, 255.0, 164.0],
];

/// The share of the cell of a picture exactly at the threshold, times this, is the
/// middle of the colours: defects gather in few cells.
const MIDDLE: f64 = 4.0;

/// How strongly the brightest colour covers the picture in an overlay.
const STRONGEST: f32 = 0.8;

/// Levels in [0, 1) for every pixel of a map.
///
/// The scale belongs to the model, not to the picture, so that maps of different
/// pictures can be compared: with `v` the value of a pixel and `t` the part of a
/// cell in the score of a picture at the threshold, the level is `v / (v + 4 t)`.
/// Where the largest cells make the score, the level is ½ where they reach the
/// threshold. Without a threshold the mean of the map itself serves as `t`.
#[derive(Debug)]
pub(crate) struct Heatmap {
    width: u32,
    height: u32,
    levels: Vec<f32>,
}

impl Heatmap {
    /// Of a grid, for a picture of `size`.
    pub(crate) fn new(
        grid: &AnomalyGrid,
        size: PictureSize,
        threshold: Option<f64>,
        aggregation: Aggregation,
    ) -> Self {
        // Of one tile, where there are several.
        let cells = (grid.height * grid.width) as f64;
        let middle = match (threshold.filter(|threshold| *threshold > 0.0), aggregation) {
            (Some(threshold), Aggregation::Max | Aggregation::Top { .. }) => threshold,
            (Some(threshold), Aggregation::Sum | Aggregation::Relative) => MIDDLE * threshold / cells,
            (None, _) => MIDDLE * Aggregation::Sum.of(grid) / cells,
        };
        let middle = (middle as f32).max(f32::MIN_POSITIVE);
        let map = grid.upsample(size);
        let levels = map.values.iter().map(|value| value / (value + middle)).collect();
        Self { width: size.width, height: size.height, levels }
    }

    /// The colours alone.
    pub(crate) fn colours(&self) -> RgbImage {
        self.picture(|level, _, _| Rgb(colour(level).map(|value| value as u8)))
    }

    /// The colours over `picture`, the stronger the higher the level.
    pub(crate) fn over(&self, picture: &RgbImage) -> RgbImage {
        self.picture(|level, x, y| {
            let under = picture.get_pixel_checked(x, y).copied().unwrap_or(Rgb([0; 3])).0;
            // A smooth step, so that good parts keep their looks.
            let share = STRONGEST * level * level * (3.0 - 2.0 * level);
            let over = colour(level);
            Rgb(std::array::from_fn(|channel| {
                (f32::from(under[channel]) * (1.0 - share) + over[channel] * share) as u8
            }))
        })
    }

    fn picture(&self, pixel: impl Fn(f32, u32, u32) -> Rgb<u8>) -> RgbImage {
        RgbImage::from_fn(self.width, self.height, |x, y| {
            let at = y as usize * self.width as usize + x as usize;
            pixel(self.levels.get(at).copied().unwrap_or(0.0), x, y)
        })
    }
}

fn colour(level: f32) -> [f32; 3] {
    let position = level.clamp(0.0, 1.0) * (INFERNO.len() - 1) as f32;
    let first = (position as usize).min(INFERNO.len() - 2);
    let share = position - first as f32;
    std::array::from_fn(|channel| {
        INFERNO[first][channel] * (1.0 - share) + INFERNO[first + 1][channel] * share
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_belongs_to_the_model_and_brighter_is_more() {
        let size = PictureSize { width: 2, height: 1 };
        let grid = |values: [f32; 2]| AnomalyGrid::new(1, 2, values.to_vec());
        let weak = Heatmap::new(&grid([1.0, 2.0]), size, Some(2.0), Aggregation::Sum);
        let strong = Heatmap::new(&grid([1.0, 20.0]), size, Some(2.0), Aggregation::Sum);
        assert_eq!(weak.levels[0], strong.levels[0]);
        assert!(strong.levels[1] > weak.levels[1]);
        // The cell of a picture at the threshold, four times over.
        assert_eq!(Heatmap::new(&grid([4.0, 4.0]), size, Some(2.0), Aggregation::Sum).levels, [0.5, 0.5]);
    }

    #[test]
    fn where_the_largest_cell_is_the_score_its_threshold_is_the_middle() {
        let size = PictureSize { width: 2, height: 1 };
        let grid = AnomalyGrid::new(1, 2, vec![3.0, 3.0]);
        for aggregation in [Aggregation::Max, Aggregation::Top { percent: 1.0 }] {
            assert_eq!(Heatmap::new(&grid, size, Some(3.0), aggregation).levels, [0.5, 0.5]);
        }
    }

    #[test]
    fn an_overlay_leaves_quiet_pixels_as_they_are() {
        let size = PictureSize { width: 1, height: 1 };
        let grid = AnomalyGrid::new(1, 1, vec![0.0]);
        let picture = RgbImage::from_pixel(1, 1, Rgb([10, 200, 30]));
        assert_eq!(Heatmap::new(&grid, size, Some(1.0), Aggregation::Sum).over(&picture), picture);
        assert_eq!(Heatmap::new(&grid, size, None, Aggregation::Sum).colours().dimensions(), (1, 1));
    }
}
