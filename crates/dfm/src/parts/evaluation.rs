//! What programs read of an evaluation of parts. docs/json-schema.md describes it.

use std::collections::BTreeMap;

use dfm_core::metrics::{BestF1, ConfusionMatrix, ImageFigures};
use dfm_data::GOOD;
use serde::Serialize;

use super::judge::PartVerdict;
use crate::evaluate::{Bootstrap, Contradictions};

/// What `dfm evaluate --format json` prints for a model of parts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PartsEvaluation {
    /// AUROC of the parts' joint scores; null where a class is missing.
    pub part_auroc: Option<f64>,
    /// The number of parts that were judged.
    pub parts: usize,
    /// The number of parts that were not judged: a view is missing, is there twice, or cannot be judged.
    pub unjudged: usize,
    /// The number of pictures of no part, or of an unknown view.
    pub unmatched: usize,
    /// The number of parts whose label and regions disagree.
    pub contradictions: Contradictions,
    /// The joint score from which a part is anomalous.
    pub threshold: f64,
    /// The counts at this threshold.
    pub confusion: ConfusionMatrix,
    /// The best F1 that any threshold could reach, if it were chosen with the truth known.
    pub best_f1: Option<BestF1>,
    /// One entry for each class.
    pub classes: BTreeMap<String, PartClass>,
    /// Every figure over parts, with intervals.
    pub part: ImageFigures,
    /// Every view, in the order of the model.
    pub views: Vec<ViewEvaluation>,
    /// How intervals were made.
    pub bootstrap: Option<Bootstrap>,
    /// The model, as it was named.
    pub model: String,
    /// Where the network computed.
    pub device: String,
    /// The data set, as it was named.
    pub dataset: String,
}

/// One class of a [`PartsEvaluation`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PartClass {
    /// The number of parts of this class that were judged.
    pub parts: usize,
    /// The number of these that are called anomalous.
    pub called_anomalous: usize,
    /// Mean joint score.
    pub mean_score: f64,
    /// AUROC of this defect against all good parts; null for `good`.
    pub part_auroc: Option<f64>,
}

/// One view of a [`PartsEvaluation`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ViewEvaluation {
    /// The view.
    pub view: String,
    /// AUROC that the scores of this view alone would have over the same parts.
    pub part_auroc: Option<f64>,
    /// Parts with a defect that are found and that this view decides.
    pub found: usize,
    /// Good parts that are called anomalous and that this view decides.
    pub rejected: usize,
}

pub(super) fn class_of(part: &PartVerdict) -> &str {
    part.class.as_deref().unwrap_or(GOOD)
}

pub(super) fn is_anomalous(part: &PartVerdict) -> bool {
    class_of(part) != GOOD
}
