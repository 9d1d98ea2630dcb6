//! A graph that our own kernels run, on a processor.

use std::fmt;

use dfm_graph::NodeId;
use dfm_kernels::{GraphTap, InstructionSet, KernelError, NodeRanges, Plan};

use crate::error::BackboneError;
use crate::tap::Tap;
use crate::weights::BackboneWeights;

/// A node that our own kernels do not compute. Burn then runs the whole network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsupportedNode {
    /// The name of the node.
    pub node: String,
    /// Its operation.
    pub operation: &'static str,
}

impl fmt::Display for UnsupportedNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node '{}' ({})", self.node, self.operation)
    }
}

/// The network of `weights` by our own kernels, with taps at `nodes`; in int8 if there are `ranges`.
///
/// # Errors
///
/// [`KernelError::Unsupported`] names the node that they do not compute, and
/// [`KernelError::Unsupported8`] the one that they do not compute in int8.
pub(crate) fn plan(
    weights: &BackboneWeights,
    taps: &[Tap],
    nodes: &[NodeId],
    instructions: InstructionSet,
    ranges: Option<&NodeRanges>,
) -> Result<Plan, KernelError> {
    let (graph, values, input) = (weights.graph(), weights.values(), weights.header().input);
    let size = [input.height, input.width];
    let taps = nodes.iter().zip(taps).map(|(node, tap)| GraphTap { node: *node, average: tap.pool });
    let taps: Vec<GraphTap> = taps.collect();
    match ranges {
        None => Plan::compile(graph, values, size, &taps, instructions),
        Some(ranges) => Plan::compile_int8(graph, values, size, &taps, instructions, ranges),
    }
}

/// What is to be done if there is no plan in `f32`: the node for whose sake Burn runs the network, or an
/// error.
///
/// # Errors
///
/// If Burn could not run the network either.
pub(crate) fn left_to_burn(error: KernelError) -> Result<UnsupportedNode, BackboneError> {
    match error {
        KernelError::Unsupported { node, operation } => Ok(UnsupportedNode { node, operation }),
        other => Err(other.into()),
    }
}

/// The error if there is no plan in int8, which Burn does not compute in.
pub(crate) fn without_int8(weights: &BackboneWeights, error: KernelError) -> BackboneError {
    match error {
        KernelError::Unsupported { node, operation } | KernelError::Unsupported8 { node, operation } => {
            let architecture = weights.header().architecture.name().to_owned();
            BackboneError::Int8Network { architecture, unsupported: UnsupportedNode { node, operation } }
        }
        other => other.into(),
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use dfm_image::InputContract;

    use super::*;
    use crate::architecture::Architecture;
    use crate::compute::Forward;
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
