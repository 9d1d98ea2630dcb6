//! A model of parts: a model for each view, and what joins them.

use std::path::{Path, PathBuf};

use dfm_core::{
    Calibration, CalibrationKind, CalibrationParams, Dfm, DfmError, JointCalibration, ModelInfo, NotSearched,
    SaveOptions, Threshold, ViewScale,
};
use serde::Serialize;

use super::error::PartsError;
use super::pattern::PartPattern;
use super::record::{PARTS, Record, ViewRecord, file_of};
use crate::error::Error;
use crate::files::{check_folder, put, write_folder};
use crate::judge::Judge;
use crate::store::ModelStore;

/// A model of parts. In a folder it is `VIEW.dfm` for each view, which is a usual model of the pictures
/// of that view, and [`PARTS`], which joins them.
#[derive(Debug)]
pub struct PartsModel {
    pub(super) pattern: Option<PartPattern>,
    pub(super) views: Vec<View>,
    pub(super) calibration: JointCalibration,
    pub(super) asked: CalibrationParams,
    pub(super) parts: usize,
}

/// One view of a model of parts.
#[derive(Debug)]
#[non_exhaustive]
pub struct View {
    /// Its name.
    pub name: String,
    /// Its judge, with the model of its pictures.
    pub judge: Judge,
    /// The scale that makes its scores comparable with those of the other views.
    pub scale: ViewScale,
}

/// What a model of parts says about itself, read without its weights.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PartsInfo {
    /// The program that wrote it.
    pub program: String,
    /// The pattern that joins pictures to parts; null if a list named the parts.
    pub pattern: Option<String>,
    /// The number of parts that were learnt.
    pub parts: usize,
    /// The joint score from which a part is anomalous.
    pub threshold: f64,
    /// The stated rate of false alarms; null for an estimate, or a threshold that was given.
    pub false_alarm: Option<f64>,
    /// Whether the threshold was given.
    pub threshold_given: bool,
    /// How parts were held out.
    pub calibration: CalibrationKind,
    /// What is therefore proved about p-values.
    pub guarantee: &'static str,
    /// Parts that were held out.
    pub held_out: usize,
    /// Why no picture was looked at for being foreign to the others.
    pub not_searched: NotSearched,
    /// The views.
    pub views: Vec<ViewInfo>,
}

/// One view of a [`PartsInfo`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ViewInfo {
    /// Its name.
    pub view: String,
    /// The median of its held-out scores, which is 0 on the joint scale.
    pub median: f64,
    /// The distance from the median to the 90 % quantile, which is 1 on the joint scale.
    pub reach: f64,
    /// What its model says about itself.
    pub model: ModelInfo,
}

impl PartsModel {
    pub(super) fn new(
        pattern: Option<PartPattern>,
        views: Vec<View>,
        asked: CalibrationParams,
        held_out: Vec<f64>,
        parts: usize,
    ) -> Result<Self, Error> {
        let calibration = JointCalibration::new(asked, held_out).map_err(of_parts)?;
        Ok(Self { pattern, views, calibration, asked, parts })
    }

    /// Opens the model in `folder`, each view as `store` opens models.
    ///
    /// # Errors
    ///
    /// [`PartsError`] if [`PARTS`] is damaged, or the model of a view is not the one that the parts were
    /// calibrated with. Otherwise those of [`ModelStore::open`].
    pub fn open(folder: &Path, store: &ModelStore) -> Result<Self, Error> {
        let record = Record::read(folder)?;
        let pattern = record.pattern.as_deref().map(PartPattern::new).transpose()?;
        let mut views = Vec::with_capacity(record.views.len());
        for view in &record.views {
            let path = view.path(folder);
            let model = store.open(&path)?;
            let got = model.origin().map(|origin| origin.digest.clone()).unwrap_or_default();
            view.check_digest(path, got)?;
            let scale = view.scale()?;
            let judge = Judge::new(model).with_workers(store.workers().clone());
            views.push(View { name: view.view.clone(), judge, scale });
        }
        Self::new(pattern, views, record.calibration.into(), record.held_out, record.parts)
    }

