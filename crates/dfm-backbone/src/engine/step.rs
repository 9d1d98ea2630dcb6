//! One operation of a graph on a device.

use burn::tensor::module::{avg_pool2d, conv2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};
use dfm_graph::{Activation, Convolution, Layout, Node, Operation, Shape, Window};

use super::activation::activate;
use super::attention::attention;
use super::norm::{global_response_norm, layer_norm};
use super::value::Value;

/// An operation with its numbers on a device, for one size of pictures.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Picture,
    Convolution {
        weight: Tensor<4>,
        bias: Tensor<1>,
        options: ConvOptions<2>,
    },
    MaxPool(MaxPoolOptions<2>),
    AveragePool(AvgPoolOptions<2>),
    GlobalAverage,
    Add,
    Multiply,
    Concatenate,
    Mean,
    Activation(Activation),
    /// The weight is `[C, out]`.
    Linear {
        weight: Tensor<2>,
        bias: Tensor<3>,
    },
    LayerNorm {
        weight: Tensor<1>,
        bias: Tensor<1>,
        epsilon: f64,
    },
    GlobalResponseNorm {
        weight: Tensor<4>,
        bias: Tensor<4>,
        epsilon: f64,
    },
    Scale(Tensor<1>),
    Attention {
        heads: usize,
    },
    ToTokens,
    PrefixTokens(Tensor<3>),
    Positions(Tensor<3>),
    ToMap([usize; 2]),
}

impl Step {
    /// The step of `node`, whose first input has the shape `input`, with the values of its parameters. `None`
    /// if this engine does not know the operation.
    pub(super) fn new(
        node: &Node,
        input: Option<&Shape>,
        parameters: &[Vec<f32>],
        device: &Device,
    ) -> Option<Self> {
        let vector = |index: usize| {
            let values: &Vec<f32> = &parameters[index];
            Tensor::<1>::from_data(TensorData::new(values.clone(), [values.len()]), device)
        };
        let channels = node.form().channels;
        Some(match (node.operation(), input) {
            (Operation::Picture, _) => Self::Picture,
            (Operation::Convolution(convolution), Some(input)) => {
                let weight = weight(convolution, input.channels(), &parameters[0], device);
                Self::Convolution { weight, bias: vector(1), options: options(convolution, input.sides) }
            }
            (Operation::MaxPool(window), Some(input)) => {
                let mut options = MaxPoolOptions::new(window.kernel).with_stride(window.stride);
                // Burn's maximum never takes a value from the padding.
                options.padding = pairs(window, input.sides);
                Self::MaxPool(options)
            }
            (Operation::AveragePool { window, count_padding }, Some(input)) => {
                let mut options = AvgPoolOptions::new(window.kernel).with_stride(window.stride);
                options.padding = pairs(window, input.sides);
                options.count_include_pad = *count_padding;
                Self::AveragePool(options)
            }
            (Operation::GlobalAverage, _) => Self::GlobalAverage,
            (Operation::Add, _) => Self::Add,
            (Operation::Multiply, _) => Self::Multiply,
            (Operation::Concatenate, _) => Self::Concatenate,
            (Operation::Mean, _) => Self::Mean,
            (Operation::Activation(activation), _) => Self::Activation(known(*activation)?),
            (Operation::Linear { out }, Some(input)) => match input.form.layout {
                Layout::Map => {
                    let convolution = Convolution::new(*out, 1);
                    let weight = weight(&convolution, input.channels(), &parameters[0], device);
                    Self::Convolution { weight, bias: vector(1), options: options(&convolution, [1; 2]) }
                }
                Layout::Tokens { .. } => {
                    let weight = TensorData::new(parameters[0].clone(), [*out, input.channels()]);
                    let weight = Tensor::<2>::from_data(weight, device).transpose();
                    Self::Linear { weight, bias: vector(1).reshape([1, 1, *out]) }
                }
            },
            (Operation::LayerNorm { epsilon }, _) => {
                Self::LayerNorm { weight: vector(0), bias: vector(1), epsilon: *epsilon }
            }
            (Operation::GlobalResponseNorm { epsilon }, _) => {
                let [weight, bias] = [0, 1].map(|index| vector(index).reshape([1, channels, 1, 1]));
                Self::GlobalResponseNorm { weight, bias, epsilon: *epsilon }
            }
            (Operation::Scale, _) => Self::Scale(vector(0)),
            (Operation::Attention { heads }, _) => Self::Attention { heads: *heads },
            (Operation::ToTokens, _) => Self::ToTokens,
            (Operation::PrefixTokens { count }, _) => {
                Self::PrefixTokens(vector(0).reshape([1, *count, channels]))
            }
            (Operation::Positions { grid, prefix, interpolation }, Some(input)) => {
                let (before, cells) = parameters[0].split_at(prefix * channels);
                let cells = interpolation.resample(cells, channels, *grid, input.sides);
                let all = [before, &cells].concat();
                let dims = [1, all.len() / channels, channels];
                Self::Positions(Tensor::from_data(TensorData::new(all, dims), device))
            }
            (Operation::ToMap, Some(input)) => Self::ToMap(input.sides),
            _ => return None,
        })
    }

