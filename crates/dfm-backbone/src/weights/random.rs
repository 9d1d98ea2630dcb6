//! Seeded random weights.

use std::collections::HashSet;

use dfm_graph::{Graph, NodeId, Operation, Parameter};
use dfm_image::InputContract;

use super::error::WeightsError;
use super::generator::CounterGenerator;
use super::header::{Precision, WeightsHeader};
use super::network::BackboneWeights;
use crate::architecture::Architecture;
use crate::layer::Layer;

/// The text before the seed in [`WeightsHeader::source`].
const SOURCE: &str = "random, seed ";

impl BackboneWeights {
    /// Seeded random weights: uniform with variance `2 / fan-in` (He et al.,
    /// *Delving Deep into Rectifiers*, 2015), biases zero. The last weight of
    /// each residual branch is scaled by a quarter, so that activations do not
    /// grow from block to block. Factors of norms are one, learnt tokens and positions
    /// lie between −1 and 1.
    ///
    /// The same seed gives the same weights on every machine.
    ///
    /// # Errors
    ///
    /// If the architecture or the input contract is out of bounds, or there is no such layer.
    pub fn random(
        architecture: impl Into<Architecture>,
        deepest: Layer,
        input: InputContract,
        seed: u64,
    ) -> Result<Self, WeightsError> {
        let architecture = architecture.into();
        // The scale of a weight does not depend on where the network ends.
        let whole = architecture.graph()?;
        let lasts: HashSet<&str> = lasts_of_branches(&whole).map(|node| whole.node(node).name()).collect();
        let graph = architecture.graph_to(deepest)?;
        let values = graph.parameters().iter().map(|it| values(&graph, it, seed, &lasts)).collect();
        let source = format!("{SOURCE}{seed}");
        let header = WeightsHeader {
            architecture,
            deepest,
            input,
            precision: Precision::F32,
            license: "none needed: random numbers".to_owned(),
            source,
            source_sha256: None,
        };
        Self::new(header, values)
    }

    /// The seed of [`random`](Self::random) weights, from the source in their header; `None` for other
    /// weights.
    ///
    /// ```
    /// # use dfm_backbone::BackboneWeights;
    /// assert_eq!(BackboneWeights::seed_of("random, seed 7"), Some(7));
    /// assert_eq!(BackboneWeights::seed_of("resnet18-f37072fd.pth"), None);
    /// ```
    pub fn seed_of(source: &str) -> Option<u64> {
        source.strip_prefix(SOURCE)?.parse().ok()
    }
}

/// The convolutions and matrix products whose result is the first part of a sum, which is that of the
/// branch.
fn lasts_of_branches(graph: &Graph) -> impl Iterator<Item = NodeId> + '_ {
    let sums = graph.nodes().iter().filter(|node| matches!(node.operation(), Operation::Add));
    sums.filter_map(|node| node.inputs().first().copied())
}

fn values(graph: &Graph, parameter: &Parameter, seed: u64, lasts: &HashSet<&str>) -> Vec<f32> {
    let node = graph.node(parameter.node);
    let uniform = |stream: &str, bound: f32| {
        let generator = CounterGenerator::for_name(seed, stream);
        (0..parameter.len() as u64).map(|index| bound * generator.unit_f32(index)).collect()
    };
    match (node.operation(), parameter.suffix) {
        (Operation::Convolution(_) | Operation::Linear { .. }, "weight") => {
            let scale = if lasts.contains(node.name()) { 0.25 } else { 1.0 };
            let fan_in: usize = parameter.dims[1..].iter().product();
            // A uniform variable on [−b, b] has variance b² / 3.
            uniform(node.name(), scale * (6.0 / fan_in as f32).sqrt())
        }
        (Operation::PrefixTokens { .. } | Operation::Positions { .. }, _) => uniform(&parameter.name, 1.0),
        (_, "weight") => vec![1.0; parameter.len()],
        _ => vec![0.0; parameter.len()],
    }
}
