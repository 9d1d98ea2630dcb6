//! The folder of pulled weights.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use dfm_backbone::{CatalogueEntry, hexadecimal};
use sha2::{Digest, Sha256};

use crate::error::WeightsStoreError;

/// A folder of pulled weights. Only files that passed their check are put there, but others can
/// write to it too: whoever reads a file checks it again.
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
    pub fn check(&self) -> Result<(), WeightsStoreError> {
        self.folder.as_ref().map(|_| ()).ok_or(WeightsStoreError::NoFolder)
    }

    fn folder(&self) -> &Path {
        self.folder.as_deref().unwrap_or(Path::new(""))
    }

    /// The path at which the file of `entry` lies, or would lie.
    pub fn path(&self, entry: &CatalogueEntry) -> PathBuf {
        self.folder().join(entry.file_name)
    }

    /// Whether the file of `entry` is there and is the one that was meant.
    ///
    /// # Errors
    ///
    /// If it is there and cannot be read.
    pub fn is_sound(&self, entry: &CatalogueEntry) -> io::Result<bool> {
        let Some(path) = self.find(entry) else { return Ok(false) };
        let mut file = File::open(path)?;
        let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(entry.checksum.matches(&hexadecimal(&hasher.finalize()))),
                count => hasher.update(&buffer[..count]),
            }
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
        let named = |number: u32| self.folder().join(format!("{}.other-{number}", entry.file_name));
        Ok((1..).map(named).find(|path| path.symlink_metadata().is_err()))
    }

    /// Creates the folder.
    pub(crate) fn create(&self) -> io::Result<&Path> {
        std::fs::create_dir_all(self.folder())?;
        Ok(self.folder())
    }
}
