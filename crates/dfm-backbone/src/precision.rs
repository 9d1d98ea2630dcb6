//! The numbers that the network computes in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::BackboneError;

/// The numbers that the network computes in. Everything before and behind it is always computed in
/// `f32` and `f64`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkPrecision {
    /// `f32`, on any device.
    #[default]
    F32,
    /// Whole numbers of eight bits, which only our own kernels compute in. This is an approximation,
    /// whose steps fit [`NodeRanges`](dfm_kernels::NodeRanges).
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
