//! Functions of one number.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A function that is applied to each number of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `1 / (1 + exp(−x))`.
    Sigmoid,
    /// `min(max(x + 3, 0), 6) / 6`.
    HardSigmoid,
    /// `x · min(max(x + 3, 0), 6) / 6`.
    HardSwish,
    /// `x / (1 + exp(−x))`, also called swish.
    Silu,
    /// `x · (1 + erf(x / √2)) / 2`.
    GeluErf,
    /// `x · (1 + tanh(√(2 / π) · (x + 0.044715 x³))) / 2`.
    GeluTanh,
    /// `x / (1 + exp(−1.702 x))`, as in CLIP.
    QuickGelu,
}

impl Activation {
    /// The name in files, such as `relu`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Relu6 => "relu6",
            Self::Sigmoid => "sigmoid",
            Self::HardSigmoid => "hard_sigmoid",
            Self::HardSwish => "hard_swish",
            Self::Silu => "silu",
            Self::GeluErf => "gelu_erf",
            Self::GeluTanh => "gelu_tanh",
            Self::QuickGelu => "quick_gelu",
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
