//! Judges the pictures of each part with the models of their views, and makes one verdict for the part.

use std::path::{Path, PathBuf};

use dfm_core::{Calibration, Contradiction, JudgeOptions, Label, MapRegion, Picture, RegionRule, Threshold};
use dfm_render::MapScale;
use dfm_report::Images;
use image::RgbImage;
use rayon::prelude::*;

use super::error::PartsError;
use super::grouped::{GroupedParts, Part};
use super::images::MasksOf;
use super::model::{PartsModel, View};
use crate::error::Error;
use crate::judge::Judged;
use crate::maps::{MapsFolder, PictureFiles};
use crate::note::Note;
use crate::numbers::RegionsTable;
use crate::observer::{Observer, Reporter, Stage};
use crate::report;
use crate::source::Files;

/// How many parts are judged together: all their pictures of one view, then all of the next view.
const CHUNK: usize = 64;

/// The options of one call that judges parts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct PartsOptions {
    /// The threshold from which a part is anomalous. `None` for the model's own threshold.
    pub threshold: Option<Threshold>,
    /// Which pixels of the map of a view belong to regions, where that is not as the model of the view has
    /// it.
    pub region_rule: RegionRule,
}

impl PartsOptions {
    /// Sets the threshold from which a part is anomalous.
    #[must_use]
    pub fn with_threshold(self, threshold: impl Into<Option<Threshold>>) -> Self {
        Self { threshold: threshold.into(), ..self }
    }

    /// Sets which pixels belong to regions.
    #[must_use]
    pub fn with_region_rule(self, region_rule: RegionRule) -> Self {
        Self { region_rule, ..self }
    }
}

/// Judges parts.
#[derive(Debug)]
pub struct PartsJudge<'m> {
    model: &'m PartsModel,
    decision: Calibration,
    options: JudgeOptions,
    /// For each view the folders of its maps; empty without any.
    maps: Vec<Vec<MapsFolder>>,
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
    /// The value of its map from which a pixel belongs to a region; `None` without maps.
    pub pixel_threshold: Option<f64>,
    /// The regions where its map reaches that.
    pub regions: Option<Vec<MapRegion>>,
    /// The files that were written of its map.
    pub files: PictureFiles,
}

impl PartVerdict {
    /// How the label and the regions of all views disagree; `None` if they agree, or the regions of a view
    /// are not known.
    pub fn contradiction(&self) -> Option<Contradiction> {
        Contradiction::of(Some(self.label), self.region_count())
    }

    /// Adds the regions of all views to `table`, with the label of the part and the paths and raw scores of the
    /// views.
    ///
    /// # Errors
    ///
    /// Those of [`RegionsTable::push`].
    pub fn write_regions(&self, table: &mut RegionsTable) -> Result<(), Error> {
        self.views.iter().try_for_each(|view| {
            let path = view.path.display().to_string();
            let regions = view.regions.as_deref().unwrap_or_default();
            table.push_regions(&path, Some(self.label), view.score, view.pixel_threshold, regions)
        })
    }

    /// The number of regions of all views; `None` if the regions of a view are not known.
    pub fn region_count(&self) -> Option<usize> {
        self.views.iter().map(|view| view.regions.as_ref().map(Vec::len)).sum()
    }
}

impl<'m> PartsJudge<'m> {
    /// Judges with `model` as `options` ask.
    ///
    /// # Errors
    ///
    /// If the threshold is not finite, the held-out parts are too few for the rate, or a rule of regions is
    /// set and a view has no map or no pixel threshold.
    pub fn new(model: &'m PartsModel, options: &PartsOptions) -> Result<Self, Error> {
        let decision = model.decision(options.threshold)?;
        let options = JudgeOptions::default().with_regions(true).with_region_rule(options.region_rule);
        for view in model.views() {
            view.judge.model().region_rule(&options)?;
        }
        Ok(Self { model, decision, options, maps: Vec::new() })
    }

