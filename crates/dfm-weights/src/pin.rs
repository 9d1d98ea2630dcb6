//! The SHA-256 of a file, kept beside it: `weights.pth.sha256` for `weights.pth`. `sha256sum --check`
//! reads such a file too.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::hash::FileHash;
use crate::strength::Strength;
use crate::temporary;

/// A pin is shorter than this.
const MAX_BYTES: u64 = 4096;
/// A line of a pin whose SHA-256 the user gave. `sha256sum` skips lines that begin with `#`.
const GIVEN: &str = "# given by the user";
/// A line of a pin whose SHA-256 the hub stated.
const STATED: &str = "# stated by the hub";

/// The SHA-256 that a file must have at every later use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pin {
    /// The SHA-256.
    pub sha256: FileHash,
    /// Where it comes from.
    pub origin: PinOrigin,
}

/// Where a pinned SHA-256 comes from. What is later in the order says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PinOrigin {
    /// It is that of the file that was fetched or used first.
    FirstFile,
    /// The hub stated it when the file was fetched.
    Hub,
    /// The user gave it.
    User,
}

/// Why a pin cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// The system refused.
    #[error("cannot read the pinned SHA-256 in {}: {cause}", path.display())]
    Io {
        /// The file of the pin.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file holds something else.
    #[error(
        "{}: expected a line with the 64 digits of the pinned SHA-256, found '{found}'; delete this file to pin anew",
        path.display()
    )]
    Content {
        /// The file of the pin.
        path: PathBuf,
        /// How the line begins.
        found: String,
    },
}

impl Pin {
    /// How much a check against this pin says.
    pub fn strength(&self) -> Strength {
        self.origin.strength()
    }
}

impl PinOrigin {
    /// How much a check against such a pin says.
    pub fn strength(self) -> Strength {
        match self {
            Self::FirstFile => Strength::Pinned,
            Self::Hub => Strength::Hub,
            Self::User => Strength::Given,
        }
    }

    /// The line that says so in the file of the pin.
    fn line(self) -> Option<&'static str> {
        match self {
            Self::FirstFile => None,
            Self::Hub => Some(STATED),
            Self::User => Some(GIVEN),
        }
    }
}

/// Where the SHA-256 of the file at `path` is pinned.
pub(crate) fn path_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".sha256");
    PathBuf::from(name)
}

/// Reads the pin of the file at `path`; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Pin>, PinError> {
    let path = path_of(path);
    let mut bytes = Vec::new();
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other,
    };
    let content = file.and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes));
    content.map_err(|cause| PinError::Io { path: path.clone(), cause })?;
    let text = String::from_utf8_lossy(&bytes);
    let has = |origin: &PinOrigin| text.lines().any(|line| Some(line.trim_end()) == origin.line());
    let origin = [PinOrigin::User, PinOrigin::Hub].into_iter().find(has).unwrap_or(PinOrigin::FirstFile);
    let line = text.lines().find(|line| !line.starts_with('#') && !line.trim().is_empty());
    let digits = line.and_then(|line| line.split_whitespace().next()).unwrap_or_default();
    match digits.parse() {
        Ok(sha256) => Ok(Some(Pin { sha256, origin })),
        Err(_) => Err(PinError::Content { path, found: digits.chars().take(80).collect() }),
    }
}

/// Writes the pin of the file at `path`, unless there is one. Returns whether it was written.
pub(crate) fn create(path: &Path, pin: &Pin) -> io::Result<bool> {
    let file = temporary::beside(path, &content(path, pin))?;
    match file.persist_noclobber(path_of(path)) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}

/// Writes the pin of the file at `path`, in place of any other.
pub(crate) fn replace(path: &Path, pin: &Pin) -> io::Result<()> {
    temporary::beside(path, &content(path, pin))?.persist(path_of(path))?;
    Ok(())
}

fn content(path: &Path, pin: &Pin) -> Vec<u8> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let origin = pin.origin.line().map_or_else(String::new, |line| format!("{line}\n"));
    format!("{origin}{}  {name}\n", pin.sha256).into_bytes()
}
