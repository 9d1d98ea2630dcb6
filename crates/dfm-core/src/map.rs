//! Where a score comes from: a grid of cells, and the map of the picture's size
//! that is made of it.

use dfm_backbone::PictureSize;

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
    /// The map of a picture of `size`: bilinear between the centres of the cells,
    /// constant beyond the outermost (PyTorch's `interpolate` with
    /// `align_corners=False`).
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
    /// let grid = AnomalyGrid { height: 1, width: 2, values: vec![0.0, 1.0] };
    /// let map = grid.upsample(PictureSize { width: 4, height: 1 });
    /// assert_eq!(map.values, [0.0, 0.25, 0.75, 1.0]);
    /// ```
    pub fn upsample(&self, size: PictureSize) -> AnomalyMap {
        let cells = self.height * self.width;
        assert!(cells > 0 && self.values.len() == cells, "a grid has a value for each of its cells");
        let (width, height) = (size.width as usize, size.height as usize);
        let columns: Vec<Between> = (0..width).map(|x| Between::new(x, width, self.width)).collect();
        let mut values = Vec::with_capacity(width * height);
        for y in 0..height {
            let rows = Between::new(y, height, self.height);
            let row = |index: usize| &self.values[index * self.width..][..self.width];
            let (above, below) = (row(rows.first), row(rows.second));
            values.extend(columns.iter().map(|columns| {
                let upper = columns.mix(above[columns.first], above[columns.second]);
                let lower = columns.mix(below[columns.first], below[columns.second]);
                rows.mix(upper, lower)
            }));
        }
        AnomalyMap { width, height, values }
    }
}

/// Two neighbouring cells and how far between them a pixel lies.
struct Between {
    first: usize,
    second: usize,
    share: f32,
}

impl Between {
    /// For pixel `index` of `pixels` along a side of `cells`.
    fn new(index: usize, pixels: usize, cells: usize) -> Self {
        let position = (index as f64 + 0.5) * cells as f64 / pixels as f64 - 0.5;
        let position = position.max(0.0);
        let first = (position as usize).min(cells - 1);
        Self { first, second: (first + 1).min(cells - 1), share: (position - first as f64) as f32 }
    }

    fn mix(&self, first: f32, second: f32) -> f32 {
        first * (1.0 - self.share) + second * self.share
    }
}