    /// Writes the maps of the pictures into these folders: for each view, in the order of the model, those
    /// that were made for [its files](GroupedParts::files).
    #[must_use]
    pub fn with_maps(self, maps: Vec<Vec<MapsFolder>>) -> Self {
        Self { maps, ..self }
    }

    /// Which pixels of the map of a view belong to regions.
    ///
    /// # Errors
    ///
    /// None that [`new`](Self::new) has not given already.
    pub fn region_rule(&self, view: &View) -> Result<RegionRule, Error> {
        Ok(view.judge.model().region_rule(&self.options)?)
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
        self.each_shown(parts, None, observer, |batch| {
            sink(batch.into_iter().map(|(part, _)| part).collect())
        })
    }

    /// [`each`](Self::each). With `masks`, `sink` gets small images of every view too.
    pub(super) fn each_shown(
        &self,
        parts: &GroupedParts,
        masks: Option<&MasksOf<'_>>,
        observer: &dyn Observer,
        mut sink: impl FnMut(Vec<(PartVerdict, Vec<Images>)>) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        let reporter = Reporter::new(observer);
        let total = parts.parts.len() * self.model.views().len();
        let progress = reporter.stage(Stage::Judging, Some(total));
        let quiet = Problems(observer);
        let mut without = 0;
        for chunk in parts.parts.chunks(CHUNK) {
            let mut found = Vec::with_capacity(self.model.views().len());
            for (number, view) in self.model.views().iter().enumerate() {
                found.push(self.view(number, view, chunk, masks, &quiet)?);
                chunk.iter().for_each(|_| progress.step());
            }
            let mut verdicts = Vec::with_capacity(chunk.len());
            for (index, part) in chunk.iter().enumerate() {
                let views: Result<Vec<(ViewVerdict, Images)>, usize> = found
                    .iter_mut()
                    .enumerate()
                    .map(|(number, view)| view[index].take().ok_or(number))
                    .collect();
                match views {
                    Ok(views) => {
                        let (views, images) = views.into_iter().unzip();
                        verdicts.push((self.verdict(part, views), images));
                    }
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
        masks: Option<&MasksOf<'_>>,
        observer: &dyn Observer,
    ) -> Result<Vec<Option<(ViewVerdict, Images)>>, Error> {
        let paths: Vec<PathBuf> = parts.iter().map(|part| part.pictures[number].clone()).collect();
        let files = Files::new(Path::new(""), paths);
        let maps = self.maps.get(number).map_or(&[][..], Vec::as_slice);
        let options = self.options.clone().with_map(!maps.is_empty() || masks.is_some());
        let scale = MapScale::by(view.judge.model(), self.region_rule(view)?);
        let levels = view.judge.model().preprocessor().levels();
        let small = |picture: &Picture<'_>| masks.and_then(|_| report::small_of(picture, levels));
        let mut found: Vec<Option<(ViewVerdict, Images)>> = vec![None; parts.len()];
        let reporter = Reporter::new(observer);
        view.judge.each_with(&files, &options, observer, small, |batch, small| {
            let written = MapsFolder::write_all(maps, &files, &batch, observer);
            let images = |(one, small): (&Judged, Option<RgbImage>)| {
                Some(masks?.images(&files.paths()[one.index], &small?, &one.verdict, &scale, &reporter))
            };
            let images: Vec<_> = batch.par_iter().zip(small).map(images).collect();
            for ((one, files_of), images) in batch.into_iter().zip(written).zip(images) {
                let verdict = one.verdict;
                let view = ViewVerdict {
                    path: files.paths()[one.index].clone(),
                    score: verdict.score,
                    scaled: view.scale.of_score(verdict.score),
                    p_value: verdict.p_value,
                    pixel_threshold: verdict.region_rule.and_then(|rule| rule.pixel_threshold),
                    regions: verdict.regions,
                    files: files_of,
                };
                found[one.index] = Some((view, images.unwrap_or_default()));
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
