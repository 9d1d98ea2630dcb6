//! From verdicts, batch by batch, to an evaluation.

use dfm_core::metrics::{
    BootstrapParams, ConfusionMatrix, MapCounts, PixelTally, best_f1, evaluate_images,
    precision_recall_curve, roc_curve,
};
use dfm_core::{AnomalyMap, MarkedPixels, Verdict};
use dfm_data::{Dataset, Labelled, MaskReading, Problem, TruthMask, read_masks};
use dfm_render::MapScale;
use rayon::prelude::*;

use super::evaluated::{Evaluated, EvaluatedPicture};
use super::masks::MaskCounts;
use crate::error::Error;
use crate::maps::PictureFiles;
use crate::note::Note;
use crate::observer::Reporter;

/// A picture that was judged, on its way into a tally.
pub(crate) struct Seen<'v> {
    /// Index of the picture in the data set.
    pub(crate) index: usize,
    pub(crate) verdict: &'v Verdict,
}

/// What is known of the pixels of a picture.
pub(crate) struct Shown<'p> {
    /// Whether its masks mark each pixel, row by row.
    pub(crate) mask: Option<&'p [bool]>,
    pub(crate) map: Option<&'p AnomalyMap>,
    /// The pixels of the map that belong to regions.
    pub(crate) marked: Option<&'p MarkedPixels>,
}

/// Verdicts and their truth, as they come.
pub(crate) struct Tally<'a> {
    dataset: &'a Dataset,
    scale: MapScale,
    defects: Vec<String>,
    pictures: Vec<EvaluatedPicture>,
    pixels: PixelTally,
    pixel_confusion: Option<ConfusionMatrix>,
    /// Index in `pictures` of each map in `pixels`.
    mapped: Vec<usize>,
    maps: usize,
    without_mask: usize,
    unusable_masks: usize,
    mask_counts: MaskCounts,
}

impl<'a> Tally<'a> {
    /// Begins an evaluation on `dataset`.
    pub(crate) fn new(dataset: &'a Dataset, scale: MapScale) -> Self {
        let anomalous = dataset.pictures.iter().filter(|picture| picture.is_anomalous());
        let mut defects: Vec<String> = anomalous.map(|picture| picture.class.clone()).collect();
        defects.sort();
        defects.dedup();
        let pixels = PixelTally::new(defects.len());
        Self {
            dataset,
            scale,
            defects,
            pictures: Vec::new(),
            pixels,
            pixel_confusion: None,
            mapped: Vec::new(),
            maps: 0,
            without_mask: 0,
            unusable_masks: 0,
            mask_counts: MaskCounts::default(),
        }
    }

