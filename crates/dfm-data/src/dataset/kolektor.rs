//! KolektorSDD2: every picture has a mask beside it, and an empty one makes it good.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::contents::Contents;
use super::labelled::{DEFECT, Labelled};
use super::masks::marks_anything;
use crate::error::{DataError, Problem};
use crate::listing::files_in;

/// How the names of masks end, before the extension.
const MASK: &str = "_GT";

/// Whether `root` has masks beside its pictures.
pub(super) fn is_one(root: &Path) -> bool {
    ["train", "test"]
        .iter()
        .any(|split| files_in(&root.join(split)).is_ok_and(|files| files.iter().any(|file| is_mask(file))))
}

/// Reads `train` and `test`, and every mask once, because masks are the labels.
pub(super) fn read(root: &Path) -> Result<Contents, DataError> {
    if !is_one(root) {
        return Err(DataError::Layout {
            path: root.to_owned(),
            expected: "train/ and test/ with NAME.png and NAME_GT.png".to_owned(),
            found: "none".to_owned(),
        });
    }
    let mut contents = Contents::default();
    let mut defects_to_learn = 0;
    for split in ["train", "test"] {
        let folder = root.join(split);
        if !folder.is_dir() {
            continue;
        }
        let pictures: Vec<PathBuf> = files_in(&folder)?.into_iter().filter(|path| !is_mask(path)).collect();
        let masks: Vec<(PathBuf, Result<bool, DataError>)> = pictures
            .par_iter()
            .map(|path| {
                let mask = mask_of(path);
                let marks = marks_anything(&mask);
                (mask, marks)
            })
            .collect();
        for (path, (mask, marks)) in pictures.into_iter().zip(masks) {
            match (marks, split) {
                (Err(error), _) => {
                    let error = DataError::NoLabel { picture: path, cause: Box::new(error) };
                    contents.problems.push(Problem::new(mask, error));
                }
                (Ok(false), "train") => contents.train.push(path),
                (Ok(true), "train") => defects_to_learn += 1,
                (Ok(false), _) => contents.pictures.push(Labelled::good(path)),
                (Ok(true), _) => {
                    contents.pictures.push(Labelled { path, class: DEFECT.to_owned(), masks: vec![mask] });
                }
            }
        }
    }
    if defects_to_learn > 0 {
        contents.remarks.push(match defects_to_learn {
            1 => "1 picture in train shows a defect: left out".to_owned(),
            count => format!("{count} pictures in train show defects: left out"),
        });
    }
    Ok(contents)
}

fn is_mask(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(MASK))
}

fn mask_of(picture: &Path) -> PathBuf {
    let stem = picture.file_stem().unwrap_or_default().to_string_lossy();
    let extension = picture.extension().unwrap_or_default().to_string_lossy();
    picture.with_file_name(format!("{stem}{MASK}.{extension}"))
}
