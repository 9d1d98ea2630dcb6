//! What a model makes of pictures whose truth is known: collected picture by picture, held
//! in one struct, written for people and for programs.

mod files;
mod json;
mod print;
mod tally;

use std::path::PathBuf;

use dfm_core::metrics::{
    BestF1, BootstrapParams, ConfusionMatrix, ImageEvaluation, PicturePixels, PixelEvaluation,
    PrecisionRecallPoint, RocPoint,
};
use dfm_core::{Label, MapRegion};

pub(crate) use files::{METRICS, PREDICTIONS, write};
pub(crate) use json::{Evaluation, PictureLine, Settings, below};
pub(crate) use print::{notes, print};
pub(crate) use tally::Tally;

use crate::report::scale::MapScale;

/// Everything that is known once all pictures are judged.
#[derive(Debug, Clone)]
pub(crate) struct Evaluated {
    /// In the order of the data set, those that could be judged.
    pub(crate) pictures: Vec<EvaluatedPicture>,
    /// Names of the defects; figures by defect are in this order.
    pub(crate) defects: Vec<String>,
    /// The model's threshold.
    pub(crate) threshold: Option<f64>,
    /// How values of its maps are read.
    pub(crate) scale: MapScale,
    /// Pictures with a map.
    pub(crate) maps: usize,
    /// What it makes of each class.
    pub(crate) confusion: Option<ConfusionMatrix>,
    /// What the pixel threshold makes of all pixels with a known truth; `None` without one, or
    /// without any of those.
    pub(crate) pixel_confusion: Option<ConfusionMatrix>,
    /// The best that any threshold could do.
    pub(crate) best_f1: Option<BestF1>,
    /// Figures over pictures.
    pub(crate) image: ImageEvaluation,
    /// Every point of the pictures' receiver operating characteristic.
    pub(crate) roc: Vec<RocPoint>,
    /// Every point of their precision and recall.
    pub(crate) precision_recall: Vec<PrecisionRecallPoint>,
    /// Figures and curves over pixels; the entries of its `pictures` are those of the pictures.
    pub(crate) pixel: PixelEvaluation,
    /// How intervals were made, if they were.
    pub(crate) bootstrap: Option<BootstrapParams>,
    /// Pictures, masks and folders that could not be used.
    pub(crate) errors: usize,
    /// Pictures with a defect but without a mask.
    pub(crate) without_mask: usize,
    /// Pictures whose mask cannot be used.
    pub(crate) unusable_masks: usize,
}

/// One picture, the truth and the verdict.
#[derive(Debug, Clone)]
pub(crate) struct EvaluatedPicture {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// Its class: `good` or a defect.
    pub(crate) class: String,
    /// The number of the defect; `None` of a good picture.
    pub(crate) defect: Option<usize>,
    /// Where its defect is marked.
    pub(crate) masks: Vec<PathBuf>,
    /// Raw score.
    pub(crate) score: f64,
    /// In (0, 1), ½ at the threshold.
    pub(crate) normalized_score: Option<f64>,
    /// The share of good pictures that look as abnormal, if the model tells.
    pub(crate) p_value: Option<f64>,
    /// The verdict.
    pub(crate) label: Option<Label>,
    /// Figures of its own pixels, where some are marked.
    pub(crate) pixels: Option<PicturePixels>,
    /// Where its map reaches the pixel threshold, if it has one.
    pub(crate) regions: Option<Vec<MapRegion>>,
}
