//! The header of weights: everything that is not their numbers.

use dfm_image::InputContract;
use half::f16;
use serde::{Deserialize, Serialize};

use crate::architecture::Architecture;
use crate::layer::Layer;

/// The precision in which a file holds weights. The network always computes in `f32` or int8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floating point.
    F32,
    /// 16-bit floating point: half the size.
    F16,
}

/// The network that weights are for, what it expects of pictures, and where the weights came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsHeader {
    /// The whole network.
    pub architecture: Architecture,
    /// The last layer that the weights reach.
    pub deepest: Layer,
    /// What the network expects of pictures.
    pub input: InputContract,
    /// The precision in which the file holds the numbers.
    pub precision: Precision,
    /// The licence of the weights.
    pub license: String,
    /// Where the weights came from.
    pub source: String,
    /// SHA-256, in hexadecimal, of the file that the weights were converted from; `None` if there is no
    /// such file.
    pub source_sha256: Option<String>,
}

/// Rounds `value` to the nearest one that 16 bits can hold.
pub(super) fn round_to_f16(value: &mut f32) {
    *value = f16::from_f32(*value).to_f32();
}
