//! What programs read of an evaluation. `docs/json-schema.md` describes it; names are never
//! changed, only added.

use std::collections::BTreeMap;
use std::path::Path;

use dfm_core::metrics::{
    BestF1, BootstrapParams, ConfusionMatrix, Figure, ImageFigures, PicturePixels, PixelFigures,
    PrecisionRecallPoint, RocPoint,
};
use dfm_core::{Label, MapRegion};
use serde::{Deserialize, Serialize};

use super::{Evaluated, EvaluatedPicture};
use crate::input::GOOD;

/// What `dfm evaluate --format json` prints, and `metrics.json`.
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
    /// Pictures whose mask cannot be used: left out likewise.
    pub(crate) unusable_masks: usize,
    /// By class, as the folders are called.
    pub(crate) classes: BTreeMap<String, ClassEvaluation>,
    /// Every figure over pictures, with intervals.
    pub(crate) image: ImageFigures,
    /// Every figure over pixels, with intervals and bounds.
    pub(crate) pixel: PixelFigures,
    /// The threshold on pixels with the best F1, chosen with the truth in hand.
    pub(crate) pixel_best_f1: Option<BestF1>,
    /// The value of a map from which a pixel belongs to a region; null without one.
    pub(crate) pixel_threshold: Option<f64>,
    /// What that makes of the pixels that `pixel` is about.
    pub(crate) pixel_confusion: Option<ConfusionMatrix>,
    /// How intervals were made.
    pub(crate) bootstrap: Option<Bootstrap>,
    /// What was evaluated, on what.
    pub(crate) settings: Settings,
    /// What figures are drawn from; in files alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) curves: Option<Curves>,
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
    /// Every figure of this defect against all good pictures; null for `good`.
    pub(crate) image: Option<ImageFigures>,
    /// Every pixel figure of both.
    pub(crate) pixel: Option<PixelFigures>,
}

/// How intervals were made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Bootstrap {
    pub(crate) replicates: usize,
    pub(crate) seed: u64,
    /// Of the intervals.
    pub(crate) level: f64,
}

/// What was evaluated, on what: enough to do it again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Settings {
    /// This program and its version.
    pub(crate) program: String,
    /// The model, as it was named.
    pub(crate) model: String,
    /// SHA-256 of its header and tensors.
    pub(crate) model_digest: String,
    /// The program that fitted it.
    pub(crate) model_program: String,
    /// The parameters of the fit, as `dfm info --format json` shows them.
    pub(crate) params: serde_json::Value,
    /// The network's name.
    pub(crate) architecture: String,
    /// What it expects of a picture, as `dfm info --format json` shows it.
    pub(crate) input: serde_json::Value,
    /// SHA-256 of its weights.
    pub(crate) weights_sha256: String,
    /// Good pictures that were learnt.
    pub(crate) fitted_on: usize,
    /// Where the network computed.
    pub(crate) device: String,
    /// The data set, as it was named.
    pub(crate) dataset: String,
    /// How it was read.
    pub(crate) layout: String,
}

/// Points of the curves that figures are areas under.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Curves {
    /// One point for each different score of a picture.
    pub(crate) image_roc: Vec<RocPoint>,
    /// The same.
    pub(crate) image_precision_recall: Vec<PrecisionRecallPoint>,
    /// `[false, true]` positive rates of pixels, some hundred points.
    pub(crate) pixel_roc: Vec<[f64; 2]>,
    /// `[false positive rate, mean overlap of regions]`.
    pub(crate) pixel_pro: Vec<[f64; 2]>,
    /// `[recall, precision]` of pixels.
    pub(crate) pixel_precision_recall: Vec<[f64; 2]>,
}

/// One line of `predictions.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PictureLine {
    /// Below the data set, with the separators of Unix.
    pub(crate) path: String,
    /// `good` or a defect.
    pub(crate) class: String,
    /// The truth.
    pub(crate) anomalous: bool,
    /// Raw score.
    pub(crate) score: f64,
    /// In (0, 1), ½ at the threshold.
    pub(crate) normalized_score: Option<f64>,
    /// The verdict.
    pub(crate) label: Option<Label>,
    /// The share of good pictures that look as abnormal or more, if the model tells.
    pub(crate) p_value: Option<f64>,
    /// The raw score from which a picture is anomalous.
    pub(crate) threshold: Option<f64>,
    /// Where the defect is marked, below the data set.
    pub(crate) masks: Vec<String>,
    /// Figures of the picture's own pixels; null where none is marked.
    pub(crate) pixels: Option<PicturePixels>,
    /// The value of the map from which a pixel belongs to a region; null without maps.
    #[serde(skip_deserializing)]
    pub(crate) pixel_threshold: Option<f64>,
    /// Where the map reaches that.
    #[serde(skip_deserializing)]
    pub(crate) regions: Option<Vec<MapRegion>>,
}

