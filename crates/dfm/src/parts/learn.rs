//! Learning: from good parts to a model of parts.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use dfm_core::{
    CalibrationKind, CalibrationParams, Dfm, DfmError, JudgeOptions, Keeping, Robust, SaveOptions, ViewScale,
};
use dfm_data::read_picture;
use sha2::{Digest, Sha256};

use super::error::PartsError;
use super::grouped::{GroupedParts, Part};
use super::judge::joint;
use super::model::{PartsModel, View};
use super::record::MAX_VIEWS;
use crate::checkpoint::Checkpoint;
use crate::error::{At, Error};
use crate::files::check_folder;
use crate::judge::Judge;
use crate::learn::Learner;
use crate::note::Note;
use crate::observer::Observer;
use crate::source::{Files, Source};

/// Learns what good parts look like, view by view, and the threshold of whole parts.
///
/// Each view has a model of its own, fitted by the learner. The joint score of a part is the largest of its
/// views' scores on the [scale](ViewScale) of their view. With leave-one-out, each good part is scored by
/// the models of the views without this part. The threshold is then an estimate, as in a usual model. With
/// split, a quarter of the parts is held out of every view, and their joint scores prove the rate.
#[derive(Debug, Clone)]
pub struct PartsLearner {
    learner: Learner,
    calibration: CalibrationParams,
}

/// Takes the models of all views, once the last one is fitted.
type Finish<'f> = &'f mut dyn FnMut(Vec<Dfm>) -> Result<(), Error>;

impl PartsLearner {
    /// Fits the views with `learner`, and calibrates parts as `calibration` says. The calibration of
    /// `learner` itself is ignored.
    pub fn new(learner: Learner, calibration: CalibrationParams) -> Self {
        Self { learner, calibration }
    }

    /// Fits a model of parts and writes it as the new folder `output`. What is learnt of each view is
    /// kept in `OUTPUT-VIEW.partial` until the folder is there. With `resume`, the fit goes on from it. The
    /// observer is told what cannot be used. A part with a picture that cannot be used does not calibrate.
    ///
    /// # Errors
    ///
    /// [`PartsError`] if there are too few views or parts, or parts do not support the calibration;
    /// [`Error::File`] if something is at `output` already; what a fit of a view gives.
    pub fn fit_to(
        &self,
        parts: &GroupedParts,
        output: &Path,
        save: &SaveOptions,
        resume: bool,
        observer: &dyn Observer,
    ) -> Result<PartsModel, Error> {
        let kind = self.check(parts)?;
        check_folder(output)?;
        let (fitted, held_out) = match kind {
            CalibrationKind::Split => self.split(parts)?,
            _ => (parts.clone(), Vec::new()),
        };
        let learner = self.view_learner()?;
        let views = 0..parts.views.len();
        let sources: Vec<Files> = views.map(|view| fitted.files(view)).collect();
        let checkpoints = parts.views.iter().map(|view| {
            let beside = beside(output, view);
            Checkpoint::beside(&beside, resume, observer)
        });
        let checkpoints = checkpoints.collect::<Result<Vec<_>, _>>()?;
        let keeps = self.learner.params().keeping.fit_statistic;
        let mut made = None;
        let mut finish = |models: Vec<Dfm>| {
            let model = self.joined(&fitted, &held_out, kind, models, keeps, observer)?;
            model.save(output, save)?;
            made = Some(model);
            Ok(())
        };
        let names = parts.views.as_slice();
        fit_views(&learner, names, &sources, &checkpoints, Vec::new(), observer, &mut finish)?;
        Ok(made.expect("the models of all views were joined"))
    }

