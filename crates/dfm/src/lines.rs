//! What programs read of verdicts. docs/json-schema.md describes it; names are never changed, only
//! added.

use dfm_core::{CalibrationKind, Contradiction, Dfm, Label, MapRegion, Verdict};
use serde::Serialize;

use crate::maps::PictureFiles;

/// A verdict as one JSON object or one row of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct VerdictLine {
    /// The picture, as it was named or found.
    pub path: String,
    /// Raw score; larger is more abnormal.
    pub score: f64,
    /// In (0, 1), ½ at the threshold; null without a threshold.
    pub normalized_score: Option<f64>,
    /// `normal`, `review` or `anomalous`; null without a threshold.
    pub label: Option<Label>,
    /// The raw score from which a picture is anomalous, if there is one.
    pub threshold: Option<f64>,
    /// The share of good pictures as abnormal or more; null without held-out scores.
    pub p_value: Option<f64>,
    /// How those were held out.
    pub calibration: Option<CalibrationKind>,
    /// What is therefore proved of `p_value`.
    pub guarantee: Option<&'static str>,
    /// The value of the map from which a pixel belongs to a region; null without maps.
    pub pixel_threshold: Option<f64>,
    /// Where the map reaches that.
    pub regions: Option<Regions>,
    /// Whether the size of the picture is far from those of the fit; null where those are not known.
    pub unusual_size: Option<bool>,
    /// The raw score from which a person should look at a picture; null without a review band.
    pub review_from: Option<f64>,
    /// How the label and the regions disagree; null if they agree.
    pub contradiction: Option<Contradiction>,
    /// The file of its heat map; null if none was written.
    pub heatmap: Option<String>,
    /// The file of its overlay; null if none was written.
    pub overlay: Option<String>,
    /// The file of its mask; null if none was written.
    pub mask: Option<String>,
    /// The file of its map as numbers; null if none was written.
    pub raw_map: Option<String>,
    /// The share of pixels outside of the model's levels; absent unless those are a range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outside_levels: Option<f64>,
}

/// One view of a [`PartLine`](crate::parts::PartLine).
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
    /// The value of its map from which a pixel belongs to a region; null without maps.
    pub pixel_threshold: Option<f64>,
    /// Where its map reaches that.
    pub regions: Option<Vec<MapRegion>>,
    /// The file of its heat map; null if none was written.
    pub heatmap: Option<String>,
    /// The file of its overlay; null if none was written.
    pub overlay: Option<String>,
    /// The file of the mask of its map; null if none was written.
    pub mask: Option<String>,
    /// The file of its map as numbers; null if none was written.
    pub raw_map: Option<String>,
}

/// Regions of a picture, or in a row of a table how many there are.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Regions {
    /// Every region.
    List(Vec<MapRegion>),
    /// How many regions there are.
    Count(usize),
}

impl VerdictLine {
    /// Describes a verdict of `model` at the raw score `threshold`.
    pub fn new(path: String, verdict: &Verdict, model: &Dfm, threshold: Option<f64>) -> Self {
        let calibration = model.calibration_kind();
        Self {
            path,
            score: verdict.score,
            normalized_score: verdict.normalized_score,
            label: verdict.label,
            threshold,
            p_value: verdict.p_value,
            calibration,
            guarantee: calibration.map(CalibrationKind::guarantee),
            review_from: None,
            contradiction: verdict.contradiction(),
            pixel_threshold: verdict.region_rule.and_then(|rule| rule.pixel_threshold),
            regions: verdict.regions.clone().map(Regions::List),
            unusual_size: model.record().sizes.map(|sizes| sizes.is_far(verdict.size)),
            heatmap: None,
            overlay: None,
            mask: None,
            raw_map: None,
            outside_levels: verdict.outside_levels,
        }
    }

    /// The same line with the files that were written for the picture.
    #[must_use]
    pub fn with_files(self, files: &PictureFiles) -> Self {
        let [heatmap, overlay, mask, raw_map] = files.shown();
        Self { heatmap, overlay, mask, raw_map, ..self }
    }

    /// The same line with the raw score from which a person should look at a picture.
    #[must_use]
    pub fn with_review_from(self, review_from: Option<f64>) -> Self {
        Self { review_from, ..self }
    }

    /// The same line with the number of regions in place of the list.
    #[must_use]
    pub fn with_region_count(self) -> Self {
        let regions = self.regions.map(|regions| match regions {
            Regions::List(list) => Regions::Count(list.len()),
            count => count,
        });
        Self { regions, ..self }
    }
}
