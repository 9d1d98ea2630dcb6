//! Where a map reaches a threshold: connected regions, each with its box, its peak and its
//! outline.

use std::cmp::Ordering;

use dfm_backbone::PictureSize;
use serde::Serialize;

use crate::judge::components::Components;
use crate::judge::map::{AnomalyGrid, AnomalyMap};
use crate::judge::marked::MarkedPixels;
use crate::method::RegionRule;

/// A connected region of pixels that reach a threshold; pixels that touch at a corner belong
/// together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MapRegion {
    /// The first column of its box.
    pub x: u32,
    /// The first row of its box.
    pub y: u32,
    /// Columns of its box.
    pub width: u32,
    /// Rows of its box.
    pub height: u32,
    /// Its pixels.
    pub area: u32,
    /// The same in square millimetres; `None` where it is not known how large a pixel is.
    pub area_mm2: Option<f64>,
    /// The largest value of the map in it.
    pub peak: f32,
    /// The column of the pixel with that value. If several pixels have it, the first one counts, row by
    /// row.
    pub peak_x: u32,
    /// The row of that pixel.
    pub peak_y: u32,
    /// Its outer outline, clockwise from the upper left: corners of pixels as `[x, y]`, where
    /// `[0, 0]` is the upper left corner of the picture. At most [`Self::MAX_CONTOUR`] of them,
    /// chosen so that those left out lie within half a pixel of the lines between, or as near
    /// as that many come. Holes are not part of it.
    pub contour: Vec<[u32; 2]>,
}

impl MapRegion {
    /// Regions that are reported of one map, at most: those with the largest peaks.
    pub const MAX_COUNT: usize = 100;
    /// Points of a contour at most.
    pub const MAX_CONTOUR: usize = 64;
}

impl AnomalyMap {
    /// The regions of pixels that reach `threshold`, by falling peak: at most
    /// [`MapRegion::MAX_COUNT`], the others are left out.
    ///
    /// Cost: two passes and six bytes a pixel; one pass where no pixel reaches it.
    ///
    /// # Example
    ///
    /// ```
    /// use dfm_core::AnomalyMap;
    ///
    /// let map = AnomalyMap { width: 3, height: 2, values: vec![0.0, 5.0, 6.0, 0.0, 0.0, 1.0] };
    /// let [region] = &map.regions(5.0)[..] else { panic!("one region") };
    /// assert_eq!([region.x, region.y, region.width, region.height, region.area], [1, 0, 2, 1, 2]);
    /// assert_eq!((region.peak, [region.peak_x, region.peak_y]), (6.0, [2, 0]));
    /// assert_eq!(region.contour, [[1, 0], [3, 0], [3, 1], [1, 1]]);
    /// ```
    pub fn regions(&self, threshold: f64) -> Vec<MapRegion> {
        self.regions_by(&RegionRule::default().with_pixel_threshold(threshold)).unwrap_or_default()
    }

    /// The regions of the pixels that a rule [marks](Self::marked), by falling peak: at most
    /// [`MapRegion::MAX_COUNT`], the others are left out. `None` without a pixel threshold.
    pub fn regions_by(&self, rule: &RegionRule) -> Option<Vec<MapRegion>> {
        let threshold = rule.pixel_threshold?;
        if !self.values.iter().any(|value| f64::from(*value) >= threshold) {
            return Some(Vec::new());
        }
        Some(self.regions_of(&self.marked(rule)?))
    }

    /// The regions of the pixels that are marked in this map, as [`regions_by`](Self::regions_by)
    /// has them.
    ///
    /// # Panics
    ///
    /// If the map has another number of pixels than the one they were marked in.
    pub fn regions_of(&self, marked: &MarkedPixels) -> Vec<MapRegion> {
        assert_eq!(self.values.len(), marked.pixels().len(), "pixels of this map are marked");
        let components = &marked.components;
        let mut found = self.extents(components);
        found.retain(|extent| extent.area >= marked.min_area);
        found.sort_by(Extent::by_falling_peak);
        found.truncate(MapRegion::MAX_COUNT);
        let region = |extent: &Extent| extent.region(components, self.width, marked.pixel_area);
        found.iter().map(region).collect()
    }

