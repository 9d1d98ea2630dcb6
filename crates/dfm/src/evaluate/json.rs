//! What programs read of an evaluation. docs/json-schema.md describes it; names are never changed,
//! only added.

use std::collections::BTreeMap;
use std::path::Path;

use dfm_core::metrics::{
    BestF1, BootstrapParams, ConfusionMatrix, Figure, ImageFigures, PicturePixels, PixelFigures,
    PrecisionRecallPoint, RocPoint,
};
use dfm_core::{Contradiction, Dfm, Label, MapRegion, Support};
use dfm_data::{Dataset, GOOD};
use serde::{Deserialize, Serialize};

use super::answers::{Answers, Contradictions, ReviewFigures};
use super::evaluated::{Evaluated, EvaluatedPicture};
use super::masks::MaskCounts;
use crate::error::Error;
use crate::lines::ViewLine;

/// What `dfm evaluate --format json` prints, and `metrics.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Evaluation {
    /// AUROC of the pictures' scores; null where a class is missing.
    pub image_auroc: Option<f64>,
    /// AUROC over the pixels of all pictures together; null without masks or maps.
    pub pixel_auroc: Option<f64>,
    /// Average precision of the pictures' scores.
    pub average_precision: Option<f64>,
    /// The best F1 that a threshold chosen with the truth in hand could reach.
    pub best_f1: Option<BestF1>,
    /// The model's threshold.
    pub threshold: Option<f64>,
    /// What the pictures that calibrate can say of the rate of false alarms at that threshold; null
    /// without held-out scores.
    pub support: Option<Support>,
    /// What a review band does; null without one.
    pub review: Option<ReviewFigures>,
    /// How many pictures got each answer; null without a threshold.
    pub answers: Option<Answers>,
    /// Pictures whose label and regions disagree.
    pub contradictions: Contradictions,
    /// What that threshold makes of each class.
    pub confusion: Option<ConfusionMatrix>,
    /// Pictures that were judged.
    pub pictures: usize,
    /// Pictures that could not be.
    pub errors: usize,
    /// Pictures with a defect but without a mask: left out of `pixel_auroc`.
    pub without_mask: usize,
    /// Pictures whose mask cannot be used: left out likewise.
    pub unusable_masks: usize,
    /// How the masks that can be used were read.
    pub mask_counts: MaskCounts,
    /// By class, as the folders are called.
    pub classes: BTreeMap<String, ClassEvaluation>,
    /// Every figure over pictures, with intervals.
    pub image: ImageFigures,
    /// Every figure over pixels, with intervals and bounds.
    pub pixel: PixelFigures,
    /// The threshold on pixels with the best F1, chosen with the truth in hand.
    pub pixel_best_f1: Option<BestF1>,
    /// The value of a map from which a pixel belongs to a region; null without one.
    pub pixel_threshold: Option<f64>,
    /// Up to how many pixels gaps of regions are closed; null unless that is asked for.
    pub close: Option<u32>,
    /// The least pixels of a region; null unless that is asked for.
    pub min_area: Option<u32>,
    /// What that makes of the pixels that `pixel` is about.
    pub pixel_confusion: Option<ConfusionMatrix>,
    /// How intervals were made.
    pub bootstrap: Option<Bootstrap>,
    /// Which model was evaluated on which pictures.
    pub settings: Settings,
    /// What figures are drawn from; in files alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curves: Option<Curves>,
}

/// One class of an [`Evaluation`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClassEvaluation {
    /// Pictures of this class that were judged.
    pub pictures: usize,
    /// Pictures among them that are called anomalous; null without a threshold.
    pub called_anomalous: Option<usize>,
    /// How many pictures got each answer; null without a threshold.
    pub answers: Option<Answers>,
    /// Mean raw score.
    pub mean_score: f64,
    /// AUROC of this defect against all good pictures; null for `good`.
    pub image_auroc: Option<f64>,
    /// Pixel AUROC of this defect and all good pictures; null for `good`.
    pub pixel_auroc: Option<f64>,
    /// Every figure of this defect against all good pictures; null for `good`.
    pub image: Option<ImageFigures>,
    /// Every pixel figure of both.
    pub pixel: Option<PixelFigures>,
}

/// How intervals were made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Bootstrap {
    /// Draws of pictures.
    pub replicates: usize,
    /// Seed of the draws.
    pub seed: u64,
    /// Share of the draws that an interval holds.
    pub level: f64,
}

