//! Pictures whose truth is known, in the layout of MVTec AD.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use dfm_core::PictureSize;

use super::paths;
use super::pictures::decode_file;
use crate::messages::Messages;

/// The class of pictures without defects.
pub(crate) const GOOD: &str = "good";

/// A picture and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Labelled {
    /// Where the picture is.
    pub(crate) path: PathBuf,
    /// Its class: [`GOOD`] or a defect.
    pub(crate) class: String,
    /// Where its defect is marked, if it is; of several, any marks it.
    pub(crate) masks: Vec<PathBuf>,
}

impl Labelled {
    /// Whether it shows a defect.
    pub(crate) fn is_anomalous(&self) -> bool {
        self.class != GOOD
    }
}

/// Every picture below `test`, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dataset {
    /// The pictures.
    pub(crate) pictures: Vec<Labelled>,
}

impl Dataset {
    /// Reads the tree at `root`: `test/CLASS/…`, and for defects
    /// `ground_truth/CLASS/…/NAME_mask.png` (or `NAME.png`). Hidden folders are left
    /// out; a class without pictures is reported.
    ///
    /// # Errors
    ///
    /// If there is no `test`, or no picture in any class.
    pub(crate) fn read(root: &Path, messages: &Messages) -> anyhow::Result<Self> {
        let test = root.join("test");
        if !test.is_dir() {
            bail!(
                "{}: expected a folder test/ with test/good and test/DEFECT inside, found none",
                root.display()
            );
        }
        let mut classes: Vec<PathBuf> = std::fs::read_dir(&test)
            .with_context(|| format!("cannot list {}", test.display()))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.is_dir() && !paths::is_hidden(path))
            .collect();
        classes.sort();
        let mut pictures = Vec::new();
        for folder in classes {
            let Some(class) = folder.file_name().map(|name| name.to_string_lossy().into_owned()) else {
                continue;
            };
            let found = paths::folder(&folder, messages).unwrap_or_else(|error| {
                messages.error(&folder, format_args!("{error:#}"));
                Vec::new()
            });
            let masks = root.join("ground_truth").join(&class);
            pictures.extend(found.into_iter().map(|path| {
                let mask = if class == GOOD { None } else { mask_of(&masks, &folder, &path) };
                Labelled { path, class: class.clone(), masks: mask.into_iter().collect() }
            }));
        }
        if pictures.is_empty() {
            bail!("{}: expected folders of pictures, found none", test.display());
        }
        Ok(Self { pictures })
    }
}

/// The mask of a picture in `folder` or below lies at the same place in `masks`.
fn mask_of(masks: &Path, folder: &Path, picture: &Path) -> Option<PathBuf> {
    let masks = masks.join(picture.strip_prefix(folder).ok()?.parent()?);
    let stem = picture.file_stem()?.to_string_lossy();
    let candidates = [format!("{stem}_mask.png"), format!("{stem}.png")];
    candidates.iter().map(|name| masks.join(name)).find(|path| path.is_file())
}

/// The pixels that any of `masks` marks, for a picture of `size`; otherwise the mask that
/// cannot be used, and why.
pub(crate) fn read_masks(
    masks: &[PathBuf],
    size: PictureSize,
) -> Result<Vec<bool>, (PathBuf, anyhow::Error)> {
    let mut marked = vec![false; size.width as usize * size.height as usize];
    for path in masks {
        let mask = read_mask(path, size).map_err(|error| (path.clone(), error))?;
        marked.iter_mut().zip(mask).for_each(|(marked, own)| *marked |= own);
    }
    Ok(marked)
}

/// The pixels that the mask at `path` marks: grey above 127 or, in a mask that holds
/// nothing above 127, above 0.
fn read_mask(path: &Path, size: PictureSize) -> anyhow::Result<Vec<bool>> {
    let mask = decode_file(path)?;
    let (width, height) = mask.dimensions();
    if (width, height) != (size.width, size.height) {
        bail!(
            "expected a mask of {}×{} pixels as its picture, found {width}×{height}",
            size.width,
            size.height
        );
    }
    let brightest = mask.pixels().map(|pixel| pixel.0[0]).max().unwrap_or(0);
    // Some data sets number their defects, from 1.
    let level = if brightest > 127 { 127 } else { 0 };
    Ok(mask.pixels().map(|pixel| pixel.0[0] > level).collect())
}
