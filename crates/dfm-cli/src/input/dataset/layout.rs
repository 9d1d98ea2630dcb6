//! Which data set a folder is.

use std::path::Path;

use anyhow::bail;
use clap::ValueEnum;

use super::tree::Tree;
use super::{name_of, subfolders};

/// What folders of good pictures are called.
pub(super) const NAMES_OF_GOOD: [&str; 3] = ["good", "normal", "ok"];

/// How a data set lies on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layout {
    /// Pictures, or a folder for each class: good (or normal, ok) and defects
    Folder,
    /// MVTec AD: train/good, test/CLASS, ground_truth/DEFECT/NAME_mask.png
    Mvtec,
    /// MVTec LOCO: as MVTec AD, with validation/good and a folder of masks for each picture
    #[value(name = "mvtec-loco")]
    Loco,
    /// MVTec AD 2: train/good, test_public/good and bad with their ground_truth
    #[value(name = "mvtec-ad2")]
    Ad2,
    /// VisA: a folder of one object, ../split_csv/1cls.csv beside it
    Visa,
    /// BTAD: train/ok, test/ok and ko, ground_truth/ko
    Btad,
    /// MPDD: as MVTec AD
    Mpdd,
    /// KolektorSDD2: train and test with NAME.png and NAME_GT.png
    #[value(name = "ksdd2")]
    Kolektor,
    /// A CSV or JSONL file with path, label, mask and split
    Manifest,
}

impl Layout {
    /// The layout of what lies at `root`, by folders that it alone has.
    ///
    /// # Errors
    ///
    /// If nothing is there, or several data sets.
    pub(crate) fn recognise(root: &Path) -> anyhow::Result<Self> {
        if root.is_file() {
            return Ok(Self::Manifest);
        }
        if !root.is_dir() {
            bail!("{}: expected a folder or a list of pictures, found nothing of that name", root.display());
        }
        if let Some(layout) = Self::of_one(root) {
            return Ok(layout);
        }
        let inside = subfolders(root)?;
        if inside.iter().any(|folder| NAMES_OF_GOOD.contains(&name_of(folder).as_str())) {
            return Ok(Self::Folder);
        }
        let several: Vec<String> = inside
            .iter()
            .filter(|folder| Self::of_one(folder).is_some())
            .map(|folder| name_of(folder))
            .collect();
        if let [first, ..] = several.as_slice() {
            bail!(
                "{}: expected one data set, found {}: {}; name one, as {}",
                root.display(),
                several.len(),
                several.join(", "),
                root.join(first).display()
            );
        }
        Ok(Self::Folder)
    }

    /// The layout of a folder that is one data set.
    fn of_one(root: &Path) -> Option<Self> {
        let has = |inside: &str| root.join(inside).is_dir();
        if has("test_public") {
            Some(Self::Ad2)
        } else if has("Data/Images") {
            Some(Self::Visa)
        } else if super::kolektor::is_one(root) {
            Some(Self::Kolektor)
        } else if has("train/ok") || has("test/ok") || has("test/ko") {
            Some(Self::Btad)
        } else if has("test/logical_anomalies") || has("test/structural_anomalies") {
            Some(Self::Loco)
        } else if has("test") || has("train/good") {
            Some(Self::Mvtec)
        } else {
            None
        }
    }

    /// What `--layout` calls it.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
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

    /// Where a layout of folders has what.
    pub(super) fn tree(self) -> Tree {
        let mvtec = Tree { good: "good", test: "test", truth: "ground_truth" };
        match self {
            Self::Btad => Tree { good: "ok", ..mvtec },
            Self::Ad2 => Tree { test: "test_public", truth: "test_public/ground_truth", ..mvtec },
            _ => mvtec,
        }
    }
}

/// Whether a folder has folders of classes.
pub(super) fn has_classes(root: &Path) -> bool {
    let folders = subfolders(root).unwrap_or_default();
    folders.iter().any(|folder| NAMES_OF_GOOD.contains(&name_of(folder).as_str()))
}
