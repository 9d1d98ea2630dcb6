//! Which data set a folder is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::kolektor;
use crate::error::DataError;
use crate::listing::{files_in, subfolders};
use crate::names::name_of;
use crate::words::{Says, says};

/// How a data set lies on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// Pictures, or a folder for each class: good (or ok, normal, pass) and defects.
    Folder,
    /// MVTec AD: `train/good`, `test/CLASS`, `ground_truth/DEFECT/NAME_mask.png`.
    Mvtec,
    /// MVTec LOCO: as MVTec AD, with `validation/good` and a folder of masks for each picture.
    Loco,
    /// MVTec AD 2: `train/good`, `test_public/good` and `bad` with their `ground_truth`.
    Ad2,
    /// VisA: the folder of one object, with `../split_csv/1cls.csv` beside it.
    Visa,
    /// BTAD: `train/ok`, `test/ok` and `ko`, `ground_truth/ko`.
    Btad,
    /// MPDD: as MVTec AD.
    Mpdd,
    /// KolektorSDD2: `train` and `test` with `NAME.png` and `NAME_GT.png`.
    Kolektor,
    /// A CSV or JSONL file with path, label, mask and split.
    Manifest,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Layout {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        Self::ALL.into_iter().find(|layout| layout.name() == name).ok_or_else(|| DataError::UnknownLayout {
            expected: Self::ALL.map(Self::name).join(", "),
            got: name.to_owned(),
        })
    }
}

impl Layout {
    /// Every layout, in order.
    pub const ALL: [Self; 9] = [
        Self::Folder,
        Self::Mvtec,
        Self::Loco,
        Self::Ad2,
        Self::Visa,
        Self::Btad,
        Self::Mpdd,
        Self::Kolektor,
        Self::Manifest,
    ];

    /// Recognises what lies at `root` by folders that only one layout has.
    ///
    /// # Errors
    ///
    /// [`DataError::Layout`] if nothing is there, [`DataError::SeveralDatasets`] if several data
    /// sets are.
    pub fn recognise(root: &Path) -> Result<Self, DataError> {
        if root.is_file() {
            return Ok(Self::Manifest);
        }
        if !root.is_dir() {
            return Err(DataError::Layout {
                path: root.to_owned(),
                expected: "a folder or a list of pictures".to_owned(),
                found: "nothing of that name".to_owned(),
            });
        }
        if let Some(layout) = Self::of_one(root) {
            return Ok(layout);
        }
        let inside = subfolders(root)?;
        if inside.iter().any(|folder| is_good(folder)) {
            return Ok(Self::Folder);
        }
        let several: Vec<String> = inside
            .iter()
            .filter(|folder| Self::of_one(folder).is_some())
            .map(|folder| name_of(folder))
            .collect();
        if let Some(first) = several.first() {
            let (path, first) = (root.to_owned(), root.join(first));
            return Err(DataError::SeveralDatasets { path, names: several, first });
        }
        Ok(Self::Folder)
    }

    /// The layout of a folder that is one data set.
    fn of_one(root: &Path) -> Option<Self> {
        let has = |inside: &str| root.join(inside).is_dir();
        let test = child(root, "test");
        let train = child(root, "train");
        if has("test_public") {
            Some(Self::Ad2)
        } else if has("Data/Images") {
            Some(Self::Visa)
        } else if kolektor::is_one(root) {
            Some(Self::Kolektor)
        } else if has("train/ok") || has("test/ok") || has("test/ko") {
            Some(Self::Btad)
        } else if has("test/logical_anomalies") || has("test/structural_anomalies") {
            Some(Self::Loco)
        } else if test.is_some() || train.is_some_and(|train| has_classes(&train)) {
            Some(Self::Mvtec)
        } else {
            None
        }
    }

    /// The folder to read in place of `root`: the one data set in it, if there is nothing else.
    pub(super) fn descend(root: &Path) -> PathBuf {
        let only = || {
            let folders = subfolders(root).ok()?;
            let [only] = folders.as_slice() else { return None };
            let is_one = !is_good(only) && (Self::of_one(only).is_some() || has_classes(only));
            (is_one && Self::of_one(root).is_none() && files_in(root).ok()?.is_empty()).then(|| only.clone())
        };
        only().unwrap_or_else(|| root.to_owned())
    }

    /// The name that a user types, such as `mvtec`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Mvtec => "mvtec",
            Self::Loco => "mvtec-loco",
            Self::Ad2 => "mvtec-ad2",
            Self::Visa => "visa",
            Self::Btad => "btad",
            Self::Mpdd => "mpdd",
            Self::Kolektor => "ksdd2",
            Self::Manifest => "manifest",
        }
    }

    /// Describes the layout in a line.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Folder => "Pictures, or a folder for each class: good (or ok, normal, pass) and defects",
            Self::Mvtec => "MVTec AD: train/good, test/CLASS, ground_truth/DEFECT/NAME_mask.png",
            Self::Loco => {
                "MVTec LOCO: as MVTec AD, with validation/good and a folder of masks for each picture"
            }
            Self::Ad2 => "MVTec AD 2: train/good, test_public/good and bad with their ground_truth",
            Self::Visa => "VisA: a folder of one object, ../split_csv/1cls.csv beside it",
            Self::Btad => "BTAD: train/ok, test/ok and ko, ground_truth/ko",
            Self::Mpdd => "MPDD: as MVTec AD",
            Self::Kolektor => "KolektorSDD2: train and test with NAME.png and NAME_GT.png",
            Self::Manifest => "A CSV or JSONL file with path, label, mask and split",
        }
    }

    /// What people call it.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Folder => "a folder",
            Self::Mvtec => "as MVTec AD",
            Self::Loco => "as MVTec LOCO",
            Self::Ad2 => "as MVTec AD 2",
            Self::Visa => "as VisA",
            Self::Btad => "as BTAD",
            Self::Mpdd => "as MPDD",
            Self::Kolektor => "as KolektorSDD2",
            Self::Manifest => "a list of pictures",
        }
    }
}

/// Whether a folder has folders of classes.
pub(super) fn has_classes(root: &Path) -> bool {
    subfolders(root).unwrap_or_default().iter().any(|folder| is_good(folder))
}

/// Whether the name of a folder says that it holds good pictures.
pub(super) fn is_good(folder: &Path) -> bool {
    says(&name_of(folder)) == Says::Good
}

/// The folder in `root` of this name, whatever its case.
pub(super) fn child(root: &Path, name: &str) -> Option<PathBuf> {
    let exact = root.join(name);
    if exact.is_dir() {
        return Some(exact);
    }
    subfolders(root).ok()?.into_iter().find(|folder| name_of(folder).eq_ignore_ascii_case(name))
}

/// Whether `root` is one data set, by folders that only a data set has: not a plain folder of pictures,
/// and not a folder with other folders in it.
///
/// # Errors
///
/// [`DataError::Io`] if it cannot be listed.
pub fn is_dataset(root: &Path) -> Result<bool, DataError> {
    subfolders(root)?;
    Ok(Layout::of_one(root).is_some() || has_classes(root))
}
