//! A model on pictures whose truth is known: figures, files and a page.

mod answers;
mod compare;
mod evaluated;
pub(crate) mod files;
mod json;
mod masks;
mod notes;
mod tally;

pub use answers::{Answers, Contradictions, ReviewFigures};
pub use compare::{Comparison, compare};
pub use evaluated::{Evaluated, EvaluatedPicture};
pub use files::{CONFIG, METRICS, PREDICTIONS};
pub(crate) use json::below;
pub use json::{Bootstrap, ClassEvaluation, Curves, Evaluation, PictureLine, Settings};
pub use masks::MaskCounts;
pub(crate) use tally::{Seen, Tally};

use std::path::{Path, PathBuf};

use dfm_core::metrics::BootstrapParams;
use dfm_core::{JudgeOptions, Picture};
use dfm_data::Dataset;
use dfm_render::MapScale;

use crate::error::Error;
use crate::judge::{Judge, Judged, Sizes};
use crate::maps::{Mapped, MapsFolder, PictureFiles};
use crate::numbers::RegionsTable;
use crate::observer::{Observer, Reporter, Stage};
use crate::report::{self, Gallery};
use crate::source::{Files, Source};

/// Measures a model on a data set.
///
/// ```no_run
/// use dfm::{Dataset, Evaluator, Judge, ModelStore, Silent};
///
/// let model = ModelStore::default().open("part.dfm".as_ref())?;
/// let dataset = Dataset::read_test("magnetic_tile".as_ref(), None)?;
/// let run = Evaluator::new(Judge::new(model)).run(&dataset, &Default::default(), &Silent)?;
/// println!("{:?}", run.evaluation().image_auroc);
/// # Ok::<(), dfm::Error>(())
/// ```
#[derive(Debug)]
pub struct Evaluator {
    judge: Judge,
    bootstrap: Option<BootstrapParams>,
    has_pictures: bool,
    maps: Vec<MapsFolder>,
    /// Names of the model and the device, in the settings of the evaluation.
    names: [String; 2],
}

impl Evaluator {
    /// Measures what `judge` says, with intervals of the usual number of draws.
    pub fn new(judge: Judge) -> Self {
        let bootstrap = Some(BootstrapParams::default());
        Self { judge, bootstrap, has_pictures: false, maps: Vec::new(), names: Default::default() }
    }

    /// How intervals are made; none without.
    #[must_use]
    pub fn with_bootstrap(self, bootstrap: Option<BootstrapParams>) -> Self {
        Self { bootstrap, ..self }
    }

    /// Keeps small copies of pictures, maps and masks for the page of
    /// [`EvaluationRun::write_report`].
    #[must_use]
    pub fn with_pictures(self, has_pictures: bool) -> Self {
        Self { has_pictures, ..self }
    }

    /// Writes the maps of all pictures into these folders, which were made for the
    /// [`files`](Self::files) of the data set. Each map is made once, for figures and files alike.
    #[must_use]
    pub fn with_maps(self, maps: Vec<MapsFolder>) -> Self {
        Self { maps, ..self }
    }

    /// The pictures of `dataset` in the order in which they are judged.
    pub fn files(dataset: &Dataset) -> Files {
        let paths = dataset.pictures.iter().map(|picture| picture.path.clone());
        Files::new(dataset.folder(), paths.collect())
    }

    /// The names of the model, such as its path, and of the device, for the settings of the
    /// evaluation.
    #[must_use]
    pub fn with_names(self, model: impl Into<String>, device: impl Into<String>) -> Self {
        Self { names: [model.into(), device.into()], ..self }
    }

    /// Judges every picture of `dataset` and compares with the truth. The observer hears pictures
    /// and masks that cannot be used; they are counted together with the problems of the data set.
    ///
    /// # Errors
    ///
    /// If the options do not fit the model, the bootstrap is out of its range, or a temporary file
    /// cannot be written.
    pub fn run(
        &self,
        dataset: &Dataset,
        options: &JudgeOptions,
        observer: &dyn Observer,
    ) -> Result<EvaluationRun, Error> {
        self.run_each(dataset, options, observer, |_| Ok(()))
    }

