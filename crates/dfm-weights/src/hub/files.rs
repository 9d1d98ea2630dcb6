//! Files of repositories of a hub in the store: `hf/OWNER/NAME/COMMIT/model.safetensors` and `config.json`
//! beside it. `hf/OWNER/NAME/refs/REVISION` has the commit that a branch or a tag was when it was fetched.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use dfm_backbone::{Checksum, ImportOptions, WeightsError, WeightsFile};

use super::config::{self, Config};
use super::reference::{Commit, HubReference};
use crate::check::{self, FileCheck, Subject};
use crate::error::WeightsStoreError;
use crate::hash::FileHash;
use crate::pin::{self, Pin, PinError};
use crate::resolve::LoadedWeights;
use crate::store::WeightStore;
use crate::temporary;

/// The file of the weights.
pub(super) const WEIGHTS: &str = "model.safetensors";
/// The file that says which network they are for.
pub(super) const CONFIG: &str = "config.json";
/// What a revision was is a short line.
const LONGEST_LINE: u64 = 512;

impl WeightStore {
    /// The repository at the commit that is here; `None` if its weights or the description of their network are
    /// not. A branch is the commit that it was when it was fetched last. Nothing is checked.
    pub fn find_hub(&self, reference: &HubReference) -> Option<HubReference> {
        self.require_folder().ok()?;
        let commit = reference.commit().or_else(|| self.commit_of(reference))?;
        let at = reference.at(&commit);
        let is_whole = self.hub_path(&at).is_file() && self.commit_folder(&at).join(CONFIG).is_file();
        is_whole.then_some(at)
    }

    /// The path at which the weights of a repository lie, or would lie. `at` names a commit.
    pub fn hub_path(&self, at: &HubReference) -> PathBuf {
        self.commit_folder(at).join(WEIGHTS)
    }

    /// Reads the pin of the weights of a repository; `None` if there is none. `at` names a commit.
    ///
    /// # Errors
    ///
    /// [`PinError`] if there is one that cannot be read.
    pub fn hub_pin(&self, at: &HubReference) -> Result<Option<Pin>, PinError> {
        pin::read(&self.hub_path(at))
    }

    /// Checks the weights of a repository that are here: against `given` if the user knows their SHA-256, else
    /// against the one that the hub stated when they were fetched. The description of their network is checked
    /// against its pin.
    ///
    /// # Errors
    ///
    /// If one of the two is not here, is another file, or it or its pin cannot be read.
    /// [`WeightsStoreError::OtherDescription`] and [`WeightsStoreError::Config`] are about the description, all
    /// others about the weights or a pin.
    pub fn check_hub(
        &self,
        reference: &HubReference,
        given: Option<&FileHash>,
    ) -> Result<FileCheck, WeightsStoreError> {
        let at = self.existing_hub(reference)?;
        let path = self.hub_path(&at);
        let sha256 = check::hash_of(&path).map_err(|cause| reading(&path, cause))?;
        let name = reference.to_string();
        let subject = Subject { name: &name, checksum: Checksum::Unstated };
        let compared = check::compare(subject, &path, sha256, given)?;
        self.config(subject, &at)?;
        check::pinned(subject, &path, compared)
    }

    /// The branches, tags and commits of repositories that are here, in the order of their names.
    pub fn hub_references(&self) -> Vec<HubReference> {
        let mut found = Vec::new();
        for owner in names_in(&self.hub_root()) {
            for name in names_in(&self.hub_root().join(&owner)) {
                let repository = self.hub_root().join(&owner).join(&name);
                let branches =
                    names_in(&repository.join("refs")).into_iter().map(|it| it.replace("%2F", "/"));
                let commits = names_in(&repository).into_iter().filter(|it| Commit::new(it).is_some());
                let references = branches
                    .chain(commits)
                    .filter_map(|revision| format!("hf:{owner}/{name}@{revision}").parse().ok());
                found.extend(references.filter(|reference| self.find_hub(reference).is_some()));
            }
        }
        found.sort();
        found
    }

