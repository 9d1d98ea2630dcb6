//! From verdicts, batch by batch, to an evaluation.

use std::path::PathBuf;

use dfm_core::metrics::{
    BootstrapParams, ConfusionMatrix, MapCounts, PixelTally, best_f1, evaluate_images,
    precision_recall_curve, roc_curve,
};
use rayon::prelude::*;

use super::{Evaluated, EvaluatedPicture};
use crate::commands::Judged;
use crate::input::{Dataset, Labelled, read_masks};
use crate::messages::Messages;
use crate::report::scale::MapScale;

/// Verdicts and their truth, as they come.
pub(crate) struct Tally<'a> {
    dataset: &'a Dataset,
    scale: MapScale,
    defects: Vec<String>,
    pictures: Vec<EvaluatedPicture>,
    pixels: PixelTally,
    pixel_confusion: Option<ConfusionMatrix>,
    /// Which of `pictures` each map in `pixels` belongs to.
    mapped: Vec<usize>,
    maps: usize,
    without_mask: usize,
    unusable_masks: usize,
}

impl<'a> Tally<'a> {
    /// Of nothing yet.
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
        }
    }

    /// Adds a batch. Maps are made and masks read on all processors; a mask that cannot be
    /// used is reported, and its picture counts without pixels.
    pub(crate) fn push(&mut self, batch: &[Judged], messages: &Messages) {
        let found = |judged: &Judged| {
            let labelled = &self.dataset.pictures[judged.index];
            (counts(labelled, judged, self.scale.pixel_threshold), self.scale.regions(judged))
        };
        let found: Vec<_> = batch.par_iter().map(found).collect();
        for (judged, (counts, regions)) in batch.iter().zip(found) {
            let labelled = &self.dataset.pictures[judged.index];
            let defect = match labelled.is_anomalous() {
                true => self.defects.binary_search(&labelled.class).ok(),
                false => None,
            };
            self.maps += usize::from(judged.prediction.grid.is_some());
            match counts {
                Ok(Some(Counts { by_score, confusion })) => {
                    if let Some(confusion) = confusion {
                        *self.pixel_confusion.get_or_insert_default() += confusion;
                    }
                    if defect.is_some() && by_score.anomalous_pixels() == 0 {
                        messages.note(format_args!(
                            "{}: its mask marks nothing, though it is of class {}",
                            labelled.path.display(),
                            labelled.class
                        ));
                    }
                    self.mapped.push(self.pictures.len());
                    self.pixels.push(defect, &by_score);
                }
                Ok(None) => self.without_mask += usize::from(judged.prediction.grid.is_some()),
                Err((path, error)) => {
                    self.unusable_masks += 1;
                    messages.error(&path, format_args!("{error:#}"));
                }
            }
            self.pictures.push(EvaluatedPicture {
                path: labelled.path.clone(),
                class: labelled.class.clone(),
                defect,
                masks: labelled.masks.clone(),
                score: judged.prediction.score,
                normalized_score: judged.prediction.normalized_score,
                p_value: judged.prediction.p_value,
                label: judged.prediction.label,
                pixels: None,
                regions,
            });
        }
    }

    /// The evaluation of everything pushed.
    ///
    /// # Errors
    ///
    /// If the parameters of the bootstrap are out of their range.
    pub(crate) fn finish(
        mut self,
        threshold: Option<f64>,
        bootstrap: Option<BootstrapParams>,
        errors: usize,
    ) -> anyhow::Result<Evaluated> {
        let params = bootstrap.map(BootstrapParams::check).transpose()?;
        let scores: Vec<f64> = self.pictures.iter().map(|picture| picture.score).collect();
        let kinds: Vec<Option<usize>> = self.pictures.iter().map(|picture| picture.defect).collect();
        let labels: Vec<bool> = kinds.iter().map(Option::is_some).collect();
        let pixel = self.pixels.finish(params.as_ref());
        for (place, pixels) in self.mapped.iter().zip(&pixel.pictures) {
            self.pictures[*place].pixels = *pixels;
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
            scale: self.scale,
            maps: self.maps,
            pixel,
            bootstrap,
            errors,
            without_mask: self.without_mask,
            unusable_masks: self.unusable_masks,
        })
    }
}

/// The pixels of a picture.
struct Counts {
    by_score: MapCounts,
    /// At the pixel threshold, if there is one.
    confusion: Option<ConfusionMatrix>,
}

/// The pixels of a picture against the truth; nothing without a map or a mask.
fn counts(
    labelled: &Labelled,
    judged: &Judged,
    threshold: Option<f64>,
) -> Result<Option<Counts>, (PathBuf, anyhow::Error)> {
    let Some(grid) = &judged.prediction.grid else { return Ok(None) };
    if labelled.is_anomalous() && labelled.masks.is_empty() {
        return Ok(None);
    }
    let mask = match labelled.is_anomalous() {
        true => Some(read_masks(&labelled.masks, judged.size)?),
        false => None,
    };
    let (map, mask) = (grid.upsample(judged.size), mask.as_deref());
    let confusion = threshold.map(|threshold| ConfusionMatrix::of_pixels(&map, mask, threshold));
    Ok(Some(Counts { by_score: MapCounts::new(&map, mask), confusion }))
}
