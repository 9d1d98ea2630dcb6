//! Several taps as one: where the columns of each lie in a row of features, and one score and
//! one map made of what their statistics say.
//!
//! What taps say is put together by the geometric mean, so that pictures are ranked as by the
//! sum of logarithms. Whatever a tap's values are standardised by, such as their mean over good
//! pictures, would multiply every result by the same number: it changes no rank and no p-value,
//! and is left out. Of one tap everything is as it is without this module, to the last bit.

use burn::tensor::Tensor;
use dfm_backbone::{FeatureExtractor, FeatureShape, PictureSize};
use dfm_stats::{FitStatistic, Row, Samples};

use crate::aggregate::Aggregation;
use crate::error::DfmError;
use crate::held_out::HeldOutScorer;
use crate::map::AnomalyGrid;
use crate::score::{Scorer, Scores, Statistics};

/// The statistics of all taps on a device.
#[derive(Debug, Clone)]
pub(crate) struct TapScorers(Vec<(Scorer, FeatureShape)>);

impl TapScorers {
    /// Of statistics in the order of the extractor's taps.
    pub(crate) fn new(
        statistics: &[Statistics],
        aggregation: Aggregation,
        extractor: &FeatureExtractor,
    ) -> Self {
        let scorer = |statistics: &Statistics| statistics.scorer(aggregation, extractor.device());
        Self(statistics.iter().map(scorer).zip(extractor.feature_shapes().iter().copied()).collect())
    }

    /// The part of the score that is the same for every row.
    pub(crate) fn constant(&self) -> f64 {
        match self.0.as_slice() {
            [(scorer, _)] => scorer.constant(),
            _ => 0.0,
        }
    }

    /// Scores `rows` `[N, D]`, the columns of the taps side by side.
    ///
    /// # Errors
    ///
    /// As for [`Scorer::score`].
    pub(crate) fn score(&self, rows: Tensor<2>) -> Result<Scores, DfmError> {
        let count = rows.dims()[0];
        let (mut first, mut values, mut maps) = (0, Vec::new(), Vec::new());
        for (scorer, shape) in &self.0 {
            let columns = first..first + shape.len();
            first = columns.end;
            let found = scorer.score(rows.clone().slice([0..count, columns]), *shape)?;
            values.push(found.values);
            maps.push(found.maps);
        }
        Ok(Scores { values: by_row(values, geometric_mean), maps: by_row(maps, joint_grid) })
    }
}

/// The models without a picture of all taps: see [`HeldOutScorer`].
#[derive(Debug)]
pub(crate) struct HeldOutScorers<'a> {
    taps: Vec<HeldOutScorer<'a>>,
    shapes: &'a [FeatureShape],
}

impl<'a> HeldOutScorers<'a> {
    /// As [`HeldOutScorer::new`], for every tap.
    pub(crate) fn new(
        kept: &'a [FitStatistic],
        statistics: &[Statistics],
        aggregation: Aggregation,
        shapes: &'a [FeatureShape],
        ratio: Option<f64>,
    ) -> Result<Self, DfmError> {
        let taps = kept.iter().zip(statistics).zip(shapes).map(|((kept, statistics), shape)| {
            HeldOutScorer::new(kept, statistics, aggregation, *shape, ratio)
        });
        Ok(Self { taps: taps.collect::<Result<_, _>>()?, shapes })
    }

    /// The score of each of the `different` pictures by the models without it.
    ///
    /// # Errors
    ///
    /// As for [`HeldOutScorer::scores`].
    pub(crate) fn scores(&self, different: &[Row]) -> Result<Vec<f64>, DfmError> {
        let scores = self.taps.iter().map(|tap| tap.scores(different)).collect::<Result<_, _>>()?;
        Ok(by_row(scores, geometric_mean))
    }

    /// The largest cell of the map of each of those pictures by the models without it; none
    /// for a score without maps, or where compression dropped what cells are made of.
    ///
    /// # Errors
    ///
    /// As for [`HeldOutScorer::cells`].
    pub(crate) fn peaks(&self, different: &[Row]) -> Result<Vec<f64>, DfmError> {
        if self.taps.iter().any(HeldOutScorer::is_compressed) {
            return Ok(Vec::new());
        }
        let mut grids = Vec::with_capacity(self.taps.len());
        for (tap, shape) in self.taps.iter().zip(self.shapes) {
            let cells = tap.cells(different)?.into_iter();
            grids.push(cells.map(|cells| AnomalyGrid::of_cells(&cells, *shape)).collect());
        }
        Ok(by_row(grids, |taps| joint_grid(taps).peak()))
    }

    /// By the models without each of the `different` pictures the scores of new `rows`.
    ///
    /// # Errors
    ///
    /// As for [`HeldOutScorer::scores_of`].
    pub(crate) fn scores_of(&self, rows: Samples, different: &[Row]) -> Result<Vec<Vec<f64>>, DfmError> {
        let mut scores = Vec::with_capacity(self.taps.len());
        for (tap, rows) in self.taps.iter().zip(split_columns(rows, self.shapes)?) {
            scores.push(tap.scores_of(&rows, different)?);
        }
        Ok(by_row(scores, |taps| by_row(taps, geometric_mean)))
    }
}

