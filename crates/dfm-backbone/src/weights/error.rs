//! Why weights were refused.

use crate::error::BackboneError;

/// Weights that cannot be read, converted or used.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The network that they are for cannot be built.
    #[error(transparent)]
    Backbone(#[from] BackboneError),
    /// The file could not be read.
    #[error("{operation}")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// None of the formats that are known.
    #[error("not a weights file: expected dfm weights, PyTorch (.pth), safetensors or ONNX, found {found}")]
    UnknownFormat {
        /// What the first bytes look like.
        found: String,
    },
    /// Not the file that was meant.
    #[error(
        "expected a file whose SHA-256 begins with {expected}, found {got}: altered or damaged; fetch it again"
    )]
    Checksum {
        /// The digits that are known.
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
        /// What there is, or is declared.
        got: u64,
    },
    /// The header of our own format cannot be used.
    #[error("not dfm weights: {reason}; convert them again")]
    Header {
        /// What is wrong.
        reason: String,
    },
    /// Weights of our own format that are for another network.
    #[error("these weights are for '{got}', not for '{expected}': ask for '{got}', or give other weights")]
    OtherArchitecture {
        /// What was asked for.
        expected: String,
        /// What the file is for.
        got: String,
    },
    /// An import that does not say which network the weights are for.
    #[error("these weights do not name their architecture: give one of {known}")]
    ArchitectureNeeded {
        /// Names that are known.
        known: String,
    },
    /// Another number of convolutions.
    #[error("expected {expected} convolutions, found {got}: are these weights for this architecture?")]
    Count {
        /// What the architecture has.
        expected: usize,
        /// In the file.
        got: usize,
    },
    /// A tensor that must be there.
    #[error("tensor '{tensor}' is missing: expected {expected}; are these weights for '{architecture}'?")]
    Missing {
        /// Its name.
        tensor: String,
        /// What was expected of it.
        expected: String,
        /// The architecture.
        architecture: String,
    },
    /// A tensor that nothing uses.
    #[error("tensor '{tensor}' is not part of '{architecture}': are these weights for another architecture?")]
    Unused {
        /// Its name.
        tensor: String,
        /// The architecture.
        architecture: String,
    },
    /// A tensor of another shape or type.
    #[error(
        "tensor '{tensor}': expected {expected}, found {got}; are these weights for another architecture?"
    )]
    Shape {
        /// Its name.
        tensor: String,
        /// What it should be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// A value that is no number, or no finite one (also after rounding to f16).
    #[error(
        "tensor '{tensor}' holds {got}: expected finite numbers, and variances of zero or more; fetch or train the \
         weights again, or keep them in f32"
    )]
    NotFinite {
        /// Its name.
        tensor: String,
        /// The value.
        got: String,
    },
    /// A graph that is not the network it should be.
    #[error(
        "ONNX graph: {what}: expected {expected}, found {got}; is it of another architecture? export the plain \
         network, with its weights inside the file"
    )]
    Graph {
        /// Which part.
        what: String,
        /// What it should be.
        expected: String,
        /// What it is.
        got: String,
    },
}
