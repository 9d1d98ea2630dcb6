//! What a model makes of pictures whose truth is known.

use std::path::PathBuf;

use dfm_core::metrics::{
    BestF1, BootstrapParams, ConfusionMatrix, ImageEvaluation, PicturePixels, PixelEvaluation,
    PrecisionRecallPoint, RocPoint,
};
use dfm_core::{Contradiction, Label, MapRegion, Support};
use dfm_render::MapScale;

use super::masks::MaskCounts;
use crate::maps::PictureFiles;

/// Everything that is known once all pictures are judged.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Evaluated {
    /// In the order of the data set, those that could be judged.
    pub pictures: Vec<EvaluatedPicture>,
    /// Names of the defects; figures by defect are in this order.
    pub defects: Vec<String>,
    /// The model's threshold.
    pub threshold: Option<f64>,
    /// The raw score from which a person should look at a picture, if that was asked for.
    pub review_from: Option<f64>,
    /// What the pictures that calibrate can say of the rate of false alarms at the threshold.
    pub support: Option<Support>,
    /// How values of its maps are read.
    pub scale: MapScale,
    /// Pictures with a map.
    pub maps: usize,
    /// What it makes of each class.
    pub confusion: Option<ConfusionMatrix>,
    /// What the pixel threshold makes of all pixels with a known truth; `None` without one, or
    /// without any of those.
    pub pixel_confusion: Option<ConfusionMatrix>,
    /// The best that any threshold could do.
    pub best_f1: Option<BestF1>,
    /// Figures over pictures.
    pub image: ImageEvaluation,
    /// Every point of the pictures' receiver operating characteristic.
    pub roc: Vec<RocPoint>,
    /// Every point of their precision and recall.
    pub precision_recall: Vec<PrecisionRecallPoint>,
    /// Figures and curves over pixels; the entries of its `pictures` are those of the pictures.
    pub pixel: PixelEvaluation,
    /// How intervals were made, if they were.
    pub bootstrap: Option<BootstrapParams>,
    /// Pictures, masks and folders that could not be used.
    pub errors: usize,
    /// Pictures with a defect but without a mask.
    pub without_mask: usize,
    /// Pictures whose mask cannot be used.
    pub unusable_masks: usize,
    /// How the others were read.
    pub mask_counts: MaskCounts,
}

/// One picture, the truth, and the verdict.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EvaluatedPicture {
    /// The file, or what stands for one.
    pub path: PathBuf,
    /// Its class: `good` or a defect.
    pub class: String,
    /// Index of its defect; `None` for a good picture.
    pub defect: Option<usize>,
    /// Where its defect is marked.
    pub masks: Vec<PathBuf>,
    /// Raw score.
    pub score: f64,
    /// In (0, 1), ½ at the threshold.
    pub normalized_score: Option<f64>,
    /// The share of good pictures that look as abnormal or more; `None` without held-out scores.
    pub p_value: Option<f64>,
    /// The verdict.
    pub label: Option<Label>,
    /// Figures of its own pixels; `None` if none is marked.
    pub pixels: Option<PicturePixels>,
    /// The regions where its map reaches the pixel threshold; `None` without a map or a threshold.
    pub regions: Option<Vec<MapRegion>>,
    /// The share of its pixels outside of the model's levels; `None` unless those are a range.
    pub outside_levels: Option<f64>,
    /// The files that were written of its map.
    pub files: PictureFiles,
}

impl EvaluatedPicture {
    /// How the label and the regions disagree; `None` if they agree, or either is not known.
    pub fn contradiction(&self) -> Option<Contradiction> {
        Contradiction::of(self.label, self.regions.as_ref().map(Vec::len))
    }
}
