//! A convolution and a residual block on a device.

use burn::tensor::activation::relu;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};

use crate::architecture::{BlockShape, ConvolutionShape};
use crate::weights::ConvolutionWeights;

/// A convolution with a bias. The batch norm is folded into both.
#[derive(Debug, Clone)]
pub(crate) struct Convolution {
    weight: Tensor<4>,
    bias: Tensor<1>,
    options: ConvOptions<2>,
}

impl Convolution {
    pub(crate) fn new(shape: &ConvolutionShape, weights: &ConvolutionWeights, device: &Device) -> Self {
        let weight = TensorData::new(weights.weight.clone(), shape.weight_dims());
        let bias = TensorData::new(weights.bias.clone(), [shape.out_channels]);
        Self {
            weight: Tensor::from_data(weight, device),
            bias: Tensor::from_data(bias, device),
            options: ConvOptions::new([shape.stride; 2], [shape.padding; 2], [1; 2], shape.groups),
        }
    }

    /// `[N, C, H, W]` to `[N, C', H', W']`.
    pub(crate) fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        conv2d(input, self.weight.clone(), Some(self.bias.clone()), self.options.clone())
    }
}

/// The sum of a branch and a shortcut, then a ReLU.
#[derive(Debug, Clone)]
pub(crate) struct ResidualBlock {
    projection: Option<Convolution>,
    branch: Vec<Convolution>,
}

impl ResidualBlock {
    /// Takes the weights of the block from `weights`, which must hold them in the order of
    /// [`Architecture::convolutions`](crate::Architecture::convolutions).
    ///
    /// # Panics
    ///
    /// If `weights` ends before the block does.
    pub(crate) fn new<'w>(
        shape: &BlockShape,
        weights: &mut impl Iterator<Item = &'w ConvolutionWeights>,
        device: &Device,
    ) -> Self {
        let mut next = |shape| {
            let weights = weights.next().expect("checked weights have every convolution up to the tap");
            Convolution::new(shape, weights, device)
        };
        let projection = shape.projection.as_ref().map(&mut next);
        Self { projection, branch: shape.branch.iter().map(next).collect() }
    }

    /// `[N, C, H, W]` to `[N, C', H', W']`.
    pub(crate) fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let shortcut = match &self.projection {
            Some(projection) => projection.forward(input.clone()),
            None => input.clone(),
        };
        let last = self.branch.len() - 1;
        let branch = self.branch.iter().enumerate().fold(input, |value, (index, convolution)| {
            let value = convolution.forward(value);
            if index < last { relu(value) } else { value }
        });
        relu(branch + shortcut)
    }
}
