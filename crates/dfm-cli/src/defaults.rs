//! What `dfm fit` does unless told otherwise: of the settings in docs/accuracy.md the best all
//! round. The library's own default is the method as it was published.

use dfm_backbone::{Layer, Resize};
use dfm_core::{Aggregation, Compat, ScoreKind};

/// Side of the average pool behind every layer, in cells.
pub(crate) const POOL: usize = 4;

/// The settings that depend on what is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Defaults {
    /// Whose features are modelled.
    pub(crate) layers: &'static [Layer],
    /// How pictures come to the network's size; the weights' own if `None`.
    pub(crate) resize: Option<Resize>,
    /// How FRE is made of its cells.
    pub(crate) aggregation: Aggregation,
}

impl Defaults {
    /// For models of this score.
    pub(crate) fn of(score: ScoreKind, compat: Option<Compat>) -> Self {
        if let Some(Compat::Anomalib) = compat {
            return Self { layers: &[Layer::Layer3], resize: None, aggregation: Aggregation::Sum };
        }
        let layers: &[Layer] = match score {
            // A likelihood takes one layer.
            ScoreKind::Nll => &[Layer::Layer3],
            ScoreKind::Fre | ScoreKind::Mahalanobis => &[Layer::Layer2, Layer::Layer3],
        };
        let aggregation = match score {
            ScoreKind::Fre => Aggregation::Relative,
            ScoreKind::Nll | ScoreKind::Mahalanobis => Aggregation::Sum,
        };
        Self { layers, resize: Some(Resize::Mirror), aggregation }
    }
}
