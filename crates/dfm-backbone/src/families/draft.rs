//! A network of a known family while it is written: its graph, and where its numbers are in other people's
//! files.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use dfm_graph::{Builder, Convolution, Graph, GraphError, NodeId};

/// The number that batch norms of PyTorch add to a variance unless told otherwise.
pub(crate) const EPSILON: f64 = 1e-5;

/// A graph with a source for each node that has parameters. It has the methods of a [`Builder`].
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    builder: Builder,
    sources: BTreeMap<NodeId, Source>,
    head: &'static [&'static str],
}

/// A finished [`Draft`].
#[derive(Debug, Clone)]
pub(crate) struct Drafted {
    /// The whole network.
    pub(crate) graph: Graph,
    /// For each node with parameters, where they come from.
    pub(crate) sources: BTreeMap<NodeId, Source>,
    /// The first parts of the names of tensors that a file may hold and no feature needs, such as those of
    /// a classifier.
    pub(crate) head: &'static [&'static str],
}

/// Where the parameters of a node are in a file of named tensors.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    /// A convolution and the batch norm behind it, which is folded in.
    Normed {
        /// The name of the convolution: `NAME.weight`.
        name: String,
        /// The name of the batch norm: `NAME.running_mean`, …
        norm: String,
        /// The number that the batch norm adds to a variance.
        epsilon: f64,
    },
    /// A weight with a bias, and a factor for each output channel, which is folded in.
    Scaled {
        /// The name of the operation: `NAME.weight`, `NAME.bias`.
        name: String,
        /// The tensor of factors.
        scale: String,
    },
    /// Each parameter by itself, under the name of the operation: `NAME.weight`, `NAME.bias`.
    Plain {
        /// The name of the operation.
        name: String,
        /// Whether the file has a bias. Otherwise it is zero.
        has_bias: bool,
    },
    /// The one parameter of the node, of tensors joined along their first side.
    Joined(Vec<Part>),
}

/// A tensor that is a part of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    /// The name of the tensor.
    pub(crate) name: String,
    /// Its first side in the parameter.
    pub(crate) rows: usize,
}

impl Draft {
    /// A draft without a node. Tensors whose names begin with a part of `head` are not needed.
    pub(crate) fn new(head: &'static [&'static str]) -> Self {
        Self { builder: Builder::new(), sources: BTreeMap::new(), head }
    }

    /// The parameters of the convolution `node` are those of the convolution `name` without a bias and of
    /// the batch norm `norm` behind it.
    pub(crate) fn normed(&mut self, node: NodeId, name: &str, norm: &str, epsilon: f64) {
        let source = Source::Normed { name: name.to_owned(), norm: norm.to_owned(), epsilon };
        self.sources.insert(node, source);
    }

    /// The parameters of `node` are `NAME.weight` and `NAME.bias`.
    pub(crate) fn plain(&mut self, node: NodeId, name: &str) {
        self.sources.insert(node, Source::Plain { name: name.to_owned(), has_bias: true });
    }

    /// The weight of `node` is `NAME.weight`, and its bias zero.
    pub(crate) fn unbiased(&mut self, node: NodeId, name: &str) {
        self.sources.insert(node, Source::Plain { name: name.to_owned(), has_bias: false });
    }

    /// The parameters of `node` are `NAME.weight` and `NAME.bias`, times the factors `scale`.
    pub(crate) fn scaled(&mut self, node: NodeId, name: &str, scale: &str) {
        self.sources.insert(node, Source::Scaled { name: name.to_owned(), scale: scale.to_owned() });
    }

    /// The one parameter of `node` is joined of tensors with so many rows each.
    pub(crate) fn joined(&mut self, node: NodeId, parts: &[(&str, usize)]) {
        let part = |(name, rows): &(&str, usize)| Part { name: (*name).to_owned(), rows: *rows };
        self.sources.insert(node, Source::Joined(parts.iter().map(part).collect()));
    }

    /// A convolution whose node has the name of the tensors, `NAME.weight`, with the batch norm `norm`
    /// behind it.
    pub(crate) fn normed_convolution(
        &mut self,
        name: &str,
        norm: &str,
        input: NodeId,
        convolution: Convolution,
        epsilon: f64,
    ) -> NodeId {
        let node = self.convolution(name, input, convolution);
        self.normed(node, name, norm, epsilon);
        node
    }

    /// A matrix product whose node has the name of the tensors.
    pub(crate) fn plain_linear(&mut self, name: &str, input: NodeId, out: usize) -> NodeId {
        let node = self.linear(name, input, out);
        self.plain(node, name);
        node
    }

    /// A layer norm whose node has the name of the tensors.
    pub(crate) fn plain_norm(&mut self, name: &str, input: NodeId, epsilon: f64) -> NodeId {
        let node = self.layer_norm(name, input, epsilon);
        self.plain(node, name);
        node
    }

    /// The graph and the sources.
    ///
    /// # Errors
    ///
    /// If the nodes do not fit together.
    pub(crate) fn finish(self) -> Result<Drafted, GraphError> {
        Ok(Drafted { graph: self.builder.finish()?, sources: self.sources, head: self.head })
    }
}

impl Deref for Draft {
    type Target = Builder;

    fn deref(&self) -> &Builder {
        &self.builder
    }
}

impl DerefMut for Draft {
    fn deref_mut(&mut self) -> &mut Builder {
        &mut self.builder
    }
}
