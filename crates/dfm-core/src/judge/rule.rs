//! How features become one score.

use dfm_backbone::FeatureShape;

use crate::judge::parts::Parts;
use crate::judge::scale::PlaceScale;
use crate::judge::statistics::Statistics;
use crate::method::{Aggregation, Rows};

/// The rule by which features become a score: the statistics of every layer at every place, and how
/// their results are put together.
#[derive(Debug, Clone)]
pub(crate) struct ScoringRule {
    pub(crate) statistics: Parts<Statistics>,
    /// The scale that makes scores of all places comparable.
    pub(crate) scale: PlaceScale,
    /// How FRE is made of the cells of a layer.
    pub(crate) aggregation: Aggregation,
    /// What a row of the statistics is.
    pub(crate) rows: Rows,
    /// The shape of the features of each layer, the same at all places.
    pub(crate) shapes: Vec<FeatureShape>,
}

/// The part of a [`ScoringRule`] that belongs to one layer at one place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerRule<'r> {
    pub(crate) statistics: &'r Statistics,
    pub(crate) aggregation: Aggregation,
    pub(crate) rows: Rows,
    pub(crate) shape: FeatureShape,
}

impl ScoringRule {
    /// The rule of each layer at one of the places.
    ///
    /// # Panics
    ///
    /// If there is no such place.
    pub(crate) fn layers(&self, place: usize) -> impl ExactSizeIterator<Item = LayerRule<'_>> {
        let (aggregation, rows) = (self.aggregation, self.rows);
        self.statistics.place(place).iter().zip(&self.shapes).map(move |(statistics, shape)| LayerRule {
            statistics,
            aggregation,
            rows,
            shape: *shape,
        })
    }

    /// The same rule with other statistics of the same layers and places.
    pub(crate) fn with_statistics(&self, statistics: Parts<Statistics>) -> Self {
        Self { statistics, scale: self.scale.clone(), shapes: self.shapes.clone(), ..*self }
    }
}