    /// Reads what the model in `folder` says about itself. Hashes are checked, but self-tests are not run.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), except those of self-tests.
    pub fn info(folder: &Path) -> Result<PartsInfo, Error> {
        let record = Record::read(folder)?;
        let asked = CalibrationParams::from(record.calibration);
        let (held_out, scores) = (record.held_out.len(), record.held_out);
        let calibration = JointCalibration::new(asked, scores).map_err(of_parts)?;
        let view = |view: &ViewRecord| -> Result<ViewInfo, Error> {
            let path = view.path(folder);
            let model = ModelStore::info(&path)?;
            view.check_digest(path, model.digest.clone())?;
            let scale = view.scale()?;
            Ok(ViewInfo { view: view.view.clone(), median: scale.median(), reach: scale.reach(), model })
        };
        Ok(PartsInfo {
            program: record.program,
            pattern: record.pattern,
            parts: record.parts,
            threshold: calibration.decision(None)?.threshold(),
            false_alarm: asked.false_alarm,
            threshold_given: asked.threshold.is_some(),
            calibration: calibration.kind(),
            guarantee: calibration.kind().guarantee(),
            held_out,
            not_searched: NotSearched::Parts,
            views: record.views.iter().map(view).collect::<Result<_, _>>()?,
        })
    }

    /// Writes the model as the new folder `folder`, which appears whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if something is there already, or the system refuses.
    pub fn save(&self, folder: &Path, options: &SaveOptions) -> Result<(), Error> {
        check_folder(folder)?;
        write_folder(folder, |inside| {
            let mut views = Vec::with_capacity(self.views.len());
            for View { name, judge, scale } in &self.views {
                let path = inside.join(file_of(name));
                ModelStore::save(judge.model(), &path, options)?;
                let digest = ModelStore::info(&path)?.digest;
                let (median, reach) = (scale.median(), scale.reach());
                views.push(ViewRecord { view: name.clone(), digest, median, reach });
            }
            let pattern = self.pattern.as_ref().map(|pattern| pattern.as_str().to_owned());
            let held_out = self.calibration.held_out().to_vec();
            let record = Record::new(pattern, self.parts, self.asked, views, held_out);
            put(&inside.join(PARTS), format!("{}\n", record.text()?).as_bytes())?;
            Ok(())
        })
    }

    /// The pattern that joins pictures to parts; `None` if a list named the parts.
    pub fn pattern(&self) -> Option<&PartPattern> {
        self.pattern.as_ref()
    }

    /// The views, sorted by name.
    pub fn views(&self) -> &[View] {
        &self.views
    }

    /// The names of the views, sorted.
    pub fn view_names(&self) -> Vec<String> {
        self.views.iter().map(|view| view.name.clone()).collect()
    }

    /// Parts that were learnt.
    pub fn parts(&self) -> usize {
        self.parts
    }

    /// The joint scores of held-out parts, and how they were held out.
    pub fn calibration(&self) -> &JointCalibration {
        &self.calibration
    }

    /// The threshold from which a part is anomalous.
    pub(super) fn decision(&self, threshold: Option<Threshold>) -> Result<Calibration, Error> {
        self.calibration.decision(threshold).map_err(of_parts)
    }

    /// The models of the views, each with its name.
    pub fn models(&self) -> impl Iterator<Item = (&str, &Dfm)> {
        self.views.iter().map(|view| (view.name.as_str(), view.judge.model()))
    }
}

/// Reads [`PARTS`] in `folder` and checks everything but the models of the views: for tests of whatever such a
/// file may hold.
///
/// # Errors
///
/// Those of [`PartsModel::open`] that are not about models of views.
#[doc(hidden)]
pub fn check_record(folder: &Path) -> Result<(), Error> {
    let record = Record::read(folder)?;
    record.pattern.as_deref().map(PartPattern::new).transpose()?;
    record.views.iter().try_for_each(|view| view.scale().map(drop))?;
    let calibration = JointCalibration::new(record.calibration.into(), record.held_out).map_err(of_parts)?;
    calibration.decision(None).map(drop).map_err(of_parts)
}

impl ViewRecord {
    fn path(&self, folder: &Path) -> PathBuf {
        folder.join(file_of(&self.view))
    }

    fn scale(&self) -> Result<ViewScale, Error> {
        Ok(ViewScale::new(self.median, self.reach)?)
    }

    fn check_digest(&self, path: PathBuf, got: String) -> Result<(), PartsError> {
        match got == self.digest {
            true => Ok(()),
            false => {
                let (view, expected) = (self.view.clone(), self.digest.clone());
                Err(PartsError::OtherModel { path, view, expected, got })
            }
        }
    }
}

/// Changes an error about pictures to one about parts.
fn of_parts(error: DfmError) -> Error {
    match error {
        DfmError::TooFewForFalseAlarm { false_alarm, needed, calibrating, got, .. } => {
            PartsError::TooFewForRate { rate: false_alarm, needed, calibrating, got }.into()
        }
        other => other.into(),
    }
}
