//! How well scores tell anomalous from normal, where the truth is known.
//!
//! Larger scores are more abnormal; a label is true for anomalous. Every figure
//! is undefined, and `None`, where a class is missing.

mod pixel;
mod ranking;

pub use pixel::PixelRanking;
pub use ranking::{BestF1, ConfusionMatrix, auroc, average_precision, best_f1};
