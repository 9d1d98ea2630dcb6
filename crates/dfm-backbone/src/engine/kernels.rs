//! A ResNet in the terms of our own kernels.

use dfm_kernels::{Block, Convolution, MaxPool, Network};

use crate::error::BackboneError;
use crate::families::resnet::ConvolutionShape;
use crate::layer::Layer;
use crate::tap::Tap;
use crate::weights::BackboneWeights;

/// The network of the weights for our own kernels; `None` if they cannot run it: they know ResNets that are
/// tapped at their stages.
///
/// # Errors
///
/// If there is no tap.
pub(crate) fn network(weights: &BackboneWeights, taps: &[Tap]) -> Result<Option<Network>, BackboneError> {
    let deepest = Tap::deepest(taps)?;
    let Some(resnet) = weights.header().architecture.resnet() else { return Ok(None) };
    let stages = |layer: Layer| Layer::RESNET.iter().position(|stage| *stage == layer).map(|place| place + 1);
    let Some(reached) = stages(deepest.layer) else { return Ok(None) };
    let mut values = weights.values().chunks_exact(2);
    let mut next = |shape: &ConvolutionShape| {
        convolution(shape, values.next().expect("checked weights have every convolution"))
    };
    let stem = next(&resnet.stem());
    let blocks = resnet.blocks(reached);
    let blocks = blocks.iter().map(|block| Block {
        projection: block.projection.as_ref().map(&mut next),
        branch: block.branch.iter().map(&mut next).collect(),
    });
    let blocks = blocks.collect();
    let (before, after) = resnet.max_pool_padding.sides();
    let in_blocks = |tap: &Tap| {
        let blocks = resnet.depths.iter().take(stages(tap.layer)?).sum();
        Some(dfm_kernels::Tap { blocks, average: tap.pool })
    };
    let taps: Option<Vec<_>> = taps.iter().map(in_blocks).collect();
    Ok(taps.map(|taps| Network { stem, pool: MaxPool { before, after }, blocks, taps }))
}

/// The same convolution in the kernels' terms, with its weight and its bias.
fn convolution(shape: &ConvolutionShape, values: &[Vec<f32>]) -> Convolution {
    Convolution {
        out_channels: shape.out_channels,
        in_channels_per_group: shape.in_channels_per_group,
        kernel: shape.kernel,
        stride: shape.stride,
        padding: shape.padding,
        groups: shape.groups,
        weight: values[0].clone(),
        bias: values[1].clone(),
    }
}
