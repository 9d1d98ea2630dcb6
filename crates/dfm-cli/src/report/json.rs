//! What programs read of verdicts and measurements: JSON objects and CSV rows. What
//! `dfm info` and `dfm devices` print is defined where it is known, in `ModelInfo` and
//! `DeviceDescription` of `dfm-core`; what goes with feature rows, in
//! `commands/features.rs`; evaluations, in `evaluation/json.rs`. `docs/json-schema.md` describes them all; names are never
//! changed, only added.

use dfm_core::{CalibrationKind, Dfm, Label, MapRegion};
use serde::Serialize;

use super::scale::MapScale;
use crate::commands::Judged;

/// One line of `dfm predict --format json`, one row of `--format csv`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PredictionLine {
    /// The picture, as it was named or found.
    pub(crate) path: String,
    /// Raw score; larger is more abnormal.
    pub(crate) score: f64,
    /// In (0, 1), ½ at the threshold; null without a threshold.
    pub(crate) normalized_score: Option<f64>,
    /// `normal` or `anomalous`; null without a threshold.
    pub(crate) label: Option<Label>,
    /// The raw score from which a picture is anomalous, if there is one.
    pub(crate) threshold: Option<f64>,
    /// The share of good pictures as abnormal or more; null without held-out scores.
    pub(crate) p_value: Option<f64>,
    /// How those were held out.
    pub(crate) calibration: Option<CalibrationKind>,
    /// What is therefore proved of `p_value`.
    pub(crate) guarantee: Option<&'static str>,
    /// The value of the map from which a pixel belongs to a region; null without maps.
    pub(crate) pixel_threshold: Option<f64>,
    /// Where the map reaches that.
    pub(crate) regions: Option<Regions>,
}

/// Regions of a picture, or in a row of a table how many there are.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Regions {
    List(Vec<MapRegion>),
    Count(usize),
}

impl PredictionLine {
    /// Of a picture that `model` judged by this `threshold`; without regions, which have to be looked for.
    pub(crate) fn new(path: String, judged: &Judged, model: &Dfm, threshold: Option<f64>) -> Self {
        let prediction = &judged.prediction;
        let calibration = model.calibration_kind();
        Self {
            path,
            score: prediction.score,
            normalized_score: prediction.normalized_score,
            label: prediction.label,
            threshold,
            p_value: prediction.p_value,
            calibration,
            guarantee: calibration.map(CalibrationKind::guarantee),
            pixel_threshold: None,
            regions: None,
        }
    }

    /// The same with its regions.
    pub(crate) fn with_regions(self, judged: &Judged, scale: &MapScale) -> Self {
        let regions = scale.regions(judged);
        let pixel_threshold = scale.pixel_threshold.filter(|_| regions.is_some());
        Self { pixel_threshold, regions: regions.map(Regions::List), ..self }
    }
}

/// What `dfm bench --format json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct BenchLine {
    pub(crate) arch: String,
    pub(crate) layer: String,
    pub(crate) device: String,
    /// Numbers that the network computed in: `f32` or `int8`.
    pub(crate) precision: String,
    pub(crate) batch: usize,
    /// Height and width in pixels.
    pub(crate) size: [usize; 2],
    pub(crate) threads: usize,
    /// Milliseconds a picture, of the fastest run.
    pub(crate) min_ms: f64,
    /// Milliseconds a picture, of the run in the middle.
    pub(crate) median_ms: f64,
    /// Billions of operations a second in the run in the middle, were every
    /// convolution computed directly.
    pub(crate) gflops: f64,
    /// Most memory that the process held; null where the system does not say.
    pub(crate) peak_rss_bytes: Option<u64>,
    /// How far the features are from those that Burn's flex computes.
    pub(crate) relative_l2: f64,
}
