//! Pictures whose truth is known, as they lie on disk.

mod contents;
mod duplicates;
mod kolektor;
mod labelled;
mod layout;
mod list;
mod masks;
mod tree;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

pub use labelled::{GOOD, Labelled};
pub use layout::{Layout, is_dataset};
pub use list::{PartOf, PartsList, read_parts};
pub use masks::read_masks;

use crate::error::{DataError, Problem};
use crate::listing::{Listing, list_folder, list_good, subfolders, together};
use crate::names::{holds_by_products, name_of};
use contents::Contents;
use layout::is_good;

/// What a folder or a list of pictures holds. Its [`Display`](fmt::Display) says in one line what
/// was found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Dataset {
    /// The path that was given.
    pub root: PathBuf,
    /// How it was read.
    pub layout: Layout,
    /// Good pictures to learn from, sorted.
    pub train: Vec<PathBuf>,
    /// Good pictures that are set aside; nothing here uses them.
    pub validation: Vec<PathBuf>,
    /// Pictures to judge, sorted.
    pub pictures: Vec<Labelled>,
    /// Remarks on the data set, such as what was left out.
    pub remarks: Vec<String>,
    /// Pictures, masks and folders that cannot be used.
    pub problems: Vec<Problem>,
    /// Which part each picture shows, if a list says so.
    pub parts: BTreeMap<PathBuf, PartOf>,
}

impl Dataset {
    /// Reads what lies at `root`, in `layout` or the one that is recognised.
    ///
    /// Cost: lists folders; KolektorSDD2 decodes every mask. Runs in the current thread pool of
    /// rayon.
    ///
    /// # Errors
    ///
    /// [`DataError::Layout`] and [`DataError::SeveralDatasets`] if `root` is in no known layout, or
    /// not in the one that was named.
    pub fn read(root: &Path, layout: Option<Layout>) -> Result<Self, DataError> {
        let descended = layout.is_none().then(|| Layout::descend(root));
        let root = descended.as_deref().unwrap_or(root);
        let layout = layout.map_or_else(|| Layout::recognise(root), Ok)?;
        let mut contents = match layout {
            Layout::Folder => read_folder(root)?,
            Layout::Kolektor => kolektor::read(root)?,
            Layout::Visa => list::read_visa(root)?,
            Layout::Manifest => list::read_manifest(root)?,
            Layout::Mvtec | Layout::Mpdd | Layout::Loco | Layout::Btad | Layout::Ad2 => {
                tree::read(root, layout)?
            }
        };
        contents.train.sort();
        contents.validation.sort();
        contents.pictures.sort_by(|one, other| one.path.cmp(&other.path));
        let Contents { train, validation, pictures, remarks, problems, parts } = contents;
        Ok(Self { root: root.to_owned(), layout, train, validation, pictures, remarks, problems, parts })
    }

    /// Reads a data set that must have pictures to judge.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read), and [`DataError::NothingToJudge`].
    pub fn read_test(root: &Path, layout: Option<Layout>) -> Result<Self, DataError> {
        let dataset = Self::read(root, layout)?;
        dataset.check_test()?;
        Ok(dataset)
    }

    /// Refuses a data set without pictures to judge.
    ///
    /// # Errors
    ///
    /// [`DataError::NothingToJudge`].
    pub fn check_test(&self) -> Result<(), DataError> {
        match self.pictures.is_empty() {
            true => Err(DataError::NothingToJudge { path: self.root.clone(), layout: self.layout.words() }),
            false => Ok(()),
        }
    }

    /// Says what is missing if the pictures to judge are all good, or all have defects.
    pub fn one_sided(&self) -> Option<String> {
        let anomalous = self.pictures.iter().filter(|picture| picture.is_anomalous()).count();
        let (missing, all) = match (anomalous, self.pictures.len()) {
            (_, 0) => return None,
            (0, _) => ("pictures with defects", "good"),
            (anomalous, all) if anomalous == all => {
                ("good pictures, which names such as good, ok, normal or pass tell", "a defect")
            }
            _ => return None,
        };
        Some(format!(
            "no {missing}: every picture to judge counts as {all}, and figures that take both kinds, such as AUROC, \
             have no meaning"
        ))
    }

    /// The folder below which paths are shown.
    pub fn folder(&self) -> &Path {
        match self.layout {
            Layout::Manifest => self.root.parent().unwrap_or(Path::new("")),
            _ => &self.root,
        }
    }

    /// Copies the data set without its problems, which are reported only once.
    #[must_use]
    pub fn without_problems(&self) -> Self {
        let Self { root, layout, train, validation, pictures, remarks, parts, .. } = self;
        Self {
            root: root.clone(),
            layout: *layout,
            train: train.clone(),
            validation: validation.clone(),
            pictures: pictures.clone(),
            remarks: remarks.clone(),
            problems: Vec::new(),
            parts: parts.clone(),
        }
    }

