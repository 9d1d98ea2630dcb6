//! Pictures joined to parts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use dfm_data::{GOOD, Labelled, PartOf, counted};

use super::error::PartsError;
use super::pattern::PartPattern;
use crate::observer::{Observer, Reporter};
use crate::source::Files;

/// The most characters of a view's name.
const MAX_NAME: usize = 64;

/// A part with a picture of every view.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// Its name.
    pub name: String,
    /// One picture for each view, in the order of the views.
    pub pictures: Vec<PathBuf>,
    /// Its class, if pictures are labelled. It is that of a view with a defect, else `good`.
    pub class: Option<String>,
}

/// Parts that have all views, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupedParts {
    /// The views, sorted.
    pub views: Vec<String>,
    /// The parts.
    pub parts: Vec<Part>,
    /// The number of parts that lack a view or have one twice.
    pub incomplete: usize,
    /// The number of pictures of no part, or of an unknown view.
    pub unmatched: usize,
    /// How many pictures each view has, counted over all parts, also incomplete ones.
    pub(super) counts: BTreeMap<String, usize>,
    /// The pattern that joined them.
    pub(super) pattern: Option<PartPattern>,
    /// The folder that names of pictures are relative to.
    pub(super) root: PathBuf,
}

/// The pictures of one part, as they are found.
#[derive(Default)]
struct Found {
    pictures: BTreeMap<String, PathBuf>,
    twice: Option<PartsError>,
    class: Option<String>,
}

impl GroupedParts {
    /// Joins `files` by their paths. The views are those that are `known`, or all that are found. The
    /// observer is told of pictures that do not match, and of parts that lack a view or have
    /// one twice.
    pub fn by_pattern(
        files: &Files,
        pattern: &PartPattern,
        known: Option<&[String]>,
        observer: &dyn Observer,
    ) -> Self {
        let pictures = files.paths().iter().map(|path| (path.clone(), pattern.part_of(path), None));
        Self::group(pictures, Some(pattern), known, files.root(), &Reporter::new(observer))
    }

    /// Joins pictures whose parts a list names. Their names are relative to the folder `root`.
    pub fn of_list(
        pictures: impl IntoIterator<Item = (PathBuf, PartOf)>,
        root: &Path,
        known: Option<&[String]>,
        observer: &dyn Observer,
    ) -> Self {
        let pictures = pictures.into_iter().map(|(path, part)| (path, Some(part), None));
        Self::group(pictures, None, known, root, &Reporter::new(observer))
    }

    /// Joins labelled pictures, by a pattern or as a list says. A part has a defect if any of its views
    /// has one.
    pub fn labelled(
        pictures: &[Labelled],
        listed: &BTreeMap<PathBuf, PartOf>,
        pattern: Option<&PartPattern>,
        known: &[String],
        root: &Path,
        observer: &dyn Observer,
    ) -> Self {
        let part_of = |path: &PathBuf| match pattern {
            Some(pattern) => pattern.part_of(path),
            None => listed.get(path).cloned(),
        };
        let pictures = pictures
            .iter()
            .map(|picture| (picture.path.clone(), part_of(&picture.path), Some(picture.class.clone())));
        Self::group(pictures, pattern, Some(known), root, &Reporter::new(observer))
    }

    fn group(
        pictures: impl Iterator<Item = (PathBuf, Option<PartOf>, Option<String>)>,
        pattern: Option<&PartPattern>,
        known: Option<&[String]>,
        root: &Path,
        reporter: &Reporter<'_>,
    ) -> Self {
        let mut found: BTreeMap<String, Found> = BTreeMap::new();
        let mut counts = BTreeMap::new();
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        let mut unmatched = 0;
        for (path, part, class) in pictures {
            let mut refuse = |error| {
                unmatched += 1;
                reporter.problem(&path, error);
            };
            let Some(PartOf { part, view }) = part else {
                refuse(match pattern {
                    Some(pattern) => PartsError::NoMatch { pattern: pattern.to_string() },
                    None => PartsError::NoPart,
                });
                continue;
            };
            let usable =
                known.is_some() || names.entry(view.to_lowercase()).or_insert_with(|| view.clone()) == &view;
            match known {
                Some(known) if !known.contains(&view) => {
                    refuse(PartsError::UnknownView { view, known: known.to_vec() });
                    continue;
                }
                None if !is_view_name(&view) || !usable => {
                    refuse(PartsError::ViewName { view, limit: MAX_NAME });
                    continue;
                }
                _ => {}
            }
            *counts.entry(view.clone()).or_insert(0) += 1;
            let found = found.entry(part.clone()).or_default();
            found.add(view, path, class, &part, reporter);
        }
        let views: Vec<String> = match known {
            Some(known) => known.to_vec(),
            None => counts.keys().cloned().collect(),
        };
        let (mut parts, mut incomplete) = (Vec::with_capacity(found.len()), 0);
        for (name, found) in found {
            match found.whole(&views) {
                Ok((pictures, class)) => parts.push(Part { name, pictures, class }),
                Err(error) => {
                    incomplete += 1;
                    reporter.problem(Path::new(&name), error);
                }
            }
        }
        let (pattern, root) = (pattern.cloned(), root.to_owned());
        Self { views, parts, incomplete, unmatched, counts, pattern, root }
    }

    /// The pictures of view number `view`, part by part.
    pub fn files(&self, view: usize) -> Files {
        Files::new(&self.root, self.parts.iter().map(|part| part.pictures[view].clone()).collect())
    }

    /// A text for people: how many parts there are, and how many pictures each view has.
    pub fn summary(&self) -> String {
        let parts = counted(self.parts.len(), "part");
        format!("{parts} with all views; {}", self.counted().join(", "))
    }

    /// Each view with the number of its pictures.
    pub(super) fn counted(&self) -> Vec<String> {
        self.counts.iter().map(|(view, count)| format!("{count} of view {view}")).collect()
    }

    /// The same views, with only these parts.
    pub(super) fn with_parts(&self, parts: Vec<Part>) -> Self {
        Self { parts, ..self.clone() }
    }
}

impl Found {
    fn add(
        &mut self,
        view: String,
        path: PathBuf,
        class: Option<String>,
        part: &str,
        reporter: &Reporter<'_>,
    ) {
        match (&self.class, class) {
            (Some(first), Some(second)) if *first != second && second != GOOD => {
                if first == GOOD {
                    self.class = Some(second);
                } else {
                    let first = first.clone();
                    reporter.problem(Path::new(part), PartsError::Classes { first, second });
                }
            }
            (None, class) => self.class = class,
            _ => {}
        }
        if let Some(first) = self.pictures.get(&view) {
            self.twice = Some(PartsError::Twice { view, first: first.clone(), second: path });
        } else {
            self.pictures.insert(view, path);
        }
    }

    fn whole(mut self, views: &[String]) -> Result<(Vec<PathBuf>, Option<String>), PartsError> {
        if let Some(error) = self.twice {
            return Err(error);
        }
        let missing: BTreeSet<&String> =
            views.iter().filter(|view| !self.pictures.contains_key(*view)).collect();
        if !missing.is_empty() {
            return Err(PartsError::MissingViews { missing: missing.into_iter().cloned().collect() });
        }
        Ok((views.iter().filter_map(|view| self.pictures.remove(view)).collect(), self.class))
    }
}

/// Whether a view may have this name, which is the name of its file.
pub(super) fn is_view_name(name: &str) -> bool {
    let usable = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_');
    !name.is_empty() && name.chars().count() <= MAX_NAME && name.chars().all(usable)
}
