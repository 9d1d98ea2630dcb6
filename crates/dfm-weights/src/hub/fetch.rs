//! Weights from a repository of a hub.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use super::address::Address;
use super::client::{Client, Facts};
use super::config::{self, Config};
use super::error::HubError;
use super::files::{CONFIG, WEIGHTS};
use super::options::HubOptions;
use super::reference::{Commit, HubReference};
use super::transfer::{self, Wanted};
use crate::check::{self, FileCheck, PinState};
use crate::hash::{FileHash, Hashed};
use crate::http::{self, End};
use crate::pin::{self, Pin, PinOrigin};
use crate::store::{WeightStore, beside_other};
use crate::temporary;

/// Weights of a repository that are here now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubPulled {
    /// The file.
    pub path: PathBuf,
    /// The repository at the commit that the file is of.
    pub reference: HubReference,
    /// How it was checked.
    pub check: FileCheck,
    /// Whether it came now; otherwise it was here.
    pub is_new: bool,
    /// The licence that the repository states in the description of its network.
    pub license: Option<String>,
    /// How pictures were resized when the network was trained, if it is not how this library does.
    pub interpolation: Option<String>,
}

impl HubPulled {
    /// What to say of pictures that were resized in another way when the network was trained, if they were.
    pub fn resized_otherwise(&self) -> Option<String> {
        let how = self.interpolation.as_ref()?;
        Some(format!(
            "The network was trained with pictures that were resized with '{how}'. DFM resizes bilinearly with antialias, \
             in a fit and in a prediction alike"
        ))
    }
}

/// Where the file is, what it is, how it was checked, and its licence.
impl fmt::Display for HubPulled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let license =
            self.license.as_deref().unwrap_or("licence not stated in its description, see its page");
        write!(f, "{}: {}, {}; {license}", self.path.display(), self.reference, self.check)
    }
}

/// Fetches the weights of a repository and the description of their network, checks them, and only then
/// puts them into the `store`. A download that ended early goes on where it ended. `progress` is told the
/// bytes of the weights that are here and, if it is known, how many there will be.
///
/// The SHA-256 is the one that the hub states, and the one that the user gives if there is one.
///
/// # Errors
///
/// [`HubError`]; the weights in the store are then what they were.
pub fn pull_hub(
    reference: &HubReference,
    options: &HubOptions,
    store: &WeightStore,
    mut progress: impl FnMut(u64, Option<u64>),
) -> Result<HubPulled, HubError> {
    store.require_folder().map_err(|_| HubError::NoFolder)?;
    if options.offline {
        return Err(HubError::Offline { reference: reference.to_string() });
    }
    let client = Client::new(options)?;
    let asked = client.file(reference, CONFIG);
    let commit = of_commit(&asked, client.facts(&asked)?, reference.commit())?.0;
    let at = reference.at(&commit);
    let folder = store.commit_folder(&at);
    let path = store.hub_path(&at);
    let not_kept = |path: &Path| {
        let path = path.to_owned();
        move |cause| HubError::Store { path, cause }
    };
    fs::create_dir_all(&folder).map_err(not_kept(&folder))?;
    // Another process may fetch the same file: the second one waits, and then finds it here.
    let lock = folder.join(format!("{WEIGHTS}.lock"));
    let lock_file = OpenOptions::new().write(true).create(true).truncate(false).open(&lock);
    let locked = lock_file.and_then(|file| file.lock().map(|()| file)).map_err(not_kept(&lock))?;

    let described = client.file(&at, CONFIG);
    let text = small(&client, &described)?;
    let config = Config::parse(&text).map_err(|cause| HubError::Config { url: described.shown(), cause })?;
    let description = Description::of(folder.join(CONFIG), text, described.shown())?;

    let address = client.file(&at, WEIGHTS);
    let (_, facts) = of_commit(&address, client.facts(&address)?, Some(commit.clone()))?;
    let url = address.shown();
    let (sha256, origin) = expected(url.clone(), facts.sha256, options.sha256.clone())?;
    let known = match pin::read(&path) {
        // A pin that cannot be read is replaced like any other: the user knows the file.
        Err(_) if origin == PinOrigin::User => None,
        known => known?,
    };
    if origin != PinOrigin::User
        && let Some(pin) = known.as_ref().filter(|pin| pin.sha256 != sha256)
    {
        let (pin_path, expected) = (pin::path_of(&path), pin.sha256.clone());
        return Err(HubError::NotPinned { url, pin_path, expected, got: sha256 });
    }
    // What the user gave once is not forgotten when the hub states the same.
    let same = known.as_ref().filter(|pin| pin.sha256 == sha256);
    let origin = same.map_or(origin, |pin| pin.origin.max(origin));
    let pin = Pin { sha256: sha256.clone(), origin };
    let is_new = !check::hash_of(&path).is_ok_and(|got| got == sha256);
    let part = folder.join(format!("{WEIGHTS}.part"));
    if is_new {
        let wanted = Wanted { address, sha256: &sha256, size: facts.size };
        transfer::fetch(&client, &wanted, &part, &mut progress)?;
    }
    // The weights come last: whatever interrupts this, a repository that has its weights is whole.
    description.keep()?;
    let pin_state = match known.is_some_and(|known| known == pin) {
        true => PinState::Known,
        false => {
            pin::replace(&path, &pin).map_err(not_kept(&pin::path_of(&path)))?;
            PinState::New
        }
    };
    if is_new {
        if path.symlink_metadata().is_ok() {
            fs::rename(&path, beside_other(&path)).map_err(not_kept(&path))?;
        }
        fs::rename(&part, &path).map_err(not_kept(&path))?;
    }
    if reference.commit().is_none() {
        store.note_commit(reference, &commit).map_err(not_kept(&folder))?;
    }
    drop(locked);
    let check = FileCheck { sha256, strength: origin.strength(), pin: pin_state };
    let Config { license, interpolation, .. } = config;
    Ok(HubPulled { path, reference: at, check, is_new, license, interpolation })
}

