//! How a model came to be, as its file tells it.

use serde::{Deserialize, Serialize};

use crate::method::FitParams;
use crate::validation::ValidationRecord;

/// How a model came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitRecord {
    /// The parameters of the fit.
    pub params: FitParams,
    /// Pictures that it was given; where tiles share statistics, tiles.
    pub picture_count: usize,
    /// Of them, such that calibrate and were not fitted on; 0 unless
    /// [`Split`](crate::CalibrationKind::Split).
    pub held_out: usize,
    /// What was found at each tap, in the order of the parameters' taps; by position of the
    /// taps of one place after the other.
    pub taps: Vec<TapRecord>,
    /// What it made of synthetic defects, if it was asked; of the very pictures that it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<ValidationRecord>,
}

/// How the statistics of the features of a tap came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TapRecord {
    /// Directions in which pictures differ at all.
    pub rank: usize,
    /// How those were found: `gram`, `scatter` or `thin SVD`.
    pub route: String,
    /// The share of the largest variance up to which a direction counted as absent.
    pub rank_cut: f64,
    /// Principal components that scoring uses.
    pub components: usize,
    /// Of the Gaussian, for a likelihood.
    pub gaussian: Option<GaussianRecord>,
    /// What was left out for want of memory; `None` of an exact fit.
    pub compression: Option<CompressionRecord>,
}

/// What a fit left out so that it stayed within its memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompressionRecord {
    /// The most directions that were kept.
    pub limit: usize,
    /// How far sums of squares can be off, in the spectral norm: no variance is off by
    /// more than this over `N − 1`.
    pub error_bound: f64,
    /// The share of the variance that lies in no direction that was kept.
    pub dropped_share: f64,
}

/// How the Gaussian of a likelihood came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianRecord {
    /// Directions in which the reduced rows vary.
    pub rank: usize,
    /// How those were found: `gram`, `scatter` or `thin SVD`.
    pub route: String,
    /// Intensity of the shrinkage of its variances.
    pub shrinkage: f64,
}
