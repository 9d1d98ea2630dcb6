//! A graph with what follows from it for one size of pictures.

use std::collections::HashMap;

use dfm_graph::{Graph, Layout, Node, Operation, Parameter, Shape};

use super::tap::GraphTap;
use crate::error::{KernelError, check_size};
use crate::layout::Map;
use crate::pool::MaxPool;
use crate::window::Window;

/// The part of a graph that some taps need, with what follows from it for one size of pictures.
pub(super) struct Source<'p> {
    graph: Graph,
    shapes: Vec<Shape>,
    /// For each node, the nodes that read its value.
    readers: Vec<Vec<usize>>,
    /// For each node, the parameters that it has, in the order of its operation.
    parameters: Vec<Vec<&'p [f32]>>,
    /// Node and window of each tap.
    taps: Vec<(usize, usize)>,
}

impl<'p> Source<'p> {
    /// The part of `graph` that `taps` need. The `parameters` are those of all of `graph`.
    ///
    /// # Errors
    ///
    /// If the taps or the parameters do not fit the graph, or the size does not.
    pub(super) fn new<V: AsRef<[f32]>>(
        graph: &Graph,
        parameters: &'p [V],
        size: [usize; 2],
        taps: &[GraphTap],
    ) -> Result<Self, KernelError> {
        check_size(size)?;
        let fits = |tap: &GraphTap| tap.average > 0 && tap.node.index() < graph.nodes().len();
        if taps.is_empty() || !taps.iter().all(fits) {
            let got = taps.iter().map(|tap| (tap.node.index(), tap.average)).collect::<Vec<_>>();
            return Err(KernelError::Taps { nodes: graph.nodes().len(), got: format!("{got:?}") });
        }
        let all = graph.parameters();
        if all.len() != parameters.len() {
            let (expected, got) = (all.len(), parameters.len());
            return Err(KernelError::Parameters { expected, got });
        }
        let values = all.iter().zip(parameters).map(|(parameter, values)| (parameter, values.as_ref()));
        let by_name: HashMap<&str, &[f32]> =
            values.map(|(parameter, values)| (parameter.name.as_str(), values)).collect();
        let ids: Vec<_> = taps.iter().map(|tap| tap.node).collect();
        let part = graph.up_to(&ids);
        let mut of_nodes = vec![Vec::new(); part.nodes().len()];
        for parameter in part.parameters() {
            let values = by_name[parameter.name.as_str()];
            check_len(&parameter, values)?;
            of_nodes[parameter.node.index()].push(values);
        }
        let places: HashMap<&str, usize> =
            part.nodes().iter().enumerate().map(|(place, node)| (node.name(), place)).collect();
        let taps = taps.iter().map(|tap| (places[graph.node(tap.node).name()], tap.average)).collect();
        let indices = |ids: Vec<dfm_graph::NodeId>| ids.into_iter().map(|id| id.index()).collect();
        Ok(Self {
            shapes: part.shapes(size)?,
            readers: part.readers().into_iter().map(indices).collect(),
            parameters: of_nodes,
            taps,
            graph: part,
        })
    }

    pub(super) fn nodes(&self) -> &[Node] {
        self.graph.nodes()
    }

    pub(super) fn node(&self, node: usize) -> &Node {
        &self.graph.nodes()[node]
    }

    pub(super) fn operation(&self, node: usize) -> &Operation {
        self.node(node).operation()
    }

    /// The nodes that `node` reads.
    pub(super) fn inputs(&self, node: usize) -> Vec<usize> {
        self.node(node).inputs().iter().map(|input| input.index()).collect()
    }

    /// The nodes that read the value of `node`.
    pub(super) fn readers(&self, node: usize) -> &[usize] {
        &self.readers[node]
    }

    /// The one node that reads the value of `node`, if no tap takes it.
    pub(super) fn only_reader(&self, node: usize) -> Option<usize> {
        match self.readers[node].as_slice() {
            [reader] if !self.is_tapped(node) => Some(*reader),
            _ => None,
        }
    }

    /// Node and window of each tap, in the order in which features are wanted.
    pub(super) fn taps(&self) -> &[(usize, usize)] {
        &self.taps
    }

    pub(super) fn is_tapped(&self, node: usize) -> bool {
        self.taps.iter().any(|(tap, _)| *tap == node)
    }

    /// The `index`-th parameter of `node`.
    pub(super) fn parameter(&self, node: usize, index: usize) -> &'p [f32] {
        self.parameters[node][index]
    }

    /// The sides of the map or of the grid of tokens.
    pub(super) fn sides(&self, node: usize) -> [usize; 2] {
        self.shapes[node].sides
    }

    /// How the value of `node` lies in memory. Tokens are the pixels of one row.
    pub(super) fn map(&self, node: usize) -> Map {
        let shape = &self.shapes[node];
        let [height, width] = match shape.form.layout {
            Layout::Map => shape.sides,
            Layout::Tokens { .. } => [1, shape.positions()],
        };
        Map { channels: shape.channels(), height, width }
    }

    /// The tokens of a value before those of the grid.
    pub(super) fn prefix(&self, node: usize) -> usize {
        match self.shapes[node].form.layout {
            Layout::Map => 0,
            Layout::Tokens { prefix } => prefix,
        }
    }

    /// Channels, height and width of the picture.
    pub(super) fn picture(&self) -> [usize; 3] {
        let map = self.map(0);
        [map.channels, map.height, map.width]
    }

    /// The convolution of a residual network's beginning with the nodes behind it that one step computes:
    /// a ReLU and a maximum of 3×3 windows, two apart.
    pub(super) fn stem(&self, node: usize, window: Window) -> Option<([usize; 3], MaxPool)> {
        let kernel = window.kernel[0];
        if kernel.is_multiple_of(2) || window != Window::square(kernel, 2, kernel / 2) {
            return None;
        }
        let relu = self.only_reader(node)?;
        let pool = self.only_reader(relu)?;
        let (Operation::Activation(dfm_graph::Activation::Relu), Operation::MaxPool(maximum)) =
            (self.operation(relu), self.operation(pool))
        else {
            return None;
        };
        let [[before, left], [after, right]] = maximum.padding_of(self.sides(relu));
        let is_square = (before, after) == (left, right) && before.max(after) < MaxPool::WINDOW;
        let is_plain = (maximum.kernel, maximum.stride, maximum.dilation) == ([3; 2], [2; 2], [1; 2]);
        (is_square && is_plain).then_some(([node, relu, pool], MaxPool { before, after }))
    }

    /// The error for a node that these kernels do not compute.
    pub(super) fn unsupported(&self, node: usize) -> KernelError {
        let node = self.node(node);
        KernelError::Unsupported { node: node.name().to_owned(), operation: node.operation().name() }
    }
}

fn check_len(parameter: &Parameter, values: &[f32]) -> Result<(), KernelError> {
    match values.len() == parameter.len() {
        true => Ok(()),
        false => Err(KernelError::Parameter {
            name: parameter.name.clone(),
            expected: parameter.len(),
            got: values.len(),
        }),
    }
}
