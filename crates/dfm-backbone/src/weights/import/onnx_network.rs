//! The network that an ONNX file describes, as weights of our own.

use std::collections::BTreeSet;

use dfm_graph::Layout;
use dfm_image::{InputContract, Normalisation};

use super::network::{self, Network};
use super::options::ImportOptions;
use crate::architecture::Architecture;
use crate::error::BackboneError;
use crate::layer::Layer;
use crate::weights::error::WeightsError;
use crate::weights::header::{Precision, WeightsHeader};
use crate::weights::network::BackboneWeights;

/// The nodes that an error names as examples.
const EXAMPLES: usize = 6;
/// A network that multiplies pixels with less than this expects them in 0–255.
const LEAST_FACTOR: f32 = 1.0 / 32.0;
/// A network that subtracts more than this expects pixels in 0–255.
const LARGEST_MEAN: f32 = 2.0;

/// What can be tapped of the network that an ONNX file describes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OnnxNodes {
    /// The size (height, width) of pictures that the shapes are for.
    pub size: [usize; 2],
    /// Whether the file takes pictures of this size alone.
    pub fixed: bool,
    /// What pixels are assumed to become where nothing else says it, or why that is not clear.
    pub pixels: Result<Normalisation, String>,
    /// The nodes, in the order of the network.
    pub nodes: Vec<OnnxNode>,
    /// Why what is not among them was not understood: each cause once, with the node where it lies.
    pub refused: Vec<String>,
}

/// A node that can be tapped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OnnxNode {
    /// The name of the layer. The file may have others for the same features.
    pub name: String,
    /// What it computes, such as `convolution`.
    pub operation: &'static str,
    /// The channels of its map or its tokens.
    pub channels: usize,
    /// Height and width of its map, or of the grid of its tokens.
    pub sides: [usize; 2],
    /// Whether its features are tokens.
    pub are_tokens: bool,
}

/// The nodes of a file.
pub(super) fn nodes(bytes: &[u8], size: Option<[usize; 2]>) -> Result<OnnxNodes, WeightsError> {
    let network = network::network(bytes, size)?;
    let line =
        |refusal: &network::Refusal| format!("{} ({}): {}", refusal.node, refusal.operation, refusal.reason);
    let refused: BTreeSet<String> = network.refused.values().map(line).collect();
    let size = network.size;
    let shapes = network.graph.shapes(size).map_err(|cause| refused_by(&cause))?;
    let nodes = network.graph.nodes().iter().zip(&shapes).skip(1).map(|(node, shape)| OnnxNode {
        name: node.name().to_owned(),
        operation: node.operation().name(),
        channels: shape.channels(),
        sides: shape.sides,
        are_tokens: shape.form.layout != Layout::Map,
    });
    let pixels = usual(&network).map(|input| input.normalisation()).map_err(|cause| cause.to_string());
    Ok(OnnxNodes {
        size,
        fixed: network.fixed,
        pixels,
        nodes: nodes.collect(),
        refused: refused.into_iter().collect(),
    })
}

/// The weights of a file whose SHA-256 is `sha256`, up to the layer of the options.
pub(super) fn import(
    bytes: &[u8],
    sha256: &str,
    options: &ImportOptions,
) -> Result<BackboneWeights, WeightsError> {
    let wanted = options.size.or(options.input.map(|input| [input.height, input.width]));
    let mut network = network::network(bytes, wanted)?;
    let name = format!("onnx-{}", &sha256[..12]);
    let deepest = options.deepest;
    let is_refused = network.refused.contains_key(deepest.name());
    let Some(node) = network.graph.tap(deepest.name()).filter(|_| !is_refused) else {
        return Err(absent(&network, name, deepest));
    };
    let graph = network.graph.up_to(&[node]);
    let parameters = graph.parameters();
    let values =
        parameters.iter().map(|parameter| network.values.remove(&parameter.name).unwrap_or_default());
    let values = values.collect();
    let [height, width] = network.size;
    let input = match (options.input, options.normalisation) {
        (Some(input), _) => input,
        (None, Some(normalisation)) => InputContract::imagenet().normalised(normalisation),
        (None, None) => usual(&network)?,
    };
    let architecture = Architecture::of_graph(&name, graph);
    if let Some(expected) = options.architecture.as_ref().filter(|expected| **expected != architecture) {
        return Err(BackboneError::OtherGraph { architecture: expected.name().to_owned() }.into());
    }
    let header = WeightsHeader {
        architecture,
        deepest,
        input: input.with_size(height, width),
        precision: options.precision.unwrap_or(Precision::F32),
        license: options.license.clone().unwrap_or_else(|| "not stated".to_owned()),
        source: options.source.clone().unwrap_or_else(|| "not stated".to_owned()),
        source_sha256: Some(sha256.to_owned()),
    };
    BackboneWeights::new(header, values)
}

/// What a network expects of pictures, where nothing else says it.
fn usual(network: &Network) -> Result<InputContract, WeightsError> {
    let usual = InputContract::imagenet();
    let Some([factors, shifts]) = &network.normalises else { return Ok(usual) };
    // What is subtracted of a pixel before it is multiplied.
    let means: Vec<f32> = factors.iter().zip(shifts).map(|(factor, shift)| -shift / factor).collect();
    let is_within = |most: f32| means.iter().all(|mean| (-1e-3..=most).contains(mean));
    let is_small = factors.iter().all(|factor| factor.abs() < LEAST_FACTOR);
    if (is_small || means.iter().any(|mean| *mean > LARGEST_MEAN)) && is_within(255.0) {
        return Ok(usual.normalised(Normalisation::BYTES));
    }
    let is_large = factors.iter().all(|factor| factor.abs() >= LEAST_FACTOR);
    match is_large && is_within(1.0) && means.iter().all(|mean| *mean > 0.0) {
        true => Ok(usual.normalised(Normalisation::UNIT)),
        false => Err(WeightsError::UnclearPixels { factors: factors.clone(), means }),
    }
}

/// Why there is no layer of this name.
fn absent(network: &Network, architecture: String, got: Layer) -> WeightsError {
    if let Some(refusal) = network.refused.get(got.name()) {
        let network::Refusal { node, operation, reason } = refusal.clone();
        return WeightsError::Node { node, operation, reason };
    }
    if let Some(why) = network.hidden.get(got.name()) {
        return WeightsError::Network { reason: format!("'{}' is no layer: {why}", got.name()) };
    }
    let names: Vec<&str> = network.graph.nodes().iter().skip(1).map(|node| node.name()).collect();
    let last = names.len().saturating_sub(EXAMPLES);
    let mut expected = match names.len() {
        0 => "nothing: no node was understood".to_owned(),
        count => format!("one of {count} nodes, such as {}", names[last..].join(", ")),
    };
    if let Some(refusal) = network.refused.values().next() {
        let network::Refusal { node, operation, reason } = refusal;
        expected.push_str(&format!("; not understood: {node} ({operation}): {reason}"));
    }
    BackboneError::UnknownLayer { architecture, got: Box::new(got), expected }.into()
}

fn refused_by(cause: &dfm_graph::GraphError) -> WeightsError {
    WeightsError::Network { reason: cause.to_string() }
}
