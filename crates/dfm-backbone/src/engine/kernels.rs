//! A graph that our own kernels run, on a processor.

use dfm_graph::NodeId;
use dfm_kernels::{GraphTap, InstructionSet, KernelError, NodeRanges, Plan};

use crate::error::BackboneError;
use crate::tap::Tap;
use crate::unsupported::UnsupportedNode;
use crate::weights::BackboneWeights;

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

/// What is to be done if there is no plan in `f32`: the node because of which Burn runs the network, or an
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
