//! The scores of several layers on a device.

use burn::tensor::{Device, Tensor};

use crate::error::DfmError;
use crate::judge::joined::{by_row, geometric_mean, joint_grid};
use crate::judge::rule::LayerRule;
use crate::judge::score::{Scorer, Scores};

/// The statistics of all layers at one place, on a device.
#[derive(Debug, Clone)]
pub(crate) struct LayerScorers(Vec<Scorer>);

impl LayerScorers {
    /// For the rules of each layer, in their order.
    pub(crate) fn new<'r>(layers: impl Iterator<Item = LayerRule<'r>>, device: &Device) -> Self {
        Self(layers.map(|rule| Scorer::new(rule, device)).collect())
    }

    /// The part of the score that is the same for every row.
    pub(crate) fn constant(&self) -> f64 {
        match self.0.as_slice() {
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
        let (mut first, mut values, mut maps) = (0, Vec::new(), Vec::new());
        for scorer in &self.0 {
            let columns = first..first + scorer.columns();
            first = columns.end;
            let found = scorer.score(rows.clone().slice([0..count, columns]))?;
            values.push(found.values);
            maps.push(found.maps);
        }
        Ok(Scores { values: by_row(values, geometric_mean), maps: by_row(maps, joint_grid) })
    }
}
