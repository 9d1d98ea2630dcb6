//! One node of a graph.

use crate::form::Form;
use crate::operation::Operation;

/// The place of a node in the order of a graph. A node reads earlier nodes only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) usize);

impl NodeId {
    /// The index of the node in [`Graph::nodes`](crate::Graph::nodes).
    pub fn index(self) -> usize {
        self.0
    }
}

/// A node: an operation with a name, and the nodes whose values it reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub(crate) name: String,
    pub(crate) operation: Operation,
    pub(crate) inputs: Vec<NodeId>,
    pub(crate) form: Form,
}

impl Node {
    /// The name, which no other node of the graph has.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it computes.
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// The nodes whose values it reads, in the order of the operation's inputs.
    pub fn inputs(&self) -> &[NodeId] {
        &self.inputs
    }

    /// What its value is, whatever the size of the picture.
    pub fn form(&self) -> Form {
        self.form
    }
}
