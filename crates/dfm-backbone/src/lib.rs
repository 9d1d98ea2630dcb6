//! Pretrained feature extractors on any Burn device: a picture goes in, and a row of features comes out.
//!
//! An [`Architecture`] describes the network, which is a [`Graph`]. [`BackboneWeights`]
//! hold the numbers that the graph needs, with batch norms folded in. How a picture must be prepared is a part of the weights
//! ([`InputContract`]), so that weights can be exchanged without changing the code that uses them.
//! The names of `dfm-image`, which prepares pictures, are re-exported here.
//!
//! ```
//! # #[cfg(feature = "flex")] {
//! use dfm_backbone::{
//!     Architecture, BackboneWeights, FeatureExtractor, InputContract, Layer, RgbImage,
//! };
//!
//! let architecture = Architecture::known("resnet18").expect("a known name");
//! let input = InputContract::imagenet().with_size(64, 64);
//! let layer = Layer::named("layer2");
//! let weights = BackboneWeights::random(architecture, layer, input, 7)?;
//! let device = burn::tensor::Device::flex();
//! let extractor = FeatureExtractor::new(weights, &[layer.pooled(4)], &device)?;
//!
//! let picture = extractor.preprocessor().prepare(&RgbImage::new(100, 80))?;
//! let features = extractor.extract(&[picture])?;
//! assert_eq!(features.dims(), [1, 128 * 2 * 2]);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`FeatureShape`] says which channel and which cell of the map a column of a row belongs to.

mod architecture;
mod average;
mod compute;
mod detail;
mod details;
mod engine;
mod error;
mod extractor;
mod families;
mod features;
mod layer;
mod layer_name;
mod limits;
mod middle;
mod precision;
mod tap;
mod unsupported;
pub mod weights;

pub use architecture::Architecture;
pub use compute::Compute;
pub use details::Details;
pub use dfm_graph::{Graph, GraphError, NodeId, Parameter};
pub use dfm_image::{
    BACKGROUND, ChannelOrder, DecodeLimits, Depth, InputContract, InputError, Levelled, Levels, LevelsError,
    LevelsTally, Normalisation, Picture, PictureSize, Placement, PreparedPicture, PreprocessError,
    Preprocessor, Region, RegionError, Resampling, Resize, Rgb16Image, Rgb32FImage, RgbImage, Span, Tiling,
    TilingError, Transparency, content_hash, count_values, decode, decode_at, decode_with, hexadecimal, page,
    page_count,
};
pub use dfm_kernels::{InstructionSet, NodeRanges, StepTime};
pub use error::BackboneError;
pub use extractor::FeatureExtractor;
pub use families::resnet::{Block, ConvolutionShape, MaxPoolPadding, ResNet, StridePlacement};
pub use features::{FeatureShape, pool_and_flatten};
pub use layer::Layer;
pub use precision::NetworkPrecision;
pub use tap::Tap;
pub use unsupported::UnsupportedNode;
pub use weights::{
    BackboneWeights, CatalogueEntry, Checksum, CounterGenerator, ImportOptions, OnnxNode, OnnxNodes,
    Precision, WeightsError, WeightsFile, WeightsHeader, catalogue, import_weights,
};
