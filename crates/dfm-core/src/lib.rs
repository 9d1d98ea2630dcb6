//! Deep Feature Modeling: a pretrained network and the statistics of its
//! features, wired into fit, predict and one model file.
//!
//! Decoded pixels go in, and a [`Verdict`] comes out. A [`Preparer`] makes of a picture what the
//! network expects, in one piece or in tiles. A [`FeatureExtractor`] runs the network to one layer or a
//! few, pools and flattens. Principal components of the features of good pictures say how much of a row
//! is unlike anything good ([`Verdict::score`]), and in which cells ([`Verdict::grid`]). A
//! [`Calibration`] from held-out good pictures turns that into a [`Label`].
//!
//! A [`Method`] says what a model looks at and how it scores. A [`Dfm`] is a fitted model, which
//! nothing changes. [`JudgeOptions`] are what one call asks of it.
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
//! use dfm_core::{Architecture, BackboneWeights, InputContract, JudgeOptions, Layer, Method, RgbImage};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let device = dfm_core::device::parse("cpu")?;
//! // Random weights keep the example small; `BackboneWeights::embedded()` is the default.
//! let input = InputContract::imagenet().with_size(64, 64);
//! let weights = BackboneWeights::random(Architecture::known("resnet18").unwrap(), Layer::named("layer1"), input, 0)?;
//!
//! let params = Method::published().with_taps([Layer::named("layer1").pooled(4)]).check()?;
//! let extractor = params.extractor(weights, &device)?;
//! let picture = |shade: u8| RgbImage::from_fn(80, 60, |x, y| [shade, x as u8, y as u8].into());
//! let model = params.fit(extractor, (0..8).map(|shade| picture(10 * shade)))?;
//!
//! let inverted = RgbImage::from_fn(80, 60, |x, y| [200, 255 - x as u8, 255 - y as u8].into());
//! let verdicts = model.judge([picture(35), inverted], &JudgeOptions::default().with_map(true))?;
//! let verdicts = verdicts.into_iter().collect::<Result<Vec<_>, _>>()?;
//! assert!(verdicts[1].score > verdicts[0].score);
//! # Ok(())
//! # }
//! ```

mod decide;
pub mod device;
mod error;
mod file;
mod host;
mod judge;
mod learn;
mod method;
pub mod metrics;
mod model;
mod names;
mod pieces;

pub use decide::audit::{Audit, AuditedPicture};
pub use decide::calibration::{Calibration, Label};
pub use decide::drift::{DriftParams, DriftReport, DriftWatch, FeatureDrift, ValidDriftParams};
pub use decide::joint::{JointCalibration, ViewScale};
pub use decide::split::held_out_hashes;
pub use decide::support::Support;
pub use decide::validation::SyntheticTally;
pub use dfm_backbone::{
    Architecture, BACKGROUND, BackboneWeights, Compute, DecodeLimits, Depth, FeatureExtractor, FeatureShape,
    InputContract, Layer, Levelled, Levels, LevelsError, LevelsTally, NetworkPrecision, Normalisation,
    Picture, PictureSize, Placement, PreparedPicture, PreprocessError, Preprocessor, Region, RegionError,
    Resampling, Resize, Rgb16Image, Rgb32FImage, RgbImage, Span, Tap, Tiling, TilingError, Transparency,
    UnsupportedNode, content_hash, count_values, decode, decode_at, decode_with, page, page_count,
};
pub use dfm_stats::{Keep, StreamingParams};
pub use error::DfmError;
pub use file::error::ModelFileError;
pub use file::{CalibrationInfo, LoadOptions, ModelInfo, SaveOptions, TapInfo, WrittenSizes};
pub use judge::explain::{CellShare, ChannelShare, Explanation, LayerExplanation, NearestPicture};
pub use judge::judging::Judging;
pub use judge::map::{AnomalyGrid, AnomalyMap};
pub use judge::marked::MarkedPixels;
pub use judge::options::{JudgeOptions, Review, Threshold};
pub use judge::regions::MapRegion;
pub use judge::verdict::{Contradiction, Verdict};
pub use learn::checkpoint::{CheckpointContent, CheckpointLayout};
pub use learn::error::CheckpointError;
pub use learn::fit::Learnt;
pub use learn::not_searched::NotSearched;
pub use learn::record::{
    CompressionRecord, FitRecord, ForeignRecord, GaussianRecord, OddPicture, StandingOutRecord, TapRecord,
    ValidationRecord,
};
pub use learn::sizes::SizeRange;
pub use learn::union::{ModelUnion, UpdateOptions};
pub use method::{
    Aggregation, CalibrationKind, CalibrationParams, Compat, FitParams, Keeping, MAX_BATCH, MapKind, Method,
    RegionRule, Robust, Rows, Run, ScoreKind, ThresholdEstimate, TileStatistics, TileStatisticsKind,
    USUAL_POOL, ValidFitParams,
};
pub use model::{Dfm, Origin};
pub use names::NameError;
pub use pieces::{FeatureRow, Piece, PieceId, Preparer, features_of};
