//! Where and how the network's forward pass runs.

use burn::tensor::{Device, Tensor, TensorData};
use dfm_kernels::{ActivationRanges, Block, Convolution, InstructionSet, MaxPool, Network, Plan, StepTime};

use crate::architecture::ConvolutionShape;
use crate::error::BackboneError;
use crate::features::pool_and_flatten;
use crate::layer::Layer;
use crate::resnet::ResNet;
use crate::tap::Tap;
use crate::weights::{BackboneWeights, ConvolutionWeights};

/// A device, and what computes convolutions there: Burn, or on a processor our own kernels. Burn
/// always computes everything except the network's forward pass.
#[derive(Debug, Clone)]
pub struct Compute {
    device: Device,
    instructions: Option<InstructionSet>,
}

impl Compute {
    /// Our own kernels with the fastest instructions of this processor. Tensors live on `device`, which
    /// must be a processor.
    pub fn with_kernels(device: Device) -> Self {
        Self::with_instructions(device, InstructionSet::best())
    }

    /// [`with_kernels`](Self::with_kernels) with the given instructions. If the processor lacks them,
    /// portable code runs.
    pub fn with_instructions(device: Device, instructions: InstructionSet) -> Self {
        Self { device, instructions: Some(instructions) }
    }

    /// The device that tensors live on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The instructions of our own kernels; `None` if Burn computes.
    pub fn instructions(&self) -> Option<InstructionSet> {
        self.instructions
    }
}

impl From<Device> for Compute {
    /// Burn computes everything.
    fn from(device: Device) -> Self {
        Self { device, instructions: None }
    }
}

impl From<&Device> for Compute {
    fn from(device: &Device) -> Self {
        device.clone().into()
    }
}

impl From<&Self> for Compute {
    fn from(compute: &Self) -> Self {
        compute.clone()
    }
}

/// A network that is ready to run.
#[derive(Debug)]
pub(crate) enum Forward {
    /// By Burn, on any device; with the side of the pooling windows of each tap.
    Burn(Box<ResNet>, Vec<usize>),
    /// By our own kernels, on a processor.
    Kernels(Box<Plan>),
}

impl Forward {
    /// The network for pictures of the size that the weights ask for; in int8 if there are `ranges`.
    pub(crate) fn new(
        weights: &BackboneWeights,
        taps: &[Tap],
        compute: &Compute,
        ranges: Option<&ActivationRanges>,
    ) -> Result<Self, BackboneError> {
        let Some(instructions) = compute.instructions else {
            return match ranges {
                None => {
                    let layers: Vec<Layer> = taps.iter().map(|tap| tap.layer).collect();
                    let network = ResNet::new(weights, &layers, &compute.device)?;
                    Ok(Self::Burn(Box::new(network), taps.iter().map(|tap| tap.pool).collect()))
                }
                Some(_) => Err(BackboneError::Int8Device),
            };
        };
        let input = weights.header().input;
        let (network, size) = (network(weights, taps)?, [input.height, input.width]);
        let plan = match ranges {
            None => Plan::new(&network, size, instructions)?,
            Some(ranges) => Plan::int8(&network, size, instructions, ranges)?,
        };
        Ok(Self::Kernels(Box::new(plan)))
    }

    /// How many pictures are best worked on together behind the network; `None` if all of them are. On a
    /// processor it is one.
    pub(crate) fn pictures_apart(&self) -> Option<usize> {
        match self {
            Self::Burn(..) => None,
            Self::Kernels(_) => Some(1),
        }
    }

    /// How large activations become in `f32`.
    pub(crate) fn ranges(&self, pictures: &[&[f32]]) -> Result<ActivationRanges, BackboneError> {
        match self {
            Self::Burn(..) => Err(BackboneError::Int8Device),
            Self::Kernels(plan) => Ok(plan.ranges(pictures)?),
        }
    }

    /// Feature rows `[N, D]` of prepared pictures `[3, H, W]`.
    pub(crate) fn run(
        &self,
        pictures: &[&[f32]],
        [height, width]: [usize; 2],
        device: &Device,
    ) -> Result<Tensor<2>, BackboneError> {
        match self {
            Self::Burn(network, pools) => {
                let values = TensorData::new(pictures.concat(), [pictures.len(), 3, height, width]);
                let mut pools = pools.iter();
                let rows = network.forward(Tensor::from_data(values, device), |features| {
                    let pool = *pools.next().expect("a pool for each tap");
                    pool_and_flatten(features, pool).map(|(rows, _)| rows)
                });
                Ok(Tensor::cat(rows.into_iter().collect::<Result<Vec<_>, _>>()?, 1))
            }
            Self::Kernels(plan) => {
                let values = plan.run(pictures)?;
                let rows = [pictures.len(), plan.output_len()];
                Ok(Tensor::from_data(TensorData::new(values, rows), device))
            }
        }
    }