    /// How far each component reaches, and where it peaks.
    fn extents(&self, components: &Components) -> Vec<Extent> {
        let start = |place: usize| Extent {
            label: place as u32 + 1,
            area: components.areas[place],
            columns: [usize::MAX, 0],
            rows: [usize::MAX, 0],
            first: 0,
            peak: f32::NEG_INFINITY,
            peak_at: 0,
        };
        let mut found: Vec<Extent> = (0..components.areas.len()).map(start).collect();
        for (at, label) in components.of.iter().enumerate().filter(|(_, label)| **label > 0) {
            let extent = &mut found[*label as usize - 1];
            let (x, y) = (at % self.width, at / self.width);
            if extent.rows[0] == usize::MAX {
                extent.first = at;
            }
            extent.columns = [extent.columns[0].min(x), extent.columns[1].max(x)];
            extent.rows = [extent.rows[0].min(y), extent.rows[1].max(y)];
            if self.values[at] > extent.peak {
                (extent.peak, extent.peak_at) = (self.values[at], at);
            }
        }
        found
    }
}

impl AnomalyGrid {
    /// The [`regions`](AnomalyMap::regions) of the map of a picture of `size`. Where no cell
    /// reaches a positive threshold, no pixel does, and no map is made: pixels are means of cells.
    ///
    /// # Panics
    ///
    /// As [`upsample`](Self::upsample).
    pub fn regions(&self, size: PictureSize, threshold: f64) -> Vec<MapRegion> {
        self.regions_by(size, &RegionRule::default().with_pixel_threshold(threshold)).unwrap_or_default()
    }

    /// The [`regions_by`](AnomalyMap::regions_by) a rule of the map of a picture of `size`; `None`
    /// without a pixel threshold.
    ///
    /// # Panics
    ///
    /// As [`upsample`](Self::upsample).
    pub fn regions_by(&self, size: PictureSize, rule: &RegionRule) -> Option<Vec<MapRegion>> {
        let threshold = rule.pixel_threshold?;
        let reached = self.values.iter().any(|cell| f64::from(*cell) >= threshold);
        if reached || threshold <= 0.0 { self.upsample(size).regions_by(rule) } else { Some(Vec::new()) }
    }
}

/// A component on its way to a [`MapRegion`].
struct Extent {
    label: u32,
    area: u32,
    /// First and last.
    columns: [usize; 2],
    rows: [usize; 2],
    /// Its first pixel, row by row.
    first: usize,
    peak: f32,
    peak_at: usize,
}

impl Extent {
    fn by_falling_peak(&self, other: &Self) -> Ordering {
        other.peak.total_cmp(&self.peak).then(self.first.cmp(&other.first))
    }

    fn region(&self, components: &Components, width: usize, pixel_area: Option<f64>) -> MapRegion {
        let ([left, right], [top, bottom]) = (self.columns, self.rows);
        MapRegion {
            x: left as u32,
            y: top as u32,
            width: (right - left + 1) as u32,
            height: (bottom - top + 1) as u32,
            area: self.area,
            area_mm2: pixel_area.map(|pixel| f64::from(self.area) * pixel),
            peak: self.peak,
            peak_x: (self.peak_at % width) as u32,
            peak_y: (self.peak_at / width) as u32,
            contour: thinned(&outline(components, width, self.label, self.first)),
        }
    }
}

/// Right, down, left, up.
const STEPS: [[i64; 2]; 4] = [[1, 0], [0, 1], [-1, 0], [0, -1]];

/// The corners of the outer outline of the component `label`, whose `first` pixel is given:
/// along the edges of its pixels, which lie to the right hand. Where two pixels touch at a
/// corner alone, it goes on around the other one, since they belong together.
fn outline(components: &Components, width: usize, label: u32, first: usize) -> Vec<[u32; 2]> {
    let height = (components.of.len() / width) as i64;
    let inside = |x: i64, y: i64| {
        (0..width as i64).contains(&x)
            && (0..height).contains(&y)
            && components.of[y as usize * width + x as usize] == label
    };
    // Nothing of it lies above the first pixel or beside it to the left, so that this corner
    // is passed once.
    let start = [(first % width) as i64, (first / width) as i64];
    let (mut at, mut facing, mut corners) = (start, 0, Vec::new());
    loop {
        corners.push(at.map(|place| place as u32));
        loop {
            at = [at[0] + STEPS[facing][0], at[1] + STEPS[facing][1]];
            // The two pixels in front, one on either hand, of the four around this corner.
            let (ahead, right) = (STEPS[facing], STEPS[(facing + 1) % 4]);
            let pixel = |side: i64| {
                let along = |axis: usize| at[axis] + (ahead[axis] + side * right[axis] - 1) / 2;
                inside(along(0), along(1))
            };
            match (pixel(-1), pixel(1)) {
                (true, _) => facing = (facing + 3) % 4,
                (false, true) => continue,
                (false, false) => facing = (facing + 1) % 4,
            }
            break;
        }
        if at == start {
            return corners;
        }
    }
}

