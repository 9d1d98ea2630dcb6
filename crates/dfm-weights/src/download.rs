//! Weights over HTTP, trusted only once their hash has been checked.

use std::path::PathBuf;
use std::time::Duration;

use dfm_backbone::CatalogueEntry;

use crate::check::{FileCheck, PinState};
use crate::error::DownloadError;
use crate::hash::{FileHash, Hashed};
use crate::http::{self, End};
use crate::pin::{self, Pin, PinOrigin};
use crate::store::WeightStore;
use crate::strength::Strength;
use crate::temporary;

/// The most bytes of weights: no known ones are half as large.
pub(crate) const MAX_BYTES: u64 = 2 << 30;

/// How to fetch.
#[derive(Debug, Clone, Copy)]
pub struct PullOptions<'a> {
    /// The folder's URL in place of the official one.
    pub endpoint: Option<&'a str>,
    /// How long a server may be silent before it is given up.
    pub patience: Duration,
    /// The SHA-256 that the file must have, if the user knows it. It takes the place of any pin.
    pub sha256: Option<&'a FileHash>,
}

/// Weights that were fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pulled {
    /// The file.
    pub path: PathBuf,
    /// How it was checked.
    pub check: FileCheck,
}

impl Default for PullOptions<'_> {
    /// From the official home, which may be silent for a minute.
    fn default() -> Self {
        Self { endpoint: None, patience: Duration::from_secs(60), sha256: None }
    }
}

/// Fetches `entry`, checks it, and only then puts it into the `store` and pins its SHA-256.
/// `progress` is told the bytes so far and, if the server says so, how many there will be.
/// If a file is in its place that does not begin as weights do, that file is
/// [kept aside](WeightStore::aside).
///
/// # Errors
///
/// [`DownloadError`]; the weights in the store are then what they were.
pub fn pull(
    entry: &CatalogueEntry,
    options: PullOptions<'_>,
    store: &WeightStore,
    mut progress: impl FnMut(u64, Option<u64>),
) -> Result<Pulled, DownloadError> {
    store.require_folder().map_err(|_| DownloadError::NoFolder)?;
    let PullOptions { endpoint, patience, sha256: given } = options;
    let endpoint = endpoint.unwrap_or(entry.endpoint);
    let url = format!("{}/{}", endpoint.trim_end_matches('/'), entry.file_name);
    let failed = |reason: String| DownloadError::Request { url: url.clone(), reason };
    let path = store.path(entry);
    let not_kept = |cause| DownloadError::Store { path: path.clone(), cause };
    let expected = Expected::of(entry, given, store)?;

    let agent: ureq::Agent = http::settings(patience).build().into();
    let response = agent.get(&url).call().map_err(|error| failed(error.to_string()))?;
    let announced = response.body().content_length();
    if announced.is_some_and(|length| length > MAX_BYTES) {
        return Err(DownloadError::TooLarge { url, limit: MAX_BYTES });
    }

    let folder = store.create().map_err(not_kept)?;
    let mut file = Hashed::new(temporary::create(folder).map_err(not_kept)?);
    let body = response.into_body().into_reader();
    let ended =
        http::receive(body, &mut file, MAX_BYTES, |got| progress(got, announced)).map_err(not_kept)?;
    let got = file.length();
    match ended {
        End::Ended => {}
        // The number of bytes says it.
        End::Broken(_) if announced.is_some() => {}
        End::Broken(error) => return Err(failed(error.to_string())),
        End::Silent => return Err(DownloadError::Stalled { url, got, patience }),
        End::TooLong { .. } => return Err(DownloadError::TooLarge { url, limit: MAX_BYTES }),
    }
    if let Some(expected) = announced.filter(|expected| *expected != got) {
        return Err(DownloadError::CutShort { url, expected, got });
    }
    let (file, sha256) = file.finish();
    expected.compare(&url, &sha256)?;
    file.as_file().sync_all().map_err(not_kept)?;
    if let Some(aside) = store.aside(entry).map_err(not_kept)? {
        std::fs::rename(&path, aside).map_err(not_kept)?;
    }
    file.persist(&path).map_err(|error| not_kept(error.error))?;
    let pin = match expected.pin {
        Some(_) => PinState::Known,
        None => {
            let origin = if given.is_some() { PinOrigin::User } else { PinOrigin::FirstFile };
            let pin = Pin { sha256: sha256.clone(), origin };
            let pin_path = pin::path_of(&path);
            pin::replace(&path, &pin).map_err(|cause| DownloadError::Store { path: pin_path, cause })?;
            PinState::New
        }
    };
    Ok(Pulled { path, check: FileCheck { sha256, strength: expected.strength(), pin } })
}

/// What is known of a file before it comes.
struct Expected<'a> {
    entry: &'a CatalogueEntry,
    given: Option<&'a FileHash>,
    /// The pin, unless `given` takes its place.
    pin: Option<Pin>,
    pin_path: PathBuf,
}

impl<'a> Expected<'a> {
    fn of(
        entry: &'a CatalogueEntry,
        given: Option<&'a FileHash>,
        store: &WeightStore,
    ) -> Result<Self, DownloadError> {
        if let Some(given) = given.filter(|given| !entry.checksum.matches(given.as_str())) {
            let (name, expected) = (entry.name.to_owned(), entry.checksum.digits().to_owned());
            return Err(DownloadError::NotItsHash { name, expected, got: given.clone() });
        }
        let pin = if given.is_some() { None } else { store.pin(entry)? };
        Ok(Self { entry, given, pin, pin_path: pin::path_of(&store.path(entry)) })
    }

    /// Refuses a file from `url` that has another SHA-256.
    fn compare(&self, url: &str, sha256: &FileHash) -> Result<(), DownloadError> {
        let (url, got) = (url.to_owned(), sha256.clone());
        let checksum = self.entry.checksum;
        if !checksum.matches(sha256.as_str()) {
            let (expected, got) = (checksum.digits().to_owned(), got.to_string());
            return Err(DownloadError::Checksum { url, expected, got });
        }
        if let Some(expected) = self.given.filter(|given| *given != sha256).cloned() {
            return Err(DownloadError::NotGiven { url, expected, got });
        }
        match self.pin.as_ref().filter(|pin| pin.sha256 != *sha256) {
            Some(pin) => {
                let (pin_path, expected) = (self.pin_path.clone(), pin.sha256.clone());
                Err(DownloadError::NotPinned { url, pin_path, expected, got })
            }
            None => Ok(()),
        }
    }

    /// What a file that was not refused was compared with.
    fn strength(&self) -> Strength {
        match (self.given, &self.pin) {
            (Some(_), _) => Strength::Given,
            (None, Some(pin)) => pin.strength(),
            (None, None) => Strength::published(self.entry),
        }
    }
}
