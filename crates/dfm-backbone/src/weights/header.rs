//! What travels with the numbers.

use dfm_image::InputContract;
use half::f16;
use serde::{Deserialize, Serialize};

use crate::architecture::Architecture;
use crate::layer::Layer;

/// How precisely a file holds weights. They are always computed with in `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floating point.
    F32,
    /// 16-bit floating point: half the size.
    F16,
}

/// The network that weights are for, what it expects of pictures, and where they
/// came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsHeader {
    /// The network, whole.
    pub architecture: Architecture,
    /// The last layer that the weights reach.
    pub deepest: Layer,
    /// What the network expects of pictures.
    pub input: InputContract,
    /// How precisely the file holds the numbers.
    pub precision: Precision,
    /// Under which licence the weights may be used.
    pub license: String,
    /// Where they came from.
    pub source: String,
    /// SHA-256, in hexadecimal, of the file that they were converted from.
    pub source_sha256: Option<String>,
}

/// Rounds to the nearest value that 16 bits can hold.
pub(super) fn round_to_f16(value: &mut f32) {
    *value = f16::from_f32(*value).to_f32();
}
