//! `parts.json`: what joins the models of the views.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use dfm_core::{CalibrationKind, CalibrationParams};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::PartsError;
use super::exact;
use super::grouped::is_view_name;
use crate::error::Error;

/// The file beside the models of the views.
pub const PARTS: &str = "parts.json";

/// The most views of a part.
pub(super) const MAX_VIEWS: usize = 64;
/// The name of the format, as the file states it.
const FORMAT: &str = "dfm-parts";
/// The version that is written and read.
const VERSION: u32 = 1;
/// The most bytes of the file: a million parts take a third of it.
const MAX_BYTES: u64 = 64 << 20;

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    format: String,
    version: u32,
    /// The program that wrote it.
    pub(super) program: String,
    /// SHA-256 of the object with this field empty.
    sha256: String,
    /// The pattern that joins pictures to parts; null if a list named the parts.
    pub(super) pattern: Option<String>,
    /// The number of parts that were learnt.
    pub(super) parts: usize,
    pub(super) calibration: CalibrationRecord,
    pub(super) views: Vec<ViewRecord>,
    /// The joint scores of good parts that were held out.
    #[serde(with = "exact::list")]
    pub(super) held_out: Vec<f64>,
}

/// How the threshold is found in the held-out scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CalibrationRecord {
    kind: CalibrationKind,
    #[serde(with = "exact")]
    quantile: f64,
    #[serde(with = "exact::option")]
    false_alarm: Option<f64>,
    #[serde(with = "exact::option")]
    threshold: Option<f64>,
}

/// One view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ViewRecord {
    pub(super) view: String,
    /// The digest of its model, `VIEW.dfm`.
    pub(super) digest: String,
    #[serde(with = "exact")]
    pub(super) median: f64,
    #[serde(with = "exact")]
    pub(super) reach: f64,
}

impl Record {
    pub(super) fn new(
        pattern: Option<String>,
        parts: usize,
        calibration: CalibrationParams,
        views: Vec<ViewRecord>,
        held_out: Vec<f64>,
    ) -> Self {
        let program = concat!("dfm ", env!("CARGO_PKG_VERSION")).to_owned();
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            program,
            sha256: String::new(),
            pattern,
            parts,
            calibration: calibration.into(),
            views,
            held_out,
        }
    }

    /// The text of the file, with its hash.
    pub(super) fn text(&self) -> Result<String, Error> {
        let sha256 = self.hash()?;
        Ok(serde_json::to_string(&Self { sha256, ..self.clone() })?)
    }

    /// Reads the file in `folder`.
    ///
    /// # Errors
    ///
    /// [`PartsError::File`] if it cannot be read, is damaged, has another version, or holds impossible
    /// values.
    pub(super) fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(PARTS);
        let refused = |reason: String| PartsError::File { path: path.clone(), reason };
        let read = || {
            let mut text = Vec::new();
            File::open(&path)?.take(MAX_BYTES + 1).read_to_end(&mut text)?;
            Ok(text)
        };
        let text = read().map_err(|error: std::io::Error| refused(format!("cannot be read: {error}")))?;
        if text.len() as u64 > MAX_BYTES {
            return Err(refused(format!("expected at most {MAX_BYTES} bytes, found more")).into());
        }
        let kind: Kind = serde_json::from_slice(&text)
            .map_err(|error| refused(format!("expected what joins views to parts, found {error}")))?;
        if (kind.format.as_str(), kind.version) != (FORMAT, VERSION) {
            let (format, version) = (kind.format, kind.version);
            let reason =
                format!("expected {FORMAT} of version {VERSION}, found {format} of version {version}");
            return Err(refused(reason).into());
        }
        let record: Self =
            serde_json::from_slice(&text).map_err(|error| refused(format!("is damaged: {error}")))?;
        // The whole text is compared, because some changes of digits would not change the values.
        if text != format!("{}\n", record.text()?).into_bytes() {
            return Err(refused("is damaged: its hash is another than it says".to_owned()).into());
        }
        record.check().map_err(|reason| Error::from(refused(reason)))?;
        Ok(record)
    }

    fn check(&self) -> Result<(), String> {
        if !(2..=MAX_VIEWS).contains(&self.views.len()) {
            return Err(format!("expected 2 to {MAX_VIEWS} views, found {}", self.views.len()));
        }
        let names: BTreeSet<String> = self.views.iter().map(|view| view.view.to_lowercase()).collect();
        if names.len() < self.views.len() || !self.views.iter().all(|view| is_view_name(&view.view)) {
            return Err("expected views with different names that files can have, found others".to_owned());
        }
        Ok(())
    }

    fn hash(&self) -> Result<String, Error> {
        let text = serde_json::to_string(&Self { sha256: String::new(), ..self.clone() })?;
        Ok(Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// The fields that show whether a file has another format or version.
#[derive(Deserialize)]
struct Kind {
    format: String,
    version: u32,
}

impl From<CalibrationParams> for CalibrationRecord {
    fn from(params: CalibrationParams) -> Self {
        let CalibrationParams { quantile, kind, false_alarm, threshold, .. } = params;
        Self { kind: kind.unwrap_or_default(), quantile, false_alarm, threshold }
    }
}

impl From<CalibrationRecord> for CalibrationParams {
    fn from(record: CalibrationRecord) -> Self {
        Self::from(record.kind)
            .with_quantile(record.quantile)
            .with_false_alarm(record.false_alarm)
            .with_threshold(record.threshold)
    }
}

/// Whether `path` is a folder with a model of parts.
pub fn holds_parts(path: &Path) -> bool {
    path.join(PARTS).is_file()
}

/// Refuses a model of parts where a model of pictures is needed.
pub(crate) fn refuse_parts(path: &Path) -> Result<(), Error> {
    if !holds_parts(path) {
        return Ok(());
    }
    let views: Vec<String> = Record::read(path)?.views.into_iter().map(|view| view.view).collect();
    let first = path.join(file_of(&views[0]));
    Err(PartsError::IsParts { path: path.to_owned(), views, first }.into())
}

/// The name of the model of a view.
pub(super) fn file_of(view: &str) -> String {
    format!("{view}.dfm")
}
