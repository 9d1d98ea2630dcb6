//! Data sets with a folder for each class: MVTec AD, LOCO, AD 2, MPDD and BTAD.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::{Dataset, GOOD, Labelled, files_in, folder_or_report, name_of, subfolders, unlabelled};
use crate::messages::Messages;
use crate::report::table::counted;

/// Endings of masks beside the name of their picture.
const MASKS: [&str; 4] = ["_mask.png", ".png", ".bmp", "_mask.bmp"];

/// Where a layout has what.
pub(super) struct Tree {
    /// The folder of good pictures.
    pub(super) good: &'static str,
    /// The folder of classes to judge.
    pub(super) test: &'static str,
    /// The folder of masks, with a folder for each defect.
    pub(super) truth: &'static str,
}

impl Dataset {
    /// Reads `train`, `validation` and the classes to judge; a class without pictures is
    /// reported.
    pub(super) fn read_tree(&mut self, tree: &Tree, messages: &Messages) -> anyhow::Result<()> {
        let root = self.root.clone();
        let (test, truth) = (root.join(tree.test), root.join(tree.truth));
        let train = root.join("train").join(tree.good);
        if !test.is_dir() && !train.is_dir() {
            bail!(
                "{}: expected folders {}/ with classes inside, or train/{}/, found neither",
                root.display(),
                tree.test,
                tree.good
            );
        }
        for (folder, split) in [("train", &mut self.train), ("validation", &mut self.validation)] {
            let good = root.join(folder).join(tree.good);
            if good.is_dir() {
                *split = folder_or_report(&good, messages);
            }
            if root.join(folder).is_dir() {
                let others = subfolders(&root.join(folder))?.into_iter().filter(|other| *other != good);
                self.remarks.extend(
                    others.map(|other| format!("{} is not of good pictures: left out", other.display())),
                );
                self.remarks.extend(unlabelled(&root.join(folder), tree.good)?);
            }
        }
        let private =
            subfolders(&root)?.into_iter().filter(|folder| name_of(folder).starts_with("test_private"));
        self.remarks.extend(private.map(|folder| format!("{} has no labels: left out", folder.display())));
        if !test.is_dir() {
            return Ok(());
        }
        let mut used = HashSet::new();
        for folder in subfolders(&test)?.into_iter().filter(|folder| *folder != truth) {
            let class = name_of(&folder);
            let found = folder_or_report(&folder, messages);
            if class == tree.good {
                self.pictures.extend(found.into_iter().map(Labelled::good));
                continue;
            }
            if class == GOOD {
                messages.note(format_args!("{}: taken for good pictures", folder.display()));
            }
            let masks_of_class = truth.join(&class);
            for path in found {
                let masks = masks_of(&masks_of_class, &folder, &path);
                used.extend(masks.iter().cloned());
                self.pictures.push(Labelled { path, class: class.clone(), masks });
            }
            self.remarks.extend(strays(&masks_of_class, &used));
        }
        self.remarks.extend(unlabelled(&test, "the classes")?);
        for folder in subfolders(&truth).unwrap_or_default() {
            let class = name_of(&folder);
            let count = files_in(&folder)?.len();
            if class == tree.good && count > 0 {
                let masks = counted(count, "mask");
                self.remarks.push(format!("{masks} in {} of good pictures: left out", folder.display()));
            } else if class != tree.good && !test.join(&class).is_dir() {
                self.remarks.extend(strays(&folder, &used));
            }
        }
        Ok(())
    }
}

/// The masks of a picture in `folder` or below lie at the same place in `masks`, or in a
/// folder of its name there.
fn masks_of(masks: &Path, folder: &Path, picture: &Path) -> Vec<PathBuf> {
    let place = || Some(masks.join(picture.strip_prefix(folder).ok()?.parent()?));
    let (Some(masks), Some(stem)) = (place(), picture.file_stem()) else { return Vec::new() };
    let stem = stem.to_string_lossy();
    let single = MASKS.iter().map(|ending| masks.join(format!("{stem}{ending}"))).find(|path| path.is_file());
    match single {
        Some(mask) => vec![mask],
        None => files_in(&masks.join(&*stem)).unwrap_or_default(),
    }
}

/// Says how many masks in `folder` belong to no picture.
fn strays(folder: &Path, used: &HashSet<PathBuf>) -> Option<String> {
    let files = files_in(folder).ok()?;
    let strays: Vec<&PathBuf> = files.iter().filter(|mask| !used.contains(*mask)).collect();
    let first = strays.first()?;
    Some(format!("{} of no picture, as {}", counted(strays.len(), "mask"), first.display()))
}
