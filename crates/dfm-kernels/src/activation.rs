//! Functions of one value behind a layer.

use std::fmt;

/// A function of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Activation {
    /// The value itself.
    #[default]
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x · relu6(x + 3) / 6`.
    HardSwish,
    /// `relu6(x + 3) / 6`.
    HardSigmoid,
    /// `1 / (1 + exp(−x))`.
    Sigmoid,
    /// `x · sigmoid(x)`, which is also called swish.
    Silu,
    /// `x · Φ(x)`, where Φ is the distribution function of the normal distribution.
    Gelu,
    /// The approximation of [`Gelu`](Self::Gelu) with a hyperbolic tangent:
    /// `x · (1 + tanh(√(2/π) · (x + 0.044715 x³))) / 2`.
    GeluTanh,
    /// `x · sigmoid(1.702 x)`, another approximation of [`Gelu`](Self::Gelu).
    QuickGelu,
}

impl Activation {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 10] = [
        Self::Identity,
        Self::Relu,
        Self::Relu6,
        Self::HardSwish,
        Self::HardSigmoid,
        Self::Sigmoid,
        Self::Silu,
        Self::Gelu,
        Self::GeluTanh,
        Self::QuickGelu,
    ];

    /// The activation of a graph; `None` for one that is not known here.
    pub(crate) fn of(activation: dfm_graph::Activation) -> Option<Self> {
        Some(match activation {
            dfm_graph::Activation::Relu => Self::Relu,
            dfm_graph::Activation::Relu6 => Self::Relu6,
            dfm_graph::Activation::Sigmoid => Self::Sigmoid,
            dfm_graph::Activation::HardSigmoid => Self::HardSigmoid,
            dfm_graph::Activation::HardSwish => Self::HardSwish,
            dfm_graph::Activation::Silu => Self::Silu,
            dfm_graph::Activation::GeluErf => Self::Gelu,
            dfm_graph::Activation::GeluTanh => Self::GeluTanh,
            dfm_graph::Activation::QuickGelu => Self::QuickGelu,
            _ => return None,
        })
    }

    /// The bounds that every micro-kernel puts its sums within, and what is still to be computed. A
    /// longer function in the micro-kernels would be so much code that their sums left the registers.
    pub(crate) fn split(self) -> ([f32; 2], Option<Self>) {
        const NONE: [f32; 2] = [f32::NEG_INFINITY, f32::INFINITY];
        match self {
            Self::Identity => (NONE, None),
            Self::Relu => ([0.0, f32::INFINITY], None),
            Self::Relu6 => ([0.0, 6.0], None),
            long => (NONE, Some(long)),
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Identity => "identity",
            Self::Relu => "ReLU",
            Self::Relu6 => "ReLU6",
            Self::HardSwish => "hard swish",
            Self::HardSigmoid => "hard sigmoid",
            Self::Sigmoid => "sigmoid",
            Self::Silu => "SiLU",
            Self::Gelu => "GELU",
            Self::GeluTanh => "GELU (tanh)",
            Self::QuickGelu => "quick GELU",
        })
    }
}
