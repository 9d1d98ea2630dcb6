//! Why weights were refused.

use crate::error::BackboneError;

/// Weights that cannot be read, converted or used.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The network cannot be built.
    #[error(transparent)]
    Backbone(#[from] BackboneError),
    /// The file could not be read.
    #[error("{operation}")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// What the system reported.
        source: std::io::Error,
    },
    /// The file is of no known format.
    #[error("not a weights file: expected dfm weights, PyTorch (.pth), safetensors or ONNX, found {found}")]
    UnknownFormat {
        /// What the first bytes look like.
        found: String,
    },
    /// The file is not the one that was meant.
    #[error(
        "expected a file whose SHA-256 begins with {expected}, found {got}: altered or damaged; fetch it again"
    )]
    Checksum {
        /// The digits that the SHA-256 must begin with.
        expected: String,
        /// The hash of the file.
        got: String,
    },
    /// The container is damaged or hostile.
    #[error("cannot read {format} weights: {reason}; is the file whole? save or fetch it again")]
    Container {
        /// Name of the format.
        format: &'static str,
        /// What the parser found.
        reason: String,
    },
    /// A file or an entry beyond the limit.
    #[error("{what} holds {got} bytes, the limit is {limit}: keep only the network's weights in the file")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit in bytes.
        limit: u64,
        /// The bytes that there are, or that are declared.
        got: u64,
    },
    /// The header of our own format cannot be used.
    #[error("not dfm weights: {reason}; convert them again")]
    Header {
        /// What is wrong.
        reason: String,
    },
    /// The weights are of our own format and for another network.
    #[error("these weights are for '{got}', not for '{expected}': ask for '{got}', or give other weights")]
    OtherArchitecture {
        /// The network that was asked for.
        expected: String,
        /// The network that the file is for.
        got: String,
    },
    /// Neither the file nor the caller says which network the weights are for.
    #[error("these weights do not name their architecture: give one of {known}")]
    ArchitectureNeeded {
        /// Names that are known.
        known: String,
    },
    /// The number of parameters is another.
    #[error("expected the values of {expected} parameters, found {got}: are they for this architecture?")]
    Parameters {
        /// The number in the architecture.
        expected: usize,
        /// The number that was given.
        got: usize,
    },
    /// The number of convolutions is another.
    #[error("expected {expected} convolutions, found {got}: are these weights for this architecture?")]
    Count {
        /// The number in the architecture.
        expected: usize,
        /// The number in the file.
        got: usize,
    },
    /// A tensor is missing.
    #[error("tensor '{tensor}' is missing: expected {expected}; are these weights for '{architecture}'?")]
    Missing {
        /// The name of the tensor.
        tensor: String,
        /// The shape or the type that it must have.
        expected: String,
        /// The architecture.
        architecture: String,
    },
    /// No part of the network uses a tensor.
    #[error("tensor '{tensor}' is not part of '{architecture}': are these weights for another architecture?")]
    Unused {
        /// The name of the tensor.
        tensor: String,
        /// The architecture.
        architecture: String,
    },
    /// A tensor has another shape or type.
    #[error(
        "tensor '{tensor}': expected {expected}, found {got}; are these weights for another architecture?"
    )]
    Shape {
        /// The name of the tensor.
        tensor: String,
        /// What was expected.
        expected: String,
        /// What was found.
        got: String,
    },
    /// A value is not a finite number, or is not after rounding to f16.
    #[error(
        "tensor '{tensor}' holds {got}: expected finite numbers, and variances of zero or more; fetch or train the \
         weights again, or keep them in f32"
    )]
    NotFinite {
        /// The name of the tensor.
        tensor: String,
        /// The value.
        got: String,
    },
    /// A network in an ONNX file cannot be read.
    #[error("the network in the ONNX file: {reason}")]
    Network {
        /// What was expected and found.
        reason: String,
    },
    /// A node of an ONNX graph was not understood, and the layer needs it.
    #[error(
        "ONNX node '{node}' ({operation}): {reason}; take a layer before it, or export the network otherwise"
    )]
    Node {
        /// The node.
        node: String,
        /// Its operation.
        operation: String,
        /// What was not understood.
        reason: String,
    },
    /// A network computes something of the pixels first, which does not say what it expects of them.
    #[error(
        "the network multiplies pixels by {factors:?} after it subtracts {means:?}: expected what says whether pixels \
         are 0 to 1 or 0 to 255; state what pixels become before the network"
    )]
    UnclearPixels {
        /// The factor of each channel.
        factors: Vec<f32>,
        /// What is subtracted of each channel before.
        means: Vec<f32>,
    },
    /// A file takes pictures of one size alone.
    #[error(
        "the file takes pictures of {}×{} pixels alone, got {}×{}: take that size, or export the network for this one",
        expected[0], expected[1], got[0], got[1]
    )]
    FixedSize {
        /// The size (height, width) of the file.
        expected: [usize; 2],
        /// The size that was asked for.
        got: [usize; 2],
    },
    /// The graph is not that of the network.
    #[error(
        "ONNX graph: {what}: expected {expected}, found {got}; is it of another architecture? export the plain \
         network, with its weights inside the file"
    )]
    Graph {
        /// The part of the graph.
        what: String,
        /// What was expected.
        expected: String,
        /// What was found.
        got: String,
    },
}