    /// How parts are held out.
    fn check(&self, parts: &GroupedParts) -> Result<CalibrationKind, Error> {
        let got = parts.views.len();
        if !(2..=MAX_VIEWS).contains(&got) {
            return Err(PartsError::ViewCount { limit: MAX_VIEWS, got, views: parts.counted() }.into());
        }
        let usual = self.learner.params().method.usual_calibration();
        let kind = self.calibration.kind.unwrap_or(usual);
        let expected = match kind {
            CalibrationKind::LeaveOneOut if usual == CalibrationKind::Split => {
                Some("split for pictures in tiles that share statistics")
            }
            CalibrationKind::LeaveOneOut | CalibrationKind::Split => None,
            CalibrationKind::JackknifePlus => Some("leave-one-out or split for parts"),
        };
        if let Some(expected) = expected {
            return Err(
                PartsError::Calibration { name: "calibration", expected, got: kind.to_string() }.into()
            );
        }
        let expected = if kind == CalibrationKind::Split { 4 } else { 2 };
        match parts.parts.len() {
            got if got < expected => {
                Err(PartsError::TooFewParts { expected, got, views: parts.counted() }.into())
            }
            _ => Ok(kind),
        }
    }

    /// The learner for the model of one view. It keeps the held-out scores that the scale is made from.
    fn view_learner(&self) -> Result<Learner, Error> {
        let params = self.learner.params().clone();
        let method = params.method.clone().with_calibration(CalibrationParams::default());
        let keeping = Keeping::default().with_fit_statistic(true);
        // A foreign picture is not left out: a part is learnt with all its views or not at all.
        let run = params.run.with_robust(Robust::Off);
        Ok(self.learner.clone().with_params(params.with_method(method).with_run(run).with_keeping(keeping)))
    }

    /// The parts to fit on, and the quarter that calibrates, rounded up. The quarter has the smallest hashes
    /// of the first view's file. Parts with the same file are held out together, and one of them calibrates.
    fn split(&self, parts: &GroupedParts) -> Result<(GroupedParts, Vec<Part>), Error> {
        let mut by_hash: BTreeMap<[u8; 32], Vec<&Part>> = BTreeMap::new();
        for part in &parts.parts {
            // A picture that cannot be read is reported later, when it is learnt or judged.
            let bytes = read_picture(&part.pictures[0]).unwrap_or_default();
            let key = if bytes.is_empty() { Sha256::digest(&part.name) } else { Sha256::digest(bytes) };
            by_hash.entry(key.into()).or_default().push(part);
        }
        let count = by_hash.len().div_ceil(4);
        let held_out = by_hash.values().take(count).map(|same| same[0].clone()).collect();
        let names: BTreeSet<&str> =
            by_hash.values().skip(count).flatten().map(|part| part.name.as_str()).collect();
        let fitted = parts.parts.iter().filter(|part| names.contains(part.name.as_str())).cloned().collect();
        Ok((parts.with_parts(fitted), held_out))
    }

