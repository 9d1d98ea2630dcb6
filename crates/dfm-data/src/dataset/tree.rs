//! Data sets with a folder for each class: MVTec AD, LOCO, AD 2, MPDD and BTAD.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::contents::{Contents, counted};
use super::labelled::{GOOD, Labelled};
use super::layout::Layout;
use crate::error::DataError;
use crate::listing::{files_in, subfolders};
use crate::names::name_of;

/// Endings of masks beside the name of their picture.
const MASKS: [&str; 4] = ["_mask.png", ".png", ".bmp", "_mask.bmp"];

/// The folders of a layout.
struct Tree {
    /// The folder of good pictures.
    good: &'static str,
    /// The folder of classes to judge.
    test: &'static str,
    /// The folder of masks, with a folder for each defect.
    truth: &'static str,
}

impl Tree {
    fn new(layout: Layout) -> Self {
        let mvtec = Self { good: "good", test: "test", truth: "ground_truth" };
        match layout {
            Layout::Btad => Self { good: "ok", ..mvtec },
            Layout::Ad2 => Self { test: "test_public", truth: "test_public/ground_truth", ..mvtec },
            _ => mvtec,
        }
    }
}

/// Reads `train`, `validation` and the classes to judge. A class without pictures is a problem.
pub(super) fn read(root: &Path, layout: Layout) -> Result<Contents, DataError> {
    let tree = Tree::new(layout);
    let (test, truth) = (root.join(tree.test), root.join(tree.truth));
    let train = root.join("train").join(tree.good);
    if !test.is_dir() && !train.is_dir() {
        return Err(DataError::Layout {
            path: root.to_owned(),
            expected: format!("folders {}/ with classes inside, or train/{}/", tree.test, tree.good),
            found: "neither".to_owned(),
        });
    }
    let mut contents = Contents::default();
    contents.train = read_good(&mut contents, &root.join("train"), tree.good)?;
    contents.validation = read_good(&mut contents, &root.join("validation"), tree.good)?;
    let private = subfolders(root)?.into_iter().filter(|folder| name_of(folder).starts_with("test_private"));
    contents.remarks.extend(private.map(|folder| format!("{} has no labels: left out", folder.display())));
    if test.is_dir() {
        read_test(&mut contents, &tree, &test, &truth)?;
    }
    Ok(contents)
}

/// Lists the good pictures of the part `folder`, and remarks what else lies there.
fn read_good(contents: &mut Contents, folder: &Path, good: &str) -> Result<Vec<PathBuf>, DataError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let good_folder = folder.join(good);
    let found = if good_folder.is_dir() { contents.list(&good_folder) } else { Vec::new() };
    for other in subfolders(folder)?.into_iter().filter(|other| *other != good_folder) {
        contents.remarks.push(format!("{} is not of good pictures: left out", other.display()));
    }
    contents.remark_unlabelled(folder, good)?;
    Ok(found)
}

/// Reads the classes to judge and their masks.
fn read_test(contents: &mut Contents, tree: &Tree, test: &Path, truth: &Path) -> Result<(), DataError> {
    let mut used = HashSet::new();
    for folder in subfolders(test)?.into_iter().filter(|folder| folder != truth) {
        let class = name_of(&folder);
        let found = contents.list(&folder);
        if class == tree.good {
            contents.pictures.extend(found.into_iter().map(Labelled::good));
            continue;
        }
        if class == GOOD {
            contents.remarks.push(format!("{}: taken for good pictures", folder.display()));
        }
        let masks_of_class = truth.join(&class);
        for path in found {
            let masks = masks_of(&masks_of_class, &folder, &path);
            used.extend(masks.iter().cloned());
            contents.pictures.push(Labelled { path, class: class.clone(), masks });
        }
        contents.remarks.extend(strays(&masks_of_class, &used));
    }
    contents.remark_unlabelled(test, "the classes")?;
    for folder in subfolders(truth).unwrap_or_default() {
        let class = name_of(&folder);
        let count = files_in(&folder)?.len();
        if class == tree.good && count > 0 {
            let masks = counted(count, "mask");
            contents.remarks.push(format!("{masks} in {} of good pictures: left out", folder.display()));
        } else if class != tree.good && !test.join(&class).is_dir() {
            contents.remarks.extend(strays(&folder, &used));
        }
    }
    Ok(())
}

/// The masks of `picture`, which lies in `folder` or below. They lie in `masks`, under the path that
/// the picture has in `folder`, or there in a folder with the name of the picture.
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
