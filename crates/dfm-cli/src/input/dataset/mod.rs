//! Pictures whose truth is known, as they lie on disk.

mod duplicates;
mod kolektor;
mod layout;
mod list;
mod masks;
mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::paths;
use crate::messages::Messages;
use crate::report::table::counted;

pub(crate) use layout::Layout;
pub(crate) use masks::read_masks;

/// The class of pictures without defects, whatever a data set calls them.
pub(crate) const GOOD: &str = "good";

/// The class of defects that a data set gives no name.
const DEFECT: &str = "defect";

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
    fn good(path: PathBuf) -> Self {
        Self { path, class: GOOD.to_owned(), masks: Vec::new() }
    }

    /// Whether it shows a defect.
    pub(crate) fn is_anomalous(&self) -> bool {
        self.class != GOOD
    }
}

/// What a folder or a list of pictures holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dataset {
    /// As it was named.
    pub(crate) root: PathBuf,
    /// How it was read.
    pub(crate) layout: Layout,
    /// Good pictures to learn from, sorted.
    pub(crate) train: Vec<PathBuf>,
    /// Good pictures set aside, that nothing here uses.
    pub(crate) validation: Vec<PathBuf>,
    /// Pictures to judge, sorted.
    pub(crate) pictures: Vec<Labelled>,
    /// What else is to be said of it, as what was left out.
    remarks: Vec<String>,
}

impl Dataset {
    /// Reads what lies at `root`, in `layout` or the one that is recognised, and says what it
    /// is. What cannot be used is reported, and the rest returned.
    ///
    /// # Errors
    ///
    /// If `root` is in no known layout, or not in the one that was named.
    pub(crate) fn read(root: &Path, layout: Option<Layout>, messages: &Messages) -> anyhow::Result<Self> {
        let layout = match layout {
            Some(layout) => layout,
            None => Layout::recognise(root)?,
        };
        let mut dataset = Self {
            root: root.to_owned(),
            layout,
            train: Vec::new(),
            validation: Vec::new(),
            pictures: Vec::new(),
            remarks: Vec::new(),
        };
        match layout {
            Layout::Folder => dataset.read_folder(messages)?,
            Layout::Kolektor => dataset.read_kolektor(messages)?,
            Layout::Visa => dataset.read_visa(messages)?,
            Layout::Manifest => dataset.read_manifest(messages)?,
            Layout::Mvtec | Layout::Mpdd | Layout::Loco | Layout::Btad | Layout::Ad2 => {
                dataset.read_tree(&layout.tree(), messages)?;
            }
        }
        dataset.train.sort();
        dataset.validation.sort();
        dataset.pictures.sort_by(|one, other| one.path.cmp(&other.path));
        dataset.describe(messages);
        Ok(dataset)
    }

    /// The same, with pictures to judge.
    ///
    /// # Errors
    ///
    /// Also if there are none.
    pub(crate) fn read_test(
        root: &Path,
        layout: Option<Layout>,
        messages: &Messages,
    ) -> anyhow::Result<Self> {
        let dataset = Self::read(root, layout, messages)?;
        if dataset.pictures.is_empty() {
            bail!(
                "{}: expected pictures to judge and their classes ({}), found none; {}",
                root.display(),
                dataset.layout.words(),
                HELP
            );
        }
        Ok(dataset)
    }

    /// The folder that paths are shown below.
    pub(crate) fn folder(&self) -> &Path {
        match self.layout {
            Layout::Manifest => self.root.parent().unwrap_or(Path::new("")),
            _ => &self.root,
        }
    }

    /// Says what was found, and which test pictures were learnt from.
    fn describe(&self, messages: &Messages) {
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
        messages.note(format_args!("{}: {}: {}", self.root.display(), self.layout.words(), parts.join("; ")));
        for remarks in &self.remarks {
            messages.note(format_args!("{}: {remarks}", self.root.display()));
        }
        if self.layout == Layout::Folder {
            return;
        }
        for twins in duplicates::find(&self.train, &self.pictures) {
            messages.note(twins);
        }
    }

    /// A folder with a folder for each class, or with pictures alone.
    fn read_folder(&mut self, messages: &Messages) -> anyhow::Result<()> {
        let root = self.root.clone();
        let classes = subfolders(&root)?;
        let is_good = |folder: &Path| layout::NAMES_OF_GOOD.contains(&name_of(folder).as_str());
        if !classes.iter().any(|folder| is_good(folder)) {
            self.train = paths::folder(&root, messages)?;
            return Ok(());
        }
        for folder in classes {
            let found = folder_or_report(&folder, messages);
            if is_good(&folder) {
                self.train.extend(found.iter().cloned());
                self.pictures.extend(found.into_iter().map(Labelled::good));
            } else {
                let class = name_of(&folder);
                let labelled =
                    found.into_iter().map(|path| Labelled { path, class: class.clone(), masks: Vec::new() });
                self.pictures.extend(labelled);
            }
        }
        self.remarks.push("no split: the same good pictures are there to learn and to judge".to_owned());
        self.remarks.extend(unlabelled(&root, "the classes")?);
        Ok(())
    }
}

/// The pictures to learn from at `root`: those of a data set, or everything in a folder.
/// A data set says what it is.
///
/// # Errors
///
/// If there are none, or `root` is not in the `layout` that was named.
pub(crate) fn training(
    root: &Path,
    layout: Option<Layout>,
    messages: &Messages,
) -> anyhow::Result<Vec<PathBuf>> {
    let layout = match layout {
        Some(layout) => layout,
        None => Layout::recognise(root)?,
    };
    // Nothing to say of a folder that is no more than that.
    if layout == Layout::Folder && !layout::has_classes(root) {
        return paths::folder(root, messages);
    }
    let dataset = Dataset::read(root, Some(layout), messages)?;
    if dataset.train.is_empty() {
        bail!("expected good pictures to learn from ({}), found none; {HELP}", layout.words());
    }
    Ok(dataset.train)
}

/// What to do about a folder that is not understood.
const HELP: &str = "name the layout with --layout, or list pictures in a CSV file path,label,mask,split";

/// Folders in `folder` that are not hidden, sorted.
fn subfolders(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir() && !paths::is_hidden(path))
        .collect();
    folders.sort();
    Ok(folders)
}

/// Files directly in `folder` that are called as pictures are, sorted.
fn files_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file() && !paths::is_hidden(path) && paths::has_extension(path))
        .collect();
    files.sort();
    Ok(files)
}

/// Says of pictures directly in `folder`, which have no class, that they are left out.
fn unlabelled(folder: &Path, beside: &str) -> anyhow::Result<Option<String>> {
    let count = files_in(folder)?.len();
    Ok((count > 0).then(|| {
        let pictures = counted(count, "picture");
        format!("{pictures} directly in {}, beside {beside}, without a label: left out", folder.display())
    }))
}

/// The pictures in a folder and below; an empty or closed one is reported.
fn folder_or_report(folder: &Path, messages: &Messages) -> Vec<PathBuf> {
    paths::folder(folder, messages).unwrap_or_else(|error| {
        messages.error(folder, format_args!("{error:#}"));
        Vec::new()
    })
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
