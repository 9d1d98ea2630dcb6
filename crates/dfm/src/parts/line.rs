//! Verdicts on parts as JSON for other programs. docs/json-schema.md describes it. Names may be added, but
//! are never changed.

use dfm_core::{CalibrationKind, Contradiction, Label};
use serde::Serialize;

use super::judge::{PartVerdict, PartsJudge, ViewVerdict};
use crate::lines::ViewLine;

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
    /// How `label` and the regions of all views disagree; null if they agree.
    pub contradiction: Option<Contradiction>,
    /// The view that decides: the one with the largest `scaled`.
    pub view: String,
    /// Every view.
    pub views: Vec<ViewLine>,
}

impl PartLine {
    /// Describes a verdict of `judge`.
    pub fn new(verdict: &PartVerdict, judge: &PartsJudge<'_>) -> Self {
        let names = judge.model().view_names();
        let kind = judge.model().calibration().kind();
        Self {
            part: verdict.name.clone(),
            score: verdict.score,
            normalized_score: verdict.normalized_score,
            label: verdict.label,
            threshold: judge.threshold(),
            p_value: verdict.p_value,
            calibration: kind,
            guarantee: kind.guarantee(),
            contradiction: verdict.contradiction(),
            view: names[verdict.deciding].clone(),
            views: view_lines(names.iter().map(String::as_str), verdict),
        }
    }
}

/// Describes all views of a part, which have these names.
pub(super) fn view_lines<'n>(names: impl Iterator<Item = &'n str>, part: &PartVerdict) -> Vec<ViewLine> {
    names.zip(&part.views).map(|(name, view)| view_line(name, view)).collect()
}

fn view_line(name: &str, view: &ViewVerdict) -> ViewLine {
    let [heatmap, overlay, mask, raw_map] = view.files.shown();
    ViewLine {
        view: name.to_owned(),
        path: view.path.display().to_string(),
        score: view.score,
        scaled: view.scaled,
        p_value: view.p_value,
        pixel_threshold: view.pixel_threshold,
        regions: view.regions.clone(),
        heatmap,
        overlay,
        mask,
        raw_map,
    }
}
