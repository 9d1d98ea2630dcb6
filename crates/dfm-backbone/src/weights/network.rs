//! The weights of a network.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use dfm_graph::{Convolution, Graph, NodeId, Operation, Padding, Parameter};
use dfm_image::InputContract;

use super::catalogue::catalogue;
use super::error::WeightsError;
use super::header::{Precision, WeightsHeader, round_to_f16};
use crate::error::BackboneError;
use crate::features::FeatureShape;
use crate::layer::Layer;
use crate::tap::Tap;

/// The weights of a network up to one layer. They have been checked against its architecture.
#[derive(Debug, Clone)]
pub struct BackboneWeights {
    header: WeightsHeader,
    /// The network up to its deepest layer.
    graph: Arc<Graph>,
    /// The values of each parameter of the graph, in its order.
    values: Vec<Vec<f32>>,
    /// The SHA-256 of these weights in our own format, once it was asked for.
    sha256: OnceLock<String>,
}

impl PartialEq for BackboneWeights {
    fn eq(&self, other: &Self) -> bool {
        self.header == other.header && self.values == other.values
    }
}

impl BackboneWeights {
    /// Weights from the values of each parameter, in the order of [`Graph::parameters`] of the network up to
    /// its deepest layer. With [`Precision::F16`] the values are rounded to what such a file can hold.
    ///
    /// # Errors
    ///
    /// If the architecture or the input contract of the header cannot be used, the architecture lacks the
    /// deepest layer, or a parameter is missing, left over, of another size, or holds a value that is not
    /// finite.
    pub fn new(header: WeightsHeader, mut values: Vec<Vec<f32>>) -> Result<Self, WeightsError> {
        if header.precision == Precision::F16 {
            values.iter_mut().flatten().for_each(round_to_f16);
        }
        Self::of_rounded(header, values)
    }

    /// [`new`](Self::new) for values that have the precision of the header, such as those of its file.
    pub(super) fn of_rounded(header: WeightsHeader, values: Vec<Vec<f32>>) -> Result<Self, WeightsError> {
        let graph = header.architecture.graph_to(header.deepest)?;
        header.input.check().map_err(BackboneError::from)?;
        let parameters = graph.parameters();
        if parameters.len() != values.len() {
            return Err(WeightsError::Parameters { expected: parameters.len(), got: values.len() });
        }
        parameters.iter().zip(&values).try_for_each(|(parameter, values)| check(parameter, values))?;
        Ok(Self { header, graph: Arc::new(graph), values, sha256: OnceLock::new() })
    }

    /// Everything about the weights that is not their numbers.
    pub fn header(&self) -> &WeightsHeader {
        &self.header
    }

    /// The network up to its deepest layer.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The values of each parameter, in the order of [`Graph::parameters`] of [`graph`](Self::graph). Each
    /// has the shape of its parameter, row by row.
    pub fn values(&self) -> &[Vec<f32>] {
        &self.values
    }

    /// SHA-256, in hexadecimal, of the file that the weights were converted from, such as a
    /// PyTorch file that was fetched; `None` for weights that come from no such file. It is a part
    /// of the header ([`WeightsHeader::source_sha256`]).
    pub fn file_sha256(&self) -> Option<&str> {
        self.header.source_sha256.as_deref()
    }

    /// SHA-256, in hexadecimal, of the fetched file that the weights were converted from, or of the ONNX file
    /// that describes the network; `None` for weights of a known network whose
    /// [source](WeightsHeader::source) is neither the URL of a file of the [`catalogue`] nor a repository of a hub
    /// (`hf:OWNER/NAME@COMMIT`).
    pub fn fetched_sha256(&self) -> Option<&str> {
        let source = &self.header.source;
        let is_recorded = || {
            self.header.architecture.is_of_onnx()
                || source.starts_with("hf:")
                || catalogue().iter().any(|entry| entry.url() == *source)
        };
        self.file_sha256().filter(|_| is_recorded())
    }

    /// Where the SHA-256 of their file stands once it is known.
    pub(super) fn known_sha256(&self) -> &OnceLock<String> {
        &self.sha256
    }

    /// The header and the values by themselves.
    pub(super) fn into_parts(self) -> (WeightsHeader, Vec<Vec<f32>>) {
        (self.header, self.values)
    }

    /// Whether the weights reach the layer `tap`.
    pub fn reaches(&self, tap: Layer) -> bool {
        self.graph.tap(tap.reach().name()).is_some()
    }

    /// The nodes of [`graph`](Self::graph) at which `taps` are.
    ///
    /// # Errors
    ///
    /// If the network has no such layer, the weights do not reach one, or the taps are not in the order of
    /// their layers in the network.
    pub(crate) fn nodes(&self, taps: &[Tap]) -> Result<Vec<NodeId>, BackboneError> {
        let nodes = taps.iter().map(|tap| self.node(tap.layer)).collect::<Result<Vec<_>, _>>()?;
        match nodes.is_sorted_by(|one, other| one < other) {
            true => Ok(nodes),
            false => Err(BackboneError::Taps { got: taps.iter().map(|tap| tap.layer).collect() }),
        }
    }

    /// Checks that each of `taps` lies behind the one before it, as far as the weights reach them.
    pub(crate) fn check_order(&self, taps: &[Tap]) -> Result<(), BackboneError> {
        let nodes = taps.iter().filter_map(|tap| self.graph.tap(tap.layer.reach().name()));
        match nodes.is_sorted() {
            true => Ok(()),
            false => Err(BackboneError::Taps { got: taps.iter().map(|tap| tap.layer).collect() }),
        }
    }