/// The description of a network, as it came.
struct Description {
    path: PathBuf,
    text: Vec<u8>,
    sha256: FileHash,
    /// Whether this description is pinned.
    is_pinned: bool,
}

impl Description {
    /// The description `text` from `url`, which goes to `path`. A commit never changes, so another one than the
    /// pinned one is refused.
    fn of(path: PathBuf, text: Vec<u8>, url: String) -> Result<Self, HubError> {
        let sha256 = check::hash_of_bytes(&text);
        let known = pin::read(&path)?;
        match &known {
            Some(pin) if pin.sha256 != sha256 => {
                let (pin_path, expected) = (pin::path_of(&path), pin.sha256.clone());
                Err(HubError::OtherDescription { url, pin_path, expected, got: sha256 })
            }
            _ => Ok(Self { path, text, sha256, is_pinned: known.is_some() }),
        }
    }

    /// Puts it into its place. Nobody states its SHA-256, so it is pinned as the first one that came.
    fn keep(self) -> Result<(), HubError> {
        let Self { path, text, sha256, is_pinned } = self;
        let write = || {
            if !check::hash_of(&path).is_ok_and(|got| got == sha256) {
                temporary::beside(&path, &text)?.persist(&path)?;
            }
            match is_pinned {
                true => Ok(()),
                false => pin::replace(&path, &Pin { sha256: sha256.clone(), origin: PinOrigin::FirstFile }),
            }
        };
        write().map_err(|cause| HubError::Store { path: path.clone(), cause })
    }
}

/// What the hub says of a file, with its commit, which must be `wanted` if that is given.
fn of_commit(address: &Address, facts: Facts, wanted: Option<Commit>) -> Result<(Commit, Facts), HubError> {
    let url = address.shown();
    let Some(got) = facts.commit.clone() else { return Err(HubError::NoCommit { url }) };
    match wanted {
        Some(expected) if expected != got => Err(HubError::OtherCommit { url, expected, got }),
        _ => Ok((got, facts)),
    }
}

/// The SHA-256 that the file must have, and who states it.
fn expected(
    url: String,
    stated: Option<FileHash>,
    given: Option<FileHash>,
) -> Result<(FileHash, PinOrigin), HubError> {
    match (stated, given) {
        (Some(stated), Some(given)) if stated != given => Err(HubError::NotGiven { url, given, stated }),
        (_, Some(given)) => Ok((given, PinOrigin::User)),
        (Some(stated), None) => Ok((stated, PinOrigin::Hub)),
        (None, None) => Err(HubError::NoHash { url }),
    }
}

/// The whole of a small file.
fn small(client: &Client<'_>, address: &Address) -> Result<Vec<u8>, HubError> {
    let answer = client.get(address, 0)?;
    let url = answer.url;
    let announced = answer.response.body().content_length();
    let mut file = Hashed::new(Vec::new());
    let limit = config::MAX_BYTES;
    let body = answer.response.into_body().into_reader();
    let ended = http::receive(body, &mut file, limit, |_| ()).expect("memory takes every byte");
    let (got, kept) = (file.length(), false);
    match (ended, announced) {
        (End::TooLong { got }, _) => Err(HubError::TooLarge { url, limit, got }),
        (End::Silent, _) => Err(HubError::Stalled { url, got, kept, patience: client.options.patience }),
        (End::Ended | End::Broken(_), Some(expected)) if expected != got => {
            Err(HubError::CutShort { url, expected, got, kept })
        }
        (End::Broken(error), _) => Err(HubError::Unreachable { url, reason: error.to_string() }),
        (End::Ended, _) => Ok(file.finish().0),
    }
}
