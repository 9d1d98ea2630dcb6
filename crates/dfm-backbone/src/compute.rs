//! Where and how the network's forward pass runs.

use burn::tensor::{Device, Tensor, TensorData};
use dfm_graph::NodeId;
use dfm_kernels::{InstructionSet, NodeRanges, Plan, StepTime};

use crate::engine::{BurnNetwork, left_to_burn, plan, without_int8};
use crate::error::BackboneError;
use crate::features::pool_and_flatten;
use crate::tap::Tap;
use crate::unsupported::UnsupportedNode;
use crate::weights::BackboneWeights;

/// A device, and what computes networks there: Burn, or on a processor our own kernels. A network with a node
/// that our own kernels do not compute is computed by Burn as a whole. Burn always computes everything except
/// the network's forward pass.
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
    /// By Burn, on any device.
    Burn {
        network: Box<BurnNetwork>,
        /// The side of the pooling windows of each tap.
        pools: Vec<usize>,
        /// The node because of which Burn runs the network although our own kernels were asked for.
        unsupported: Option<UnsupportedNode>,
    },
    /// By our own kernels, on a processor.
    Kernels(Box<Plan>),
}

impl Forward {
    /// The network for pictures of the size that the weights ask for, with taps at `nodes` of their graph;
    /// in int8 if there are `ranges`.
    pub(crate) fn new(
        weights: &BackboneWeights,
        taps: &[Tap],
        nodes: &[NodeId],
        compute: &Compute,
        ranges: Option<&NodeRanges>,
    ) -> Result<Self, BackboneError> {
        let Some(instructions) = compute.instructions else {
            return match ranges {
                None => Self::by_burn(weights, taps, nodes, &compute.device, None),
                Some(_) => Err(BackboneError::Int8Device),
            };
        };
        match (plan(weights, taps, nodes, instructions, ranges), ranges) {
            (Ok(plan), _) => Ok(Self::Kernels(Box::new(plan))),
            (Err(error), None) => {
                Self::by_burn(weights, taps, nodes, &compute.device, Some(left_to_burn(error)?))
            }
            (Err(error), Some(_)) => Err(without_int8(weights, error)),
        }
    }

    /// The network by Burn, because our own kernels were not asked for or lack a node.
    pub(crate) fn by_burn(
        weights: &BackboneWeights,
        taps: &[Tap],
        nodes: &[NodeId],
        device: &Device,
        unsupported: Option<UnsupportedNode>,
    ) -> Result<Self, BackboneError> {
        let network = Box::new(BurnNetwork::new(weights, nodes, device)?);
        Ok(Self::Burn { network, pools: taps.iter().map(|tap| tap.pool).collect(), unsupported })
    }

    /// The node because of which Burn runs the network; `None` if our own kernels run it, or were not asked
    /// for.
    pub(crate) fn unsupported(&self) -> Option<&UnsupportedNode> {
        match self {
            Self::Burn { unsupported, .. } => unsupported.as_ref(),
            Self::Kernels(_) => None,
        }
    }

    /// The bytes that one picture needs on one thread, if that is known: Burn takes memory as it needs it.
    pub(crate) fn memory(&self) -> u64 {
        match self {
            Self::Burn { .. } => 0,
            Self::Kernels(plan) => plan.memory(1) as u64,
        }
    }

    /// Whether our own kernels run the network.
    pub(crate) fn has_kernels(&self) -> bool {
        matches!(self, Self::Kernels(_))
    }

    /// How many pictures are best worked on together behind the network; `None` if all of them are. On a
    /// processor it is one.
    pub(crate) fn pictures_apart(&self) -> Option<usize> {
        match self {
            Self::Burn { .. } => None,
            Self::Kernels(_) => Some(1),
        }
    }

    /// How large activations become in `f32`.
    pub(crate) fn ranges(&self, pictures: &[&[f32]]) -> Result<NodeRanges, BackboneError> {
        match self {
            Self::Burn { .. } => Err(BackboneError::Int8Device),
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
            Self::Burn { network, pools, .. } => {
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
            Self::Burn { network, pools, .. } => {
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
            Self::Burn { .. } => Ok(None),
            Self::Kernels(plan) => Ok(Some(plan.time_steps(picture, repeats)?)),
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use dfm_image::InputContract;
    use dfm_kernels::KernelError;

    use super::*;
    use crate::architecture::Architecture;
    use crate::layer::Layer;

    fn unsupported() -> KernelError {
        KernelError::Unsupported { node: "blocks.0".to_owned(), operation: "attention" }
    }

    #[test]
    fn burn_runs_what_our_kernels_lack_and_says_for_whose_sake() {
        let node = left_to_burn(unsupported()).expect("a network for Burn");
        assert_eq!(node.to_string(), "node 'blocks.0' (attention)");
        let other = left_to_burn(KernelError::TooSmall { height: 1, width: 2 }).expect_err("no network");
        assert!(matches!(other, BackboneError::Kernels(KernelError::TooSmall { .. })), "{other}");

        let layer = Layer::named("layer1");
        let input = InputContract::imagenet().with_size(32, 32);
        let architecture = Architecture::known("resnet18").expect("a known name");
        let weights = BackboneWeights::random(architecture, layer, input, 0).expect("weights");
        let taps = [layer.pooled(2)];
        let nodes = weights.nodes(&taps).expect("a tap");
        let device = burn::tensor::Device::flex();
        let forward = Forward::by_burn(&weights, &taps, &nodes, &device, Some(node.clone())).expect("Burn");
        assert!(!forward.has_kernels());
        assert_eq!(forward.unsupported(), Some(&node));
        let rows = forward.run(&[&[0.5; 3 * 32 * 32]], [32, 32], &device).expect("features");
        assert_eq!(rows.dims(), [1, 64 * 4 * 4]);

        let error = without_int8(&weights, unsupported()).to_string();
        assert!(error.contains("node 'blocks.0' (attention) of 'resnet18'"), "{error}");
    }
}
