//! What can be wrong with a network, as opposed to its weights file
//! ([`WeightsError`](crate::WeightsError)) or a picture
//! ([`PreprocessError`](crate::PreprocessError)).

use dfm_image::{InputError, RegionError, TilingError};
use thiserror::Error;

use crate::layer::Layer;

/// A network that cannot be built or run as asked.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum BackboneError {
    /// A layer name that no ResNet has.
    #[error("unknown layer '{got}': expected layer1, layer2, layer3 or layer4")]
    UnknownLayer {
        /// The name as given.
        got: String,
    },
    /// A name that is no [`NetworkPrecision`](crate::NetworkPrecision).
    #[error("unknown precision '{got}': expected f32 or int8")]
    UnknownPrecision {
        /// The name as given.
        got: String,
    },
    /// A field of an [`Architecture`](crate::Architecture) is out of bounds.
    #[error(
        "architecture '{architecture}': {field} must be {expected}, got {got}; correct the description, or take a \
         known architecture"
    )]
    Architecture {
        /// The architecture's name.
        architecture: String,
        /// The field.
        field: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// The input contract cannot be used.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Taps that are no way through a network.
    #[error("layers to take features from: expected one or more, each once, from layer1 on; got {got:?}")]
    Taps {
        /// Their layers.
        got: Vec<Layer>,
    },
    /// The tap lies behind the last layer that the weights hold.
    #[error(
        "cannot tap {tap} of '{architecture}': its weights end at {deepest}; tap an earlier layer, or give weights \
         that reach further"
    )]
    TapBeyondWeights {
        /// The architecture's name.
        architecture: String,
        /// The layer asked for.
        tap: Layer,
        /// The last layer in the weights.
        deepest: Layer,
    },
    /// A pooling window of no pixels.
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
    /// A region that cannot be.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// Tiles that cannot be.
    #[error(transparent)]
    Tiling(#[from] TilingError),
    /// The kernels cannot run this network.
    #[error(transparent)]
    Kernels(#[from] dfm_kernels::KernelError),
    /// Eight bits were asked of a device that has none.
    #[error("int8 is computed by our own kernels alone: take the device cpu, or f32")]
    Int8Device,
    /// One picture would take more memory than any known network needs.
    #[error(
        "'{architecture}' up to {tap} at {height}×{width} pixels holds {got} bytes of activations at once, the limit \
         is {limit}: take a smaller picture size"
    )]
    TooManyActivations {
        /// The architecture's name.
        architecture: String,
        /// Where it is tapped.
        tap: Layer,
        /// Height of the input, in pixels.
        height: usize,
        /// Width of the input, in pixels.
        width: usize,
        /// The limit in bytes.
        limit: u64,
        /// Bytes it takes.
        got: u64,
    },
    /// No pictures were given.
    #[error("extracting features needs at least one picture, got none")]
    EmptyBatch,
    /// A picture prepared by hand that holds no numbers.
    #[error("picture {index} of the batch holds {got}: expected finite numbers")]
    PictureNotFinite {
        /// Its place in the batch, from 0.
        index: usize,
        /// The value.
        got: f32,
    },
    /// A picture prepared for another input contract.
    #[error("picture {index} of the batch holds {got} values, expected {expected} ([3, {height}, {width}])")]
    PictureSize {
        /// Its place in the batch, from 0.
        index: usize,
        /// `3 × height × width`.
        expected: usize,
        /// What it holds.
        got: usize,
        /// Height the weights ask for, in pixels.
        height: usize,
        /// Width the weights ask for, in pixels.
        width: usize,
    },
}
