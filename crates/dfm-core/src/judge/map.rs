//! Where a score comes from: a grid of cells, and the map of the picture's size
//! that is made of it.

use dfm_backbone::{FeatureShape, PictureSize, Placement, Span};

use crate::method::Aggregation;

/// The values of a map before they are brought to the picture's size. In a coarse map, each cell has the
/// part of the score that the cell of the feature map holds; a fine map has a cell for each position of the
/// finest layer's output ([`MapKind`](crate::MapKind)). For a picture in tiles, each tile has cells of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct AnomalyGrid {
    /// Rows of cells.
    pub height: usize,
    /// Cells in a row.
    pub width: usize,
    /// `[tiles, height, width]`, row by row. In a model of one layer with coarse maps, the score is made of
    /// these cells: see [`Aggregation`](crate::Aggregation). In a model of several layers, coarse cells are
    /// the geometric mean of the layers' cells, on the finest of their grids.
    pub values: Vec<f32>,
    /// For each tile, where the picture lies under the grid, and which part of it counts.
    pub placements: Vec<Placement>,
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
        Self { height, width, values, placements: vec![Placement::WHOLE] }
    }

    /// Makes a grid of the `cells` of a feature map of this shape.
    pub(crate) fn of_cells(cells: &[f64], shape: FeatureShape) -> Self {
        Self::new(shape.height, shape.width, cells.iter().map(|cell| *cell as f32).collect())
    }

    /// The largest cell.
    pub(crate) fn peak(&self) -> f64 {
        self.values.iter().copied().fold(0.0, f32::max).into()
    }

    /// The cells of each tile.
    pub fn tiles(&self) -> impl Iterator<Item = (&[f32], &Placement)> {
        self.values.chunks_exact((self.height * self.width).max(1)).zip(&self.placements)
    }

    /// Multiplies every cell by `weight`.
    pub(crate) fn times(mut self, weight: f64) -> Self {
        self.values.iter_mut().for_each(|cell| *cell = (f64::from(*cell) * weight) as f32);
        self
    }

    /// Adds the tiles of another grid of the same picture.
    pub(crate) fn join(&mut self, other: Self) {
        self.values.extend(other.values);
        self.placements.extend(other.placements);
    }

    /// The map of a picture of `size`: bilinear between the centres of the cells,
    /// constant beyond the outermost (PyTorch's `interpolate` with
    /// `align_corners=False`). Cells that lie beside the picture have no pixels. Pixels beside
    /// the grid, which nothing judged, and those that do not count are 0: the least that a cell
    /// can be.
    ///
    /// Where tiles overlap, each counts by how far the pixel is from its sides, so that no seam
    /// shows.
    ///
    /// Cost: a few operations a pixel and tile.
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
        let expected = cells * self.placements.len();
        assert!(expected > 0 && self.values.len() == expected, "a grid has a value for each of its cells");
        let (width, height) = (size.width as usize, size.height as usize);
        let mut values = vec![0.0; width * height];
        if let [placement] = self.placements.as_slice() {
            self.lay(&self.values, placement, size, |place, value, _| values[place] = value);
            return AnomalyMap { width, height, values };
        }
        let mut weights = vec![0.0; width * height];
        for (cells, placement) in self.tiles() {
            self.lay(cells, placement, size, |place, value, weight| {
                values[place] += weight * value;
                weights[place] += weight;
            });
        }
        for (value, weight) in values.iter_mut().zip(weights).filter(|(_, weight)| *weight > 0.0) {
            *value /= weight;
        }
        AnomalyMap { width, height, values }
    }

    /// Calls `each` for every pixel of a tile with the index of the pixel in the picture, its value,
    /// and the product of its distances from the nearer side of the tile, across and down.
    fn lay(
        &self,
        cells: &[f32],
        placement: &Placement,
        size: PictureSize,
        mut each: impl FnMut(usize, f32, f32),
    ) {
        let (width, height) = (size.width as usize, size.height as usize);
        let columns: Vec<Option<Between>> =
            (0..width).map(|x| Between::new(placement.across, x, width, self.width)).collect();
        let (top, bottom) = match placement.region.as_deref() {
            Some(region) => {
                (region.corner()[1] as usize, (region.corner()[1] + region.size().height) as usize)
            }
            None => (0, height),
        };
        let from_side =
            |place: usize, from: usize, to: usize| (place - from).min(to - 1 - place) as f32 + 0.5;
        for [y, from, to] in placement.pieces(size) {
            let Some(rows) = Between::new(placement.down, y, height, self.height) else { continue };
            let row = |index: usize| &cells[index * self.width..][..self.width];
            let (above, below) = (row(rows.first), row(rows.second));
            for (x, columns) in (from..to).zip(&columns[from..to]) {
                let Some(columns) = columns else { continue };
                let upper = columns.mix(above[columns.first], above[columns.second]);
                let lower = columns.mix(below[columns.first], below[columns.second]);
                let weight = from_side(y, top, bottom) * from_side(x, from, to);
                each(y * width + x, rows.mix(upper, lower), weight);
            }
        }
    }
}

impl Aggregation {
    /// The score of the coarse grid of a [`Verdict`](crate::Verdict), except for the rounding of its cells to
    /// `f32`. For a picture in tiles, it is the largest score of any tile.
    ///
    /// ```
    /// use dfm_core::{Aggregation, AnomalyGrid};
    ///
    /// let grid = AnomalyGrid::new(2, 2, vec![1.0, 4.0, 2.0, 0.0]);
    /// assert_eq!(Aggregation::Sum.of(&grid), 7.0);
    /// assert_eq!(Aggregation::Max.of(&grid), 4.0);
    /// assert_eq!("top:50%".parse::<Aggregation>()?.of(&grid), 3.0);
    /// # Ok::<(), dfm_core::NameError>(())
    /// ```
    pub fn of(self, grid: &AnomalyGrid) -> f64 {
        let of_tile =
            |cells: &[f32]| self.of_cells(&cells.iter().copied().map(f64::from).collect::<Vec<_>>());
        grid.tiles().map(|(cells, _)| of_tile(cells)).reduce(f64::max).unwrap_or(0.0)
    }
}

/// The share of the grid that rounding can be off by, with a margin.
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
