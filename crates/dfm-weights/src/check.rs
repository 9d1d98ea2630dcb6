//! The check of a file of the store.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

use dfm_backbone::{CatalogueEntry, Checksum, WeightsError};
use sha2::{Digest, Sha256};

use crate::error::WeightsStoreError;
use crate::hash::{self, FileHash, Hashed};
use crate::pin::{self, Pin, PinOrigin};
use crate::strength::Strength;

/// What is known of a file that passed its check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileCheck {
    /// The SHA-256 of the file.
    pub sha256: FileHash,
    /// What it was compared with.
    pub strength: Strength,
    /// Whether it is pinned.
    pub pin: PinState,
}

/// Whether the SHA-256 of a file is pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PinState {
    /// It was pinned before.
    Known,
    /// It is pinned from now on.
    New,
    /// It was not pinned, and the pin cannot be written.
    NotWritten {
        /// What the system said.
        reason: String,
    },
}

impl fmt::Display for FileCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "checked by {}; SHA-256 {}", self.strength, self.sha256)?;
        match &self.pin {
            PinState::Known => Ok(()),
            PinState::New => f.write_str(", pinned from now on"),
            PinState::NotWritten { reason } => write!(f, ", which cannot be pinned: {reason}"),
        }
    }
}

/// Weights by their name, and what is known of their file before it comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) name: &'a str,
    pub(crate) checksum: Checksum,
}

impl From<&CatalogueEntry> for Subject<'static> {
    fn from(entry: &CatalogueEntry) -> Self {
        Self { name: entry.name, checksum: entry.checksum }
    }
}

/// A file that has every digit that is known of it.
pub(crate) struct Compared {
    sha256: FileHash,
    strength: Strength,
    /// What must be pinned, and whether it takes the place of another pin.
    unpinned: Option<(Pin, bool)>,
}

/// Compares `sha256`, that of the file at `path`, with the digits of `subject`, and with `given` or
/// else with the pin.
pub(crate) fn compare(
    subject: Subject<'_>,
    path: &Path,
    sha256: FileHash,
    given: Option<&FileHash>,
) -> Result<Compared, WeightsStoreError> {
    let checksum = subject.checksum;
    if !checksum.matches(sha256.as_str()) {
        let (expected, got) = (checksum.digits().to_owned(), sha256.to_string());
        let cause = WeightsError::Checksum { expected, got };
        return Err(WeightsStoreError::File { path: path.to_owned(), cause });
    }
    if let Some(given) = given {
        if *given != sha256 {
            let (path, expected) = (path.to_owned(), given.clone());
            return Err(WeightsStoreError::NotGiven { path, expected, got: sha256 });
        }
        // A pin that cannot be read is replaced like any other: the user knows the file.
        let pin = Pin { sha256: sha256.clone(), origin: PinOrigin::User };
        let known = pin::read(path).is_ok_and(|known| known.as_ref() == Some(&pin));
        let unpinned = if known { None } else { Some((pin, true)) };
        return Ok(Compared { sha256, strength: Strength::Given, unpinned });
    }
    match pin::read(path)? {
        Some(pin) if pin.sha256 == sha256 => {
            Ok(Compared { sha256, strength: pin.strength(), unpinned: None })
        }
        Some(pin) => Err(pinned_otherwise(subject, path, pin, sha256)),
        None => {
            let unpinned = Some((Pin { sha256: sha256.clone(), origin: PinOrigin::FirstFile }, false));
            Ok(Compared { sha256, strength: Strength::of(checksum), unpinned })
        }
    }
}

/// Pins the file at `path` if it was not pinned.
pub(crate) fn pinned(
    subject: Subject<'_>,
    path: &Path,
    compared: Compared,
) -> Result<FileCheck, WeightsStoreError> {
    let Compared { sha256, strength, unpinned } = compared;
    let written = match &unpinned {
        None => return Ok(FileCheck { sha256, strength, pin: PinState::Known }),
        Some((pin, true)) => pin::replace(path, pin).map(|()| true),
        Some((pin, false)) => pin::create(path, pin),
    };
    let pin = match written {
        Ok(true) => PinState::New,
        // Another process wrote a pin meanwhile, or there is a link that leads nowhere.
        Ok(false) => match pin::read(path)? {
            Some(pin) if pin.sha256 != sha256 => return Err(pinned_otherwise(subject, path, pin, sha256)),
            Some(_) => PinState::Known,
            None => {
                let reason = format!("{} is there and cannot be read", pin::path_of(path).display());
                PinState::NotWritten { reason }
            }
        },
        Err(error) => PinState::NotWritten { reason: error.to_string() },
    };
    Ok(FileCheck { sha256, strength, pin })
}

fn pinned_otherwise(subject: Subject<'_>, path: &Path, pin: Pin, got: FileHash) -> WeightsStoreError {
    let (name, path, pin_path) = (subject.name.to_owned(), path.to_owned(), pin::path_of(path));
    WeightsStoreError::NotPinned { name, path, pin_path, expected: pin.sha256, got }
}

/// The SHA-256 of the file at `path`, which is read piece by piece.
pub(crate) fn hash_of(path: &Path) -> io::Result<FileHash> {
    let mut file = Hashed::new(File::open(path)?);
    file.read_all()?;
    Ok(file.finish().1)
}

/// The SHA-256 of bytes.
pub(crate) fn hash_of_bytes(bytes: &[u8]) -> FileHash {
    hash::of(Sha256::new_with_prefix(bytes))
}
