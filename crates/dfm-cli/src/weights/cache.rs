//! The folder of pulled weights.

use std::path::{Path, PathBuf};

use anyhow::Context;
use dfm_backbone::CatalogueEntry;

/// The folder that pulled weights lie in. A file is there only if it passed its
/// check.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// `DFM_CACHE_DIR`, or `dfm` in the user's cache folder.
    ///
    /// # Errors
    ///
    /// If the environment names no such folder.
    pub fn open() -> anyhow::Result<Self> {
        let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = of("DFM_CACHE_DIR")
            .or_else(|| Some(of("XDG_CACHE_HOME")?.join("dfm")))
            .or_else(|| Some(of("LOCALAPPDATA")?.join("dfm")))
            .or_else(|| Some(of("HOME")?.join(".cache/dfm")))
            .context("no cache folder is known: set DFM_CACHE_DIR")?;
        Ok(Self::at(&folder))
    }

    /// At `folder`.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.join("weights") }
    }

    /// Where the file of `entry` lies, or would.
    pub fn path(&self, entry: &CatalogueEntry) -> PathBuf {
        self.folder.join(entry.file_name)
    }

    /// The file of `entry`, if it was pulled.
    pub fn find(&self, entry: &CatalogueEntry) -> Option<PathBuf> {
        Some(self.path(entry)).filter(|path| path.is_file())
    }

    /// Creates the folder.
    pub(super) fn create(&self) -> std::io::Result<&Path> {
        std::fs::create_dir_all(&self.folder)?;
        Ok(&self.folder)
    }
}
