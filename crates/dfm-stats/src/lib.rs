//! Principal components and Gaussians of rows of numbers.
//!
//! Fitting happens on the host in `f64`, and scoring on any Burn device in `f32`. The crate does not
//! know what the rows stand for.
//!
//! - [`Samples`]: rows `[N, D]` of finite numbers.
//! - [`FitStatistic`]: the mean of rows and every direction in which they vary.
//! - [`StreamingFit`]: the same for rows that come in batches, within a stated memory.
//!   [`FitStatistic::merge`] adds rows later, and [`without`](FitStatistic::without) removes rows.
//! - [`LeaveOneOut`]: models of all rows except one, without fitting them.
//! - [`LeaveBlockOut`]: models of all rows except a block of rows.
//! - [`Pca`]: the leading directions, chosen by their share of the variance or by their number.
//! - [`SvdGaussian`]: a Gaussian whose covariance is never formed or inverted.
//! - [`ProbabilisticPca`]: a density of components, with one variance for all other directions.
//! - [`score_drift`], [`subspace_drift`]: whether new rows still come from the same distribution.
//! - [`Tail`]: a threshold that few scores of rows support.
//! - [`Shrinkage`]: shrinking variances towards their mean, so that none is too small.
//!
//! ```
//! use dfm_stats::{Keep, PcaParams, Samples};
//!
//! // Four points that almost lie on a line.
//! let samples = Samples::from_f64(vec![0.0, 0.0, 1.0, 1.1, 2.0, 1.9, 3.0, 3.0], 2)?;
//! let pca = PcaParams { keep: Keep::Ratio(0.97) }.check()?.fit(&samples)?;
//! assert_eq!(pca.component_count(), 1);
//! // A point far from the line cannot be reconstructed from one component.
//! let far = Samples::from_f64(vec![0.0, 3.0], 2)?;
//! assert!(pca.feature_reconstruction_error(&far)?[0] > 4.0);
//! # Ok::<(), dfm_stats::StatsError>(())
//! ```

mod blocks;
mod components;
mod compression;
mod decompose;
mod directions;
mod drift;
mod error;
mod gaussian;
mod leave_block_out;
mod leave_one_out;
mod merge;
mod pca;
mod probabilistic;
mod samples;
mod score;
mod secular;
mod shrinkage;
mod statistic;
mod streaming;
mod tail;
#[cfg(test)]
mod testing;

pub use compression::Compression;
pub use directions::Route;
pub use drift::{ScoreDrift, SubspaceDrift, score_drift, subspace_drift};
pub use error::StatsError;
pub use gaussian::SvdGaussian;
pub use leave_block_out::{LeaveBlockOut, RowBlock};
pub use leave_one_out::{LeaveOneOut, Row, RowTerms, Variances, WithoutRow};
pub use pca::{Keep, Pca, PcaParams, ValidPcaParams};
pub use probabilistic::{ProbabilisticPca, ProbabilisticScorer};
pub use samples::Samples;
pub use score::{GaussianScorer, PcaScorer};
pub use shrinkage::Shrinkage;
pub use statistic::FitStatistic;
pub use streaming::{StreamingFit, StreamingParams, ValidStreamingParams};
pub use tail::{Tail, quantile};