/// How far a corner that is left out may lie from the line that stands for it.
const TOLERANCE: f64 = 0.5;

/// The fewest corners that stand for a closed outline (Douglas and Peucker, the worst stretch first),
/// and no more than [`MapRegion::MAX_CONTOUR`].
///
/// Cost: `O(MAX_CONTOUR · n)`.
fn thinned(outline: &[[u32; 2]]) -> Vec<[u32; 2]> {
    // The first stretch leads from the first corner all the way around to the same corner.
    let mut stretches = vec![Stretch::new(outline, 0, outline.len())];
    while stretches.len() < MapRegion::MAX_CONTOUR {
        let worst = (0..stretches.len()).max_by(|a, b| stretches[*a].error.total_cmp(&stretches[*b].error));
        let Some(worst) = worst.filter(|worst| stretches[*worst].error > TOLERANCE) else { break };
        let Stretch { from, to, farthest, .. } = stretches[worst];
        stretches[worst] = Stretch::new(outline, from, farthest);
        stretches.insert(worst + 1, Stretch::new(outline, farthest, to));
    }
    stretches.iter().map(|stretch| outline[stretch.from]).collect()
}

/// The corners from one index to another, and the one between them that is farthest from the line that
/// joins the two.
struct Stretch {
    from: usize,
    to: usize,
    farthest: usize,
    error: f64,
}

impl Stretch {
    fn new(outline: &[[u32; 2]], from: usize, to: usize) -> Self {
        let point = |place: usize| outline[place % outline.len()].map(f64::from);
        let (start, end) = (point(from), point(to));
        let mut longest = Self { from, to, farthest: from, error: 0.0 };
        for place in from + 1..to {
            let error = distance(point(place), start, end);
            if error > longest.error {
                (longest.farthest, longest.error) = (place, error);
            }
        }
        longest
    }
}

