//! `NAME.made.json`: what a product's model was made of, so that a later run knows whether it must be
//! made again.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::list::{Product, with_ending};
use crate::error::Error;
use crate::files::write_file;
use crate::kind::FileKind;

/// The name of the format, as the file states it.
const FORMAT: &str = "dfm-made";
/// The version of the file that is written.
const VERSION: u32 = 1;
/// The most bytes of a record: it has a handful of short fields.
const MAX_BYTES: u64 = 64 << 10;

/// What a model was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    format: String,
    version: u32,
    /// SHA-256 of the names and the contents of the pictures.
    pub(super) pictures_sha256: String,
    /// SHA-256 of the settings of the fit.
    pub(super) settings_sha256: String,
    /// The digest of the model; null while it is being made.
    pub(super) model_digest: Option<String>,
    /// The number of pictures that the model has learnt.
    pub(super) pictures: usize,
    /// The number of pictures that could not be used.
    pub(super) errors: usize,
}

impl Record {
    /// The record of a model that is being made.
    pub(super) fn begun(pictures_sha256: String, settings_sha256: String) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            pictures_sha256,
            settings_sha256,
            model_digest: None,
            pictures: 0,
            errors: 0,
        }
    }

    /// Reads the record of `product` in the folder `models`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Made`] if the file is not such a record.
    pub(super) fn read(product: &Product, models: &Path) -> Result<Option<Self>, Error> {
        let path = path(product, models);
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        let refused = |found: String| Error::Made { path: path.clone(), found };
        let metadata = path.metadata().map_err(|error| refused(error.to_string()))?;
        if !metadata.is_file() || metadata.len() > MAX_BYTES {
            return Err(refused("something else".to_owned()));
        }
        let text = std::fs::read(&path).map_err(|error| refused(error.to_string()))?;
        let record: Self = serde_json::from_slice(&text).map_err(|error| refused(error.to_string()))?;
        match (record.format.as_str(), record.version) {
            (FORMAT, VERSION) => Ok(Some(record)),
            (format, version) => Err(refused(format!("{format} of version {version}"))),
        }
    }

    /// Writes the record of `product` into the folder `models`.
    pub(super) fn write(&self, product: &Product, models: &Path) -> Result<(), Error> {
        let text = serde_json::to_string(self)?;
        write_file(&path(product, models), FileKind::MADE, |writer| Ok(writeln!(writer, "{text}")?))
    }
}

/// The SHA-256 of `bytes` in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn path(product: &Product, models: &Path) -> PathBuf {
    models.join(with_ending(product, ".made.json"))
}