    /// The shape of the features at `tap` for pictures of the size that the weights ask for.
    ///
    /// # Errors
    ///
    /// If the network has no such layer, the weights do not reach it, the picture is too small or no
    /// multiple of its patches, or the pool is empty or larger than the layer's map.
    pub fn feature_shape(&self, tap: Tap) -> Result<FeatureShape, BackboneError> {
        let WeightsHeader { architecture, input, .. } = &self.header;
        self.check_average(tap.layer)?;
        let graph = architecture.with_averages(&self.graph, [tap.layer])?;
        let node = self.node_in(&graph, tap.layer)?;
        let shapes = graph.shapes([input.height, input.width]);
        let shapes = shapes.map_err(|cause| architecture.graph_error(cause))?;
        self.check_patches([input.height, input.width])?;
        let shape = shapes[node.index()];
        FeatureShape::pooled(shape.channels(), shape.sides, tap.pool)
    }

    /// Checks that a network that cuts the picture into patches side by side sees all of it.
    fn check_patches(&self, size: [usize; 2]) -> Result<(), BackboneError> {
        // The picture, and what has a value for each of its pixels, such as the picture with its channels normalised.
        let mut of_pixels = vec![false; self.graph.nodes().len()];
        for (index, node) in self.graph.nodes().iter().enumerate() {
            let reads_pixels = node.inputs().iter().any(|input| of_pixels[input.index()]);
            let window = match node.operation() {
                Operation::Picture => {
                    of_pixels[index] = true;
                    continue;
                }
                Operation::Convolution(Convolution { window, .. }) if reads_pixels => window,
                Operation::Activation(_)
                | Operation::Scale
                | Operation::Add
                | Operation::Multiply
                | Operation::Concatenate => {
                    of_pixels[index] = reads_pixels;
                    continue;
                }
                _ => continue,
            };
            of_pixels[index] = (window.kernel, window.stride) == ([1; 2], [1; 2]);
            let is_cut = window.kernel == window.stride && window.padding == Padding::NONE;
            if is_cut && (0..2).any(|axis| !size[axis].is_multiple_of(window.kernel[axis])) {
                let ([height, width], [rows, columns]) = (size, window.kernel);
                return Err(BackboneError::Patches { height, width, rows, columns });
            }
        }
        Ok(())
    }

    /// The same weights, with the averages among `taps` as nodes of the [`graph`](Self::graph). They need no
    /// numbers, so the weights are the same in a file.
    pub(crate) fn with_averages(mut self, taps: &[Tap]) -> Result<Self, BackboneError> {
        let layers = taps.iter().map(|tap| tap.layer);
        layers.clone().try_for_each(|layer| self.check_average(layer))?;
        if let Cow::Owned(graph) = self.header.architecture.with_averages(&self.graph, layers)? {
            self.graph = Arc::new(graph);
        }
        Ok(self)
    }

    /// Checks that the weights reach every layer of an average.
    fn check_average(&self, layer: Layer) -> Result<(), BackboneError> {
        layer.averaged()?.into_iter().try_for_each(|member| self.node(member).map(|_| ()))
    }

    /// The node of a layer.
    fn node(&self, layer: Layer) -> Result<NodeId, BackboneError> {
        self.node_in(&self.graph, layer)
    }

    /// The node of a layer in the graph of these weights, with or without averages.
    fn node_in(&self, graph: &Graph, layer: Layer) -> Result<NodeId, BackboneError> {
        if let Some(node) = graph.tap(layer.name()) {
            return Ok(node);
        }
        let WeightsHeader { architecture, deepest, .. } = &self.header;
        architecture.find(&architecture.graph()?, layer)?;
        let architecture = architecture.name().to_owned();
        Err(BackboneError::TapBeyondWeights {
            architecture,
            tap: Box::new(layer),
            deepest: Box::new(*deepest),
        })
    }

    /// Drops what the layer `tap` does not need, or all layers of an average.
    ///
    /// # Errors
    ///
    /// If the network has no such layer, or the weights do not reach it.
    pub fn truncate(mut self, tap: Layer) -> Result<Self, BackboneError> {
        let tap = tap.reach();
        let part = self.graph.up_to(&[self.node(tap)?]);
        if part.nodes().len() == self.graph.nodes().len() {
            return Ok(self);
        }
        let kept: HashSet<String> = part.parameters().into_iter().map(|parameter| parameter.name).collect();
        let all = self.graph.parameters().into_iter().zip(std::mem::take(&mut self.values));
        self.values =
            all.filter(|(parameter, _)| kept.contains(&parameter.name)).map(|(_, values)| values).collect();
        self.graph = Arc::new(part);
        self.header.deepest = tap;
        self.sha256 = OnceLock::new();
        Ok(self)
    }

    /// The same weights for pictures that are prepared in another way, usually at another size.
    #[must_use]
    pub fn with_input(mut self, input: InputContract) -> Self {
        if self.header.input != input {
            self.header.input = input;
            self.sha256 = OnceLock::new();
        }
        self
    }
}

/// Checks that `values` has the size of the parameter and holds finite numbers.
fn check(parameter: &Parameter, values: &[f32]) -> Result<(), WeightsError> {
    let tensor = || parameter.name.clone();
    if values.len() != parameter.len() {
        let (expected, got) = (format!("{} values", parameter.len()), format!("{} values", values.len()));
        return Err(WeightsError::Shape { tensor: tensor(), expected, got });
    }
    // All values are looked at, since a compiler can do that with vectors.
    if values.iter().fold(true, |all, value| all & value.is_finite()) {
        return Ok(());
    }
    match values.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(WeightsError::NotFinite { tensor: tensor(), got: value.to_string() }),
        None => Ok(()),
    }
}