/// From `point` to the nearest point between `start` and `end`.
fn distance(point: [f64; 2], start: [f64; 2], end: [f64; 2]) -> f64 {
    let ahead = [end[0] - start[0], end[1] - start[1]];
    let there = [point[0] - start[0], point[1] - start[1]];
    let length = ahead[0] * ahead[0] + ahead[1] * ahead[1];
    let along = there[0] * ahead[0] + there[1] * ahead[1];
    let share = if length > 0.0 { (along / length).clamp(0.0, 1.0) } else { 0.0 };
    (there[0] - share * ahead[0]).hypot(there[1] - share * ahead[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::components::components;

    fn map(rows: &[&str]) -> AnomalyMap {
        let digit = |byte: u8| if byte == b'.' { 0.0 } else { f32::from(byte - b'0') };
        let values = rows.iter().flat_map(|row| row.bytes().map(digit)).collect();
        AnomalyMap { width: rows[0].len(), height: rows.len(), values }
    }

    /// Every exact outline of what reaches 1, by falling peak.
    fn outlines(map: &AnomalyMap) -> Vec<Vec<[u32; 2]>> {
        let mask: Vec<bool> = map.values.iter().map(|value| *value >= 1.0).collect();
        let components = components(&mask, map.width);
        let mut extents = map.extents(&components);
        extents.sort_by(Extent::by_falling_peak);
        extents.iter().map(|extent| outline(&components, map.width, extent.label, extent.first)).collect()
    }

    /// By Gauss's formula; positive if clockwise, since rows count downwards.
    fn area(polygon: &[[u32; 2]]) -> f64 {
        let next = polygon.iter().cycle().skip(1);
        let twice = polygon.iter().zip(next).map(|(a, b)| {
            let [[ax, ay], [bx, by]] = [a, b].map(|point| point.map(f64::from));
            ax * by - bx * ay
        });
        twice.sum::<f64>() / 2.0
    }

    #[test]
    fn boxes_areas_and_peaks_are_those_of_the_pixels() {
        let found = map(&["2....3", ".2..1.", "..2...", "5....."]).regions(1.0);
        let of = |region: &MapRegion| {
            let MapRegion { x, y, width, height, area, peak, peak_x, peak_y, .. } = *region;
            ([x, y, width, height], area, peak, [peak_x, peak_y])
        };
        let expected = [
            ([0, 3, 1, 1], 1, 5.0, [0, 3]),
            ([4, 0, 2, 2], 2, 3.0, [5, 0]),
            // The first of equal peaks counts.
            ([0, 0, 3, 3], 3, 2.0, [0, 0]),
        ];
        assert_eq!(found.iter().map(of).collect::<Vec<_>>(), expected);
        assert_eq!(map(&["12"]).regions(2.0).len(), 1);
        assert!(map(&["12"]).regions(2.1).is_empty());
        assert!(AnomalyMap { width: 0, height: 0, values: Vec::new() }.regions(0.0).is_empty());
    }

    #[test]
    fn outlines_go_around_corners_and_not_into_holes() {
        assert_eq!(
            outlines(&map(&[".1", "1."])),
            [[[1, 0], [2, 0], [2, 1], [1, 1], [1, 2], [0, 2], [0, 1], [1, 1]]]
        );
        // The hole's pixel is within.
        assert_eq!(outlines(&map(&["111", "1.1", "111"])), [[[0, 0], [3, 0], [3, 3], [0, 3]]]);
        let hook = outlines(&map(&["111", "..1", "111"]));
        assert_eq!((hook[0].len(), area(&hook[0])), (8, 7.0));
    }

    /// A disc of that radius, in the middle of a map with a border.
    fn disc(radius: f64) -> AnomalyMap {
        let side = 2 * radius as usize + 5;
        let middle = side as f64 / 2.0;
        let value = |at: usize| {
            let (x, y) = ((at % side) as f64 + 0.5 - middle, (at / side) as f64 + 0.5 - middle);
            if x.hypot(y) <= radius { 1.0 } else { 0.0 }
        };
        AnomalyMap { width: side, height: side, values: (0..side * side).map(value).collect() }
    }

    #[test]
    fn an_outline_encloses_as_many_pixels_as_the_region_has() {
        for radius in [0.5, 1.0, 3.3, 20.0, 60.0] {
            let map = disc(radius);
            let pixels = map.values.iter().filter(|value| **value > 0.0).count();
            assert_eq!(area(&outlines(&map)[0]), pixels as f64, "radius {radius}");
        }
    }

    #[test]
    fn a_contour_is_short_and_near_the_outline() {
        // Half a pixel where few points suffice, else what 64 chords of a circle leave.
        for (radius, within) in [(0.5, 0.5), (3.3, 0.5), (20.0, 0.75), (60.0, 1.0), (300.0, 1.25)] {
            let map = disc(radius);
            let contour = &map.regions(1.0)[0].contour;
            assert!((4..=MapRegion::MAX_CONTOUR).contains(&contour.len()), "{} points", contour.len());
            let nearest = |corner: &[u32; 2]| {
                let ends = contour.iter().zip(contour.iter().cycle().skip(1));
                ends.map(|(a, b)| distance(corner.map(f64::from), a.map(f64::from), b.map(f64::from)))
                    .fold(f64::INFINITY, f64::min)
            };
            let worst = outlines(&map)[0].iter().map(nearest).fold(0.0, f64::max);
            assert!(worst <= within, "radius {radius}: {worst}");
        }
    }

    #[test]
    fn a_grid_has_the_regions_of_its_map() {
        let grid = AnomalyGrid::new(3, 3, vec![0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 4.0, 2.0, 0.0]);
        let size = PictureSize { width: 31, height: 17 };
        for threshold in [-1.0, 0.0, 0.5, 1.0, 3.0, 3.9] {
            let found = grid.regions(size, threshold);
            assert_eq!(found, grid.upsample(size).regions(threshold));
            assert!(!found.is_empty(), "{threshold}");
        }
        assert_eq!(grid.regions(size, 0.5).len(), 2);
        assert!(grid.regions(size, 4.1).is_empty());
    }

    #[test]
    fn no_more_regions_than_stated_are_reported_and_they_are_the_strongest() {
        let count = 2 * MapRegion::MAX_COUNT;
        let value = |at: usize| if at.is_multiple_of(2) { 1.0 + (at / 2) as f32 } else { 0.0 };
        let map = AnomalyMap { width: 2 * count, height: 1, values: (0..2 * count).map(value).collect() };
        let found = map.regions(1.0);
        assert_eq!(found.len(), MapRegion::MAX_COUNT);
        let peaks: Vec<f32> = found.iter().map(|region| region.peak).collect();
        assert_eq!((peaks[0], peaks[MapRegion::MAX_COUNT - 1]), (count as f32, (count / 2 + 1) as f32));
    }
}