/// Which model was evaluated on which pictures: enough to do it again.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Settings {
    /// This program and its version.
    pub program: String,
    /// The model, as it was named.
    pub model: String,
    /// SHA-256 of its header and tensors, as its file has it; empty for a model that was never
    /// written.
    pub model_digest: String,
    /// The program that wrote its file; empty for a model that was never written.
    pub model_program: String,
    /// The parameters of the fit, as `dfm info --format json` shows them.
    pub params: serde_json::Value,
    /// The network's name.
    pub architecture: String,
    /// What it expects of a picture, as `dfm info --format json` shows it.
    pub input: serde_json::Value,
    /// SHA-256 of its weights.
    pub weights_sha256: String,
    /// Good pictures that were learnt.
    pub fitted_on: usize,
    /// Where the network computed.
    pub device: String,
    /// The data set, as it was named.
    pub dataset: String,
    /// How it was read.
    pub layout: String,
}

/// Points of the curves that figures are areas under.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Curves {
    /// One point for each different score of a picture.
    pub image_roc: Vec<RocPoint>,
    /// One point for each different score of a picture.
    pub image_precision_recall: Vec<PrecisionRecallPoint>,
    /// `[false, true]` positive rates of pixels, some hundred points.
    pub pixel_roc: Vec<[f64; 2]>,
    /// `[false positive rate, mean overlap of regions]`.
    pub pixel_pro: Vec<[f64; 2]>,
    /// `[recall, precision]` of pixels.
    pub pixel_precision_recall: Vec<[f64; 2]>,
}

/// One line of `predictions.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PictureLine {
    /// Below the data set, with the separators of Unix.
    pub path: String,
    /// `good` or a defect.
    pub class: String,
    /// The truth.
    pub anomalous: bool,
    /// Raw score.
    pub score: f64,
    /// In (0, 1), ½ at the threshold.
    pub normalized_score: Option<f64>,
    /// The verdict.
    pub label: Option<Label>,
    /// How the verdict and the regions disagree; null if they agree.
    #[serde(default)]
    pub contradiction: Option<Contradiction>,
    /// The share of good pictures that look as abnormal or more, if the model tells.
    pub p_value: Option<f64>,
    /// The raw score from which a picture is anomalous.
    pub threshold: Option<f64>,
    /// Where the defect is marked, below the data set.
    pub masks: Vec<String>,
    /// Figures of the picture's own pixels; null where none is marked.
    pub pixels: Option<PicturePixels>,
    /// The value of the map from which a pixel belongs to a region; null without maps.
    #[serde(skip_deserializing)]
    pub pixel_threshold: Option<f64>,
    /// Where the map reaches that.
    #[serde(skip_deserializing)]
    pub regions: Option<Vec<MapRegion>>,
    /// The file of its heat map; null if none was written.
    #[serde(default)]
    pub heatmap: Option<String>,
    /// The file of its overlay; null if none was written.
    #[serde(default)]
    pub overlay: Option<String>,
    /// The file of the mask of its map; null if none was written. The masks of its defect are `masks`.
    #[serde(default)]
    pub mask: Option<String>,
    /// The file of its map as numbers; null if none was written.
    #[serde(default)]
    pub raw_map: Option<String>,
    /// The share of pixels outside of the model's levels; absent unless those are a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside_levels: Option<f64>,
    /// The views of a part; absent for a picture.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub views: Option<Vec<ViewLine>>,
}

impl Settings {
    /// Describes the `model` that judged, of this name and on this device, and the data set.
    pub(crate) fn new(model: &Dfm, [name, device]: &[String; 2], dataset: &Dataset) -> Result<Self, Error> {
        let origin = model.origin();
        let (record, weights) = (model.record(), model.extractor().weights());
        Ok(Self {
            program: concat!("dfm ", env!("CARGO_PKG_VERSION")).to_owned(),
            model: name.clone(),
            model_digest: origin.map(|origin| origin.digest.clone()).unwrap_or_default(),
            model_program: origin.map(|origin| origin.program.clone()).unwrap_or_default(),
            params: serde_json::to_value(&record.params)?,
            architecture: weights.header().architecture.name().to_owned(),
            input: serde_json::to_value(weights.header().input)?,
            weights_sha256: weights.sha256(),
            fitted_on: record.picture_count,
            device: device.clone(),
            dataset: dataset.root.display().to_string(),
            layout: dataset.layout.name().to_owned(),
        })
    }
}

