//! The scores of several layers on a device.

use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

use crate::error::DfmError;
use crate::judge::joined::{by_row, geometric_mean, joint_grid};
use crate::judge::rule::LayerRule;
use crate::judge::score::{Scorer, Scores};

/// The statistics of all layers at one place, on a device.
#[derive(Debug, Clone)]
pub(crate) struct LayerScorers {
    layers: Vec<Scorer>,
    /// Whether each layer is scored by a thread of its own. On a device of its own, threads only queue up.
    side_by_side: bool,
}

impl LayerScorers {
    /// For the rules of each layer, in their order.
    pub(crate) fn new<'r>(
        layers: impl Iterator<Item = LayerRule<'r>>,
        device: &Device,
        side_by_side: bool,
    ) -> Self {
        Self { layers: layers.map(|rule| Scorer::new(rule, device)).collect(), side_by_side }
    }

    /// The part of the score that is the same for every row.
    pub(crate) fn constant(&self) -> f64 {
        match self.layers.as_slice() {
            [scorer] => scorer.constant(),
            _ => 0.0,
        }
    }

    /// Scores `rows` `[N, D]`, the columns of the layers side by side.
    ///
    /// # Errors
    ///
    /// As for [`Scorer::score`].
    pub(crate) fn score(&self, rows: Tensor<2>) -> Result<Scores, DfmError> {
        let count = rows.dims()[0];
        let mut first = 0;
        let parts = self.layers.iter().map(|scorer| {
            let columns = first..first + scorer.columns();
            first = columns.end;
            (scorer, rows.clone().slice([0..count, columns]))
        });
        let score = |(scorer, rows): (&Scorer, Tensor<2>)| scorer.score(rows);
        let found: Vec<Result<Scores, DfmError>> = match self.side_by_side {
            true => parts.collect::<Vec<_>>().into_par_iter().map(score).collect(),
            false => parts.map(score).collect(),
        };
        let (mut values, mut maps) = (Vec::new(), Vec::new());
        for found in found {
            let found = found?;
            values.push(found.values);
            maps.push(found.maps);
        }
        Ok(Scores { values: by_row(values, geometric_mean), maps: by_row(maps, joint_grid) })
    }
}
