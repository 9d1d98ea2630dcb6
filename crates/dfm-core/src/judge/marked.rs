//! Which pixels of a map belong to regions: the one rule for regions, masks, overlays and figures.

use crate::judge::components::{Components, components};
use crate::judge::map::AnomalyMap;
use crate::method::RegionRule;

/// The pixels of a map that belong to regions, by a [`RegionRule`].
#[derive(Debug, Clone)]
pub struct MarkedPixels {
    /// By pixel, row by row.
    pixels: Vec<bool>,
    pub(crate) components: Components,
    /// The least area of a region.
    pub(crate) min_area: u32,
    /// Square millimetres of a pixel.
    pub(crate) pixel_area: Option<f64>,
}

impl MarkedPixels {
    /// Whether each pixel belongs to a region, `[height, width]`, row by row.
    pub fn pixels(&self) -> &[bool] {
        &self.pixels
    }
}

impl AnomalyMap {
    /// The pixels that belong to regions; `None` without a pixel threshold.
    ///
    /// Cost: two passes and six bytes a pixel, and, where gaps are closed, eight bytes for each pixel
    /// of the box around everything that reaches the threshold.
    ///
    /// # Example
    ///
    /// ```
    /// use dfm_core::{AnomalyMap, RegionRule};
    ///
    /// let map = AnomalyMap { width: 6, height: 1, values: vec![5.0, 0.0, 5.0, 0.0, 0.0, 5.0] };
    /// let rule = RegionRule::default().with_pixel_threshold(5.0).with_close(1).with_min_area(2);
    /// let marked = map.marked(&rule).expect("there is a threshold");
    /// assert_eq!(marked.pixels(), [true, true, true, false, false, false]);
    /// assert_eq!(map.regions_by(&rule).expect("there is a threshold")[0].area, 3);
    /// ```
    pub fn marked(&self, rule: &RegionRule) -> Option<MarkedPixels> {
        let threshold = rule.pixel_threshold?;
        let mut pixels: Vec<bool> = self.values.iter().map(|value| f64::from(*value) >= threshold).collect();
        if let Some(gap) = rule.close.filter(|gap| *gap > 0) {
            close(&mut pixels, self.width, gap as usize);
        }
        let components = match pixels.contains(&true) {
            true => components(&pixels, self.width),
            false => Components { of: Vec::new(), areas: Vec::new() },
        };
        let min_area = rule.min_area.unwrap_or(0);
        if components.areas.iter().any(|area| *area < min_area) {
            for (pixel, label) in pixels.iter_mut().zip(&components.of) {
                *pixel = *label > 0 && components.areas[*label as usize - 1] >= min_area;
            }
        }
        Some(MarkedPixels {
            pixels,
            components,
            min_area,
            pixel_area: rule.pixel_size.map(|side| side * side),
        })
    }
}

/// Marks every pixel that no square of `gap + 1` pixels a side contains without a marked one. Beyond
/// the picture nothing is marked.
fn close(pixels: &mut [bool], width: usize, gap: usize) {
    let Some(first) = pixels.iter().position(|pixel| *pixel) else { return };
    let last = pixels.iter().rposition(|pixel| *pixel).unwrap_or(first);
    let (top, bottom) = (first / width, last / width);
    let rows = || pixels[top * width..(bottom + 1) * width].chunks(width);
    let left = rows().filter_map(|row| row.iter().position(|pixel| *pixel)).min().unwrap_or(0);
    let right = rows().filter_map(|row| row.iter().rposition(|pixel| *pixel)).max().unwrap_or(left);
    // Whatever lies outside of the box around all marked pixels is in a square beside it.
    let [across, down] = [right - left + 1, bottom - top + 1];
    let marked = Sums::new(across, down, |x, y| pixels[(top + y) * width + left + x]);
    // Squares by their last column and row, which may lie beyond the box by the gap.
    let [squares_across, squares_down] = [across + gap, down + gap];
    let empty = Sums::new(squares_across, squares_down, |x, y| marked.within(x, y, gap) == 0);
    for y in 0..down {
        for x in 0..across {
            // The squares that contain the pixel end at it or up to the gap behind it.
            if empty.within(x + gap, y + gap, gap) == 0 {
                pixels[(top + y) * width + left + x] = true;
            }
        }
    }
}

/// How many of the places up to each are true.
struct Sums {
    across: usize,
    down: usize,
    sums: Vec<u32>,
}

impl Sums {
    fn new(across: usize, down: usize, is_true: impl Fn(usize, usize) -> bool) -> Self {
        let mut sums = vec![0_u32; (across + 1) * (down + 1)];
        for y in 0..down {
            let mut row = 0;
            for x in 0..across {
                row += u32::from(is_true(x, y));
                sums[(y + 1) * (across + 1) + x + 1] = sums[y * (across + 1) + x + 1] + row;
            }
        }
        Self { across, down, sums }
    }

