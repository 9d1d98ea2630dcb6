//! Judges the pictures of each part with the models of their views, and makes one verdict for the part.

use std::path::{Path, PathBuf};

use dfm_core::{Calibration, JudgeOptions, Label, Threshold};

use super::error::PartsError;
use super::grouped::{GroupedParts, Part};
use super::model::{PartsModel, View};
use crate::error::Error;
use crate::note::Note;
use crate::observer::{Observer, Reporter, Stage};
use crate::source::Files;

/// How many parts are judged together: all their pictures of one view, then all of the next view.
const CHUNK: usize = 64;

/// The options of one call that judges parts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct PartsOptions {
    /// The threshold from which a part is anomalous. `None` for the model's own threshold.
    pub threshold: Option<Threshold>,
}

impl PartsOptions {
    /// Sets the threshold from which a part is anomalous.
    #[must_use]
    pub fn with_threshold(self, threshold: impl Into<Option<Threshold>>) -> Self {
        Self { threshold: threshold.into() }
    }
}

/// Judges parts.
#[derive(Debug)]
pub struct PartsJudge<'m> {
    model: &'m PartsModel,
    decision: Calibration,
}

/// The verdict on one part.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PartVerdict {
    /// The part.
    pub name: String,
    /// Its class, if pictures are labelled.
    pub class: Option<String>,
    /// The joint score: the largest of the views' scores on their common scale.
    pub score: f64,
    /// The normalised score: in (0, 1), and ½ at the threshold.
    pub normalized_score: f64,
    /// The p-value: the share of good parts that look at least as abnormal.
    pub p_value: f64,
    /// Whether the part is anomalous.
    pub label: Label,
    /// The index of the view that has the largest score on the common scale. If several have it, the first.
    pub deciding: usize,
    /// The views, in the order of the model.
    pub views: Vec<ViewVerdict>,
}

/// What the model of a view says of its picture of a part.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ViewVerdict {
    /// The picture.
    pub path: PathBuf,
    /// The raw score of the view's model.
    pub score: f64,
    /// The same on the scale that all views share.
    pub scaled: f64,
    /// The p-value in this view: the share of its good pictures that look at least as abnormal.
    pub p_value: Option<f64>,
}

impl<'m> PartsJudge<'m> {
    /// Judges with `model` as `options` ask.
    ///
    /// # Errors
    ///
    /// If the threshold is not finite, or the held-out parts are too few for the rate.
    pub fn new(model: &'m PartsModel, options: &PartsOptions) -> Result<Self, Error> {
        Ok(Self { model, decision: model.decision(options.threshold)? })
    }

    /// The model.
    pub fn model(&self) -> &PartsModel {
        self.model
    }

    /// The joint score from which a part is anomalous.
    pub fn threshold(&self) -> f64 {
        self.decision.threshold()
    }

    /// Judges all `parts` in order and hands the verdicts to `sink`, some at a time. The observer is told of
    /// pictures that cannot be judged, and of parts without a verdict. Returns the number of parts without a
    /// verdict.
    ///
    /// # Errors
    ///
    /// Whatever `sink` returns.
    pub fn each(
        &self,
        parts: &GroupedParts,
        observer: &dyn Observer,
        mut sink: impl FnMut(Vec<PartVerdict>) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        let reporter = Reporter::new(observer);
        let total = parts.parts.len() * self.model.views().len();
        let progress = reporter.stage(Stage::Judging, Some(total));
        let quiet = Problems(observer);
        let mut without = 0;
        for chunk in parts.parts.chunks(CHUNK) {
            let mut found = Vec::with_capacity(self.model.views().len());
            for (number, view) in self.model.views().iter().enumerate() {
                found.push(self.view(number, view, chunk, &quiet)?);
                chunk.iter().for_each(|_| progress.step());
            }
            let mut verdicts = Vec::with_capacity(chunk.len());
            for (index, part) in chunk.iter().enumerate() {
                let views: Result<Vec<ViewVerdict>, usize> = found
                    .iter_mut()
                    .enumerate()
                    .map(|(number, view)| view[index].take().ok_or(number))
                    .collect();
                match views {
                    Ok(views) => verdicts.push(self.verdict(part, views)),
                    Err(number) => {
                        without += 1;
                        let view = self.model.views()[number].name.clone();
                        reporter.problem(Path::new(&part.name), PartsError::NotJudged { view });
                    }
                }
            }
            sink(verdicts)?;
        }
        Ok(without)
    }

    fn view(
        &self,
        number: usize,
        view: &View,
        parts: &[Part],
        observer: &dyn Observer,
    ) -> Result<Vec<Option<ViewVerdict>>, Error> {
        let paths: Vec<PathBuf> = parts.iter().map(|part| part.pictures[number].clone()).collect();
        let files = Files::new(Path::new(""), paths);
        let mut found = vec![None; parts.len()];
        view.judge.each(&files, &JudgeOptions::default(), observer, |batch| {
            for one in batch {
                let score = one.verdict.score;
                found[one.index] = Some(ViewVerdict {
                    path: files.paths()[one.index].clone(),
                    score,
                    scaled: view.scale.of_score(score),
                    p_value: one.verdict.p_value,
                });
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn verdict(&self, part: &Part, views: Vec<ViewVerdict>) -> PartVerdict {
        let scaled: Vec<f64> = views.iter().map(|view| view.scaled).collect();
        let (deciding, score) = joint(&scaled).expect("a model of parts has views");
        PartVerdict {
            name: part.name.clone(),
            class: part.class.clone(),
            score,
            normalized_score: self.decision.normalize(score),
            p_value: self.model.calibration().p_value(score),
            label: self.decision.label(score),
            deciding,
            views,
        }
    }
}

/// The joint score of a part: the largest of the `scaled` scores of its views, with its index. If several
/// are the largest, the first of them.
pub(super) fn joint(scaled: &[f64]) -> Option<(usize, f64)> {
    scaled.iter().copied().enumerate().reduce(|most, one| if one.1 > most.1 { one } else { most })
}

/// Passes on problems and notes only, because progress is counted in parts.
struct Problems<'o>(&'o dyn Observer);

impl Observer for Problems<'_> {
    fn problem(&self, path: &Path, error: &Error) {
        self.0.problem(path, error);
    }

    fn note(&self, note: &Note) {
        self.0.note(note);
    }
}
