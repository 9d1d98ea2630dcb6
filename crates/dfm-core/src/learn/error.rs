//! What can be wrong with a checkpoint.

/// Why the checkpoint of a fit was refused.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Reading failed.
    #[error("reading the checkpoint: {cause}")]
    Io {
        /// What the system said.
        cause: std::io::Error,
    },
    /// Something else.
    #[error("not a checkpoint: expected what an interrupted fit leaves; move the file elsewhere")]
    NotOne,
    /// Written by another version of the format.
    #[error(
        "checkpoint version {got}: this program reads version {expected}; go on with the program that wrote it, or \
         delete it to start over"
    )]
    Version {
        /// What this program reads.
        expected: u32,
        /// What the file says.
        got: u32,
    },
    /// Shorter than its header.
    #[error(
        "the checkpoint is cut short: expected {expected} bytes before the first picture, found {got}; delete it to \
         start over"
    )]
    Truncated {
        /// Bytes that should be there.
        expected: usize,
        /// Bytes there are.
        got: usize,
    },
    /// The header does not have its hash, or says nothing that can be understood.
    #[error("the checkpoint's header is damaged: delete it to start over")]
    DamagedHeader,
    /// A record does not have its hash, and one behind it does.
    #[error("the checkpoint is damaged in its record {record}: copy it again, or delete it to start over")]
    Damaged {
        /// Counted from 0.
        record: usize,
    },
    /// The checkpoint holds features that would differ.
    #[error(
        "the checkpoint is of another fit: expected {what} {expected}, found {got}; go on as that fit began, or \
         delete the checkpoint to start over"
    )]
    OtherFeatures {
        /// What decides features and differs.
        what: String,
        /// What this fit has.
        expected: String,
        /// What the checkpoint has.
        got: String,
    },
}

impl From<std::io::Error> for CheckpointError {
    fn from(cause: std::io::Error) -> Self {
        Self::Io { cause }
    }
}
