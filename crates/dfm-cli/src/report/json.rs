//! What programs read of verdicts, evaluations and measurements: JSON objects and CSV
//! rows. What `dfm info` and `dfm devices` print is defined where it is known, in
//! `ModelInfo` and `DeviceDescription` of `dfm-core`; what goes with feature rows, in
//! `commands/features.rs`. `docs/json-schema.md` describes them all; names are never
//! changed, only added.

use std::collections::BTreeMap;

use dfm_core::metrics::{BestF1, ConfusionMatrix};
use dfm_core::{Label, Prediction};
use serde::Serialize;

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
}

impl PredictionLine {
    pub(crate) fn new(path: String, prediction: &Prediction, threshold: Option<f64>) -> Self {
        Self {
            path,
            score: prediction.score,
            normalized_score: prediction.normalized_score,
            label: prediction.label,
            threshold,
        }
    }
}

/// What `dfm evaluate --format json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Evaluation {
    /// AUROC of the pictures' scores; null where a class is missing.
    pub(crate) image_auroc: Option<f64>,
    /// AUROC over the pixels of all pictures together; null without masks or maps.
    pub(crate) pixel_auroc: Option<f64>,
    /// Average precision of the pictures' scores.
    pub(crate) average_precision: Option<f64>,
    /// The best F1 that a threshold chosen with the truth in hand could reach.
    pub(crate) best_f1: Option<BestF1>,
    /// The model's threshold.
    pub(crate) threshold: Option<f64>,
    /// What that threshold makes of each class.
    pub(crate) confusion: Option<ConfusionMatrix>,
    /// Pictures that were judged.
    pub(crate) pictures: usize,
    /// Pictures that could not be.
    pub(crate) errors: usize,
    /// Pictures with a defect but without a mask: left out of `pixel_auroc`.
    pub(crate) without_mask: usize,
    /// By class, as the folders are called.
    pub(crate) classes: BTreeMap<String, ClassEvaluation>,
}

/// One class of an [`Evaluation`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ClassEvaluation {
    /// Pictures of this class that were judged.
    pub(crate) pictures: usize,
    /// Of them, called anomalous; null without a threshold.
    pub(crate) called_anomalous: Option<usize>,
    /// Mean raw score.
    pub(crate) mean_score: f64,
    /// AUROC of this defect against all good pictures; null for `good`.
    pub(crate) image_auroc: Option<f64>,
    /// Pixel AUROC of this defect and all good pictures; null for `good`.
    pub(crate) pixel_auroc: Option<f64>,
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
