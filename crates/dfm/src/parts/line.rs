//! Verdicts on parts as JSON for other programs. docs/json-schema.md describes it. Names may be added, but
//! are never changed.

use dfm_core::{CalibrationKind, Label};
use serde::Serialize;

use super::judge::{PartVerdict, PartsJudge};

/// A verdict on a part as one JSON object.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PartLine {
    /// The part.
    pub part: String,
    /// The joint score; larger is more abnormal.
    pub score: f64,
    /// The normalised score: in (0, 1), and ½ at the threshold.
    pub normalized_score: f64,
    /// `normal` or `anomalous`.
    pub label: Label,
    /// The joint score from which a part is anomalous.
    pub threshold: f64,
    /// The share of good parts that look at least as abnormal.
    pub p_value: f64,
    /// How the good parts were held out.
    pub calibration: CalibrationKind,
    /// What is therefore proved about `p_value`.
    pub guarantee: &'static str,
    /// The view that decides: the one with the largest `scaled`.
    pub view: String,
    /// Every view.
    pub views: Vec<ViewLine>,
}

/// One view of a [`PartLine`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ViewLine {
    /// The view.
    pub view: String,
    /// Its picture.
    pub path: String,
    /// The raw score of the view's model.
    pub score: f64,
    /// The same on the scale that all views share.
    pub scaled: f64,
    /// The share of good pictures of this view that look at least as abnormal.
    pub p_value: Option<f64>,
}

impl PartLine {
    /// Describes a verdict of `judge`.
    pub fn new(verdict: &PartVerdict, judge: &PartsJudge<'_>) -> Self {
        let names = judge.model().view_names();
        let kind = judge.model().calibration().kind();
        let views = names.iter().zip(&verdict.views).map(|(name, view)| ViewLine {
            view: name.clone(),
            path: view.path.display().to_string(),
            score: view.score,
            scaled: view.scaled,
            p_value: view.p_value,
        });
        Self {
            part: verdict.name.clone(),
            score: verdict.score,
            normalized_score: verdict.normalized_score,
            label: verdict.label,
            threshold: judge.threshold(),
            p_value: verdict.p_value,
            calibration: kind,
            guarantee: kind.guarantee(),
            view: names[verdict.deciding].clone(),
            views: views.collect(),
        }
    }
}
