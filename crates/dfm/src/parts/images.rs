//! What a page shows of the pictures of a part.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dfm_core::Verdict;
use dfm_data::{Dataset, TruthMask, read_masks};
use dfm_render::MapScale;
use dfm_report::Images;
use image::RgbImage;

use crate::observer::Reporter;
use crate::report;

/// The masks of the pictures of a data set.
pub(super) struct MasksOf<'d>(BTreeMap<&'d Path, &'d [PathBuf]>);

impl<'d> MasksOf<'d> {
    pub(super) fn new(dataset: &'d Dataset) -> Self {
        let pictures = dataset.pictures.iter().filter(|picture| !picture.masks.is_empty());
        Self(pictures.map(|picture| (picture.path.as_path(), picture.masks.as_slice())).collect())
    }

    /// The images that the page shows of the picture at `path`. The reporter hears what cannot be shown.
    pub(super) fn images(
        &self,
        path: &Path,
        small: &RgbImage,
        verdict: &Verdict,
        scale: &MapScale,
        reporter: &Reporter<'_>,
    ) -> Images {
        let masks = self.0.get(path).map(|masks| read_masks(masks, verdict.size)).transpose();
        let mask = masks.unwrap_or_else(|problem| {
            reporter.problem(&problem.path, problem.error);
            None
        });
        let marked = mask.as_ref().map(|TruthMask { marked, .. }| marked.as_slice());
        report::images(small, verdict, marked, scale).unwrap_or_else(|error| {
            reporter.problem(path, error);
            Images::default()
        })
    }
}