    /// Joins the models of the views to a model of parts.
    fn joined(
        &self,
        fitted: &GroupedParts,
        held_out: &[Part],
        kind: CalibrationKind,
        models: Vec<Dfm>,
        keeps: bool,
        observer: &dyn Observer,
    ) -> Result<PartsModel, Error> {
        let (mut scores, mut scales) = (Vec::new(), Vec::new());
        for model in &models {
            let found = model.held_out_scores()?;
            let values: Vec<f64> = found.iter().map(|(_, score)| *score).collect();
            scales.push(ViewScale::of(&values)?);
            // A held-out part is scaled by the scale of all others, as it was scored by their model.
            let scaled = ViewScale::without_each(&values)?;
            let named: HashMap<String, f64> = found
                .iter()
                .zip(scaled)
                .filter_map(|((hash, score), scale)| {
                    Some((model.picture_name(hash)?.to_owned(), scale.of_score(*score)))
                })
                .collect();
            scores.push(named);
        }
        let learnt: Vec<HashSet<String>> = models.iter().map(names_of).collect();
        let judge = |model: Dfm| {
            let model = if keeps { model } else { model.without_fit_statistic() };
            Judge::new(model).with_workers(self.learner.workers().clone())
        };
        let named = fitted.views.iter().zip(models.into_iter().map(judge)).zip(&scales);
        let views: Vec<View> =
            named.map(|((name, judge), scale)| View { name: name.clone(), judge, scale: *scale }).collect();
        let files: Vec<Files> = (0..views.len()).map(|view| fitted.files(view)).collect();
        // A model knows a picture by the name of its first copy, so the first counts.
        let is_learnt =
            |part: &usize| (0..views.len()).all(|view| learnt[view].contains(&files[view].name(*part)));
        let learnt = (0..fitted.parts.len()).filter(is_learnt).count();
        let of_parts = match kind {
            CalibrationKind::Split => {
                let parts = fitted.with_parts(held_out.to_vec());
                let mut all = Vec::with_capacity(views.len());
                for (number, view) in views.iter().enumerate() {
                    all.push(scaled_by(view, &parts.files(number), observer)?);
                }
                joint_of(&all, held_out.len())
            }
            // Each view sets other pictures aside, so most parts would have been learnt by one of the models.
            kind if views.iter().any(|view| view.judge.model().record().set_aside.is_some()) => {
                return Err(DfmError::TakesExactFit { kind }.into());
            }
            _ => {
                let of_view = |view: usize, part: usize| scores[view].get(&files[view].name(part)).copied();
                let all: Vec<Vec<Option<f64>>> = (0..views.len())
                    .map(|view| (0..fitted.parts.len()).map(|part| of_view(view, part)).collect())
                    .collect();
                joint_of(&all, fitted.parts.len())
            }
        };
        if of_parts.is_empty() {
            return Err(PartsError::TooFewParts { expected: 2, got: 0, views: fitted.counted() }.into());
        }
        let asked = self.calibration.with_kind(kind);
        PartsModel::new(fitted.pattern.clone(), views, asked, of_parts, learnt)
    }
}

/// Fits the views one after the other. All checkpoints stay until `finish` has returned.
fn fit_views(
    learner: &Learner,
    names: &[String],
    sources: &[Files],
    checkpoints: &[Checkpoint],
    mut done: Vec<Dfm>,
    observer: &dyn Observer,
    finish: Finish<'_>,
) -> Result<(), Error> {
    let Some((name, names)) = names.split_first() else { return finish(done) };
    observer.note(&Note::View { name: name.clone(), pictures: sources[0].count() });
    learner.fit_resumable(&sources[0], &checkpoints[0], observer, |model| {
        done.push(model);
        fit_views(learner, names, &sources[1..], &checkpoints[1..], done, observer, finish)
    })
}

/// The names of the pictures that a model has learnt.
fn names_of(model: &Dfm) -> HashSet<String> {
    let (_, hashes) = model.fit_statistics().unzip();
    let hashes = hashes.unwrap_or_default().iter();
    hashes.filter_map(|hash| model.picture_name(hash).map(str::to_owned)).collect()
}

/// The scaled scores of pictures of a view. `None` for a picture that cannot be judged, which is reported.
fn scaled_by(view: &View, files: &Files, observer: &dyn Observer) -> Result<Vec<Option<f64>>, Error> {
    let mut scores = vec![None; files.count()];
    view.judge
        .each(files, &JudgeOptions::default(), observer, |batch| {
            for one in batch {
                scores[one.index] = Some(view.scale.of_score(one.verdict.score));
            }
            Ok(())
        })
        .at(Path::new(&view.name))?;
    Ok(scores)
}

/// The joint scores of parts that have a scaled score in every view.
fn joint_of(scaled: &[Vec<Option<f64>>], parts: usize) -> Vec<f64> {
    let of_part = |part: usize| {
        let of_views: Option<Vec<f64>> = scaled.iter().map(|view| view[part]).collect();
        joint(&of_views?).map(|(_, score)| score)
    };
    (0..parts).filter_map(of_part).collect()
}

/// `OUTPUT-VIEW`, the path that the path of a view's checkpoint is made from.
fn beside(output: &Path, view: &str) -> PathBuf {
    // A separator at the end is removed. Otherwise the name would lie inside the folder.
    let mut name = output.components().collect::<PathBuf>().into_os_string();
    name.push(format!("-{view}"));
    PathBuf::from(name)
}