    /// How many are true in the square that ends at a place and begins `gap` before it.
    fn within(&self, x: usize, y: usize, gap: usize) -> u32 {
        let [left, top] = [x.saturating_sub(gap).min(self.across), y.saturating_sub(gap).min(self.down)];
        let [right, bottom] = [(x + 1).min(self.across), (y + 1).min(self.down)];
        let at = |x: usize, y: usize| self.sums[y * (self.across + 1) + x];
        at(right, bottom) + at(left, top) - at(left, bottom) - at(right, top)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(rows: &[&str]) -> AnomalyMap {
        let values = rows.iter().flat_map(|row| row.bytes().map(|byte| if byte == b'#' { 1.0 } else { 0.0 }));
        AnomalyMap { width: rows[0].len(), height: rows.len(), values: values.collect() }
    }

    fn marked(rows: &[&str], close: u32, min_area: u32) -> Vec<String> {
        let rule = RegionRule::default().with_pixel_threshold(1.0).with_close(close).with_min_area(min_area);
        let map = map(rows);
        let marked = map.marked(&rule).unwrap();
        let row = |row: &[bool]| row.iter().map(|pixel| if *pixel { '#' } else { '.' }).collect();
        marked.pixels().chunks(map.width).map(row).collect()
    }

    #[test]
    fn gaps_of_up_to_so_many_pixels_are_closed_and_no_others() {
        assert_eq!(marked(&["#.#..#...#"], 0, 0), ["#.#..#...#"]);
        assert_eq!(marked(&["#.#..#...#"], 1, 0), ["###..#...#"]);
        assert_eq!(marked(&["#.#..#...#"], 2, 0), ["######...#"]);
        assert_eq!(marked(&["#.#..#...#"], 3, 0), ["##########"]);
        // Nothing grows towards the sides of the picture, nor around a lone pixel.
        assert_eq!(marked(&["....", ".#..", "...."], 2, 0), ["....", ".#..", "...."]);
        assert_eq!(marked(&["###", "#.#", "###"], 1, 0), ["###", "###", "###"]);
        assert_eq!(marked(&["....", "...."], 3, 0), ["....", "...."]);
    }

    /// By its definition, square by square.
    #[test]
    fn closing_is_what_its_definition_says() {
        let mut state = 1_u64;
        for round in 0..60 {
            let (width, height, gap) = (1 + round % 11, 1 + round % 7, 1 + round % 4);
            let mut random = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33).is_multiple_of(5)
            };
            let before: Vec<bool> = (0..width * height).map(|_| random()).collect();
            let mut closed = before.clone();
            close(&mut closed, width, gap);
            let side = gap as i64 + 1;
            let is_marked = |x: i64, y: i64| {
                (0..width as i64).contains(&x)
                    && (0..height as i64).contains(&y)
                    && before[y as usize * width + x as usize]
            };
            for y in 0..height as i64 {
                for x in 0..width as i64 {
                    let is_empty = |left: i64, top: i64| {
                        (top..top + side).all(|y| (left..left + side).all(|x| !is_marked(x, y)))
                    };
                    let outside =
                        (y - gap as i64..=y).any(|top| (x - gap as i64..=x).any(|left| is_empty(left, top)));
                    assert_eq!(closed[y as usize * width + x as usize], !outside, "round {round}, {x}, {y}");
                }
            }
        }
    }

    #[test]
    fn what_is_too_small_is_no_region_and_the_mask_has_the_areas_of_the_regions() {
        let rows = ["##...#", "##....", "....##"];
        assert_eq!(marked(&rows, 0, 2), ["##....", "##....", "....##"]);
        assert_eq!(marked(&rows, 0, 5), ["......", "......", "......"]);
        let rule = RegionRule::default().with_pixel_threshold(1.0);
        for (close, min_area) in [(0, 0), (0, 2), (1, 0), (1, 3), (3, 1), (0, 99)] {
            let rule = rule.with_close(close).with_min_area(min_area).with_pixel_size(0.5);
            let map = map(&rows);
            let pixels = map.marked(&rule).unwrap().pixels().iter().filter(|pixel| **pixel).count();
            let regions = map.regions_by(&rule).unwrap();
            assert_eq!(regions.iter().map(|region| region.area as usize).sum::<usize>(), pixels);
            assert!(regions.iter().all(|region| region.area_mm2 == Some(f64::from(region.area) / 4.0)));
            assert!(regions.iter().all(|region| region.peak >= 1.0 && region.area >= min_area));
        }
        assert!(map(&rows).marked(&RegionRule::default()).is_none());
    }
}