impl Evaluation {
    /// Of `evaluated`, without curves.
    pub(crate) fn new(evaluated: &Evaluated, settings: Settings) -> Self {
        let value = |figure: Option<Figure>| figure.map(|figure| figure.value);
        let mut classes = BTreeMap::new();
        for picture in &evaluated.pictures {
            classes.entry(picture.class.clone()).or_insert_with(|| class(evaluated, &picture.class));
        }
        let (image, pixel) = (evaluated.image.figures, evaluated.pixel.figures);
        Self {
            image_auroc: value(image.auroc),
            pixel_auroc: value(pixel.auroc),
            average_precision: value(image.average_precision),
            best_f1: evaluated.best_f1,
            threshold: evaluated.threshold,
            confusion: evaluated.confusion,
            pictures: evaluated.pictures.len(),
            errors: evaluated.errors,
            without_mask: evaluated.without_mask,
            unusable_masks: evaluated.unusable_masks,
            classes,
            image,
            pixel,
            pixel_best_f1: evaluated.pixel.best_f1,
            pixel_threshold: evaluated.scale.pixel_threshold,
            pixel_confusion: evaluated.pixel_confusion,
            bootstrap: evaluated.bootstrap.map(|BootstrapParams { replicates, seed }| Bootstrap {
                replicates,
                seed,
                level: 0.95,
            }),
            settings,
            curves: None,
        }
    }

    /// How many pictures were judged: good ones, then those with a defect.
    pub(crate) fn kinds(&self) -> [usize; 2] {
        let good = self.classes.get(GOOD).map_or(0, |class| class.pictures);
        [good, self.pictures - good]
    }

    /// Whether any figure has one: those of pictures have, if they are there.
    pub(crate) fn has_intervals(&self) -> bool {
        self.image.auroc.is_some_and(|figure| figure.low.is_some())
    }

    /// F1 of pixels at the pixel threshold.
    pub(crate) fn pixel_f1(&self) -> Option<Figure> {
        let value = self.pixel_confusion?.f1()?;
        Some(Figure { value, low: None, high: None, bound: 0.0 })
    }

    /// The same with what figures are drawn from.
    pub(crate) fn with_curves(self, evaluated: &Evaluated) -> Self {
        let curves = Curves {
            image_roc: evaluated.roc.clone(),
            image_precision_recall: evaluated.precision_recall.clone(),
            pixel_roc: evaluated.pixel.roc.clone(),
            pixel_pro: evaluated.pixel.pro.clone(),
            pixel_precision_recall: evaluated.pixel.precision_recall.clone(),
        };
        Self { curves: Some(curves), ..self }
    }
}

fn class(evaluated: &Evaluated, name: &str) -> ClassEvaluation {
    let own: Vec<&EvaluatedPicture> =
        evaluated.pictures.iter().filter(|picture| picture.class == name).collect();
    let defect = if name == GOOD { None } else { evaluated.defects.iter().position(|other| other == name) };
    let image = defect.map(|defect| evaluated.image.defects[defect]);
    let pixel = defect.map(|defect| evaluated.pixel.defects[defect]);
    ClassEvaluation {
        pictures: own.len(),
        called_anomalous: evaluated
            .threshold
            .map(|threshold| own.iter().filter(|picture| picture.score >= threshold).count()),
        mean_score: own.iter().map(|picture| picture.score).sum::<f64>() / own.len() as f64,
        image_auroc: image.and_then(|figures| figures.auroc).map(|figure| figure.value),
        pixel_auroc: pixel.and_then(|figures| figures.auroc).map(|figure| figure.value),
        image,
        pixel,
    }
}

impl PictureLine {
    /// Of one picture of the data set at `root`.
    pub(crate) fn new(picture: &EvaluatedPicture, root: &Path, evaluated: &Evaluated) -> Self {
        Self {
            path: below(root, &picture.path),
            class: picture.class.clone(),
            anomalous: picture.defect.is_some(),
            score: picture.score,
            normalized_score: picture.normalized_score,
            label: picture.label,
            p_value: picture.p_value,
            threshold: evaluated.threshold,
            masks: picture.masks.iter().map(|mask| below(root, mask)).collect(),
            pixels: picture.pixels,
            pixel_threshold: evaluated.scale.pixel_threshold.filter(|_| picture.regions.is_some()),
            regions: picture.regions.clone(),
        }
    }
}

/// `path` without `root`, the same on every system, so that runs can be compared.
pub(crate) fn below(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.display().to_string().replace(std::path::MAIN_SEPARATOR, "/")
}
