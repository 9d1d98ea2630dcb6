//! What a reader of a layout finds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::labelled::Labelled;
use super::list::PartOf;
use crate::error::{DataError, Problem};
use crate::left_out::counted;
use crate::listing::{Listing, files_in, list_folder, list_good};

/// The pictures of a data set, not sorted yet, and the remarks on it.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) train: Vec<PathBuf>,
    pub(super) validation: Vec<PathBuf>,
    pub(super) pictures: Vec<Labelled>,
    pub(super) remarks: Vec<String>,
    pub(super) problems: Vec<Problem>,
    pub(super) parts: BTreeMap<PathBuf, PartOf>,
}

impl Contents {
    /// Lists the pictures in a folder and below. An empty folder, and one that cannot be listed, is
    /// a problem.
    pub(super) fn list(&mut self, folder: &Path) -> Vec<PathBuf> {
        self.take(folder, list_folder(folder))
    }

    /// Lists the pictures in a folder and below that may be taken for good.
    pub(super) fn list_good(&mut self, folder: &Path) -> Vec<PathBuf> {
        self.take(folder, list_good(folder))
    }

    fn take(&mut self, folder: &Path, found: Result<Listing, DataError>) -> Vec<PathBuf> {
        match found {
            Ok(found) => {
                let named = |remark: String| format!("{}: {remark}", folder.display());
                self.remarks.extend(found.remarks(folder).into_iter().map(named));
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
