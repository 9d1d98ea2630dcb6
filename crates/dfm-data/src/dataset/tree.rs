//! Data sets with a folder for each class: MVTec AD, LOCO, AD 2, MPDD and BTAD.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::contents::Contents;
use super::labelled::Labelled;
use super::layout::{Layout, child, is_good};
use crate::error::DataError;
use crate::left_out::counted;
use crate::listing::{files_in, subfolders};
use crate::names::name_of;
use crate::pages::split_page;

/// Endings of the stem of a mask beside that of its picture, in the order in which they are tried.
const MASKS: [&str; 2] = ["_mask", ""];

/// The folders of a layout.
struct Tree {
    /// The folder of good pictures to learn.
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
    let (test, truth) = (child(root, tree.test), child(root, tree.truth));
    let truth = truth.unwrap_or_else(|| root.join(tree.truth));
    let train = child(root, "train");
    if test.is_none() && train.is_none() {
        return Err(DataError::Layout {
            path: root.to_owned(),
            expected: format!("folders {}/ with classes inside, or train/{}/", tree.test, tree.good),
            found: "neither".to_owned(),
        });
    }
    let mut contents = Contents::default();
    contents.train = read_good(&mut contents, train, tree.good)?;
    contents.validation = read_good(&mut contents, child(root, "validation"), tree.good)?;
    let private = subfolders(root)?.into_iter().filter(|folder| name_of(folder).starts_with("test_private"));
    contents.remarks.extend(private.map(|folder| format!("{} has no labels: left out", folder.display())));
    if let Some(test) = test {
        read_test(&mut contents, &test, &truth)?;
    }
    Ok(contents)
}

/// Lists the good pictures of the part `folder`, and remarks what else lies there. A part without
/// folders holds good pictures alone.
fn read_good(
    contents: &mut Contents,
    folder: Option<PathBuf>,
    good: &str,
) -> Result<Vec<PathBuf>, DataError> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    let inside = subfolders(&folder)?;
    if inside.is_empty() {
        let found = if files_in(&folder)?.is_empty() { Vec::new() } else { contents.list_good(&folder) };
        if !found.is_empty() {
            contents
                .remarks
                .push(format!("{} has no folder {good}: its pictures are taken for good", folder.display()));
        }
        return Ok(found);
    }
    let mut all = Vec::new();
    for folder in &inside {
        match is_good(folder) {
            true => all.extend(contents.list_good(folder)),
            false => contents.remarks.push(format!("{} is not of good pictures: left out", folder.display())),
        }
    }
    contents.remark_unlabelled(&folder, good)?;
    Ok(all)
}

/// Reads the classes to judge and their masks.
fn read_test(contents: &mut Contents, test: &Path, truth: &Path) -> Result<(), DataError> {
    let mut used = HashSet::new();
    let classes: Vec<PathBuf> = subfolders(test)?.into_iter().filter(|folder| folder != truth).collect();
    let good: Vec<&PathBuf> = classes.iter().filter(|folder| is_good(folder)).collect();
    if good.len() > 1 {
        let names: Vec<String> = good.iter().map(|folder| name_of(folder)).collect();
        contents.remarks.push(format!("{}: all taken for good pictures", names.join(", ")));
    }
    for folder in &classes {
        let class = name_of(folder);
        let found = contents.list(folder);
        if is_good(folder) {
            contents.pictures.extend(found.into_iter().map(Labelled::good));
            continue;
        }
        let masks_of_class = truth.join(&class);
        let mut masks = Masks::default();
        for path in found {
            let masks = masks.of(&masks_of_class, folder, &path);
            used.extend(masks.iter().cloned());
            contents.pictures.push(Labelled { path, class: class.clone(), masks });
        }
        contents.remarks.extend(strays(&masks_of_class, &used));
    }
    contents.remark_unlabelled(test, "the classes")?;
    for folder in subfolders(truth).unwrap_or_default() {
        let count = files_in(&folder)?.len();
        if is_good(&folder) && count > 0 {
            let masks = counted(count, "mask");
            contents.remarks.push(format!("{masks} in {} of good pictures: left out", folder.display()));
        } else if !is_good(&folder) && !test.join(name_of(&folder)).is_dir() {
            contents.remarks.extend(strays(&folder, &used));
        }
    }
    Ok(())
}

/// The masks in each folder that was looked at, by their stems.
#[derive(Default)]
struct Masks(HashMap<PathBuf, HashMap<String, PathBuf>>);

impl Masks {
    /// The masks of a picture in `folder` or below lie at the same place in `masks`, or in a
    /// folder of its name there. Their extension may be another one. The masks of a page have its
    /// number: `scan#2_mask.png`.
    fn of(&mut self, masks: &Path, folder: &Path, picture: &Path) -> Vec<PathBuf> {
        let place = || Some(masks.join(picture.strip_prefix(folder).ok()?.parent()?));
        let (Some(masks), Some(stem)) = (place(), stem_of(picture)) else { return Vec::new() };
        let known = self.0.entry(masks.clone()).or_insert_with(|| {
            let files = files_in(&masks).unwrap_or_default();
            files.into_iter().filter_map(|file| Some((stem_of(&file)?, file))).collect()
        });
        match MASKS.iter().find_map(|ending| known.get(&format!("{stem}{ending}"))) {
            Some(mask) => vec![mask.clone()],
            None => files_in(&masks.join(stem)).unwrap_or_default(),
        }
    }
}

/// The name of a picture without its extension, and with the number of its page.
fn stem_of(picture: &Path) -> Option<String> {
    Some(match split_page(picture) {
        Some((file, number)) => format!("{}#{number}", file.file_stem()?.to_string_lossy()),
        None => picture.file_stem()?.to_string_lossy().into_owned(),
    })
}

/// Says how many masks in `folder` belong to no picture.
fn strays(folder: &Path, used: &HashSet<PathBuf>) -> Option<String> {
    let files = files_in(folder).ok()?;
    let strays: Vec<&PathBuf> = files.iter().filter(|mask| !used.contains(*mask)).collect();
    let first = strays.first()?;
    Some(format!("{} of no picture, as {}", counted(strays.len(), "mask"), first.display()))
}
