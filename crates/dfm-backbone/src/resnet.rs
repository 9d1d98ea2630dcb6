//! The network: a stem, a maximum, and residual blocks up to the last tap.

use burn::tensor::activation::relu;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor};

use crate::block::{Convolution, ResidualBlock};
use crate::error::BackboneError;
use crate::layer::Layer;
use crate::weights::BackboneWeights;

/// A ResNet for inference, up to the last layer that is tapped. Layers behind it are neither held nor
/// run.
#[derive(Debug, Clone)]
pub struct ResNet {
    stem: Convolution,
    pool: MaxPoolOptions<2>,
    blocks: Vec<ResidualBlock>,
    /// The number of blocks that have run by each tap.
    taps: Vec<usize>,
}

impl ResNet {
    /// Puts the weights up to the last of `taps`, which must be in the order of the layers, on `device`.
    ///
    /// # Errors
    ///
    /// If there is no tap, the taps are not in order, or the weights end before the last tap.
    pub fn new(weights: &BackboneWeights, taps: &[Layer], device: &Device) -> Result<Self, BackboneError> {
        let unordered = || BackboneError::Taps { got: taps.to_vec() };
        let tap = *taps.last().filter(|_| taps.is_sorted_by(|a, b| a < b)).ok_or_else(unordered)?;
        let header = weights.header();
        let architecture = &header.architecture;
        if tap > header.deepest {
            return Err(BackboneError::TapBeyondWeights {
                architecture: architecture.name.clone(),
                tap,
                deepest: header.deepest,
            });
        }
        let mut convolutions = weights.convolutions().iter();
        let stem = convolutions.next().expect("checked weights have a stem");
        let stem = Convolution::new(&architecture.stem(), stem, device);
        let shapes = architecture.blocks(tap);
        let blocks = shapes.iter().map(|shape| ResidualBlock::new(shape, &mut convolutions, device));
        let blocks = blocks.collect();
        let padding = architecture.max_pool_padding.sides();
        // The padding never decides: no window holds padding alone, and no value is below zero behind
        // the ReLU.
        let mut pool = MaxPoolOptions::new([3, 3]).with_stride([2, 2]);
        pool.padding = [padding; 2];
        let taps = taps.iter().map(|tap| architecture.blocks(*tap).len()).collect();
        Ok(Self { stem, pool, blocks, taps })
    }

    /// Runs prepared pictures to every tap, and gives `take` the map of each tap as soon as it is
    /// computed. Only the result of `take` stays in memory.
    ///
    /// # Shapes
    ///
    /// - pictures: `[N, 3, H, W]`
    /// - maps: `[N, C, h, w]`, see
    ///   [`Architecture::feature_size`](crate::Architecture::feature_size)
    pub fn forward<T>(&self, pictures: Tensor<4>, mut take: impl FnMut(Tensor<4>) -> T) -> Vec<T> {
        let stem = relu(self.stem.forward(pictures));
        let mut value = max_pool2d(stem, self.pool.clone());
        let mut taken = Vec::with_capacity(self.taps.len());
        for (index, block) in self.blocks.iter().enumerate() {
            value = block.forward(value);
            if self.taps.contains(&(index + 1)) {
                taken.push(take(value.clone()));
            }
        }
        taken
    }
}
