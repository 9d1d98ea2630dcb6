//! Data sets that are lists: VisA's split, and manifests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::contents::Contents;
use super::labelled::{DEFECT, GOOD, Labelled};
use crate::error::{DataError, Problem};
use crate::lines::{json_lines, open};
use crate::names::name_of;
use crate::pages::split_page;
use crate::words::{Says, says_label};

/// One picture of a list.
#[derive(Debug, Deserialize)]
struct Row {
    #[serde(alias = "image")]
    path: String,
    #[serde(default, deserialize_with = "label")]
    label: String,
    #[serde(default)]
    mask: Masks,
    #[serde(default)]
    split: String,
    /// VisA's name of the object.
    #[serde(default)]
    object: String,
    /// The part that the picture shows.
    #[serde(default)]
    part: Name,
    /// Which view of the part it is.
    #[serde(default)]
    view: Name,
}

/// A name, which people also write as a number.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Number(u64),
    /// None, or something else.
    Other(IgnoredAny),
}

impl Default for Name {
    fn default() -> Self {
        Self::Other(IgnoredAny)
    }
}

impl Name {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.trim().to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Other(_) => String::new(),
        }
    }
}

impl Row {
    /// The part and the view, if the row names either.
    fn part(&self) -> Option<PartOf> {
        let found = PartOf { part: self.part.text(), view: self.view.text() };
        (!found.part.is_empty() || !found.view.is_empty()).then_some(found)
    }
}

/// Which part a picture of a list shows, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartOf {
    /// The name of the part.
    pub part: String,
    /// The name of the view, such as that of a camera or a lighting.
    pub view: String,
}

/// A list of pictures of parts.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct PartsList {
    /// Each picture with its part and its view, in order.
    pub pictures: Vec<(PathBuf, PartOf)>,
    /// Rows that cannot be used.
    pub problems: Vec<Problem>,
}

/// Reads a list of pictures of parts, whatever it says of labels. Paths are relative to the folder of the list.
///
/// # Errors
///
/// [`DataError`] if the list cannot be read.
pub fn read_parts(file: &Path) -> Result<PartsList, DataError> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut list = PartsList::default();
    for row in rows_of(file)? {
        let path = folder.join(&row.path);
        match row.part() {
            _ if !path.is_file() => list.problems.push(Problem::new(path, DataError::ListedMissing)),
            Some(part) if !part.part.is_empty() && !part.view.is_empty() => {
                list.pictures.push((path, part));
            }
            _ => list.problems.push(Problem::new(path, DataError::NoPart)),
        }
    }
    Ok(list)
}

/// A label as text; of numbers, 0 and 1 mean what they mean as text.
fn label<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a label in quotes such as \"good\", or 0 or 1")]
    enum Label {
        Text(String),
        Number(u64),
        None,
    }
    match Label::deserialize(deserializer)? {
        Label::Text(text) => Ok(text),
        Label::Number(number @ 0..=1) => Ok(number.to_string()),
        Label::Number(number) => Err(serde::de::Error::custom(format_args!(
            "expected a label in quotes such as \"good\", or 0 or 1, found the number {number}"
        ))),
        Label::None => Ok(String::new()),
    }
}

/// No mask, one, or several.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Masks {
    Several(Vec<String>),
    One(String),
    #[default]
    None,
}

/// Reads VisA's split for the object whose folder `root` is.
pub(super) fn read_visa(root: &Path) -> Result<Contents, DataError> {
    let failed = |cause| DataError::Io { operation: "find", path: root.to_owned(), cause };
    let real = root.canonicalize().map_err(failed)?;
    let object = name_of(&real);
    let split = real.join("../split_csv/1cls.csv");
    if !split.is_file() {
        return Err(DataError::Layout {
            path: root.to_owned(),
            expected: "VisA's split at ../split_csv/1cls.csv beside this folder".to_owned(),
            found: "none; it comes with the data set".to_owned(),
        });
    }
    // The folder as the user named it, because paths are shown in this way.
    let parent = root.join("..");
    let inside = format!("{object}/");
    let mut contents = Contents::default();
    let mut found = false;
    for row in rows_of_csv(&split)?.into_iter().filter(|row| row.object == object) {
        found = true;
        let locate = |path: &str| match path.strip_prefix(&inside) {
            Some(rest) => root.join(rest),
            None => parent.join(path),
        };
        contents.push(&row, locate);
    }
    match found {
        true => Ok(contents),
        false => Err(DataError::Layout {
            path: split,
            expected: format!("rows of object {object}"),
            found: "none".to_owned(),
        }),
    }
}

