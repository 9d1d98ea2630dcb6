//! Held-out scores of a layer, whatever the rows of its statistic are.

use std::collections::HashMap;
use std::sync::Mutex;

use dfm_backbone::FeatureShape;
use dfm_stats::{FitStatistic, LeaveBlockOut, Row, RowBlock, Samples};

use crate::decide::held_out::{HeldOutScorer, squared_row_norms};
use crate::error::DfmError;
use crate::judge::rule::LayerRule;
use crate::judge::score::relative;
use crate::method::{Aggregation, CalibrationKind, Rows};

/// Scores pictures by models of all others, at one layer.
#[derive(Debug)]
pub(crate) enum LayerOut<'a> {
    /// A picture is a row.
    Pictures(HeldOutScorer<'a>),
    /// A picture is a block of rows, its cells.
    Cells(HeldOutCells<'a>),
}

impl<'a> LayerOut<'a> {
    /// As [`HeldOutScorer::new`].
    ///
    /// # Errors
    ///
    /// Those of [`HeldOutScorer::new`].
    pub(crate) fn new(
        statistic: &'a FitStatistic,
        layer: LayerRule<'_>,
        ratio: Option<f64>,
    ) -> Result<Self, DfmError> {
        Ok(match layer.rows {
            Rows::Picture => Self::Pictures(HeldOutScorer::new(statistic, layer, ratio)?),
            Rows::Cells => Self::Cells(HeldOutCells::new(statistic, layer)?),
        })
    }

    /// The score of each of the `different` pictures by the model without it.
    ///
    /// # Errors
    ///
    /// As for [`HeldOutScorer::scores`], and if a decomposition does not converge.
    pub(crate) fn scores(&self, different: &[Row]) -> Result<Vec<f64>, DfmError> {
        match self {
            Self::Pictures(scorer) => scorer.scores(different),
            Self::Cells(scorer) => scorer.scores(different),
        }
    }

    /// The cells of the map of each of the `different` pictures, by the model without it. Empty for a
    /// likelihood.
    ///
    /// # Errors
    ///
    /// As for [`scores`](Self::scores).
    pub(crate) fn cells(&self, different: &[Row]) -> Result<Vec<Vec<f64>>, DfmError> {
        match self {
            Self::Pictures(scorer) => scorer.cells(different),
            Self::Cells(scorer) => scorer.cells(different),
        }
    }

    /// The scores of new `rows` `[n, D]` by the model without each of the `different` pictures.
    ///
    /// # Errors
    ///
    /// As for [`HeldOutScorer::scores_of`], and where cells are rows, for which there is no jackknife+.
    pub(crate) fn scores_of(&self, rows: &Samples, different: &[Row]) -> Result<Vec<Vec<f64>>, DfmError> {
        match self {
            Self::Pictures(scorer) => scorer.scores_of(rows, different),
            Self::Cells(_) => Err(DfmError::Parameter {
                name: "calibration",
                expected: "leave-one-out or split, where cells are rows",
                got: CalibrationKind::JackknifePlus.to_string(),
            }),
        }
    }

    /// Whether cells are an estimate, because compression dropped a part of the rows.
    pub(crate) fn is_compressed(&self) -> bool {
        match self {
            Self::Pictures(scorer) => scorer.is_compressed(),
            // What was dropped of a cell is known, but the directions came from all cells.
            Self::Cells(scorer) => scorer.statistic.compression().is_some(),
        }
    }
}

/// Scores pictures whose cells are rows. Each picture is scored by the model of the cells of all other
/// pictures. As with pictures as rows, the number of components stays that of the whole fit.
#[derive(Debug)]
pub(crate) struct HeldOutCells<'a> {
    statistic: &'a FitStatistic,
    models: LeaveBlockOut<'a>,
    aggregation: Aggregation,
    shape: FeatureShape,
    /// The residuals that were found, by the index of the picture. Scores and maps need the same, and each is
    /// a decomposition.
    found: Mutex<HashMap<usize, Vec<f64>>>,
}

impl<'a> HeldOutCells<'a> {
    fn new(statistic: &'a FitStatistic, layer: LayerRule<'_>) -> Result<Self, DfmError> {
        let LayerRule { statistics, aggregation, shape, .. } = layer;
        let models = LeaveBlockOut::new(statistic, statistics.pca().component_count())?;
        Ok(Self { statistic, models, aggregation, shape, found: Mutex::default() })
    }

    fn scores(&self, different: &[Row]) -> Result<Vec<f64>, DfmError> {
        Ok(self.cells(different)?.iter().map(|cells| self.aggregation.of_cells(cells)).collect())
    }

    /// Cost: that of [`LeaveBlockOut::residuals`] for each picture that was not asked for before.
    fn cells(&self, different: &[Row]) -> Result<Vec<Vec<f64>>, DfmError> {
        let count = Rows::Cells.count(self.shape);
        let mut cells = self.residuals(different, count)?;
        if self.aggregation == Aggregation::Relative {
            let norms = squared_row_norms(self.statistic)?;
            for (cells, Row { place, .. }) in cells.iter_mut().zip(different) {
                let norm = norms[place * count..][..count].iter().sum();
                for cell in cells {
                    *cell = relative(*cell, norm, *place)?;
                }
            }
        }
        Ok(cells)
    }

    fn residuals(&self, different: &[Row], count: usize) -> Result<Vec<Vec<f64>>, DfmError> {
        let mut found = self.found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let new: Vec<&Row> = different.iter().filter(|row| !found.contains_key(&row.place)).collect();
        let block = |row: &&Row| RowBlock { first: row.place * count, rows: count, copies: row.copies };
        let residuals = self.models.residuals(&new.iter().map(block).collect::<Vec<_>>())?;
        found.extend(new.iter().map(|row| row.place).zip(residuals));
        Ok(different.iter().map(|row| found[&row.place].clone()).collect())
    }
}
