//! Contours and boxes around the regions of a map, drawn into a picture.

use dfm_core::{AnomalyMap, MarkedPixels};
use image::{Rgb, RgbImage};

/// The colour of contours and boxes, and of the threshold in the legend. It stands out from every
/// colour of the scale, and from most parts.
pub const LINE: [u8; 3] = [0, 229, 255];

/// A line is one pixel wide for every so many pixels of the longer side.
const FINENESS: usize = 400;
/// How strongly a box covers what is below it; a contour covers it wholly.
const BOX: f32 = 0.7;

/// Draws the contour and the box of every [region](AnomalyMap::regions_of) of `map` where pixels are
/// `marked`. Holes have a contour, too. `picture` has the size of the map.
pub(crate) fn draw(picture: &mut RgbImage, map: &AnomalyMap, marked: &MarkedPixels) {
    let line = (map.width.max(map.height) / FINENESS).max(1);
    let regions = map.regions_of(marked);
    for region in &regions {
        let [columns, rows] = [(region.x, region.width), (region.y, region.height)];
        let line = line.div_ceil(2) as u32;
        for y in ends(rows, line) {
            (columns.0..columns.0 + columns.1).for_each(|x| blend(picture, x, y, BOX));
        }
        // The sides of the box, between the rows that are drawn above.
        for y in (rows.0 + line)..(rows.0 + rows.1).saturating_sub(line) {
            ends(columns, line).for_each(|x| blend(picture, x, y, BOX));
        }
    }
    for region in &regions {
        for y in region.y..region.y + region.height {
            for x in region.x..region.x + region.width {
                if is_border(map, marked.pixels(), [x as usize, y as usize], line) {
                    blend(picture, x, y, 1.0);
                }
            }
        }
    }
}

/// The first and the last `line` positions of a side, each of them once.
fn ends((start, length): (u32, u32), line: u32) -> impl Iterator<Item = u32> {
    let line = line.min(length);
    (start..start + line).chain((start + length - line).max(start + line)..start + length)
}

/// Whether a pixel lies on the border of a region: it is marked, and one of the pixels `line` pixels
/// beside, above or below it is not, or lies outside of the map.
fn is_border(map: &AnomalyMap, marked: &[bool], [x, y]: [usize; 2], line: usize) -> bool {
    let is_marked = |x: Option<usize>, y: Option<usize>| {
        let (Some(x), Some(y)) = (x, y) else { return false };
        x < map.width && y < map.height && marked[y * map.width + x]
    };
    let [here, beside] = [[Some(x), Some(y)], [x.checked_sub(line), y.checked_sub(line)]];
    is_marked(here[0], here[1])
        && !(is_marked(beside[0], here[1])
            && is_marked(here[0], beside[1])
            && is_marked(Some(x + line), here[1])
            && is_marked(here[0], Some(y + line)))
}

fn blend(picture: &mut RgbImage, x: u32, y: u32, share: f32) {
    if let Some(Rgb(pixel)) = picture.get_pixel_mut_checked(x, y) {
        for (value, line) in pixel.iter_mut().zip(LINE) {
            *value = (f32::from(*value) * (1.0 - share) + f32::from(line) * share).round() as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use dfm_core::RegionRule;

    use super::*;

    /// `#` where a contour was drawn, `+` where only a box was drawn.
    fn drawn(map: &AnomalyMap, threshold: f64) -> Vec<String> {
        let mut picture = RgbImage::new(map.width as u32, map.height as u32);
        let rule = RegionRule::default().with_pixel_threshold(threshold);
        draw(&mut picture, map, &map.marked(&rule).unwrap());
        let sign = |pixel: &Rgb<u8>| match pixel.0 {
            LINE => '#',
            [0, 0, 0] => '.',
            _ => '+',
        };
        picture.rows().map(|row| row.map(sign).collect()).collect()
    }

    #[test]
    fn contours_go_around_regions_and_holes_and_boxes_around_both() {
        let rows = ["........", ".111....", ".11111..", ".11.111.", ".11111..", ".111...."];
        let values = rows.iter().flat_map(|row| row.bytes().map(|b| if b == b'1' { 1.0 } else { 0.0 }));
        let map = AnomalyMap { width: 8, height: 6, values: values.collect() };
        // The hole has a contour, and the contour is closed at the end of the picture.
        let expected = ["........", ".###+++.", ".#.###+.", ".##.#.#.", ".#.###+.", ".###+++."];
        assert_eq!(drawn(&map, 1.0), expected);
        assert_eq!(drawn(&map, 2.0), vec!["........"; 6]);
    }

    #[test]
    fn lines_of_large_pictures_are_wider() {
        for (height, marked) in [(8, 1600), (99, 4)] {
            let map = AnomalyMap { width: 1600, height, values: vec![1.0; 1600 * height] };
            let row = drawn(&map, 1.0)[height / 2].clone();
            assert_eq!(row.bytes().take_while(|sign| *sign == b'#').count(), marked);
        }
    }
}
