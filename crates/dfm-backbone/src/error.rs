//! Why a network was refused. Weights files have their own error,
//! [`WeightsError`](crate::WeightsError), and so have pictures,
//! [`PreprocessError`](crate::PreprocessError).

use dfm_graph::GraphError;
use dfm_image::{InputError, RegionError, TilingError};
use thiserror::Error;

use crate::layer::Layer;
use crate::unsupported::UnsupportedNode;

/// A network that cannot be built or run as asked.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum BackboneError {
    /// No layer can have this name.
    #[error(
        "no layer can be called '{got}': expected a name such as layer1 or blocks.5 (a letter, then letters, digits, \
         '_', '-', '.', ':' or '/', 63 at most)"
    )]
    LayerName {
        /// The beginning of the name as given.
        got: String,
    },
    /// An average of layers is none.
    #[error(
        "the average '{got}': expected {expected}, such as mean:blocks.3+blocks.5, or mean:blocks.3..blocks.8 for all \
         from one to the other"
    )]
    Average {
        /// The name as given.
        got: Layer,
        /// What is expected, where it differs.
        expected: &'static str,
    },
    /// Layers of an average have different shapes.
    #[error("the average '{got}': expected layers of one shape, found {shapes}")]
    AverageShapes {
        /// The name of the average.
        got: String,
        /// The shapes of the first layers.
        shapes: String,
    },
    /// The network has no layer of this name.
    #[error("'{architecture}' has no layer '{got}': expected {expected}")]
    UnknownLayer {
        /// The architecture's name.
        architecture: String,
        /// The layer that was asked for.
        got: Box<Layer>,
        /// The layers that are usually tapped.
        expected: String,
    },
    /// The graph of a network cannot be used.
    #[error("architecture '{architecture}': {cause}")]
    Graph {
        /// The architecture's name.
        architecture: String,
        /// What is wrong.
        cause: Box<GraphError>,
    },
    /// No [`NetworkPrecision`](crate::NetworkPrecision) has this name.
    #[error("unknown precision '{got}': expected f32 or int8")]
    UnknownPrecision {
        /// The name as given.
        got: String,
    },
    /// A field of an [`Architecture`](crate::Architecture) or a [`ResNet`](crate::ResNet) is out of bounds.
    #[error(
        "architecture '{architecture}': {field} must be {expected}, got {got}; correct the description, or take a \
         known architecture"
    )]
    Architecture {
        /// The architecture's name.
        architecture: String,
        /// The field.
        field: &'static str,
        /// The values that are allowed.
        expected: String,
        /// What it is.
        got: String,
    },
    /// Nothing says what the tensors of the network are called in other people's files.
    #[error(
        "nothing says how the tensors of '{architecture}' are called in files of other formats: give weights of our \
         own format"
    )]
    NoNames {
        /// The architecture's name.
        architecture: String,
    },
    /// The weights in a file make another network than the one that was described.
    #[error("the weights in the file are for another '{architecture}' than the one that was described")]
    OtherGraph {
        /// The architecture's name.
        architecture: String,
    },
    /// The input contract cannot be used.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The taps are not in the order of their layers, or there is none.
    #[error(
        "layers to take features from: expected one or more, each once, in their order in the network; got {got:?}"
    )]
    Taps {
        /// The layers of the taps.
        got: Vec<Layer>,
    },
    /// The tap lies behind the last layer of the weights.
    #[error(
        "cannot tap {tap} of '{architecture}': its weights end at {deepest}; tap an earlier layer, or give weights \
         that reach further"
    )]
    TapBeyondWeights {
        /// The architecture's name.
        architecture: String,
        /// The layer that was asked for.
        tap: Box<Layer>,
        /// The last layer in the weights.
        deepest: Box<Layer>,
    },
    /// Patches would leave a part of the picture out.
    #[error(
        "pictures of {height}×{width} pixels are cut into patches of {rows}×{columns}, which would leave a part out: \
         take multiples of these"
    )]
    Patches {
        /// Height of the picture, in pixels.
        height: usize,
        /// Width of the picture, in pixels.
        width: usize,
        /// Height of a patch.
        rows: usize,
        /// Width of a patch.
        columns: usize,
    },
    /// The pooling window has no cell.
    #[error("the pooling window must be at least 1 cell wide, got 0: take 1 to pool nothing")]
    ZeroPool,
    /// The feature map is smaller than the pooling window.
    #[error(
        "the feature map of {height}×{width} is smaller than the pooling window of {pool}×{pool}: \
         take a larger picture size, an earlier layer or a smaller window"
    )]
    PoolLargerThanMap {
        /// Side of the window, in cells of the map.
        pool: usize,
        /// Height of the map.
        height: usize,
        /// Width of the map.
        width: usize,
    },
    /// The region cannot be used.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// Pictures cannot be cut into these tiles.
    #[error(transparent)]
    Tiling(#[from] TilingError),
    /// The kernels cannot run this network.
    #[error(transparent)]
    Kernels(#[from] dfm_kernels::KernelError),
    /// The network was to be computed in int8 on a device that cannot.
    #[error("int8 is computed by our own kernels alone: take the device cpu, or f32")]
    Int8Device,
    /// The network was to be computed in int8, and our own kernels do not know a node of it.
    #[error(
        "int8 is for residual networks of plain convolutions: {unsupported} of '{architecture}' is not computed in \
         it; take f32"
    )]
    Int8Network {
        /// The architecture's name.
        architecture: String,
        /// The node that is not computed in int8.
        unsupported: UnsupportedNode,
    },
    /// The engine does not know an operation.
    #[error("'{architecture}': node '{node}' is of the operation {operation}, which cannot be computed here")]
    Operation {
        /// The architecture's name.
        architecture: String,
        /// The node.
        node: String,
        /// Its operation.
        operation: &'static str,
    },
    /// One picture would need more memory than any known network does.
    #[error(
        "'{architecture}' up to {tap} at {height}×{width} pixels holds {got} bytes of activations at once, the limit \
         is {limit}: take a smaller picture size"
    )]
    TooManyActivations {
        /// The architecture's name.
        architecture: String,
        /// The last layer that is tapped.
        tap: Box<Layer>,
        /// Height of the input, in pixels.
        height: usize,
        /// Width of the input, in pixels.
        width: usize,
        /// The limit in bytes.
        limit: u64,
        /// The bytes that it needs.
        got: u64,
    },
    /// One picture would need more work than any known network does.
    #[error(
        "'{architecture}' up to {tap} at {height}×{width} pixels takes {got} operations for a picture, the limit is \
         {limit}: take a smaller picture size"
    )]
    TooManyOperations {
        /// The architecture's name.
        architecture: String,
        /// The last layer that is tapped.
        tap: Box<Layer>,
        /// Height of the input, in pixels.
        height: usize,
        /// Width of the input, in pixels.
        width: usize,
        /// The limit.
        limit: u64,
        /// The operations that it takes.
        got: u64,
    },
    /// No pictures were given.
    #[error("extracting features needs at least one picture, got none")]
    EmptyBatch,
    /// A picture holds a value that is not finite.
    #[error("picture {index} of the batch holds {got}: expected finite numbers")]
    PictureNotFinite {
        /// The index of the picture in the batch.
        index: usize,
        /// The value.
        got: f32,
    },
    /// A picture was prepared for another input contract.
    #[error("picture {index} of the batch holds {got} values, expected {expected} ([3, {height}, {width}])")]
    PictureSize {
        /// The index of the picture in the batch.
        index: usize,
        /// `3 × height × width`.
        expected: usize,
        /// The number of values that it holds.
        got: usize,
        /// The height that the weights ask for, in pixels.
        height: usize,
        /// The width that the weights ask for, in pixels.
        width: usize,
    },
}
