//! What can be wrong with a model file.

/// Why a model file was refused or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    /// Reading or writing failed.
    #[error("{operation} the model: {cause}")]
    Io {
        /// "reading" or "writing".
        operation: &'static str,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Shorter than it says.
    #[error(
        "model file is cut short: expected {expected} bytes of {part}, found {got}; copy or fit it again"
    )]
    Truncated {
        /// Which part.
        part: &'static str,
        /// Bytes it should hold.
        expected: u64,
        /// Bytes there are.
        got: u64,
    },
    /// A declared size is beyond the limit.
    #[error(
        "model file declares {got} bytes of {part}, the limit is {limit}: this is not a model that dfm wrote"
    )]
    TooLarge {
        /// Which part.
        part: &'static str,
        /// The limit in bytes.
        limit: u64,
        /// What the file declares.
        got: u64,
    },
    /// Not a safetensors file, or one with bad offsets.
    #[error("not a dfm model: {reason}; expected a file that a fit wrote")]
    Container {
        /// What the parser found.
        reason: String,
    },
    /// A safetensors file without our header, or with one that cannot be read.
    #[error("not a dfm model: its header cannot be read: {reason}; expected a file that a fit wrote")]
    Header {
        /// What is wrong.
        reason: String,
    },
    /// Written by another version of the format.
    #[error(
        "model format version {got}: this program reads versions 2 to {expected}; fit again or use a matching program"
    )]
    Version {
        /// The newest that this program reads.
        expected: u32,
        /// What the file says.
        got: u32,
    },
    /// The content does not have the recorded hash.
    #[error("model file is damaged: expected SHA-256 {expected}, found {got}; copy or fit it again")]
    Digest {
        /// From the header.
        expected: String,
        /// Computed.
        got: String,
    },
    /// A tensor is missing or misshaped.
    #[error("model file: tensor '{tensor}': expected {expected}, found {got}")]
    Tensor {
        /// Its name.
        tensor: String,
        /// Type and shape it should have.
        expected: String,
        /// What there is.
        got: String,
    },
    /// The header contradicts itself or the tensors.
    #[error("model file: {what}: expected {expected}, found {got}")]
    Inconsistent {
        /// Which entry.
        what: &'static str,
        /// What the rest of the file implies.
        expected: String,
        /// What it says.
        got: String,
    },
    /// The content is not what a fit gives.
    #[error("model file: {part}: {reason}")]
    Content {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor or an entry that no model has.
    #[error("model file: {what} '{name}' is not part of the format: expected what a fit writes")]
    Unknown {
        /// What it is.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A slim model needs its weights from outside.
    #[error(
        "this model was saved without its backbone: it takes the {name} weights with SHA-256 {sha256}{}",
        of_file(file_sha256.as_deref())
    )]
    WeightsNeeded {
        /// Architecture.
        name: String,
        /// Hash of the weights it was fitted with.
        sha256: String,
        /// Hash of the file that they were fetched as, if it is recorded.
        file_sha256: Option<String>,
    },
    /// Weights were given, but not those of the fit.
    #[error("this model was fitted with weights of SHA-256 {expected}, those given have {got}")]
    OtherWeights {
        /// What the fit has.
        expected: String,
        /// Given.
        got: String,
    },
    /// Weights from another file than the one that was fetched for the fit.
    #[error(
        "this model was fitted with the weights of a file with SHA-256 {expected}, those given are of a file with \
         {got}: give the file of the fit"
    )]
    OtherWeightsFile {
        /// What the model records.
        expected: String,
        /// The file that was given.
        got: String,
    },
    /// The stored probe does not come out as it did when the model was fitted.
    #[error(
        "the model's self-test failed on this device: {quantity} differs by {got:.3e} (relative), the limit is \
         {limit:.0e}; the reference device, flex, should pass it: report the device"
    )]
    SelfTest {
        /// "features" or "score".
        quantity: &'static str,
        /// The limit.
        limit: f64,
        /// What was found.
        got: f64,
    },
}

fn of_file(sha256: Option<&str>) -> String {
    sha256.map_or_else(String::new, |sha256| format!(", from the file with SHA-256 {sha256}"))
}
