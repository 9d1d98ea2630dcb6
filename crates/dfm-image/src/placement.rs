//! Where a picture lies in the network's input.

use std::ops::Range;
use std::sync::Arc;

use crate::region::Region;
use crate::size::PictureSize;

/// Where one side of a picture lies along the same side of the network's input. The unit is the
/// length of the input's side: 0 and 1 are the input's ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Where the picture begins; negative if its beginning is not seen.
    pub start: f64,
    /// How long the picture is.
    pub length: f64,
}

impl Span {
    /// The input coordinate of the picture coordinate `position`, where the picture is `pixels`
    /// long. The centre of the first pixel has the coordinate 0.5.
    pub fn at(&self, position: f64, pixels: usize) -> f64 {
        self.start + position / pixels as f64 * self.length
    }

    /// The cells that hold a part of the pixels in `range`, out of `count` cells along the input.
    /// The picture is `pixels` long.
    fn cells(&self, range: Range<usize>, pixels: usize, count: usize) -> Range<usize> {
        // Less than any part of a pixel: rounding must not reach into the next cell.
        const ROUNDING: f64 = 1e-9;
        let cell = |position: usize| self.at(position as f64, pixels) * count as f64;
        let first = (cell(range.start) + ROUNDING).floor().max(0.0) as usize;
        let last = (cell(range.end) - ROUNDING).ceil().max(0.0) as usize;
        first.min(count)..last.clamp(first.min(count), count)
    }
}

/// Where a picture lies in the network's input, and which of its pixels count.
#[derive(Debug, Clone, PartialEq)]
pub struct Placement {
    /// From left to right.
    pub across: Span,
    /// From top to bottom.
    pub down: Span,
    /// The pixels that count; `None` if all do.
    pub region: Option<Arc<Region>>,
    /// The index of the tile among the picture's tiles, row by row; 0 for a whole picture.
    pub tile: usize,
}

impl Placement {
    /// The picture covers the input exactly.
    pub const WHOLE: Self = Self {
        across: Span { start: 0.0, length: 1.0 },
        down: Span { start: 0.0, length: 1.0 },
        region: None,
        tile: 0,
    };

    /// The pixels that count in a picture of `size`, as `[row, first column, column behind the
    /// last]`, row by row.
    pub fn pieces(&self, size: PictureSize) -> Vec<[usize; 3]> {
        let PictureSize { width, height } = size;
        match &self.region {
            Some(region) => {
                let within = region.pieces().filter(|[y, from, _]| *y < height && *from < width);
                within.map(|[y, from, to]| [y, from, to.min(width)].map(|pixel| pixel as usize)).collect()
            }
            None => (0..height as usize).map(|y| [y, 0, width as usize]).collect(),
        }
    }

    /// For each cell of a grid of `[height, width]` over the input, row by row: whether it holds a
    /// part of a pixel that counts. `size` is the size of the picture.
    pub fn cells(&self, size: PictureSize, [height, width]: [usize; 2]) -> Vec<bool> {
        let mut cells = vec![false; height * width];
        let (across, down) = (size.width as usize, size.height as usize);
        for [y, from, to] in self.pieces(size) {
            let columns = self.across.cells(from..to, across, width);
            for row in self.down.cells(y..y + 1, down, height) {
                cells[row * width..][columns.clone()].fill(true);
            }
        }
        cells
    }
}