    /// [`run`](Self::run), and the maps `[N, C · H · W]` that the features of every tap are averages of,
    /// unless its windows are single cells.
    pub(crate) fn run_with_maps(
        &self,
        pictures: &[&[f32]],
        [height, width]: [usize; 2],
        device: &Device,
    ) -> Result<(Tensor<2>, Vec<Tensor<2>>), BackboneError> {
        let count = pictures.len();
        match self {
            Self::Burn(network, pools) => {
                let values = TensorData::new(pictures.concat(), [count, 3, height, width]);
                let (mut pools, mut maps) = (pools.iter(), Vec::new());
                let rows = network.forward(Tensor::from_data(values, device), |features| {
                    let pool = *pools.next().expect("a pool for each tap");
                    if pool > 1 {
                        let columns = features.dims()[1..].iter().product::<usize>();
                        maps.push(features.clone().reshape([count, columns]));
                    }
                    pool_and_flatten(features, pool).map(|(rows, _)| rows)
                });
                Ok((Tensor::cat(rows.into_iter().collect::<Result<Vec<_>, _>>()?, 1), maps))
            }
            Self::Kernels(plan) => {
                let lengths = plan.map_shapes().iter().map(|shape| shape.iter().product::<usize>());
                let columns: Vec<usize> = std::iter::once(plan.output_len()).chain(lengths).collect();
                let values = TensorData::new(plan.run_with_maps(pictures)?, [count, columns.iter().sum()]);
                let all = Tensor::<2>::from_data(values, device);
                let mut first = 0;
                // Nothing is copied: each part is a view of some columns.
                let mut parts = columns.into_iter().map(|columns| {
                    first += columns;
                    all.clone().slice([0..count, first - columns..first])
                });
                let rows = parts.next().expect("features come first");
                Ok((rows, parts.collect()))
            }
        }
    }
}

impl Forward {
    /// See [`FeatureExtractor::time_steps`](crate::FeatureExtractor::time_steps).
    pub(crate) fn time_steps(
        &self,
        picture: &[f32],
        repeats: usize,
    ) -> Result<Option<Vec<StepTime>>, BackboneError> {
        match self {
            Self::Burn(..) => Ok(None),
            Self::Kernels(plan) => Ok(Some(plan.time_steps(picture, repeats)?)),
        }
    }
}

/// The same network in the kernels' terms.
fn network(weights: &BackboneWeights, taps: &[Tap]) -> Result<Network, BackboneError> {
    let deepest = Tap::deepest(taps)?;
    let architecture = &weights.header().architecture;
    let mut convolutions = weights.convolutions().iter();
    // The kernels check every shape, but not that the weights reach to the last tap.
    if deepest.layer > weights.header().deepest {
        return Err(BackboneError::TapBeyondWeights {
            architecture: architecture.name.clone(),
            tap: deepest.layer,
            deepest: weights.header().deepest,
        });
    }
    let mut next = |shape: &ConvolutionShape| {
        convolution(shape, convolutions.next().expect("checked weights have every convolution"))
    };
    let stem = next(&architecture.stem());
    let blocks = architecture.blocks(deepest.layer);
    let blocks = blocks.iter().map(|block| Block {
        projection: block.projection.as_ref().map(&mut next),
        branch: block.branch.iter().map(&mut next).collect(),
    });
    let blocks = blocks.collect();
    let (before, after) = architecture.max_pool_padding.sides();
    let in_blocks =
        |tap: &Tap| dfm_kernels::Tap { blocks: architecture.blocks(tap.layer).len(), average: tap.pool };
    let taps = taps.iter().map(in_blocks).collect();
    Ok(Network { stem, pool: MaxPool { before, after }, blocks, taps })
}

/// The same convolution in the kernels' terms.
fn convolution(shape: &ConvolutionShape, weights: &ConvolutionWeights) -> Convolution {
    Convolution {
        out_channels: shape.out_channels,
        in_channels_per_group: shape.in_channels_per_group,
        kernel: shape.kernel,
        stride: shape.stride,
        padding: shape.padding,
        groups: shape.groups,
        weight: weights.weight.clone(),
        bias: weights.bias.clone(),
    }
}
