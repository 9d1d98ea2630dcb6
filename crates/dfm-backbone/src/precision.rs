//! What numbers the network computes in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::BackboneError;

/// What numbers the network computes in; what comes before and after it is always in
/// `f32` and `f64`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkPrecision {
    /// `f32`, on any device.
    #[default]
    F32,
    /// Whole numbers of eight bits, by our own kernels alone: an approximation whose
    /// steps fit the values that [`ActivationRanges`](dfm_kernels::ActivationRanges) say.
    Int8,
}

impl fmt::Display for NetworkPrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F32 => "f32",
            Self::Int8 => "int8",
        })
    }
}

impl FromStr for NetworkPrecision {
    type Err = BackboneError;

    /// `f32` or `int8`.
    fn from_str(text: &str) -> Result<Self, BackboneError> {
        match text {
            "f32" => Ok(Self::F32),
            "int8" => Ok(Self::Int8),
            other => Err(BackboneError::UnknownPrecision { got: other.to_owned() }),
        }
    }
}