    /// Says which pictures to judge are the same file as a picture to learn. A folder of classes has
    /// no split, so nothing is said of it.
    ///
    /// Cost: reads the beginning of every file, and whole files where beginnings agree. Runs in the
    /// current thread pool of rayon.
    pub fn duplicates(&self) -> Vec<String> {
        match self.layout {
            Layout::Folder => Vec::new(),
            _ => duplicates::find(&self.train, &self.pictures),
        }
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut classes: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
        for picture in &self.pictures {
            let counts = classes.entry(&picture.class).or_default();
            *counts = [counts[0] + 1, counts[1] + usize::from(!picture.masks.is_empty())];
        }
        let test: Vec<String> = classes
            .into_iter()
            .map(|(class, [count, masks])| match class {
                GOOD => format!("{count} {class}"),
                _ if masks == count => format!("{count} {class}"),
                _ => format!("{count} {class} ({} without mask)", count - masks),
            })
            .collect();
        let mut parts = vec![format!("{} to learn", self.train.len())];
        if !self.validation.is_empty() {
            parts.push(format!("{} set aside for validation", self.validation.len()));
        }
        if !test.is_empty() {
            parts.push(format!("to judge {}", test.join(", ")));
        }
        write!(f, "{}: {}: {}", self.root.display(), self.layout.words(), parts.join("; "))
    }
}

/// Good pictures to learn from.
#[derive(Debug)]
#[non_exhaustive]
pub struct Training {
    /// Paths of the pictures, sorted.
    pub pictures: Vec<PathBuf>,
    /// What could not be listed or used.
    pub problems: Vec<Problem>,
    /// What else is to be said: what is left out, and which folders are learnt together.
    pub remarks: Vec<String>,
    /// The data set that they belong to; `None` for a plain folder of pictures.
    pub dataset: Option<Dataset>,
}

/// Finds the pictures to learn from at `root`: those of a data set, or what lies in a folder. A folder
/// below whose name says that it holds defects is left out; the name of `root` counts nothing.
///
/// # Errors
///
/// Those of [`Dataset::read`] and [`list_good`]; [`DataError::NothingToLearn`] if a data set has no
/// good pictures to learn from.
pub fn training(root: &Path, layout: Option<Layout>) -> Result<Training, DataError> {
    let descended = layout.is_none().then(|| Layout::descend(root));
    let root = descended.as_deref().unwrap_or(root);
    let layout = layout.map_or_else(|| Layout::recognise(root), Ok)?;
    if layout == Layout::Folder && !layout::has_classes(root) {
        return Ok(Training::of(root, list_good(root)?));
    }
    let mut dataset = Dataset::read(root, Some(layout))?;
    if dataset.train.is_empty() {
        return Err(DataError::NothingToLearn { layout: layout.words() });
    }
    let problems = std::mem::take(&mut dataset.problems);
    let remarks = together(root, &dataset.train).into_iter().collect();
    Ok(Training { pictures: dataset.train.clone(), problems, remarks, dataset: Some(dataset) })
}

/// Finds every picture in the folder `root` and below to learn from, whatever the folders are called.
///
/// # Errors
///
/// Those of [`list_folder`].
pub fn training_on_all(root: &Path) -> Result<Training, DataError> {
    Ok(Training::of(root, list_folder(root)?))
}

impl Training {
    fn of(root: &Path, found: Listing) -> Self {
        let remarks = found.remarks(root).into_iter().chain(together(root, &found.pictures)).collect();
        Self { pictures: found.pictures, problems: found.problems, remarks, dataset: None }
    }
}

/// Reads a folder with a folder for each class, or with pictures alone.
fn read_folder(root: &Path) -> Result<Contents, DataError> {
    let classes = subfolders(root)?;
    let mut contents = Contents::default();
    if !classes.iter().any(|folder| is_good(folder)) {
        let found = list_good(root)?;
        contents.remarks = found.remarks(root);
        (contents.train, contents.problems) = (found.pictures, found.problems);
        return Ok(contents);
    }
    for folder in classes.into_iter().filter(|folder| !holds_by_products(folder)) {
        if is_good(&folder) {
            let found = contents.list_good(&folder);
            contents.train.extend(found.iter().cloned());
            contents.pictures.extend(found.into_iter().map(Labelled::good));
        } else {
            let found = contents.list(&folder);
            let class = name_of(&folder);
            let labelled = |path| Labelled { path, class: class.clone(), masks: Vec::new() };
            contents.pictures.extend(found.into_iter().map(labelled));
        }
    }
    contents.remarks.push("no split: the same good pictures are there to learn and to judge".to_owned());
    contents.remark_unlabelled(root, "the classes")?;
    Ok(contents)
}
