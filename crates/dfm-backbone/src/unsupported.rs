//! What our own kernels do not compute.

use std::fmt;

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
