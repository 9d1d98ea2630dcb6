//! The folder of pulled weights.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use dfm_backbone::{CatalogueEntry, WeightsError};

use crate::check::{self, FileCheck};
use crate::error::WeightsStoreError;
use crate::hash::FileHash;
use crate::pin::{self, Pin, PinError};

/// A folder of pulled weights. Only files that passed their check are put there, but others can
/// write to the folder too: each file is checked again whenever it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightStore {
    /// `None` if the environment names none.
    folder: Option<PathBuf>,
}

impl WeightStore {
    /// The folder that the environment names: `DFM_CACHE_DIR`, or `dfm` in the user's cache folder.
    /// If it names none, pulled weights cannot be found.
    pub fn of_user() -> Self {
        let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = of("DFM_CACHE_DIR")
            .or_else(|| Some(of("XDG_CACHE_HOME")?.join("dfm")))
            .or_else(|| Some(of("LOCALAPPDATA")?.join("dfm")))
            .or_else(|| Some(of("HOME")?.join(".cache/dfm")));
        Self { folder: folder.map(|folder| folder.join("weights")) }
    }

    /// The store in `folder`.
    pub fn at(folder: &Path) -> Self {
        Self { folder: Some(folder.join("weights")) }
    }

    /// Refuses a store without a folder.
    ///
    /// # Errors
    ///
    /// [`WeightsStoreError::NoFolder`].
    pub fn require_folder(&self) -> Result<(), WeightsStoreError> {
        self.folder.as_ref().map(|_| ()).ok_or(WeightsStoreError::NoFolder)
    }

    /// The folder, or none.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_deref().unwrap_or(Path::new(""))
    }

    /// The path at which the file of `entry` lies, or would lie.
    pub fn path(&self, entry: &CatalogueEntry) -> PathBuf {
        self.folder().join(entry.file_name)
    }

    /// Checks the file of `entry` against the digits that its publisher states, and against `given`
    /// if the user knows the whole SHA-256, else against the pin. A file that passes and is not
    /// pinned is pinned from now on; `given` takes the place of any other pin.
    ///
    /// # Errors
    ///
    /// If there is no such file, it is another file, or it or its pin cannot be read.
    pub fn check(
        &self,
        entry: &CatalogueEntry,
        given: Option<&FileHash>,
    ) -> Result<FileCheck, WeightsStoreError> {
        let path = self.existing(entry)?;
        let failed = |source| {
            let cause = WeightsError::Io { operation: "reading the weights", source };
            WeightsStoreError::File { path: path.clone(), cause }
        };
        let sha256 = check::hash_of(&path).map_err(failed)?;
        let subject = entry.into();
        check::pinned(subject, &path, check::compare(subject, &path, sha256, given)?)
    }

    /// Reads the pin of the file of `entry`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`PinError`] if there is one that cannot be read.
    pub fn pin(&self, entry: &CatalogueEntry) -> Result<Option<Pin>, PinError> {
        match self.folder {
            Some(_) => pin::read(&self.path(entry)),
            None => Ok(None),
        }
    }

    /// The file of `entry`, if there is one; not checked.
    pub fn find(&self, entry: &CatalogueEntry) -> Option<PathBuf> {
        self.folder.as_ref().map(|_| self.path(entry)).filter(|path| path.is_file())
    }

    /// Where the file goes that lies in the place of `entry`, before another takes its place: one that
    /// does not begin as weights do, since it may be anybody's. `None` if there is none such.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn aside(&self, entry: &CatalogueEntry) -> io::Result<Option<PathBuf>> {
        let Some(path) = self.find(entry) else { return Ok(None) };
        let mut head = Vec::new();
        File::open(&path)?.take(4).read_to_end(&mut head)?;
        // A ZIP archive or a pickle, as PyTorch writes them.
        if head.is_empty() || head.starts_with(b"PK\x03\x04") || head.starts_with(b"\x80\x02") {
            return Ok(None);
        }
        Ok(Some(beside_other(&path)))
    }

    /// The file of `entry`, which must be there; not checked.
    pub(crate) fn existing(&self, entry: &CatalogueEntry) -> Result<PathBuf, WeightsStoreError> {
        self.require_folder()?;
        self.find(entry).ok_or_else(|| WeightsStoreError::NotPulled { name: entry.name.to_owned() })
    }

    /// Creates the folder.
    pub(crate) fn create(&self) -> io::Result<&Path> {
        std::fs::create_dir_all(self.folder())?;
        Ok(self.folder())
    }
}

/// The path to which a file goes that lies at `path`, before another takes its place.
pub(crate) fn beside_other(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let named = |number: u32| path.with_file_name(format!("{name}.other-{number}"));
    let mut free = (1..).map(named).filter(|path| path.symlink_metadata().is_err());
    free.next().expect("a number that is free")
}
