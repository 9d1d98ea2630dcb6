//! Why a graph was refused.

/// A graph that cannot be built or used as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// Something exceeds its limit.
    #[error("the network has {got} {what}, the limit is {limit}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: u64,
        /// What there is.
        got: u64,
    },
    /// A name cannot be used.
    #[error(
        "the name '{name}' of a node or tap: expected 1 to 256 letters, digits, '_', '-', '.', ':', '/' or '+'"
    )]
    Name {
        /// The beginning of the name.
        name: String,
    },
    /// A name is given twice.
    #[error("the name '{name}' is given to two nodes: expected a name for each node")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The first node is not the picture, or another one is.
    #[error("node '{node}': expected the picture as the first node and nowhere else, found {got}")]
    Picture {
        /// The node; empty if there is none.
        node: String,
        /// Its operation.
        got: &'static str,
    },
    /// No node has the name of an input.
    #[error("node '{node}' reads '{input}': there is no such node")]
    UnknownInput {
        /// The node.
        node: String,
        /// The name that it reads.
        input: String,
    },
    /// A node reads one that does not come before it.
    #[error("node '{node}' reads '{input}': expected a node before it; nodes in a circle have no order")]
    LaterInput {
        /// The node.
        node: String,
        /// The node that it reads.
        input: String,
    },
    /// A node has a wrong number of inputs.
    #[error("node '{node}': {operation} reads {expected} values, got {got}")]
    Arity {
        /// The node.
        node: String,
        /// Its operation.
        operation: &'static str,
        /// How many it must read.
        expected: String,
        /// How many it reads.
        got: usize,
    },
    /// A field of an operation is out of bounds.
    #[error("node '{node}': {field} must be {expected}, got {got}")]
    Field {
        /// The node.
        node: String,
        /// The field.
        field: &'static str,
        /// The values that are allowed.
        expected: String,
        /// What it is.
        got: String,
    },
    /// The inputs of a node do not fit its operation.
    #[error("node '{node}': {operation} reads {expected}, got {got}")]
    Inputs {
        /// The node.
        node: String,
        /// Its operation.
        operation: &'static str,
        /// The inputs that it can read.
        expected: String,
        /// The inputs that it has.
        got: String,
    },
    /// A tap is at a node that does not exist.
    #[error("the tap '{tap}' is at '{node}': there is no such node")]
    TapAtNothing {
        /// The name of the tap.
        tap: String,
        /// The name of the node.
        node: String,
    },
    /// The picture has no pixel or a side that is too long.
    #[error("pictures of {height}×{width} pixels: expected sides of 1 to {limit}")]
    PictureSize {
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
        /// The longest side.
        limit: usize,
    },
    /// The graph is good for another size alone.
    #[error(
        "the network takes pictures of {}×{} pixels alone, got {}×{}: take that size, or a file for this one",
        expected[0], expected[1], got[0], got[1]
    )]
    OtherSize {
        /// The size (height, width) that the graph is good for.
        expected: [usize; 2],
        /// The size that was asked for.
        got: [usize; 2],
    },
    /// A node has no output at this size.
    #[error(
        "pictures of {height}×{width} pixels leave nothing at node '{node}': take a larger size or an earlier layer"
    )]
    TooSmall {
        /// The node.
        node: String,
        /// Height of the picture in pixels.
        height: usize,
        /// Width of the picture in pixels.
        width: usize,
    },
    /// Padding makes a map too large.
    #[error("node '{node}' has a side of {got}, the limit is {limit}: take a smaller picture size")]
    TooLarge {
        /// The node.
        node: String,
        /// Its longest side.
        got: usize,
        /// The longest side that is allowed.
        limit: usize,
    },
}

/// The beginning of a name that may be hostile.
pub(crate) fn shown(name: &str) -> String {
    name.chars().take(64).flat_map(char::escape_debug).collect()
}