    /// Computes the value from those of the inputs.
    pub(super) fn run(&self, inputs: Vec<Value>) -> Value {
        let mut inputs = inputs.into_iter();
        let mut next = || inputs.next().expect("a checked node has its inputs");
        match self {
            Self::Picture => next(),
            Self::Convolution { weight, bias, options } => {
                Value::Map(conv2d(next().map(), weight.clone(), Some(bias.clone()), options.clone()))
            }
            Self::MaxPool(options) => Value::Map(max_pool2d(next().map(), options.clone())),
            Self::AveragePool(options) => Value::Map(avg_pool2d(next().map(), options.clone())),
            Self::GlobalAverage => Value::Map(next().map().mean_dim(2).mean_dim(3)),
            Self::Add => sum(next(), next()),
            Self::Multiply => match next() {
                Value::Map(one) => Value::Map(one * next().map()),
                Value::Tokens(one) => Value::Tokens(one * next().tokens()),
            },
            Self::Concatenate => match next() {
                Value::Map(first) => {
                    let rest = inputs.map(Value::map);
                    Value::Map(Tensor::cat(std::iter::once(first).chain(rest).collect(), 1))
                }
                Value::Tokens(first) => {
                    let rest = inputs.map(Value::tokens);
                    Value::Tokens(Tensor::cat(std::iter::once(first).chain(rest).collect(), 2))
                }
            },
            Self::Mean => {
                let count = inputs.len();
                let first = inputs.next().expect("a checked node has its inputs");
                match inputs.fold(first, sum) {
                    Value::Map(sum) => Value::Map(sum / count as f64),
                    Value::Tokens(sum) => Value::Tokens(sum / count as f64),
                }
            }
            Self::Activation(activation) => match next() {
                Value::Map(map) => Value::Map(activate(*activation, map)),
                Value::Tokens(tokens) => Value::Tokens(activate(*activation, tokens)),
            },
            Self::Linear { weight, bias } => {
                let tokens = next().tokens();
                let [count, length, channels] = tokens.dims();
                let product = tokens.reshape([count * length, channels]).matmul(weight.clone());
                let out = bias.dims()[2];
                Value::Tokens(product.reshape([count, length, out]) + bias.clone())
            }
            Self::LayerNorm { weight, bias, epsilon } => match next() {
                Value::Map(map) => {
                    let [weight, bias] = [weight, bias].map(of_maps);
                    Value::Map(layer_norm(map, 1, weight, bias, *epsilon))
                }
                Value::Tokens(tokens) => {
                    let [weight, bias] = [weight, bias].map(of_tokens);
                    Value::Tokens(layer_norm(tokens, 2, weight, bias, *epsilon))
                }
            },
            Self::GlobalResponseNorm { weight, bias, epsilon } => {
                Value::Map(global_response_norm(next().map(), weight.clone(), bias.clone(), *epsilon))
            }
            Self::Scale(factors) => match next() {
                Value::Map(map) => Value::Map(map * of_maps(factors)),
                Value::Tokens(tokens) => Value::Tokens(tokens * of_tokens(factors)),
            },
            Self::Attention { heads } => Value::Tokens(attention(next().tokens(), *heads)),
            Self::ToTokens => {
                let map = next().map();
                let [count, channels, height, width] = map.dims();
                Value::Tokens(map.reshape([count, channels, height * width]).swap_dims(1, 2))
            }
            Self::PrefixTokens(prefix) => {
                let tokens = next().tokens();
                let prefix = prefix.clone().repeat_dim(0, tokens.dims()[0]);
                Value::Tokens(Tensor::cat(vec![prefix, tokens], 1))
            }
            Self::Positions(positions) => Value::Tokens(next().tokens() + positions.clone()),
            Self::ToMap(sides) => Value::Map(next().grid(*sides)),
        }
    }
}

fn sum(one: Value, other: Value) -> Value {
    match one {
        Value::Map(one) => Value::Map(one + other.map()),
        Value::Tokens(one) => Value::Tokens(one + other.tokens()),
    }
}

/// `[C]` as `[1, C, 1, 1]`.
fn of_maps(vector: &Tensor<1>) -> Tensor<4> {
    vector.clone().reshape([1, vector.dims()[0], 1, 1])
}

/// `[C]` as `[1, 1, C]`.
fn of_tokens(vector: &Tensor<1>) -> Tensor<3> {
    vector.clone().reshape([1, 1, vector.dims()[0]])
}

fn weight(convolution: &Convolution, channels: usize, values: &[f32], device: &Device) -> Tensor<4> {
    let [rows, columns] = convolution.window.kernel;
    let dims = [convolution.out, channels / convolution.groups, rows, columns];
    Tensor::from_data(TensorData::new(values.to_vec(), dims), device)
}

fn options(convolution: &Convolution, sides: [usize; 2]) -> ConvOptions<2> {
    let Convolution { window, groups, .. } = convolution;
    let mut options = ConvOptions::new(window.stride, [0; 2], window.dilation, *groups);
    options.padding = pairs(window, sides);
    options
}

/// The padding as pairs of before and behind, along rows and along columns.
fn pairs(window: &Window, sides: [usize; 2]) -> [(usize, usize); 2] {
    let [begin, end] = window.padding_of(sides);
    [(begin[0], end[0]), (begin[1], end[1])]
}

/// The activation, if this engine knows it.
fn known(activation: Activation) -> Option<Activation> {
    match activation {
        Activation::Relu
        | Activation::Relu6
        | Activation::Sigmoid
        | Activation::HardSigmoid
        | Activation::HardSwish
        | Activation::Silu
        | Activation::GeluErf
        | Activation::GeluTanh
        | Activation::QuickGelu => Some(activation),
        _ => None,
    }
}
