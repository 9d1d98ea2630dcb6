//! What a node computes.

use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::window::{Padding, Window};

/// What a node computes from its inputs. A *map* is `[C, H, W]`. *Tokens* are `[T, C]`: the prefix tokens,
/// then one token for each cell of a grid, row by row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Operation {
    /// The prepared picture, a map of 3 channels. It is the first node of every graph, and no other node.
    Picture,
    /// A convolution with a bias, of a map.
    ///
    /// Parameters: `weight` `[out, C / groups, rows, columns]`, `bias` `[out]`.
    Convolution(Convolution),
    /// The maximum of each window of a map.
    MaxPool(Window),
    /// The average of each window of a map.
    AveragePool {
        /// The window.
        window: Window,
        /// Whether padding counts as zeros. Otherwise the average is that of the elements of the map.
        #[serde(default, skip_serializing_if = "is_false")]
        count_padding: bool,
    },
    /// The average of each channel of a map: a map of 1×1.
    GlobalAverage,
    /// The sum of two values of the same shape.
    Add,
    /// The product of two values of the same shape, or of a map and a 1×1 map, which is the second input and
    /// multiplies each pixel.
    Multiply,
    /// The channels of all inputs, one input after the other.
    Concatenate,
    /// The average of all inputs, which have the same shape.
    Mean,
    /// A function of each number.
    Activation(Activation),
    /// A matrix product with a bias, at each pixel or token.
    ///
    /// Parameters: `weight` `[out, C]`, `bias` `[out]`.
    Linear {
        /// Output channels.
        out: usize,
    },
    /// Layer norm over the channels, at each pixel or token: `(x − mean) / √(variance + ε) · weight + bias`.
    ///
    /// Parameters: `weight` `[C]`, `bias` `[C]`.
    LayerNorm {
        /// The number that is added to the variance.
        epsilon: f64,
    },
    /// A factor for each channel.
    ///
    /// Parameters: `weight` `[C]`.
    Scale,
    /// The global response norm of ConvNeXt V2, of a map: with `g` the root of the sum of squares of each
    /// channel, `x + bias + weight · x · g / (mean of g over the channels + ε)`. The bias is added inside,
    /// as in timm.
    ///
    /// Parameters: `weight` `[C]`, `bias` `[C]`.
    GlobalResponseNorm {
        /// The number that is added to the mean.
        epsilon: f64,
    },
    /// Attention among all tokens. The input has `3 · C` channels: queries, keys and values, each head by
    /// head. With `d = C / heads`, each head gives `softmax(q kᵀ / √d) v`.
    Attention {
        /// The number of heads.
        heads: usize,
    },
    /// The cells of a map as tokens without prefix, row by row.
    ToTokens,
    /// Puts learnt tokens before all others.
    ///
    /// Parameters: `tokens` `[count, C]`.
    PrefixTokens {
        /// The number of tokens.
        count: usize,
    },
    /// Adds learnt positions to tokens. Those of the grid are interpolated if the value has another grid.
    ///
    /// Parameters: `positions` `[prefix + rows · columns, C]`.
    Positions {
        /// The grid of the parameters (rows, columns).
        grid: [usize; 2],
        /// The prefix tokens of the value, which have positions of their own.
        prefix: usize,
        /// How positions of another grid are made.
        interpolation: Interpolation,
    },
    /// The tokens of the grid as a map. Prefix tokens are dropped.
    ToMap,
}

/// How positions for another grid are made of the learnt ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Interpolation {
    /// Bicubic, as PyTorch's `interpolate` with `align_corners=False`.
    Bicubic,
    /// Bicubic, as PyTorch's `interpolate` with `align_corners=False` and `antialias=True`.
    BicubicAntialiased,
}

/// A convolution with a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Convolution {
    /// Output channels.
    pub out: usize,
    /// Groups of channels that do not see each other.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub groups: usize,
    /// The window of input that one output sees.
    pub window: Window,
}

impl Convolution {
    /// A convolution with a square kernel, padded on every side by half of it, with stride 1 and one group.
    pub const fn new(out: usize, kernel: usize) -> Self {
        Self { out, groups: 1, window: Window::new(kernel) }
    }

    /// The same with this stride along both axes.
    #[must_use]
    pub const fn stride(mut self, stride: usize) -> Self {
        self.window = self.window.stride(stride);
        self
    }

    /// The same with another padding.
    #[must_use]
    pub const fn padded(mut self, padding: Padding) -> Self {
        self.window = self.window.padded(padding);
        self
    }

    /// The same with so many groups.
    #[must_use]
    pub const fn grouped(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }
}

impl Operation {
    /// The name in files, such as `convolution`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Picture => "picture",
            Self::Convolution(_) => "convolution",
            Self::MaxPool(_) => "max_pool",
            Self::AveragePool { .. } => "average_pool",
            Self::GlobalAverage => "global_average",
            Self::Add => "add",
            Self::Multiply => "multiply",
            Self::Concatenate => "concatenate",
            Self::Mean => "mean",
            Self::Activation(_) => "activation",
            Self::Linear { .. } => "linear",
            Self::LayerNorm { .. } => "layer_norm",
            Self::Scale => "scale",
            Self::GlobalResponseNorm { .. } => "global_response_norm",
            Self::Attention { .. } => "attention",
            Self::ToTokens => "to_tokens",
            Self::PrefixTokens { .. } => "prefix_tokens",
            Self::Positions { .. } => "positions",
            Self::ToMap => "to_map",
        }
    }

    /// The least and the most inputs.
    pub(crate) fn arity(&self) -> (usize, usize) {
        match self {
            Self::Picture => (0, 0),
            Self::Add | Self::Multiply => (2, 2),
            Self::Concatenate | Self::Mean => (1, crate::limits::MOST_INPUTS),
            _ => (1, 1),
        }
    }
}

fn one() -> usize {
    1
}

fn is_one(value: &usize) -> bool {
    *value == 1
}

fn is_false(value: &bool) -> bool {
    !value
}