/// Reads a CSV or JSONL file; paths in it are relative to its folder.
pub(super) fn read_manifest(file: &Path) -> Result<Contents, DataError> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let rows = rows_of(file)?;
    let has_parts =
        rows.iter().filter_map(Row::part).any(|part| !part.part.is_empty() && !part.view.is_empty());
    let mut contents = Contents::default();
    for row in rows {
        let path = folder.join(&row.path);
        // A column of one of the two names alone is something else.
        match row.part().filter(|_| has_parts) {
            Some(part) if !part.part.is_empty() && !part.view.is_empty() => {
                contents.parts.insert(path, part);
            }
            _ if has_parts => {
                contents.problems.push(Problem::new(path, DataError::NoPart));
                continue;
            }
            _ => {}
        }
        contents.push(&row, |path| folder.join(path));
    }
    Ok(contents)
}

/// Reads the rows of a CSV or JSONL file.
fn rows_of(file: &Path) -> Result<Vec<Row>, DataError> {
    let extension = file.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("csv") => rows_of_csv(file),
        Some("jsonl") => {
            let rows = json_lines(file, "an object with path, label, mask and split")?;
            Ok(rows.into_iter().map(|(_, row)| row).collect())
        }
        _ => Err(DataError::Layout {
            path: file.to_owned(),
            expected: "a folder, or a list of pictures with the extension .csv or .jsonl".to_owned(),
            found: extension.map_or("none".to_owned(), |extension| format!(".{extension}")),
        }),
    }
}

impl Contents {
    /// Adds a picture to the part that its row names. A row that cannot be used is a problem.
    fn push(&mut self, row: &Row, locate: impl Fn(&str) -> PathBuf) {
        let path = locate(&row.path);
        match self.try_push(row, &path, locate) {
            Ok(()) => {}
            Err(error) => self.problems.push(Problem::new(path, error)),
        }
    }

    fn try_push(
        &mut self,
        row: &Row,
        path: &Path,
        locate: impl Fn(&str) -> PathBuf,
    ) -> Result<(), DataError> {
        if !path.is_file() && split_page(path).is_none() {
            return Err(DataError::ListedMissing);
        }
        let class = match row.label.trim().to_lowercase().as_str() {
            "" if row.split.trim().eq_ignore_ascii_case("train") => GOOD.to_owned(),
            "" => return Err(DataError::Unlabelled),
            "0" => GOOD.to_owned(),
            "1" => DEFECT.to_owned(),
            label if says_label(label) == Says::Good => GOOD.to_owned(),
            _ => row.label.trim().to_owned(),
        };
        let masks = match &row.mask {
            Masks::None => &[],
            Masks::One(mask) => std::slice::from_ref(mask),
            Masks::Several(masks) => masks.as_slice(),
        };
        let masks: Vec<PathBuf> =
            masks.iter().map(|mask| mask.trim()).filter(|mask| !mask.is_empty()).map(locate).collect();
        let path = path.to_owned();
        match (row.split.trim().to_lowercase().as_str(), class == GOOD) {
            ("train", true) => self.train.push(path),
            ("val" | "validation", true) => self.validation.push(path),
            ("train" | "val" | "validation", false) => {
                self.remarks.push(format!("{} is of class {class}, not to judge: left out", path.display()));
            }
            ("test" | "", true) => self.pictures.push(Labelled::good(path)),
            ("test" | "", false) => self.pictures.push(Labelled { path, class, masks }),
            (other, _) => return Err(DataError::UnknownSplit { got: other.to_owned() }),
        }
        Ok(())
    }
}

/// Reads the rows of a file with a heading.
fn rows_of_csv(path: &Path) -> Result<Vec<Row>, DataError> {
    let failed = |cause| DataError::Table { path: path.to_owned(), cause };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(open(path)?);
    let headers: Vec<String> = reader.headers().map_err(failed)?.iter().map(str::to_owned).collect();
    let has = |name: &str| headers.iter().any(|header| header == name);
    if !(has("path") || has("image")) {
        let separator = [(';', "semicolons"), ('\t', "tabs")]
            .into_iter()
            .find(|(separator, _)| headers.iter().any(|header| header.contains(*separator)));
        let found = match separator {
            Some((_, name)) => format!("columns with {name} between them; save the list with commas"),
            None => headers.join(", "),
        };
        return Err(DataError::Layout {
            path: path.to_owned(),
            expected: "columns path, label, mask and split, with commas between them".to_owned(),
            found,
        });
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(failed)?;
        let fields: HashMap<&str, &str> = headers.iter().map(String::as_str).zip(&record).collect();
        let field = |name: &str| (*fields.get(name).unwrap_or(&"")).to_owned();
        rows.push(Row {
            path: if fields.contains_key("path") { field("path") } else { field("image") },
            label: field("label"),
            mask: Masks::Several(field("mask").split(';').map(str::to_owned).collect()),
            split: field("split"),
            object: field("object"),
            part: Name::Text(field("part")),
            view: Name::Text(field("view")),
        });
    }
    Ok(rows)
}
