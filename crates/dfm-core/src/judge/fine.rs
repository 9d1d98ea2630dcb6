//! The fine map: the cells that the score is made of, and the fine cells of the layers, on the finest of
//! their grids.
//!
//! A map is the weighted geometric mean of both: one third coarse cells, two thirds fine cells. Among the
//! fine cells a layer has the weight of the side of its grid. For the usual layers of 32×32 and 16×16
//! positions the map is `(coarse³ · fine₂⁴ · fine₃²)^(1/9)`.

use std::ops::Range;

use burn::tensor::Device;
use dfm_backbone::{Details, PictureSize};
use rayon::prelude::*;

use crate::error::DfmError;
use crate::judge::detail::{DetailScorer, DetailStatistics};
use crate::judge::joined::by_row;
use crate::judge::map::AnomalyGrid;

/// The share of the coarse cells in the logarithm of a fine map.
const COARSE: f64 = 1.0 / 3.0;

/// What makes fine maps.
#[derive(Debug, Clone)]
pub(crate) struct FineMap {
    pub(crate) statistics: DetailStatistics,
    scorer: DetailScorer,
}

impl FineMap {
    /// Puts the statistics on `device`.
    pub(crate) fn new(statistics: DetailStatistics, device: &Device) -> Self {
        Self { scorer: DetailScorer::new(&statistics, device), statistics }
    }

    /// The maps of a batch of pictures from their coarse maps and their details.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub(crate) fn refine(
        &self,
        coarse: Vec<AnomalyGrid>,
        details: &Details,
    ) -> Result<Vec<AnomalyGrid>, DfmError> {
        let of_part = |pictures: Range<usize>| {
            let coarse = &coarse[pictures.clone()];
            let fine = by_row(self.scorer.grids(details.of(pictures))?, |layers| layers);
            Ok(coarse.iter().zip(fine).map(|(coarse, fine)| join(coarse, &fine)).collect())
        };
        let maps: Result<Vec<Vec<AnomalyGrid>>, DfmError> =
            details.parts().into_par_iter().map(of_part).collect();
        Ok(maps?.into_iter().flatten().collect())
    }
}

/// The map of the `coarse` cells and the `fine` cells of each layer, each of one picture or tile.
pub(crate) fn join(coarse: &AnomalyGrid, fine: &[AnomalyGrid]) -> AnomalyGrid {
    let side = |grid: &AnomalyGrid| (grid.values.len() as f64).sqrt();
    let sides: f64 = fine.iter().map(side).sum();
    let Some(finest) = fine.iter().max_by_key(|grid| grid.values.len()) else { return coarse.clone() };
    let (height, width) = (finest.height, finest.width);
    let size = PictureSize { width: width as u32, height: height as u32 };
    let mut logarithms = vec![0.0; height * width];
    let mut add = |grid: &AnomalyGrid, weight: f64| {
        let on_finest = AnomalyGrid::new(grid.height, grid.width, grid.values.clone()).upsample(size);
        for (sum, value) in logarithms.iter_mut().zip(on_finest.values) {
            *sum += weight * f64::from(value).ln();
        }
    };
    add(coarse, COARSE);
    fine.iter().for_each(|grid| add(grid, (1.0 - COARSE) * side(grid) / sides));
    AnomalyGrid::new(height, width, logarithms.into_iter().map(|sum| sum.exp() as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_a_third_coarse_and_layers_count_by_their_sides() {
        let grid = |side: usize, value: f32| AnomalyGrid::new(side, side, vec![value; side * side]);
        let joined = join(&grid(8, 8.0), &[grid(32, 2.0), grid(16, 3.0)]);
        assert_eq!((joined.height, joined.width), (32, 32));
        let expected = (8.0_f64.powi(3) * 2.0_f64.powi(4) * 3.0_f64.powi(2)).powf(1.0 / 9.0);
        assert!(joined.values.iter().all(|value| (f64::from(*value) - expected).abs() < 1e-6));
        let one = join(&grid(4, 8.0), &[grid(16, 2.0)]);
        assert!(one.values.iter().all(|value| (f64::from(*value) - 32.0_f64.cbrt()).abs() < 1e-6));
        // What does not count stays nothing.
        assert!(join(&grid(4, 0.0), &[grid(16, 2.0)]).values.iter().all(|value| *value == 0.0));
    }
}
