//! Where features are taken out of a graph.

use dfm_graph::NodeId;

/// Where features are taken out of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GraphTap {
    /// The node whose value is taken: a map, or tokens without those of the prefix.
    pub node: NodeId,
    /// Side of the windows whose averages are the features. The windows lie side by side; 1 takes the
    /// value itself.
    pub average: usize,
}
