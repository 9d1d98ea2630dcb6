//! Why weights cannot be had.

use std::path::PathBuf;
use std::time::Duration;

use dfm_backbone::WeightsError;

use crate::hash::FileHash;
use crate::hub::{ConfigError, InvalidReference};
use crate::pin::PinError;

/// Why the weights that were asked for cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsStoreError {
    /// No network has this name.
    #[error(
        "backbone {got}: expected one of {expected}, or an ONNX file; weights of our own format name their network \
         themselves"
    )]
    UnknownBackbone {
        /// The names of all networks.
        expected: String,
        /// What was asked for.
        got: String,
    },
    /// The weights inside the library are for another network.
    #[error("weights embedded: only {embedded} is embedded, not {got}")]
    NotEmbedded {
        /// The network whose weights are inside.
        embedded: &'static str,
        /// What was asked for.
        got: String,
    },
    /// The network is a file, which holds its weights, and others were asked for.
    #[error("weights {got}: the network {} is a file that holds its weights; leave one of the two out", path.display())]
    WeightsOfFile {
        /// The file.
        path: PathBuf,
        /// The weights that were asked for.
        got: String,
    },
    /// The library was built without weights inside.
    #[error("this program was built without embedded weights: it needs a file or random ones")]
    NothingEmbedded,
    /// Neither a name nor a file.
    #[error(
        "weights {got}: expected embedded, random, the name of weights that can be fetched, hf:OWNER/NAME or a file, \
         found nothing of that name"
    )]
    Nothing {
        /// What was asked for.
        got: String,
    },
    /// Weights that can be fetched and were not.
    #[error("the weights '{name}' are not here yet")]
    NotPulled {
        /// Their name.
        name: String,
    },
    /// A file that cannot be used.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: WeightsError,
    },
    /// Another file than the pinned one.
    #[error(
        "{}: expected the SHA-256 {expected}, which {} has pinned, found {got}: not the file that was used first; \
         fetch the weights '{name}' again",
        path.display(),
        pin_path.display()
    )]
    NotPinned {
        /// The name of the weights.
        name: String,
        /// The file.
        path: PathBuf,
        /// The file that has the pinned SHA-256.
        pin_path: PathBuf,
        /// The pinned SHA-256.
        expected: FileHash,
        /// The SHA-256 of the file.
        got: FileHash,
    },
    /// Another file than the one whose SHA-256 the user gave.
    #[error("{}: expected the SHA-256 {expected}, which was given, found {got}: another file", path.display())]
    NotGiven {
        /// The file.
        path: PathBuf,
        /// The SHA-256 that was given.
        expected: FileHash,
        /// The SHA-256 of the file.
        got: FileHash,
    },
    /// Another description of a network than the one that was fetched from a hub.
    #[error(
        "{}: expected the SHA-256 {expected}, which {} has pinned, found {got}: not the description of the network that \
         was fetched first; fetch the weights '{name}' again",
        path.display(),
        pin_path.display()
    )]
    OtherDescription {
        /// The name of the weights.
        name: String,
        /// The description.
        path: PathBuf,
        /// The file that has the pinned SHA-256.
        pin_path: PathBuf,
        /// The pinned SHA-256.
        expected: FileHash,
        /// The SHA-256 of the description.
        got: FileHash,
    },
    /// The description of a network that was fetched from a hub cannot be used.
    #[error("{}: {cause}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: ConfigError,
    },
    /// Text that is meant as the name of a repository of a hub and is none.
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    /// A pin that cannot be read.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// Weights that cannot be made or used.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// No folder for pulled weights is known.
    #[error("no folder for fetched weights is known: name one")]
    NoFolder,
}

/// Why weights could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// The server could not be reached or did not answer with the file.
    #[error("cannot fetch {url}: {reason}; check the connection, or ask a mirror")]
    Request {
        /// What was asked for.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The connection ended before the file did.
    #[error("{url}: the connection ended after {got} bytes, expected {expected}; try again")]
    CutShort {
        /// What was asked for.
        url: String,
        /// Bytes announced.
        expected: u64,
        /// Bytes that came.
        got: u64,
    },
    /// The server stopped sending.
    #[error(
        "{url}: the server sent nothing for {} s, after {got} bytes; try again, or ask a mirror",
        .patience.as_secs_f64()
    )]
    Stalled {
        /// What was asked for.
        url: String,
        /// Bytes that came.
        got: u64,
        /// How long we waited.
        patience: Duration,
    },
    /// The file is larger than any weights.
    #[error("{url}: more than {limit} bytes: not the weights that were asked for; ask another mirror")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The limit.
        limit: u64,
    },
    /// Not the file that was asked for.
    #[error(
        "{url}: expected a SHA-256 that begins with {expected}, found {got}: altered or damaged, not kept; try again, \
         or ask another mirror"
    )]
    Checksum {
        /// What was asked for.
        url: String,
        /// The digits that are known.
        expected: String,
        /// The hash of what came.
        got: String,
    },
    /// Not the file whose SHA-256 the user gave.
    #[error(
        "{url}: expected the SHA-256 {expected}, which was given, found {got}: another file, not kept; give the right \
         SHA-256, or ask another mirror"
    )]
    NotGiven {
        /// What was asked for.
        url: String,
        /// The SHA-256 that was given.
        expected: FileHash,
        /// The SHA-256 of what came.
        got: FileHash,
    },
    /// Not the file whose SHA-256 is pinned.
    #[error(
        "{url}: expected the SHA-256 {expected}, which {} has pinned, found {got}: not the file that was used first, \
         not kept; ask another mirror, or, if you know that the new file is the right one, give its SHA-256",
        pin_path.display()
    )]
    NotPinned {
        /// What was asked for.
        url: String,
        /// The file that has the pinned SHA-256.
        pin_path: PathBuf,
        /// The pinned SHA-256.
        expected: FileHash,
        /// The SHA-256 of what came.
        got: FileHash,
    },
    /// A SHA-256 was given that no file of this name can have.
    #[error(
        "weights {name}: expected a SHA-256 that begins with {expected}, got {got}; give the right one, or none"
    )]
    NotItsHash {
        /// The name of the weights.
        name: String,
        /// The digits that the publisher states.
        expected: String,
        /// The SHA-256 that was given.
        got: FileHash,
    },
    /// A pin that cannot be read.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// No folder for pulled weights is known.
    #[error("no folder for fetched weights is known: name one")]
    NoFolder,
    /// The store could not be written.
    #[error("cannot keep the weights at {}: {cause}; make room there, or choose another folder", path.display())]
    Store {
        /// Where.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
}
