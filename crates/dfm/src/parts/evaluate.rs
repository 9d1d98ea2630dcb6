//! Evaluation of a model of parts on parts whose truth is known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dfm_core::Label;
use dfm_core::metrics::{BestF1, BootstrapParams, ConfusionMatrix, ImageFigures, best_f1, evaluate_images};
use dfm_data::{Dataset, GOOD};
use serde::Serialize;

use super::grouped::GroupedParts;
use super::judge::{PartVerdict, PartsJudge, PartsOptions};
use super::model::PartsModel;
use super::pattern::PartPattern;
use crate::error::Error;
use crate::evaluate::{Bootstrap, PictureLine, below, files};
use crate::observer::Observer;

/// Measures a model of parts on a data set.
#[derive(Debug)]
pub struct PartsEvaluator<'m> {
    model: &'m PartsModel,
    bootstrap: Option<BootstrapParams>,
    pattern: Option<PartPattern>,
    names: [String; 2],
}

/// A finished evaluation of parts.
#[derive(Debug)]
pub struct PartsRun {
    root: PathBuf,
    verdicts: Vec<PartVerdict>,
    evaluation: PartsEvaluation,
}

/// What `dfm evaluate --format json` prints for a model of parts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PartsEvaluation {
    /// AUROC of the parts' joint scores; null where a class is missing.
    pub part_auroc: Option<f64>,
    /// The number of parts that were judged.
    pub parts: usize,
    /// The number of parts that were not judged: a view is missing, is there twice, or cannot be judged.
    pub unjudged: usize,
    /// The number of pictures of no part, or of an unknown view.
    pub unmatched: usize,
    /// The joint score from which a part is anomalous.
    pub threshold: f64,
    /// The counts at this threshold.
    pub confusion: ConfusionMatrix,
    /// The best F1 that any threshold could reach, if it were chosen with the truth known.
    pub best_f1: Option<BestF1>,
    /// One entry for each class.
    pub classes: BTreeMap<String, PartClass>,
    /// Every figure over parts, with intervals.
    pub part: ImageFigures,
    /// Every view, in the order of the model.
    pub views: Vec<ViewEvaluation>,
    /// How intervals were made.
    pub bootstrap: Option<Bootstrap>,
    /// The model, as it was named.
    pub model: String,
    /// Where the network computed.
    pub device: String,
    /// The data set, as it was named.
    pub dataset: String,
}

/// One class of a [`PartsEvaluation`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PartClass {
    /// The number of parts of this class that were judged.
    pub parts: usize,
    /// The number of these that are called anomalous.
    pub called_anomalous: usize,
    /// Mean joint score.
    pub mean_score: f64,
    /// AUROC of this defect against all good parts; null for `good`.
    pub part_auroc: Option<f64>,
}

/// One view of a [`PartsEvaluation`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ViewEvaluation {
    /// The view.
    pub view: String,
    /// AUROC that the scores of this view alone would have over the same parts.
    pub part_auroc: Option<f64>,
    /// Parts with a defect that are found and that this view decides.
    pub found: usize,
    /// Good parts that are called anomalous and that this view decides.
    pub rejected: usize,
}

impl<'m> PartsEvaluator<'m> {
    /// Measures `model`, with intervals of the usual number of draws.
    pub fn new(model: &'m PartsModel) -> Self {
        let bootstrap = Some(BootstrapParams::default());
        Self { model, bootstrap, pattern: None, names: Default::default() }
    }

    /// Sets how intervals are made. With `None` there are no intervals.
    #[must_use]
    pub fn with_bootstrap(self, bootstrap: Option<BootstrapParams>) -> Self {
        Self { bootstrap, ..self }
    }

    /// Joins pictures by this pattern, whatever the model or the list says.
    #[must_use]
    pub fn with_pattern(self, pattern: Option<PartPattern>) -> Self {
        Self { pattern, ..self }
    }

    /// The names of the model, such as its path, and of the device.
    #[must_use]
    pub fn with_names(self, model: impl Into<String>, device: impl Into<String>) -> Self {
        Self { names: [model.into(), device.into()], ..self }
    }

