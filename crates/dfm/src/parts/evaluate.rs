//! Evaluation of a model of parts on parts whose truth is known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dfm_core::Label;
use dfm_core::metrics::{BootstrapParams, ConfusionMatrix, ImageFigures, best_f1, evaluate_images};
use dfm_data::{Dataset, GOOD};

use super::evaluation::{PartClass, PartsEvaluation, ViewEvaluation, class_of, is_anomalous};
use super::grouped::GroupedParts;
use super::images::MasksOf;
use super::judge::{PartVerdict, PartsJudge, PartsOptions};
use super::line::view_lines;
use super::model::PartsModel;
use super::pattern::PartPattern;
use super::report;
use crate::error::Error;
use crate::evaluate::{Bootstrap, Contradictions, PictureLine, below, files};
use crate::observer::Observer;
use crate::report::Gallery;

/// Measures a model of parts on a data set.
#[derive(Debug)]
pub struct PartsEvaluator<'m> {
    model: &'m PartsModel,
    bootstrap: Option<BootstrapParams>,
    pattern: Option<PartPattern>,
    has_pictures: bool,
    names: [String; 2],
}

/// A finished evaluation of parts.
#[derive(Debug)]
pub struct PartsRun {
    root: PathBuf,
    verdicts: Vec<PartVerdict>,
    evaluation: PartsEvaluation,
    gallery: Option<Gallery>,
}

impl<'m> PartsEvaluator<'m> {
    /// Measures `model`, with intervals of the usual number of draws.
    pub fn new(model: &'m PartsModel) -> Self {
        let bootstrap = Some(BootstrapParams::default());
        Self { model, bootstrap, pattern: None, has_pictures: false, names: Default::default() }
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

    /// Keeps small copies of the pictures, maps and masks of all views for the page of
    /// [`PartsRun::write_report`].
    #[must_use]
    pub fn with_pictures(self, has_pictures: bool) -> Self {
        Self { has_pictures, ..self }
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
        let parts = self.group(dataset, observer);
        self.run_on(dataset, &parts, &PartsJudge::new(self.model, options)?, observer)
    }

    /// Joins the pictures of `dataset` to parts, as [`run`](Self::run) does.
    pub fn group(&self, dataset: &Dataset, observer: &dyn Observer) -> GroupedParts {
        let pattern = match &self.pattern {
            Some(pattern) => Some(pattern),
            None if !dataset.parts.is_empty() => None,
            None => self.model.pattern(),
        };
        let names = self.model.view_names();
        let (pictures, listed) = (&dataset.pictures, &dataset.parts);
        GroupedParts::labelled(pictures, listed, pattern, &names, dataset.folder(), observer)
    }

    /// [`run`](Self::run) on the `parts` of [`group`](Self::group), with a `judge` of the same model, which
    /// may write maps.
    ///
    /// # Errors
    ///
    /// If the bootstrap is out of its range, or a temporary file cannot be written.
    pub fn run_on(
        &self,
        dataset: &Dataset,
        parts: &GroupedParts,
        judge: &PartsJudge<'_>,
        observer: &dyn Observer,
    ) -> Result<PartsRun, Error> {
        let params = self.bootstrap.map(BootstrapParams::check).transpose()?;
        let names = self.model.view_names();
        let masks = self.has_pictures.then(|| MasksOf::new(dataset));
        let mut gallery = self.has_pictures.then(Gallery::new).transpose()?;
        let mut verdicts = Vec::with_capacity(parts.parts.len());
        let without = judge.each_shown(parts, masks.as_ref(), observer, |batch| {
            for (verdict, images) in batch {
                verdicts.push(verdict);
                if let Some(gallery) = &mut gallery {
                    images.into_iter().try_for_each(|images| gallery.push(images))?;
                }
            }
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
            contradictions: Contradictions::of(verdicts.iter().map(PartVerdict::contradiction)),
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
        Ok(PartsRun { root: dataset.folder().to_owned(), verdicts, evaluation, gallery })
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

    /// Writes the page [`PAGE`](crate::PAGE) and its plots into `folder`, which is made if it is not there.
    /// Each entry is a part with all its views. Without [`PartsEvaluator::with_pictures`] the page shows no
    /// pictures.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if a file cannot be written, [`Error::Report`] if a figure cannot be drawn.
    pub fn write_report(&mut self, folder: &Path) -> Result<(), Error> {
        if self.gallery.is_none() {
            self.gallery = Some(Gallery::new()?);
        }
        let gallery = self.gallery.as_mut().expect("a gallery was made above");
        report::write(folder, &self.root, &self.verdicts, &self.evaluation, gallery)
    }

    fn line(&self, part: &PartVerdict) -> PictureLine {
        let names = self.evaluation.views.iter().map(|view| view.view.as_str());
        PictureLine {
            path: below(&self.root, Path::new(&part.name)),
            class: class_of(part).to_owned(),
            anomalous: is_anomalous(part),
            score: part.score,
            normalized_score: Some(part.normalized_score),
            label: Some(part.label),
            contradiction: part.contradiction(),
            p_value: Some(part.p_value),
            threshold: Some(self.evaluation.threshold),
            masks: Vec::new(),
            pixels: None,
            pixel_threshold: None,
            regions: None,
            heatmap: None,
            overlay: None,
            mask: None,
            raw_map: None,
            outside_levels: None,
            views: Some(view_lines(names, part)),
        }
    }
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
