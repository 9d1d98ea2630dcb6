//! Data sets that are lists: VisA's split, and manifests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::layout::NAMES_OF_GOOD;
use super::{DEFECT, Dataset, GOOD, Labelled, name_of};
use crate::input::lines::{json_lines, open};
use crate::messages::Messages;

/// One picture of a list.
#[derive(Debug, Deserialize)]
struct Row {
    #[serde(alias = "image")]
    path: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    mask: Masks,
    #[serde(default)]
    split: String,
    /// VisA's name of the object.
    #[serde(default)]
    object: String,
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

impl Dataset {
    /// Reads VisA's split for the object whose folder `root` is.
    pub(super) fn read_visa(&mut self, messages: &Messages) -> anyhow::Result<()> {
        let root = self.root.canonicalize().with_context(|| self.root.display().to_string())?;
        let object = name_of(&root);
        let split = root.join("../split_csv/1cls.csv");
        if !split.is_file() {
            bail!(
                "{}: expected VisA's split at ../split_csv/1cls.csv beside this folder, found none; it comes with the \
                 data set",
                self.root.display()
            );
        }
        // As it was named, so that paths are shown so.
        let (own, parent) = (self.root.clone(), self.root.join(".."));
        let rows = rows_of_csv(&split)?;
        let inside = format!("{object}/");
        let mut found = false;
        for row in rows {
            if row.object != object {
                continue;
            }
            found = true;
            let place = |path: &str| match path.strip_prefix(&inside) {
                Some(rest) => own.join(rest),
                None => parent.join(path),
            };
            self.push(&row, place, messages);
        }
        if !found {
            bail!("{}: expected rows of object {object}, found none", split.display());
        }
        Ok(())
    }

    /// Reads a CSV or JSONL file; paths in it are relative to its folder.
    pub(super) fn read_manifest(&mut self, messages: &Messages) -> anyhow::Result<()> {
        let file = self.root.clone();
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        let extension = file.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        let rows = match extension.as_deref() {
            Some("csv") => rows_of_csv(&file)?,
            Some("jsonl") => {
                let rows = json_lines(&file, "an object with path, label, mask and split")?;
                rows.into_iter().map(|(_, row)| row).collect()
            }
            _ => bail!(
                "{}: expected a folder, or a list of pictures that is called .csv or .jsonl",
                file.display()
            ),
        };
        for row in rows {
            self.push(&row, |path| folder.join(path), messages);
        }
        Ok(())
    }

    /// Adds a picture where its row says; what cannot be used is reported.
    fn push(&mut self, row: &Row, place: impl Fn(&str) -> PathBuf, messages: &Messages) {
        let path = place(&row.path);
        if !path.is_file() {
            messages.error(&path, "the list names it, but there is no such file");
            return;
        }
        let class = match row.label.trim().to_lowercase().as_str() {
            "" if row.split.trim().eq_ignore_ascii_case("train") => GOOD.to_owned(),
            "" => {
                messages.error(&path, "the list gives it no label: left out");
                return;
            }
            "0" => GOOD.to_owned(),
            "1" => DEFECT.to_owned(),
            good if NAMES_OF_GOOD.contains(&good) => GOOD.to_owned(),
            _ => row.label.trim().to_owned(),
        };
        let masks = match &row.mask {
            Masks::None => Vec::new(),
            Masks::One(mask) => vec![mask.clone()],
            Masks::Several(masks) => masks.clone(),
        };
        let masks: Vec<PathBuf> =
            masks.iter().map(|mask| mask.trim()).filter(|mask| !mask.is_empty()).map(place).collect();
        match (row.split.trim().to_lowercase().as_str(), class == GOOD) {
            ("train", true) => self.train.push(path),
            ("val" | "validation", true) => self.validation.push(path),
            ("train" | "val" | "validation", false) => {
                self.remarks.push(format!("{} is of class {class}, not to judge: left out", path.display()));
            }
            ("test" | "", true) => self.pictures.push(Labelled::good(path)),
            ("test" | "", false) => self.pictures.push(Labelled { path, class, masks }),
            (other, _) => messages
                .error(&path, format_args!("the list puts it into '{other}': expected train, val or test")),
        }
    }
}

/// Rows of a file with a heading; the error of one that is none names its line.
fn rows_of_csv(path: &Path) -> anyhow::Result<Vec<Row>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(open(path)?);
    let headers = reader.headers().with_context(|| path.display().to_string())?;
    let has = |name: &str| headers.iter().any(|header| header == name);
    if !(has("path") || has("image")) {
        bail!(
            "{}: expected columns path, label, mask and split, found {}",
            path.display(),
            headers.iter().collect::<Vec<_>>().join(", ")
        );
    }
    let headers: Vec<String> = headers.iter().map(str::to_owned).collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.with_context(|| path.display().to_string())?;
        let fields: HashMap<&str, &str> = headers.iter().map(String::as_str).zip(&record).collect();
        let field = |name: &str| (*fields.get(name).unwrap_or(&"")).to_owned();
        rows.push(Row {
            path: if fields.contains_key("path") { field("path") } else { field("image") },
            label: field("label"),
            mask: Masks::Several(field("mask").split(';').map(str::to_owned).collect()),
            split: field("split"),
            object: field("object"),
        });
    }
    Ok(rows)
}