    /// Adds a batch. Each map is made once, and masks are read, on all threads. A mask that cannot be
    /// used is told, and its picture counts without pixels. `each` gets, on one of the threads, every
    /// picture of the batch with its index there and what is known of its pixels. The files that it has
    /// written are kept; what else it makes is returned in order.
    pub(crate) fn push<T: Send>(
        &mut self,
        batch: &[Seen<'_>],
        reporter: &Reporter<'_>,
        each: impl Fn(usize, &Seen<'_>, &Shown<'_>) -> (PictureFiles, T) + Sync,
    ) -> Vec<T> {
        let (dataset, scale) = (self.dataset, &self.scale);
        let look = |(number, seen): (usize, &Seen<'_>)| {
            let labelled = &dataset.pictures[seen.index];
            let size = seen.verdict.size;
            let mask = (!labelled.masks.is_empty()).then(|| read_masks(&labelled.masks, size)).transpose();
            let (mask, readings, problem) = match mask {
                Ok(Some(TruthMask { marked, readings, .. })) => (Some(marked), readings, None),
                Ok(None) => (None, Vec::new(), None),
                Err(problem) => (None, Vec::new(), Some(problem)),
            };
            let map = seen.verdict.map();
            let marked = map.as_ref().and_then(|map| map.marked(&scale.rule));
            let counts = map.as_ref().and_then(|map| match &problem {
                None => counts(labelled, map, mask.as_deref(), marked.as_ref()),
                Some(_) => None,
            });
            let regions = map.as_ref().zip(marked.as_ref()).map(|(map, marked)| map.regions_of(marked));
            let shown = Shown { mask: mask.as_deref(), map: map.as_ref(), marked: marked.as_ref() };
            let (files, made) = each(number, seen, &shown);
            (Looked { counts, problem, readings, regions, has_map: map.is_some(), files }, made)
        };
        let looked: Vec<_> = batch.par_iter().enumerate().map(look).collect();
        let mut all = Vec::with_capacity(batch.len());
        for (seen, (looked, made)) in batch.iter().zip(looked) {
            self.add(seen, looked, reporter);
            all.push(made);
        }
        all
    }

    fn add(&mut self, seen: &Seen<'_>, looked: Looked, reporter: &Reporter<'_>) {
        let labelled = &self.dataset.pictures[seen.index];
        let Looked { counts, problem, readings, regions, has_map, files } = looked;
        for (path, reading) in labelled.masks.iter().zip(readings) {
            self.mask_counts.push(&reading);
            if reading.is_mostly_inside() {
                reporter.note(Note::MaskMarksMost { path: path.clone(), all: reading.is_all_inside() });
            }
        }
        let defect = match labelled.is_anomalous() {
            true => self.defects.binary_search(&labelled.class).ok(),
            false => None,
        };
        self.maps += usize::from(has_map);
        match (counts, problem) {
            (_, Some(Problem { path, error, .. })) => {
                self.unusable_masks += 1;
                reporter.problem(&path, error);
            }
            (Some(Counts { by_score, confusion }), None) => {
                if let Some(confusion) = confusion {
                    *self.pixel_confusion.get_or_insert_default() += confusion;
                }
                if defect.is_some() && by_score.anomalous_pixels() == 0 {
                    let (path, class) = (labelled.path.clone(), labelled.class.clone());
                    reporter.note(Note::EmptyMask { path, class });
                }
                self.mapped.push(self.pictures.len());
                self.pixels.push(defect, &by_score);
            }
            (None, None) => self.without_mask += usize::from(has_map),
        }
        let Verdict { score, normalized_score, p_value, label, outside_levels, .. } = *seen.verdict;
        self.pictures.push(EvaluatedPicture {
            path: labelled.path.clone(),
            class: labelled.class.clone(),
            defect,
            masks: labelled.masks.clone(),
            score,
            normalized_score,
            p_value,
            label,
            pixels: None,
            regions,
            outside_levels,
            files,
        });
    }

    /// Works out the evaluation of everything that was pushed. `threshold` is the score from which
    /// pictures are anomalous.
    ///
    /// # Errors
    ///
    /// If the parameters of the bootstrap are out of their range.
    pub(crate) fn finish(
        mut self,
        threshold: Option<f64>,
        bootstrap: Option<BootstrapParams>,
        errors: usize,
    ) -> Result<Evaluated, Error> {
        let params = bootstrap.map(BootstrapParams::check).transpose()?;
        let scores: Vec<f64> = self.pictures.iter().map(|picture| picture.score).collect();
        let kinds: Vec<Option<usize>> = self.pictures.iter().map(|picture| picture.defect).collect();
        let labels: Vec<bool> = kinds.iter().map(Option::is_some).collect();
        let pixel = self.pixels.finish(params.as_ref());
        for (index, pixels) in self.mapped.iter().zip(&pixel.pictures) {
            self.pictures[*index].pixels = *pixels;
        }
        Ok(Evaluated {
            image: evaluate_images(&scores, &kinds, self.defects.len(), threshold, params.as_ref()),
            roc: roc_curve(&scores, &labels),
            precision_recall: precision_recall_curve(&scores, &labels),
            confusion: threshold.map(|threshold| ConfusionMatrix::at(&scores, &labels, threshold)),
            pixel_confusion: self.pixel_confusion,
            best_f1: best_f1(&scores, &labels),
            pictures: self.pictures,
            defects: self.defects,
            threshold,
            review_from: None,
            support: None,
            scale: self.scale,
            maps: self.maps,
            pixel,
            bootstrap,
            errors,
            without_mask: self.without_mask,
            unusable_masks: self.unusable_masks,
            mask_counts: self.mask_counts,
        })
    }
}

/// What was found of one picture, apart from the others.
struct Looked {
    counts: Option<Counts>,
    /// The mask that cannot be used.
    problem: Option<Problem>,
    readings: Vec<MaskReading>,
    regions: Option<Vec<dfm_core::MapRegion>>,
    has_map: bool,
    files: PictureFiles,
}

/// The pixels of a picture.
struct Counts {
    by_score: MapCounts,
    /// At the pixel threshold, if there is one.
    confusion: Option<ConfusionMatrix>,
}

/// Counts the pixels of a picture against the truth; `None` if the truth is not known, as of a
/// defect without a mask.
fn counts(
    labelled: &Labelled,
    map: &AnomalyMap,
    mask: Option<&[bool]>,
    marked: Option<&MarkedPixels>,
) -> Option<Counts> {
    if labelled.is_anomalous() && mask.is_none() {
        return None;
    }
    let confusion = marked.map(|marked| ConfusionMatrix::of_marked(marked.pixels(), mask));
    Some(Counts { by_score: MapCounts::new(map, mask), confusion })
}
