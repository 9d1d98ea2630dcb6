//! How well scores tell anomalous from normal, where the truth is known.
//!
//! Larger scores are more abnormal; a label is true for anomalous. Every figure
//! is undefined, and `None`, where a class is missing.
//!
//! Figures of pictures are exact. Those of pixels come from a histogram of fixed bins
//! (`axis`), so that any number of maps takes the memory of a few; each says how far
//! it can be from the figure of the sorted pixels ([`Figure::bound`]).

mod axis;
mod bootstrap;
mod coarse;
mod compare;
mod counts;
mod curve;
mod figures;
mod image;
mod pixel;
mod pool;
mod profile;
mod ranking;
mod steps;

use serde::Serialize;

pub use bootstrap::{BootstrapParams, ValidBootstrapParams};
pub use compare::{Difference, PairedFigures, PairedPicture, paired_figures};
pub use counts::MapCounts;
pub use curve::{PrecisionRecallPoint, RocPoint, precision_recall_curve, roc_curve};
pub use figures::{AUPRO_LIMITS, PicturePixels, PixelFigures};
pub use image::{ImageEvaluation, ImageFigures, evaluate_images};
pub use pixel::{PixelEvaluation, PixelTally};
pub use ranking::{BestF1, ConfusionMatrix, auroc, average_precision, best_f1};

/// A figure and what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// The figure.
    pub value: f64,
    /// The lower end of its 95 % bootstrap interval; `None` where none was asked for, or
    /// where fewer than two pictures of a kind leave nothing to draw from.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// The most that binned scores can have moved `value`; 0 where it is exact.
    pub bound: f64,
}
