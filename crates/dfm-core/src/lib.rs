//! Deep Feature Modeling: a pretrained network and the statistics of its
//! features, wired into fit, predict and one model file.
//!
//! The way of one picture: [`Preprocessor::prepare`] makes it what the network
//! expects; a [`FeatureExtractor`] runs the network to one layer or a few, pools and
//! flattens; principal components of good pictures' features say how much of
//! the row is unlike anything good ([`Prediction::score`]) and in which cells
//! ([`Prediction::map`]); a [`Calibration`] from held-out good pictures turns
//! that into a verdict.
//!
//! This crate opens no path and prints nothing: models go through
//! [`Read`](std::io::Read) and [`Write`](std::io::Write).
//!
//! The method is Ahuja et al., *Probabilistic Modeling of Deep Features for
//! Out-of-Distribution and Adversarial Detection* (arXiv 1909.11786), and for
//! the reconstruction error Ndiour et al., *FRE: A Fast Method for Anomaly
//! Detection and Segmentation* (BMVC 2023).
//!
//! # Example
//!
//! ```
//! use dfm_core::{Architecture, BackboneWeights, DfmParams, InputContract, Layer, PredictOptions, RgbImage};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let device = dfm_core::device::parse("cpu")?;
//! // Random weights keep the example small; `BackboneWeights::embedded()` is the default.
//! let input = InputContract::imagenet().with_size(64, 64);
//! let weights = BackboneWeights::random(Architecture::known("resnet18").unwrap(), Layer::Layer1, input, 0)?;
//!
//! let params = DfmParams { taps: vec![Layer::Layer1.pooled(4)], ..DfmParams::default() }.check()?;
//! let extractor = params.extractor(weights, &device)?;
//! let preprocessor = extractor.preprocessor();
//! let picture = |shade: u8| RgbImage::from_fn(80, 60, |x, y| [shade, x as u8, y as u8].into());
//! let good = (0..8).map(|shade| preprocessor.prepare(&picture(10 * shade))).collect::<Result<Vec<_>, _>>()?;
//! let model = params.fit(extractor, good)?;
//!
//! let inverted = RgbImage::from_fn(80, 60, |x, y| [200, 255 - x as u8, 255 - y as u8].into());
//! let new = [preprocessor.prepare(&picture(35))?, preprocessor.prepare(&inverted)?];
//! let predictions = model.predict(&new, PredictOptions { map: true })?;
//! assert!(predictions[1].score > predictions[0].score);
//! # Ok(())
//! # }
//! ```

mod aggregate;
mod audit;
mod calibrate;
mod checkpoint;
mod compat;
mod components;
mod conformal;
mod derive;
pub mod device;
mod drift;
mod error;
mod explain;
mod fit;
mod gather;
mod held_out;
mod kept;
mod map;
pub mod metrics;
mod model;
mod params;
mod persist;
mod places;
mod quantise;
mod record;
mod regions;
mod score;
mod self_test;
mod split;
mod taps;
mod union;
mod validation;

pub use aggregate::Aggregation;
pub use audit::{Audit, AuditedPicture};
pub use calibrate::{Calibration, Label};
pub use checkpoint::{CheckpointContent, CheckpointLayout};
pub use compat::Compat;
pub use conformal::CalibrationKind;
pub use dfm_backbone::{
    Architecture, BackboneWeights, Compute, DecodeLimits, FeatureExtractor, FeatureShape, InputContract,
    Layer, NetworkPrecision, PictureSize, Placement, PreparedPicture, Preprocessor, Region, RegionError,
    Resampling, Resize, RgbImage, Span, Tap, Tiling, TilingError, content_hash, decode,
};
pub use dfm_stats::{Keep, StreamingParams};
pub use drift::{DriftParams, DriftReport, DriftWatch, FeatureDrift, ValidDriftParams};
pub use error::{CheckpointError, DfmError, ModelFileError};
pub use explain::{CellShare, ChannelShare, Explainer, Explanation, LayerExplanation, NearestPicture};
pub use fit::{FeatureRow, FitPicture, Learnt};
pub use map::{AnomalyGrid, AnomalyMap};
pub use model::{Dfm, PredictOptions, Prediction};
pub use params::{CalibrationParams, DfmParams, MAX_BATCH, ScoreKind, ValidDfmParams};
pub use persist::{CalibrationInfo, LoadOptions, ModelInfo, SaveOptions, TapInfo, WrittenSizes};
pub use places::TileStatistics;
pub use record::{CompressionRecord, FitRecord, GaussianRecord, TapRecord};
pub use regions::MapRegion;
pub use split::held_out_hashes;
pub use union::ModelUnion;
pub use validation::{SyntheticTally, ValidationRecord};

/// The README's example runs as a test.
#[cfg(all(doctest, feature = "embedded-weights", feature = "flex"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
