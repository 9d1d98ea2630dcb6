//! The network: a stem, a maximum, residual blocks up to the tap.

use burn::tensor::activation::relu;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor};

use crate::block::{Convolution, ResidualBlock};
use crate::error::BackboneError;
use crate::layer::Layer;
use crate::weights::BackboneWeights;

/// An inference-only ResNet up to one layer. What comes after the tap is neither
/// held nor run.
#[derive(Debug, Clone)]
pub struct ResNet {
    stem: Convolution,
    pool: MaxPoolOptions<2>,
    blocks: Vec<ResidualBlock>,
}

impl ResNet {
    /// Puts the weights up to `tap` on `device`.
    ///
    /// # Errors
    ///
    /// If the weights end before `tap`.
    pub fn new(weights: &BackboneWeights, tap: Layer, device: &Device) -> Result<Self, BackboneError> {
        let header = weights.header();
        let architecture = &header.architecture;
        let beyond = || BackboneError::TapBeyondWeights {
            architecture: architecture.name.clone(),
            tap,
            deepest: header.deepest,
        };
        if tap > header.deepest {
            return Err(beyond());
        }
        let mut convolutions = weights.convolutions().iter();
        let stem = convolutions.next().ok_or_else(beyond)?;
        let stem = Convolution::new(&architecture.stem(), stem, device);
        let shapes = architecture.blocks(tap);
        let blocks = shapes.iter().map(|shape| ResidualBlock::new(shape, &mut convolutions, device));
        let blocks = blocks.collect::<Option<_>>().ok_or_else(beyond)?;
        let padding = architecture.max_pool_padding.sides();
        // What pads never wins: a maximum over padding alone does not occur, and
        // after the ReLU no value is below zero.
        let mut pool = MaxPoolOptions::new([3, 3]).with_stride([2, 2]);
        pool.padding = [padding; 2];
        Ok(Self { stem, pool, blocks })
    }

    /// Runs prepared pictures to the tap: the ReLU after the layer's last
    /// residual addition.
    ///
    /// # Shapes
    ///
    /// - pictures: `[N, 3, H, W]`
    /// - result: `[N, C, h, w]`, see
    ///   [`Architecture::feature_size`](crate::Architecture::feature_size)
    pub fn forward(&self, pictures: Tensor<4>) -> Tensor<4> {
        let stem = relu(self.stem.forward(pictures));
        let pooled = max_pool2d(stem, self.pool.clone());
        self.blocks.iter().fold(pooled, |value, block| block.forward(value))
    }
}
