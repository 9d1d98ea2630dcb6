//! Where a score comes from: a grid of cells, and the map of the picture's size
//! that is made of it.

use dfm_backbone::{PictureSize, Placement, Span};

/// The part of the score that each cell of the feature map holds.
#[derive(Debug, Clone, PartialEq)]
pub struct AnomalyGrid {
    /// Rows of cells.
    pub height: usize,
    /// Cells in a row.
    pub width: usize,
    /// `[height, width]`, row by row; the score is made of them, see
    /// [`Aggregation`](crate::Aggregation).
    pub values: Vec<f32>,
    /// Where the picture lies under the grid, and what of it counts.
    pub placement: Placement,
}

/// An anomaly map: one value for each pixel of the original picture.
#[derive(Debug, Clone, PartialEq)]
pub struct AnomalyMap {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `[height, width]`, row by row, in units of the grid's cells.
    pub values: Vec<f32>,
}

impl AnomalyGrid {
    /// A grid that covers the picture and nothing else.
    pub fn new(height: usize, width: usize, values: Vec<f32>) -> Self {
        Self { height, width, values, placement: Placement::WHOLE }
    }

    /// The map of a picture of `size`: bilinear between the centres of the cells,
    /// constant beyond the outermost (PyTorch's `interpolate` with
    /// `align_corners=False`). Cells that lie beside the picture have no pixels. Pixels beside
    /// the grid, which nothing judged, and those that do not count are 0: the least that a cell
    /// can be.
    ///
    /// Cost: a few operations a pixel.
    ///
    /// # Panics
    ///
    /// If the grid has no cell, or `values` are not `height × width`.
    ///
    /// # Example
    ///
    /// ```
    /// use dfm_core::{AnomalyGrid, PictureSize};
    ///
    /// let grid = AnomalyGrid::new(1, 2, vec![0.0, 1.0]);
    /// let map = grid.upsample(PictureSize { width: 4, height: 1 });
    /// assert_eq!(map.values, [0.0, 0.25, 0.75, 1.0]);
    /// ```
    pub fn upsample(&self, size: PictureSize) -> AnomalyMap {
        let cells = self.height * self.width;
        assert!(cells > 0 && self.values.len() == cells, "a grid has a value for each of its cells");
        let (width, height) = (size.width as usize, size.height as usize);
        let Placement { across, down, .. } = self.placement;
        let columns: Vec<Option<Between>> =
            (0..width).map(|x| Between::new(across, x, width, self.width)).collect();
        let mut values = vec![0.0; width * height];
        for [y, from, to] in self.placement.pieces(size) {
            let Some(rows) = Between::new(down, y, height, self.height) else { continue };
            let row = |index: usize| &self.values[index * self.width..][..self.width];
            let (above, below) = (row(rows.first), row(rows.second));
            for (value, columns) in values[y * width..][from..to].iter_mut().zip(&columns[from..to]) {
                let Some(columns) = columns else { continue };
                let upper = columns.mix(above[columns.first], above[columns.second]);
                let lower = columns.mix(below[columns.first], below[columns.second]);
                *value = rows.mix(upper, lower);
            }
        }
        AnomalyMap { width, height, values }
    }
}

/// By how much of the grid rounding can be off, with a margin.
const ROUNDING: f64 = 1e-9;

/// Two neighbouring cells and how far between them a pixel lies.
struct Between {
    first: usize,
    second: usize,
    share: f32,
}

impl Between {
    /// For pixel `index` of `pixels`, which lie at `span` along a side of `cells`; none
    /// if its centre is beside them.
    fn new(span: Span, index: usize, pixels: usize, cells: usize) -> Option<Self> {
        let centre = span.at(index as f64 + 0.5, pixels);
        // A centre on the very end is beside it on one machine and not on another.
        if !(-ROUNDING..=1.0 + ROUNDING).contains(&centre) {
            return None;
        }
        let position = (centre * cells as f64 - 0.5).max(0.0);
        let first = (position as usize).min(cells - 1);
        Some(Self { first, second: (first + 1).min(cells - 1), share: (position - first as f64) as f32 })
    }

    fn mix(&self, first: f32, second: f32) -> f32 {
        first * (1.0 - self.share) + second * self.share
    }
}