    /// Joins the pictures of `dataset` to parts, judges every part and compares the verdict with the truth.
    /// Pictures are joined by the pattern that was set, else by the parts that the list names, else by the
    /// model's pattern. A part has a defect if any of its views has one. The observer is told what cannot be
    /// used.
    ///
    /// # Errors
    ///
    /// If the options do not fit the model, or the bootstrap is out of its range.
    pub fn run(
        &self,
        dataset: &Dataset,
        options: &PartsOptions,
        observer: &dyn Observer,
    ) -> Result<PartsRun, Error> {
        let params = self.bootstrap.map(BootstrapParams::check).transpose()?;
        let pattern = match &self.pattern {
            Some(pattern) => Some(pattern),
            None if !dataset.parts.is_empty() => None,
            None => self.model.pattern(),
        };
        let names = self.model.view_names();
        let (pictures, listed) = (&dataset.pictures, &dataset.parts);
        let parts = GroupedParts::labelled(pictures, listed, pattern, &names, dataset.folder(), observer);
        let judge = PartsJudge::new(self.model, options)?;
        let mut verdicts = Vec::with_capacity(parts.parts.len());
        let without = judge.each(&parts, observer, |batch| {
            verdicts.extend(batch);
            Ok(())
        })?;
        let threshold = judge.threshold();
        let defects = defects_of(&verdicts);
        let kinds: Vec<Option<usize>> = verdicts.iter().map(|part| kind(part, &defects)).collect();
        let labels: Vec<bool> = kinds.iter().map(Option::is_some).collect();
        let scores: Vec<f64> = verdicts.iter().map(|part| part.score).collect();
        let figures =
            |scores: &[f64], params| evaluate_images(scores, &kinds, defects.len(), Some(threshold), params);
        let found = figures(&scores, params.as_ref());
        let auroc = |figures: &ImageFigures| figures.auroc.map(|figure| figure.value);
        let views = names.iter().enumerate().map(|(number, view)| {
            let own: Vec<f64> = verdicts.iter().map(|part| part.views[number].scaled).collect();
            let decided = |anomalous: bool| {
                let called = |part: &&PartVerdict| part.deciding == number && part.label == Label::Anomalous;
                verdicts.iter().filter(called).filter(|part| is_anomalous(part) == anomalous).count()
            };
            ViewEvaluation {
                view: view.clone(),
                part_auroc: auroc(&figures(&own, None).figures),
                found: decided(true),
                rejected: decided(false),
            }
        });
        let views = views.collect();
        let mut classes = BTreeMap::new();
        for class in std::iter::once(GOOD).chain(defects.iter().map(String::as_str)) {
            let own: Vec<&PartVerdict> = verdicts.iter().filter(|part| class_of(part) == class).collect();
            if own.is_empty() {
                continue;
            }
            let defect = defects.iter().position(|defect| defect == class);
            let one = PartClass {
                parts: own.len(),
                called_anomalous: own.iter().filter(|part| part.label == Label::Anomalous).count(),
                mean_score: own.iter().map(|part| part.score).sum::<f64>() / own.len() as f64,
                part_auroc: defect.and_then(|defect| auroc(&found.defects[defect])),
            };
            classes.insert(class.to_owned(), one);
        }
        let [model, device] = self.names.clone();
        let evaluation = PartsEvaluation {
            part_auroc: auroc(&found.figures),
            parts: verdicts.len(),
            unjudged: parts.incomplete + without,
            unmatched: parts.unmatched,
            threshold,
            confusion: ConfusionMatrix::at(&scores, &labels, threshold),
            best_f1: best_f1(&scores, &labels),
            classes,
            part: found.figures,
            views,
            bootstrap: self.bootstrap.map(|BootstrapParams { replicates, seed }| Bootstrap {
                replicates,
                seed,
                level: 0.95,
            }),
            model,
            device,
            dataset: dataset.root.display().to_string(),
        };
        Ok(PartsRun { root: dataset.folder().to_owned(), verdicts, evaluation })
    }
}

impl PartsRun {
    /// The figures.
    pub fn evaluation(&self) -> &PartsEvaluation {
        &self.evaluation
    }

    /// Every part with its verdict.
    pub fn verdicts(&self) -> &[PartVerdict] {
        &self.verdicts
    }

    /// Writes [`METRICS`](crate::METRICS) and [`PREDICTIONS`](crate::PREDICTIONS) into `folder`, and the
    /// `config` of the run as [`CONFIG`](crate::CONFIG). The folder is made if it is not there. Each line of
    /// the predictions is about one part. It has the form of a line about a picture, so that two runs can be
    /// compared.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if a file cannot be written.
    pub fn write(&self, folder: &Path, config: Option<&str>) -> Result<(), Error> {
        let lines = self.verdicts.iter().map(|part| self.line(part));
        files::write(folder, lines, &self.evaluation, config)
    }

    fn line(&self, part: &PartVerdict) -> PictureLine {
        PictureLine {
            path: below(&self.root, Path::new(&part.name)),
            class: class_of(part).to_owned(),
            anomalous: is_anomalous(part),
            score: part.score,
            normalized_score: Some(part.normalized_score),
            label: Some(part.label),
            contradiction: None,
            p_value: Some(part.p_value),
            threshold: Some(self.evaluation.threshold),
            masks: Vec::new(),
            pixels: None,
            pixel_threshold: None,
            regions: None,
            outside_levels: None,
        }
    }
}

fn class_of(part: &PartVerdict) -> &str {
    part.class.as_deref().unwrap_or(GOOD)
}

fn is_anomalous(part: &PartVerdict) -> bool {
    class_of(part) != GOOD
}

fn kind(part: &PartVerdict, defects: &[String]) -> Option<usize> {
    defects.iter().position(|defect| defect == class_of(part))
}

/// The classes of defects, sorted.
fn defects_of(verdicts: &[PartVerdict]) -> Vec<String> {
    let classes = verdicts.iter().filter(|part| is_anomalous(part)).map(|part| class_of(part).to_owned());
    let mut defects: Vec<String> = classes.collect();
    defects.sort();
    defects.dedup();
    defects
}
