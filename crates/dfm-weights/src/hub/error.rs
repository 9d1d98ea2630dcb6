//! Why weights cannot be had from a hub.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::config::ConfigError;
use super::reference::Commit;
use crate::hash::FileHash;
use crate::pin::PinError;

/// Why weights cannot be had from a hub.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The weights are not here, and no connection may be opened.
    #[error(
        "{reference} is not here, and no connection may be opened: allow it once, or copy the folder of weights from a \
         machine that has it"
    )]
    Offline {
        /// The repository.
        reference: String,
    },
    /// The endpoint is not the URL of a server.
    #[error("hub '{got}': expected a URL such as https://huggingface.co, without a name or a password")]
    Endpoint {
        /// What was given.
        got: String,
    },
    /// The token cannot be sent.
    #[error(
        "token of the hub: expected visible characters without a space, found others; copy the token anew"
    )]
    Token,
    /// The hub could not be reached.
    #[error(
        "cannot reach {url}: {reason}; check the connection, or name a mirror; what was fetched before is used without a \
         connection"
    )]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// There is no such repository, revision or file.
    #[error(
        "{url}: expected a file, found none (status {status}{}); check owner, name and revision",
        told(code)
    )]
    NotFound {
        /// What was asked for.
        url: String,
        /// The status of HTTP.
        status: u16,
        /// What the hub calls the error.
        code: Option<String>,
    },
    /// The hub does not give the file to this user.
    #[error(
        "{url}: the hub refuses (status {status}{}): there is no such repository, or it is not open to everybody; \
         check its name, accept its terms on its page, and give a token that may read it",
        told(code)
    )]
    Denied {
        /// What was asked for.
        url: String,
        /// The status of HTTP.
        status: u16,
        /// What the hub calls the error.
        code: Option<String>,
    },
    /// The hub refuses, and the token was kept back, because others could read it on the way.
    #[error(
        "{url}: the hub refuses (status {status}), and the token was not sent to it, because the connection is not \
         encrypted; name an endpoint that begins with https://"
    )]
    TokenNotSent {
        /// What was asked for.
        url: String,
        /// The status of HTTP.
        status: u16,
    },
    /// The server answered with something else.
    #[error(
        "{url}: expected the file, found status {status}{}; try again later, or name a mirror",
        told(code)
    )]
    Status {
        /// What was asked for.
        url: String,
        /// The status of HTTP.
        status: u16,
        /// What the hub calls the error.
        code: Option<String>,
    },
    /// The server points to where nothing may be fetched from.
    #[error("{url}: the server points to {to}: {reason}; name another mirror")]
    Redirection {
        /// What was asked for.
        url: String,
        /// Where it points.
        to: String,
        /// Why it is not followed.
        reason: &'static str,
    },
    /// The hub does not say which commit the file is of.
    #[error(
        "{url}: expected the header X-Repo-Commit with a commit, found none: not a hub; name another endpoint"
    )]
    NoCommit {
        /// What was asked for.
        url: String,
    },
    /// The hub answered with another commit than the one that was asked for.
    #[error("{url}: expected the commit {expected}, found {got}; name another mirror")]
    OtherCommit {
        /// What was asked for.
        url: String,
        /// The commit that was asked for.
        expected: Commit,
        /// The one that the hub names.
        got: Commit,
    },
    /// The hub states no SHA-256 of the file, and the user gave none.
    #[error(
        "{url}: expected the header X-Linked-Etag with a SHA-256, found none: nothing tells the file from another; \
         give its SHA-256, or name the official hub"
    )]
    NoHash {
        /// What was asked for.
        url: String,
    },
    /// The file is larger than weights may be.
    #[error("{url}: {got} bytes, the limit is {limit}: not weights of a known network")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The limit.
        limit: u64,
        /// The bytes that were announced or that came.
        got: u64,
    },
    /// The server announces another number of bytes than the hub.
    #[error(
        "{url}: expected {expected} bytes, the server announces {got}; try again, or name another mirror"
    )]
    Size {
        /// What was asked for.
        url: String,
        /// The bytes that the hub states.
        expected: u64,
        /// The bytes that the server announces.
        got: u64,
    },
    /// The connection ended before the file did.
    #[error(
        "{url}: the connection ended after {got} bytes, expected {expected}; try again{}",
        from_there(*kept)
    )]
    CutShort {
        /// What was asked for.
        url: String,
        /// The bytes of the file.
        expected: u64,
        /// The bytes that came.
        got: u64,
        /// Whether they are kept, so that the next try goes on from there.
        kept: bool,
    },
    /// The server stopped sending.
    #[error(
        "{url}: the server sent nothing for {} s, after {got} bytes; try again{}",
        .patience.as_secs_f64(),
        from_there(*kept)
    )]
    Stalled {
        /// What was asked for.
        url: String,
        /// The bytes that came.
        got: u64,
        /// Whether they are kept, so that the next try goes on from there.
        kept: bool,
        /// How long we waited.
        patience: Duration,
    },
    /// Not the file that the hub, or the user, states.
    #[error("{url}: expected the SHA-256 {expected}, found {got}: altered or damaged, not kept; try again")]
    Checksum {
        /// What was asked for.
        url: String,
        /// The SHA-256 that was expected.
        expected: FileHash,
        /// The SHA-256 of what came.
        got: FileHash,
    },
    /// The hub states another SHA-256 than the user.
    #[error(
        "{url}: expected the SHA-256 {given}, which was given, the hub states {stated}: another file, not fetched"
    )]
    NotGiven {
        /// What was asked for.
        url: String,
        /// The SHA-256 that was given.
        given: FileHash,
        /// The SHA-256 that the hub states.
        stated: FileHash,
    },
    /// Another file than the one that is pinned for this commit.
    #[error(
        "{url}: expected the SHA-256 {expected}, which {} has pinned for this commit, the hub states {got}: not the \
         file that was fetched first, not fetched; give its SHA-256 if you know that it is the right one",
        pin_path.display()
    )]
    NotPinned {
        /// What was asked for.
        url: String,
        /// The file that has the pinned SHA-256.
        pin_path: PathBuf,
        /// The pinned SHA-256.
        expected: FileHash,
        /// The SHA-256 that the hub states.
        got: FileHash,
    },
    /// Another description of the network than the one that is pinned for this commit.
    #[error(
        "{url}: expected the SHA-256 {expected}, which {} has pinned for this commit, found {got}: not the description \
         that was fetched first, not kept; name another mirror, or, if you know that the new one is right, delete {} and \
         fetch the repository anew",
        pin_path.display(),
        pin_path.display()
    )]
    OtherDescription {
        /// What was asked for.
        url: String,
        /// The file that has the pinned SHA-256.
        pin_path: PathBuf,
        /// The pinned SHA-256.
        expected: FileHash,
        /// The SHA-256 of what came.
        got: FileHash,
    },
    /// The description of the network cannot be used.
    #[error("{url}: {cause}")]
    Config {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        cause: ConfigError,
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
        cause: io::Error,
    },
}

/// What a next try does.
fn from_there(kept: bool) -> &'static str {
    if kept { ": it goes on from there" } else { "" }
}

fn told(code: &Option<String>) -> String {
    code.as_ref().map_or_else(String::new, |code| format!(", {code}"))
}
