//! A picture and what is known of it.

use std::path::PathBuf;

/// The class of pictures without defects, whatever a data set calls them.
pub const GOOD: &str = "good";

/// The class of defects that a data set gives no name.
pub(super) const DEFECT: &str = "defect";

/// A picture and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    /// Where the picture is.
    pub path: PathBuf,
    /// Its class: [`GOOD`] or a defect.
    pub class: String,
    /// Masks that mark its defect, if there are any. A pixel is marked if any mask marks it.
    pub masks: Vec<PathBuf>,
}

impl Labelled {
    pub(super) fn good(path: PathBuf) -> Self {
        Self { path, class: GOOD.to_owned(), masks: Vec::new() }
    }

    /// Whether it shows a defect.
    pub fn is_anomalous(&self) -> bool {
        self.class != GOOD
    }
}