    /// Loads the weights of a repository. The files are read once: the bytes that are checked are those that
    /// are parsed.
    pub(crate) fn load_hub(
        &self,
        reference: &HubReference,
        mut options: ImportOptions,
    ) -> Result<LoadedWeights, WeightsStoreError> {
        let at = self.existing_hub(reference)?;
        let (path, name) = (self.hub_path(&at), reference.to_string());
        let subject = Subject { name: &name, checksum: Checksum::Unstated };
        let failed = |cause| WeightsStoreError::File { path: path.clone(), cause };
        let file = WeightsFile::read(&path).map_err(failed)?;
        let sha256 = file.sha256().parse().expect("a SHA-256 has 64 hexadecimal digits");
        let compared = check::compare(subject, &path, sha256, None)?;
        let Config { architecture, input, license, .. } = self.config(subject, &at)?;
        if let Some(asked) = options.architecture.as_ref().filter(|asked| asked.name() != architecture.name())
        {
            let (expected, got) = (asked.name().to_owned(), architecture.name().to_owned());
            return Err(failed(WeightsError::OtherArchitecture { expected, got }));
        }
        options.architecture.get_or_insert(architecture);
        options.input = options.input.or(Some(input));
        options.license.get_or_insert_with(|| license.unwrap_or_else(|| format!("not stated by {name}")));
        options.source.get_or_insert_with(|| at.to_string());
        let weights = file.import(&options).map_err(failed)?;
        // Only weights that can be used are pinned.
        Ok(LoadedWeights { weights, check: Some(check::pinned(subject, &path, compared)?) })
    }

    /// The description of the network, which is pinned as its weights are.
    fn config(&self, subject: Subject<'_>, at: &HubReference) -> Result<Config, WeightsStoreError> {
        let path = self.commit_folder(at).join(CONFIG);
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(|cause| reading(&path, cause))?;
        let read = file.take(config::MAX_BYTES).read_to_end(&mut bytes);
        read.map_err(|cause| reading(&path, cause))?;
        let compared =
            check::compare(subject, &path, check::hash_of_bytes(&bytes), None).map_err(of_description)?;
        let config = Config::parse(&bytes);
        let config = config.map_err(|cause| WeightsStoreError::Config { path: path.clone(), cause })?;
        check::pinned(subject, &path, compared).map_err(of_description)?;
        Ok(config)
    }

    /// The repository at the commit that is here, which must be here.
    fn existing_hub(&self, reference: &HubReference) -> Result<HubReference, WeightsStoreError> {
        self.require_folder()?;
        let not_pulled = || WeightsStoreError::NotPulled { name: reference.to_string() };
        self.find_hub(reference).ok_or_else(not_pulled)
    }

    /// The folder of one commit.
    pub(super) fn commit_folder(&self, at: &HubReference) -> PathBuf {
        self.repository_folder(at).join(at.revision())
    }

    /// Notes which commit a branch or a tag is.
    pub(super) fn note_commit(&self, reference: &HubReference, commit: &Commit) -> io::Result<()> {
        let path = self.note_path(reference);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
        let line = format!("{commit}  {}\n", reference.revision());
        temporary::beside(&path, line.as_bytes())?.persist(&path)?;
        Ok(())
    }

    /// The commit that a branch or a tag was when it was fetched.
    fn commit_of(&self, reference: &HubReference) -> Option<Commit> {
        let mut line = String::new();
        let file = File::open(self.note_path(reference)).ok()?;
        file.take(LONGEST_LINE).read_to_string(&mut line).ok()?;
        // Where names differ in their case alone, a note may be that of another branch.
        let (commit, revision) = line.trim_end().split_once("  ")?;
        Commit::new(commit).filter(|_| revision == reference.revision())
    }

    fn note_path(&self, reference: &HubReference) -> PathBuf {
        self.repository_folder(reference).join("refs").join(reference.revision_part())
    }

    fn repository_folder(&self, reference: &HubReference) -> PathBuf {
        self.hub_root().join(reference.owner()).join(reference.name())
    }

    fn hub_root(&self) -> PathBuf {
        self.folder().join("hf")
    }
}

/// What is wrong with a description. The SHA-256 that a user gives is that of the weights, so the cure differs.
fn of_description(error: WeightsStoreError) -> WeightsStoreError {
    match error {
        WeightsStoreError::NotPinned { name, path, pin_path, expected, got } => {
            WeightsStoreError::OtherDescription { name, path, pin_path, expected, got }
        }
        other => other,
    }
}

fn reading(path: &Path, source: io::Error) -> WeightsStoreError {
    let cause = WeightsError::Io { operation: "reading the weights", source };
    WeightsStoreError::File { path: path.to_owned(), cause }
}

/// The names in a folder; none if it cannot be read.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}
