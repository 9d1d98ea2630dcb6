//! Graphs that are written as a paper describes them.

use std::collections::BTreeMap;

use crate::activation::Activation;
use crate::error::GraphError;
use crate::form::Form;
use crate::graph::Graph;
use crate::node::NodeId;
use crate::nodes::Nodes;
use crate::operation::{Convolution, Interpolation, Operation};
use crate::window::Window;

/// Makes a graph node by node. Each method that adds a node returns its id, which later nodes read.
///
/// The first error is kept, and [`finish`](Self::finish) returns it. What is added behind it is not looked
/// at, so the code that builds a network has no error of its own to handle.
///
/// An id belongs to the builder that gave it.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    nodes: Nodes,
    taps: BTreeMap<String, NodeId>,
    error: Option<GraphError>,
}

impl Builder {
    /// A graph without a node.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node: any operation on the values of earlier nodes.
    pub fn add_node(&mut self, name: &str, operation: Operation, inputs: &[NodeId]) -> NodeId {
        let placeholder = NodeId(self.nodes.nodes().len());
        if self.error.is_some() {
            return placeholder;
        }
        if let Some(later) = inputs.iter().find(|input| input.0 >= placeholder.0) {
            let (node, input) = (name.to_owned(), later.0.to_string());
            self.error = Some(GraphError::UnknownInput { node, input });
            return placeholder;
        }
        self.nodes.push(name.to_owned(), operation, inputs.to_vec()).unwrap_or_else(|error| {
            self.error = Some(error);
            placeholder
        })
    }

    /// What the value of a node is; `None` behind an error.
    pub fn form(&self, node: NodeId) -> Option<Form> {
        self.nodes.nodes().get(node.0).map(|node| node.form)
    }

    /// The channels of the value of a node; 0 behind an error.
    pub fn channels(&self, node: NodeId) -> usize {
        self.form(node).map_or(0, |form| form.channels)
    }

    /// The picture, which must be the first node. It is called `picture`.
    pub fn picture(&mut self) -> NodeId {
        self.add_node("picture", Operation::Picture, &[])
    }

    /// A convolution of a map.
    pub fn convolution(&mut self, name: &str, input: NodeId, convolution: Convolution) -> NodeId {
        self.add_node(name, Operation::Convolution(convolution), &[input])
    }

    /// The maximum of each window of a map.
    pub fn max_pool(&mut self, name: &str, input: NodeId, window: Window) -> NodeId {
        self.add_node(name, Operation::MaxPool(window), &[input])
    }

    /// The average of each window of a map, without the padding.
    pub fn average_pool(&mut self, name: &str, input: NodeId, window: Window) -> NodeId {
        self.add_node(name, Operation::AveragePool { window, count_padding: false }, &[input])
    }

    /// The average of each channel.
    pub fn global_average(&mut self, name: &str, input: NodeId) -> NodeId {
        self.add_node(name, Operation::GlobalAverage, &[input])
    }

    /// The sum of two values.
    pub fn add(&mut self, name: &str, one: NodeId, other: NodeId) -> NodeId {
        self.add_node(name, Operation::Add, &[one, other])
    }

    /// The product of two values, the second of which may be a 1×1 map.
    pub fn multiply(&mut self, name: &str, one: NodeId, other: NodeId) -> NodeId {
        self.add_node(name, Operation::Multiply, &[one, other])
    }

    /// A function of each number.
    pub fn activation(&mut self, name: &str, input: NodeId, activation: Activation) -> NodeId {
        self.add_node(name, Operation::Activation(activation), &[input])
    }

    /// A matrix product at each pixel or token.
    pub fn linear(&mut self, name: &str, input: NodeId, out: usize) -> NodeId {
        self.add_node(name, Operation::Linear { out }, &[input])
    }

    /// Layer norm over the channels.
    pub fn layer_norm(&mut self, name: &str, input: NodeId, epsilon: f64) -> NodeId {
        self.add_node(name, Operation::LayerNorm { epsilon }, &[input])
    }

    /// A factor for each channel.
    pub fn scale(&mut self, name: &str, input: NodeId) -> NodeId {
        self.add_node(name, Operation::Scale, &[input])
    }

    /// Attention among tokens of `3 · C` channels.
    pub fn attention(&mut self, name: &str, input: NodeId, heads: usize) -> NodeId {
        self.add_node(name, Operation::Attention { heads }, &[input])
    }

    /// The cells of a map as tokens.
    pub fn to_tokens(&mut self, name: &str, input: NodeId) -> NodeId {
        self.add_node(name, Operation::ToTokens, &[input])
    }

    /// Learnt tokens before all others.
    pub fn prefix_tokens(&mut self, name: &str, input: NodeId, count: usize) -> NodeId {
        self.add_node(name, Operation::PrefixTokens { count }, &[input])
    }

    /// Learnt positions, for the tokens as they are.
    pub fn positions(
        &mut self,
        name: &str,
        input: NodeId,
        grid: [usize; 2],
        prefix: usize,
        interpolation: Interpolation,
    ) -> NodeId {
        self.add_node(name, Operation::Positions { grid, prefix, interpolation }, &[input])
    }

    /// The tokens of the grid as a map.
    pub fn to_map(&mut self, name: &str, input: NodeId) -> NodeId {
        self.add_node(name, Operation::ToMap, &[input])
    }

    /// Gives a node another name, under which features can be taken there.
    pub fn tap(&mut self, name: &str, node: NodeId) {
        if self.error.is_some() {
            return;
        }
        if node.0 >= self.nodes.nodes().len() {
            self.error = Some(GraphError::TapAtNothing { tap: name.to_owned(), node: node.0.to_string() });
        } else if self.taps.insert(name.to_owned(), node).is_some_and(|before| before != node) {
            self.error = Some(GraphError::Duplicate { name: name.to_owned() });
        }
    }

    /// The graph.
    ///
    /// # Errors
    ///
    /// The first thing that did not fit.
    pub fn finish(self) -> Result<Graph, GraphError> {
        match self.error {
            Some(error) => Err(error),
            None => self.nodes.finish(self.taps),
        }
    }
}