impl Evaluation {
    /// Summarises `evaluated`, without curves.
    pub(crate) fn new(evaluated: &Evaluated, settings: Settings) -> Self {
        let value = |figure: Option<Figure>| figure.map(|figure| figure.value);
        let mut classes = BTreeMap::new();
        for picture in &evaluated.pictures {
            classes.entry(picture.class.clone()).or_insert_with(|| class(evaluated, &picture.class));
        }
        let (image, pixel) = (evaluated.image.figures, evaluated.pixel.figures);
        let contradictions =
            Contradictions::of(evaluated.pictures.iter().map(EvaluatedPicture::contradiction));
        let share = |is_defect: bool| {
            let pictures = evaluated.pictures.iter().filter(|picture| picture.defect.is_some() == is_defect);
            Answers::of(pictures)?.review_share()
        };
        let review = evaluated.review_from.map(|from| ReviewFigures {
            from,
            good: share(false),
            defects: share(true),
        });
        Self {
            image_auroc: value(image.auroc),
            pixel_auroc: value(pixel.auroc),
            average_precision: value(image.average_precision),
            best_f1: evaluated.best_f1,
            threshold: evaluated.threshold,
            support: evaluated.support,
            review,
            answers: Answers::of(evaluated.pictures.iter()),
            contradictions,
            confusion: evaluated.confusion,
            pictures: evaluated.pictures.len(),
            errors: evaluated.errors,
            without_mask: evaluated.without_mask,
            unusable_masks: evaluated.unusable_masks,
            mask_counts: evaluated.mask_counts,
            classes,
            image,
            pixel,
            pixel_best_f1: evaluated.pixel.best_f1,
            pixel_threshold: evaluated.scale.rule.pixel_threshold,
            close: evaluated.scale.rule.close,
            min_area: evaluated.scale.rule.min_area,
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
    pub fn kinds(&self) -> [usize; 2] {
        let good = self.classes.get(GOOD).map_or(0, |class| class.pictures);
        [good, self.pictures - good]
    }

    /// Whether anything could be measured: counts at a threshold, or a figure over pictures or pixels.
    pub fn has_figures(&self) -> bool {
        self.confusion.is_some() || self.image_auroc.is_some() || self.pixel_auroc.is_some()
    }

    /// Whether any figure has one: those of pictures have, if they are there.
    pub fn has_intervals(&self) -> bool {
        self.image.auroc.is_some_and(|figure| figure.low.is_some())
    }

    /// F1 of pixels at the pixel threshold.
    pub fn pixel_f1(&self) -> Option<Figure> {
        let value = self.pixel_confusion?.f1()?;
        Some(Figure { value, low: None, high: None, bound: 0.0 })
    }

    /// Adds what figures are drawn from.
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
        answers: Answers::of(own.iter().copied()),
        mean_score: own.iter().map(|picture| picture.score).sum::<f64>() / own.len() as f64,
        image_auroc: image.and_then(|figures| figures.auroc).map(|figure| figure.value),
        pixel_auroc: pixel.and_then(|figures| figures.auroc).map(|figure| figure.value),
        image,
        pixel,
    }
}

impl PictureLine {
    /// Describes one picture of the data set at `root`.
    pub(crate) fn new(picture: &EvaluatedPicture, root: &Path, evaluated: &Evaluated) -> Self {
        let [heatmap, overlay, mask, raw_map] = picture.files.shown();
        Self {
            path: below(root, &picture.path),
            class: picture.class.clone(),
            anomalous: picture.defect.is_some(),
            score: picture.score,
            normalized_score: picture.normalized_score,
            label: picture.label,
            contradiction: picture.contradiction(),
            p_value: picture.p_value,
            threshold: evaluated.threshold,
            masks: picture.masks.iter().map(|mask| below(root, mask)).collect(),
            pixels: picture.pixels,
            pixel_threshold: evaluated.scale.rule.pixel_threshold.filter(|_| picture.regions.is_some()),
            regions: picture.regions.clone(),
            heatmap,
            overlay,
            mask,
            raw_map,
            outside_levels: picture.outside_levels,
            views: None,
        }
    }
}

/// Writes `path` without `root`, the same on every system, so that runs can be compared.
pub(crate) fn below(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.display().to_string().replace(std::path::MAIN_SEPARATOR, "/")
}
