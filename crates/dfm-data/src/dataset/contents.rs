//! What a reader of a layout finds.

use std::path::{Path, PathBuf};

use super::labelled::Labelled;
use crate::error::{DataError, Problem};
use crate::listing::{files_in, list_folder};

/// The pictures of a data set, not sorted yet, and the remarks on it.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) train: Vec<PathBuf>,
    pub(super) validation: Vec<PathBuf>,
    pub(super) pictures: Vec<Labelled>,
    pub(super) remarks: Vec<String>,
    pub(super) problems: Vec<Problem>,
}

impl Contents {
    /// Lists the pictures in a folder and below. An empty folder, and one that cannot be listed, is
    /// a problem.
    pub(super) fn list(&mut self, folder: &Path) -> Vec<PathBuf> {
        match list_folder(folder) {
            Ok(found) => {
                self.problems.extend(found.problems);
                found.pictures
            }
            Err(error) => {
                self.problems.push(Problem::new(folder, error));
                Vec::new()
            }
        }
    }

    /// Remarks that pictures directly in `folder`, which have no class, are left out.
    pub(super) fn remark_unlabelled(&mut self, folder: &Path, beside: &str) -> Result<(), DataError> {
        let count = files_in(folder)?.len();
        if count > 0 {
            let pictures = counted(count, "picture");
            self.remarks.push(format!(
                "{pictures} directly in {}, beside {beside}, without a label: left out",
                folder.display()
            ));
        }
        Ok(())
    }
}

/// A number and a noun, which is in the plural unless the number is one.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
