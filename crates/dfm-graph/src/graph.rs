//! A checked graph.

use std::collections::BTreeMap;

use crate::node::{Node, NodeId};
use crate::parameter::{Parameter, parameters};

/// A checked graph: nodes in an order in which inputs come first, and other names (taps) for some of them.
///
/// Its form in a file is JSON or any other that serde writes. In it, nodes are named, not numbered.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    nodes: Vec<Node>,
    taps: BTreeMap<String, NodeId>,
    size: Option<[usize; 2]>,
}

impl Graph {
    /// For `Nodes`, which checks.
    pub(crate) fn checked(nodes: Vec<Node>, taps: BTreeMap<String, NodeId>) -> Self {
        Self { nodes, taps, size: None }
    }

    /// The same graph, good for pictures of `size` (height, width) alone. It is for networks whose numbers
    /// belong to one size, such as positions that nothing says how to interpolate.
    #[must_use]
    pub fn for_size(mut self, size: [usize; 2]) -> Self {
        self.size = Some(size);
        self
    }

    /// The one size (height, width) of pictures that the graph is good for; `None` if it takes any.
    pub fn size(&self) -> Option<[usize; 2]> {
        self.size
    }

    /// The nodes. A node reads earlier ones only, and the first is the picture.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node with this id.
    ///
    /// # Panics
    ///
    /// If the id is that of a larger graph.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The ids of all nodes, in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + ExactSizeIterator + use<> {
        (0..self.nodes.len()).map(NodeId)
    }

    /// The node that has this name, or that is tapped under it.
    pub fn tap(&self, name: &str) -> Option<NodeId> {
        let named = || self.nodes.iter().position(|node| node.name == name).map(NodeId);
        self.taps.get(name).copied().or_else(named)
    }

    /// The names that were given to taps, in the order of the nodes.
    pub fn taps(&self) -> impl Iterator<Item = (&str, NodeId)> {
        let mut taps: Vec<(&str, NodeId)> = self.taps.iter().map(|(tap, id)| (tap.as_str(), *id)).collect();
        taps.sort_by_key(|(_, id)| *id);
        taps.into_iter()
    }

    /// For each node, the nodes that read its value, in order. A node that reads a value twice is listed
    /// twice.
    pub fn readers(&self) -> Vec<Vec<NodeId>> {
        let mut readers = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for input in &node.inputs {
                readers[input.0].push(NodeId(index));
            }
        }
        readers
    }

    /// Every tensor of numbers that the graph needs, node by node.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut all = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let input = node.inputs.first().map(|input| self.nodes[input.0].form);
            for (suffix, dims) in parameters(&node.operation, input) {
                all.push(Parameter {
                    node: NodeId(index),
                    suffix,
                    name: format!("{}.{suffix}", node.name),
                    dims,
                });
            }
        }
        all
    }

    /// The number of values of all parameters: at most [`MOST_PARAMETERS`](crate::MOST_PARAMETERS).
    pub fn parameter_count(&self) -> usize {
        self.parameters().iter().map(Parameter::len).sum()
    }

    /// The part of the graph that `taps` need, in the same order. Names of taps at nodes that are dropped
    /// are dropped, too.
    ///
    /// # Panics
    ///
    /// If a tap is a node of a larger graph.
    #[must_use]
    pub fn up_to(&self, taps: &[NodeId]) -> Self {
        let mut needed = vec![false; self.nodes.len()];
        needed[0] = true;
        taps.iter().for_each(|tap| needed[tap.0] = true);
        for index in (0..self.nodes.len()).rev().filter(|index| *index > 0) {
            if needed[index] {
                self.nodes[index].inputs.iter().for_each(|input| needed[input.0] = true);
            }
        }
        let mut next = 0;
        let places: Vec<Option<NodeId>> = needed
            .iter()
            .map(|needed| {
                needed.then(|| {
                    next += 1;
                    NodeId(next - 1)
                })
            })
            .collect();
        let moved = |id: &NodeId| places[id.0].expect("the inputs of a node that is needed are needed");
        let kept = self.nodes.iter().zip(&needed).filter(|(_, needed)| **needed);
        let nodes = kept.map(|(node, _)| Node {
            name: node.name.clone(),
            operation: node.operation.clone(),
            inputs: node.inputs.iter().map(moved).collect(),
            form: node.form,
        });
        let taps = self.taps.iter().filter_map(|(tap, id)| Some((tap.clone(), places[id.0]?)));
        Self { nodes: nodes.collect(), taps: taps.collect(), size: self.size }
    }
}