/// The columns of each tap.
pub(crate) fn split_columns(rows: Samples, shapes: &[FeatureShape]) -> Result<Vec<Samples>, DfmError> {
    if let [_] = shapes {
        return Ok(vec![rows]);
    }
    let mut first = 0;
    let mut parts = Vec::with_capacity(shapes.len());
    for shape in shapes {
        let columns = first..first + shape.len();
        let values = rows.iter().flat_map(|row| &row[columns.clone()]).copied().collect();
        parts.push(Samples::from_f64(values, shape.len())?);
        first = columns.end;
    }
    Ok(parts)
}

/// One score of what taps say of a picture.
pub(crate) fn geometric_mean(scores: Vec<f64>) -> f64 {
    match scores.as_slice() {
        [score] => *score,
        scores => (scores.iter().map(|score| score.ln()).sum::<f64>() / scores.len() as f64).exp(),
    }
}

/// What `join` makes of all taps of each row, from the rows of each tap.
pub(crate) fn by_row<T, U>(taps: Vec<Vec<T>>, join: impl Fn(Vec<T>) -> U) -> Vec<U> {
    let count = taps.first().map_or(0, Vec::len);
    let mut taps: Vec<_> = taps.into_iter().map(Vec::into_iter).collect();
    (0..count).map(|_| join(taps.iter_mut().filter_map(Iterator::next).collect())).collect()
}

/// One grid of those of the taps, as fine as the finest.
pub(crate) fn joint_grid(grids: Vec<AnomalyGrid>) -> AnomalyGrid {
    let finest = (0..grids.len()).max_by_key(|place| grids[*place].values.len());
    let AnomalyGrid { height, width, .. } = grids[finest.unwrap_or_default()];
    let size = PictureSize { width: width as u32, height: height as u32 };
    let fine = |grid: AnomalyGrid| match grid.height == height && grid.width == width {
        true => grid.values,
        false => grid.upsample(size).values,
    };
    let mut grids = grids.into_iter().map(fine);
    match (grids.len(), grids.next()) {
        (1, Some(only)) => AnomalyGrid::new(height, width, only),
        (_, first) => {
            let all =
                first.into_iter().chain(grids).map(|values| values.into_iter().map(f64::from).collect());
            let cells = by_row(all.collect(), geometric_mean);
            AnomalyGrid::new(height, width, cells.into_iter().map(|cell| cell as f32).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tap_stays_as_it_is() {
        for score in [0.1, -3.7, 0.0, f64::MAX] {
            assert_eq!(geometric_mean(vec![score]).to_bits(), score.to_bits());
        }
        let grid = AnomalyGrid::new(1, 3, vec![0.1, 0.0, 1e-30]);
        assert_eq!(joint_grid(vec![grid.clone()]), grid);
    }

    #[test]
    fn a_factor_on_a_tap_changes_no_order() {
        let pictures = [[1.0, 50.0], [2.0, 30.0], [4.0, 10.0], [0.0, 10.0]];
        let order = |factor: f64| {
            let mut places = vec![0, 1, 2, 3];
            places.sort_by(|a, b| {
                let score =
                    |place: &usize| geometric_mean(vec![pictures[*place][0] * factor, pictures[*place][1]]);
                score(a).total_cmp(&score(b))
            });
            places
        };
        assert_eq!(order(1.0), [3, 2, 0, 1]);
        assert_eq!(order(1e6), order(1.0));
        assert_eq!(geometric_mean(vec![2.0, 8.0, 4.0]), 4.0);
    }

    #[test]
    fn grids_meet_at_the_finest() {
        let coarse = AnomalyGrid::new(1, 1, vec![4.0]);
        let fine = AnomalyGrid::new(2, 2, vec![1.0, 4.0, 0.0, 16.0]);
        for grids in [[coarse.clone(), fine.clone()], [fine, coarse]] {
            let joint = joint_grid(grids.to_vec());
            assert_eq!((joint.height, joint.width), (2, 2));
            for (cell, expected) in joint.values.iter().zip([2.0, 4.0, 0.0, 8.0]) {
                assert!((cell - expected).abs() <= 1e-6 * expected, "{cell} is not {expected}");
            }
        }
    }

    #[test]
    fn columns_are_those_of_each_tap() {
        let rows = Samples::from_f64((0..10).map(f64::from).collect(), 5).unwrap();
        let shape = |channels| FeatureShape { channels, height: 1, width: 1 };
        let parts = split_columns(rows, &[shape(2), shape(3)]).unwrap();
        assert_eq!(parts[0].as_slice(), [0.0, 1.0, 5.0, 6.0]);
        assert_eq!(parts[1].as_slice(), [2.0, 3.0, 4.0, 7.0, 8.0, 9.0]);
    }
}
