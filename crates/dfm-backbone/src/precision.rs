//! What numbers the network computes in.

use std::fmt;

use serde::{Deserialize, Serialize};

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