    /// [`run`](Self::run), where `each` sees the verdicts of every batch on their way.
    ///
    /// # Errors
    ///
    /// Those of [`run`](Self::run), and whatever `each` returns.
    pub fn run_each(
        &self,
        dataset: &Dataset,
        options: &JudgeOptions,
        observer: &dyn Observer,
        mut each: impl FnMut(&[Judged]) -> Result<(), Error> + Send,
    ) -> Result<EvaluationRun, Error> {
        self.bootstrap.map(BootstrapParams::check).transpose()?;
        let model = self.judge.model();
        let scale = MapScale::by(model, model.region_rule(options)?);
        let files = Self::files(dataset);
        let reporter = Reporter::new(observer);
        let mut gallery = self.has_pictures.then(Gallery::new).transpose()?;
        let mut tally = Tally::new(dataset, scale);
        let options = options.clone().with_map(true);
        // The decoded picture is at hand when it is prepared, and its small copy outlives it.
        let levels = model.preprocessor().levels();
        let small = |picture: &Picture<'_>| match self.has_pictures {
            true => report::small_of(picture, levels),
            false => None,
        };
        let watch = self.judge.watch();
        let judging = self.judge.judging(&options)?;
        self.judge.tell_small_scores(&options, &reporter);
        let mut sizes = Sizes::new(model);
        let (threshold, review_from, support) =
            (judging.threshold(), judging.review_from(), judging.support());
        self.judge.workers().run(|| {
            let progress = reporter.stage(Stage::Judging, Some(files.count()));
            let problem = |index: usize, error| reporter.problem(&files.path(index), error);
            self.judge.each_batch(judging, &files, &progress, (&watch, small), problem, |batch| {
                let (judged, small): (Vec<Judged>, Vec<_>) = batch.into_iter().unzip();
                sizes.see(&judged);
                each(&judged)?;
                let seen: Vec<Seen<'_>> =
                    judged.iter().map(|one| Seen { index: one.index, verdict: &one.verdict }).collect();
                let images = tally.push(&seen, &reporter, |number, seen, shown| {
                    let small = small[number].as_ref();
                    let images = small.map(|small| report::images(small, seen.verdict, shown.mask, &scale));
                    let Some(map) = shown.map else { return (PictureFiles::default(), images) };
                    let marked = shown.marked.map(|marked| (marked, scale.rule));
                    let mapped = Mapped { index: seen.index, verdict: seen.verdict, map, marked };
                    (MapsFolder::write_mapped(&self.maps, &files, &mapped, &reporter), images)
                });
                let Some(gallery) = &mut gallery else { return Ok(()) };
                for (one, images) in judged.iter().zip(images) {
                    let images = images.transpose().unwrap_or_else(|error| {
                        reporter.problem(&dataset.pictures[one.index].path, error);
                        None
                    });
                    gallery.push(images.unwrap_or_default())?;
                }
                Ok(())
            })
        })??;
        sizes.tell(&reporter);
        watch.tell(&reporter);
        let errors = dataset.problems.len() + reporter.count();
        let finished = self.judge.workers().run(|| tally.finish(threshold, self.bootstrap, errors))??;
        let evaluated = Evaluated { review_from, support, ..finished };
        let settings = Settings::new(model, &self.names, dataset)?;
        let evaluation = Evaluation::new(&evaluated, settings);
        Ok(EvaluationRun { root: dataset.folder().to_owned(), evaluated, evaluation, gallery })
    }
}

/// A finished evaluation.
#[derive(Debug)]
pub struct EvaluationRun {
    root: PathBuf,
    evaluated: Evaluated,
    evaluation: Evaluation,
    gallery: Option<Gallery>,
}

impl EvaluationRun {
    /// Makes `folder` and refuses, before any work is done, one into which [`write`](Self::write)
    /// could not write, or with `has_page` also [`write_report`](Self::write_report): files of other
    /// kinds stay as they are.
    ///
    /// # Errors
    ///
    /// [`Error::File`], with what was found.
    pub fn check_folder(folder: &Path, has_page: bool) -> Result<(), Error> {
        files::check(folder)?;
        if has_page { report::check(folder) } else { Ok(()) }
    }

    /// The figures.
    pub fn evaluation(&self) -> &Evaluation {
        &self.evaluation
    }

    /// Every picture with its verdict, and every curve.
    pub fn evaluated(&self) -> &Evaluated {
        &self.evaluated
    }

    /// Writes [`METRICS`] and [`PREDICTIONS`] into `folder`, which is made if it is not there, and
    /// the `config` of the run as [`CONFIG`].
    ///
    /// # Errors
    ///
    /// [`Error::File`] if a file cannot be written.
    pub fn write(&self, folder: &Path, config: Option<&str>) -> Result<(), Error> {
        let pictures = self.evaluated.pictures.iter();
        let lines = pictures.map(|picture| PictureLine::new(picture, &self.root, &self.evaluated));
        let figures = self.evaluation.clone().with_curves(&self.evaluated);
        files::write(folder, lines, &figures, config)
    }

    /// Adds the regions of all pictures to `table`, with the paths that [`PREDICTIONS`] has.
    ///
    /// # Errors
    ///
    /// Those of [`RegionsTable::push`].
    pub fn write_regions(&self, table: &mut RegionsTable) -> Result<(), Error> {
        let pixel_threshold = self.evaluated.scale.rule.pixel_threshold;
        self.evaluated.pictures.iter().try_for_each(|picture| {
            let regions = picture.regions.as_deref().unwrap_or_default();
            let path = below(&self.root, &picture.path);
            table.push_regions(&path, picture.label, picture.score, pixel_threshold, regions)
        })
    }

    /// Writes the page [`PAGE`](crate::PAGE) and its plots into `folder`, which is made if it is not
    /// there. Without [`Evaluator::with_pictures`] the page shows no pictures.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if a file cannot be written, [`Error::Report`] if a figure cannot be drawn.
    pub fn write_report(&mut self, folder: &Path) -> Result<(), Error> {
        if self.gallery.is_none() {
            self.gallery = Some(Gallery::new()?);
        }
        let gallery = self.gallery.as_mut().expect("a gallery was made above");
        report::write(folder, &self.root, &self.evaluated, &self.evaluation, gallery)
    }
}
