//! Why a network was refused.

use crate::way::Way;

/// A network that cannot be run, or an input that the plan is not for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// The fields of a convolution contradict each other.
    #[error("{convolution}: {field} must be {expected}, got {got}")]
    Convolution {
        /// What the convolution is called.
        convolution: String,
        /// The field.
        field: &'static str,
        /// The value that it must have.
        expected: String,
        /// The value that it has.
        got: String,
    },
    /// The picture is too small to have a feature map.
    #[error("pictures of {height}×{width} pixels leave nothing of the feature map: take a larger size")]
    TooSmall {
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
    },
    /// The picture has a longer side than any that is supported.
    #[error("pictures of {height}×{width} pixels: a side may have up to {limit}; take a smaller size")]
    TooLarge {
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
        /// The longest side.
        limit: usize,
    },
    /// The convolution cannot be computed in this way.
    #[error("{way:?} computes 3×3 convolutions of stride 1 in one group, and no others")]
    Way {
        /// The way that was asked for.
        way: Way,
    },
    /// The ranges are not those of the network.
    #[error("ranges of activations: expected {expected}, got {got}; measure them again")]
    Ranges {
        /// The ranges that they must be.
        expected: String,
        /// The ranges that they are.
        got: String,
    },
    /// A sum has more products than whole numbers can hold.
    #[error("{convolution}: each output sums {got} products, in int8 at most {limit}: take f32")]
    TooManyTaps {
        /// The node of the convolution.
        convolution: String,
        /// The most products.
        limit: usize,
        /// The products that there are.
        got: usize,
    },
    /// A node that these kernels do not compute.
    #[error("node '{node}': these kernels do not compute {operation}")]
    Unsupported {
        /// The name of the node.
        node: String,
        /// Its operation.
        operation: &'static str,
    },
    /// A node that is not computed in eight bits.
    #[error("node '{node}': {operation} is not computed in int8 here: take f32")]
    Unsupported8 {
        /// The name of the node.
        node: String,
        /// Its operation.
        operation: &'static str,
    },
    /// The graph has no value at this size.
    #[error(transparent)]
    Graph(#[from] dfm_graph::GraphError),
    /// The taps are not nodes of the graph.
    #[error(
        "taps: expected one or more of the {nodes} nodes, with windows of 1 or more, got (node, window) {got}"
    )]
    Taps {
        /// The nodes of the graph.
        nodes: usize,
        /// The nodes and windows of the taps.
        got: String,
    },
    /// There are not as many parameters as the graph has.
    #[error("the network has {expected} parameters, got {got}")]
    Parameters {
        /// The number that the graph has.
        expected: usize,
        /// The number given.
        got: usize,
    },
    /// A parameter has another size.
    #[error("parameter '{name}' has {expected} values, got {got}")]
    Parameter {
        /// The name of the parameter.
        name: String,
        /// Values that it must have.
        expected: usize,
        /// Values given.
        got: usize,
    },
    /// The input has another size.
    #[error("a picture holds {got} values, expected {expected}")]
    Input {
        /// Values in one picture.
        expected: usize,
        /// Values given.
        got: usize,
    },
}

/// A [`KernelError::Convolution`].
pub(crate) fn wrong(
    convolution: &str,
    field: &'static str,
    expected: impl ToString,
    got: impl ToString,
) -> KernelError {
    KernelError::Convolution {
        convolution: convolution.to_owned(),
        field,
        expected: expected.to_string(),
        got: got.to_string(),
    }
}

/// Checks that pictures of `size` (height, width) have pixels and are not too large.
pub(crate) fn check_size([height, width]: [usize; 2]) -> Result<(), KernelError> {
    /// Sides up to this keep every product of sizes far within 64 bits.
    const LIMIT: usize = 1 << 16;
    if height == 0 || width == 0 {
        return Err(KernelError::TooSmall { height, width });
    }
    if height > LIMIT || width > LIMIT {
        return Err(KernelError::TooLarge { height, width, limit: LIMIT });
    }
    Ok(())
}
