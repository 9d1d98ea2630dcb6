//! Pictures of a source through a model, each with its verdict or its error.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dfm_core::{Dfm, JudgeOptions, Judging, Picture, Piece, SizeRange, Threshold, Verdict};
use dfm_data::counted;
use tracing::{debug, info};

use crate::error::Error;
use crate::levels::{FitLevels, LevelsWatch};
use crate::note::Note;
use crate::observer::{Observer, Progress, Reporter, Silent, Stage};
use crate::source::{Give, Loaded, Source, ahead, give_all};
use crate::spent::Spent;
use crate::workers::Workers;

/// A picture that was judged.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Judged {
    /// Index of the picture in its source.
    pub index: usize,
    /// What the model says of it.
    pub verdict: Verdict,
}

/// A model and the threads on which it judges. Cheap to clone; clones share both.
///
/// ```no_run
/// use dfm::{Files, Judge, JudgeOptions, ModelStore, Silent};
///
/// let judge = Judge::new(ModelStore::default().open("part.dfm".as_ref())?);
/// let files = Files::in_folder("pictures/new".as_ref(), &Silent)?;
/// judge.each(&files, &JudgeOptions::default(), &Silent, |batch| {
///     batch.iter().for_each(|one| println!("{}: {}", files.paths()[one.index].display(), one.verdict.score));
///     Ok(())
/// })?;
/// # Ok::<(), dfm::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Judge {
    model: Arc<Dfm>,
    workers: Workers,
}

impl Judge {
    /// Judges with `model` on all processors.
    pub fn new(model: impl Into<Arc<Dfm>>) -> Self {
        Self { model: model.into(), workers: Workers::new() }
    }

    /// Judges on these threads.
    #[must_use]
    pub fn with_workers(self, workers: Workers) -> Self {
        Self { workers, ..self }
    }

    /// The model.
    pub fn model(&self) -> &Dfm {
        &self.model
    }

    /// The threads.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// Judges every picture of `source` in order and hands the verdicts of each batch to `sink` as
    /// soon as they are there. The observer hears pictures that cannot be judged. Returns how many
    /// those are.
    ///
    /// Large pictures in tiles are prepared tile by tile, so that they need little more memory than
    /// what they decode to.
    ///
    /// # Errors
    ///
    /// If the options do not fit the model, and whatever `sink` returns.
    pub fn each(
        &self,
        source: &dyn Source,
        options: &JudgeOptions,
        observer: &dyn Observer,
        mut sink: impl FnMut(Vec<Judged>) -> Result<(), Error> + Send,
    ) -> Result<usize, Error> {
        self.each_with(source, options, observer, |_: &Picture<'_>| (), |judged, _| sink(judged))
    }

    /// [`each`](Self::each), where `companion` sees every decoded picture, and what it makes goes to `sink`
    /// with the verdicts, in their order.
    pub(crate) fn each_with<C: Send>(
        &self,
        source: &dyn Source,
        options: &JudgeOptions,
        observer: &dyn Observer,
        companion: impl Fn(&Picture<'_>) -> C + Sync + Send,
        mut sink: impl FnMut(Vec<Judged>, Vec<C>) -> Result<(), Error> + Send,
    ) -> Result<usize, Error> {
        let reporter = Reporter::new(observer);
        self.tell_small_scores(options, &reporter);
        reporter.tell_engine(self.model.extractor());
        let mut sizes = Sizes::new(&self.model);
        self.workers.run(|| {
            let judging = self.judging(options)?;
            let progress = reporter.stage(Stage::Judging, Some(source.count()));
            let problem = |index: usize, error| reporter.problem(&source.path(index), error);
            let watch = self.watch();
            self.each_batch(judging, source, &progress, (&watch, companion), problem, |batch| {
                let (judged, companions): (Vec<Judged>, Vec<C>) = batch.into_iter().unzip();
                sizes.see(&judged);
                sink(judged, companions)
            })?;
            watch.tell(&reporter);
            Ok::<(), Error>(())
        })??;
        sizes.tell(&reporter);
        Ok(reporter.count())
    }

    /// Judges every picture of `source`: a verdict or an error for each, in order.
    ///
    /// # Errors
    ///
    /// If the options do not fit the model.
    pub fn all(
        &self,
        source: &dyn Source,
        options: &JudgeOptions,
    ) -> Result<Vec<Result<Verdict, Error>>, Error> {
        let mut verdicts = Vec::with_capacity(source.count());
        let mut problems = Vec::new();
        let reporter = Reporter::new(&Silent);
        self.workers.run(|| {
            let judging = self.judging(options)?;
            let progress = reporter.stage(Stage::Judging, None);
            let problem = |index, error| problems.push((index, Err(error)));
            let watch = self.watch();
            self.each_verdict(judging, source, &progress, &watch, problem, |batch| {
                verdicts.extend(batch.into_iter().map(|judged| (judged.index, Ok(judged.verdict))));
                Ok(())
            })
        })??;
        verdicts.extend(problems);
        verdicts.sort_by_key(|(index, _)| *index);
        Ok(verdicts.into_iter().map(|(_, verdict)| verdict).collect())
    }

    /// Counts pictures of which not every value is judged as it is.
    pub(crate) fn watch(&self) -> LevelsWatch {
        LevelsWatch::new(self.model.preprocessor().levels())
    }

    /// Tells that the threshold is far too low, if verdicts rest on it.
    pub(crate) fn tell_small_scores(&self, options: &JudgeOptions, reporter: &Reporter<'_>) {
        let is_stated = matches!(options.threshold, Some(Threshold::Score(_)));
        if !is_stated && self.model.rests_on_small_scores() {
            reporter.note(Note::SmallScores);
        }
    }

    /// Checks the options of a call.
    pub(crate) fn judging(&self, options: &JudgeOptions) -> Result<Judging<'_>, Error> {
        Ok(self.model.judging(options)?)
    }

    /// Judges every picture of `source`, batch by batch, and needs nothing of the decoded pictures.
    fn each_verdict(
        &self,
        judging: Judging<'_>,
        source: &dyn Source,
        progress: &Progress<'_>,
        watch: &LevelsWatch,
        problem: impl FnMut(usize, Error),
        mut sink: impl FnMut(Vec<Judged>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let sink = |batch: Vec<(Judged, ())>| sink(batch.into_iter().map(|(judged, ())| judged).collect());
        self.each_batch(judging, source, progress, (watch, |_: &Picture<'_>| ()), problem, sink)
    }

    /// Judges every picture of `source`, batch by batch. `watch` and `companion` see every decoded picture, and
    /// what the companion makes goes to `sink` with the verdict; `problem` is told of pictures that cannot be
    /// judged. To be called in the pool of the workers.
    pub(crate) fn each_batch<C: Send>(
        &self,
        mut judging: Judging<'_>,
        source: &dyn Source,
        progress: &Progress<'_>,
        (watch, companion): (&LevelsWatch, impl Fn(&Picture<'_>) -> C + Sync),
        mut problem: impl FnMut(usize, Error),
        mut sink: impl FnMut(Vec<(Judged, C)>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let begun = Instant::now();
        let (preparer, size) = (judging.preparer(), judging.batch());
        let levels = FitLevels::of_model(&self.model);
        let preparing = Spent::default();
        let prepare = |index: usize, give: Give<'_, (Piece, Option<C>)>| {
            let begun = Instant::now();
            let mut waited = Duration::ZERO;
            let give: Give<'_, (Piece, Option<C>)> = &mut |found, last| {
                let waiting = Instant::now();
                let wanted = give(found, last);
                waited += waiting.elapsed();
                wanted
            };
            let picture = source.read(index)?.decode_for(preparer.preprocessor())?;
            debug!("{}: decoded in {:.1?}", source.path(index).display(), begun.elapsed());
            levels.check(&picture)?;
            watch.picture(&picture);
            let mut with = Some(companion(&picture));
            let pieces = preparer.pieces(index, picture)?;
            give_all(pieces, give, |piece, last| {
                if last {
                    watch.piece(&piece);
                }
                (piece, if last { with.take() } else { None })
            })?;
            preparing.add(begun.elapsed().saturating_sub(waited));
            Ok(())
        };
        ahead(source.count(), self.workers.jobs(), size, prepare, |loaded| {
            let mut companions = VecDeque::new();
            loop {
                let batch_begun = Instant::now();
                let (batch, ended) = next_batch(loaded, size, |index, error| {
                    problem(index, error);
                    progress.step();
                });
                let mut pieces = Vec::with_capacity(batch.len());
                for Ready { index, found: (piece, companion), .. } in batch {
                    companions.extend(companion.map(|companion| (index, companion)));
                    pieces.push(piece);
                }
                let count = pieces.len();
                let mut judged = Vec::with_capacity(count);
                for (index, verdict) in judging.push(pieces) {
                    progress.step();
                    // Verdicts and companions come in the order of the pictures.
                    let companion = companions.pop_front().filter(|(other, _)| *other == index);
                    let (_, companion) = companion.expect("the last piece of each picture brings one");
                    match verdict {
                        Ok(verdict) => judged.push((Judged { index, verdict }, companion)),
                        Err(error) => problem(index, error.into()),
                    }
                }
                debug!("a batch of {count} pictures judged in {:.1?}", batch_begun.elapsed());
                sink(judged)?;
                if ended {
                    let jobs = self.workers.jobs().min(source.count()).max(1);
                    info!(
                        "{} pictures read and judged in {:.1?}: {:.1?} in the network; {:.1?} of decoding and \
                         preparing on each of {}",
                        source.count(),
                        begun.elapsed(),
                        judging.network_time(),
                        preparing.total() / u32::try_from(jobs).unwrap_or(u32::MAX),
                        counted(jobs, "thread"),
                    );
                    return Ok(());
                }
            }
        })
    }
}

/// Counts pictures whose sizes are far from those of the fit.
pub(crate) struct Sizes {
    usual: Option<SizeRange>,
    count: usize,
}

impl Sizes {
    pub(crate) fn new(model: &Dfm) -> Self {
        Self { usual: model.record().sizes, count: 0 }
    }

    pub(crate) fn see(&mut self, batch: &[Judged]) {
        let is_far = |one: &&Judged| self.usual.is_some_and(|usual| usual.is_far(one.verdict.size));
        self.count += batch.iter().filter(is_far).count();
    }

    /// Tells how many there are, if there are any.
    pub(crate) fn tell(&self, reporter: &Reporter<'_>) {
        if let Some(usual) = self.usual.filter(|_| self.count > 0) {
            reporter.note(Note::UnusualSizes { count: self.count, usual });
        }
    }
}

/// Something that was prepared of a picture.
pub(crate) struct Ready<T> {
    /// Index of the picture in its source.
    pub(crate) index: usize,
    /// Whether it is the last of its picture.
    pub(crate) last: bool,
    pub(crate) found: T,
}

/// Takes the next `size` prepared things, or fewer at the end. Also returns whether that is the end.
/// `problem` is told of pictures that cannot be used.
pub(crate) fn next_batch<T>(
    loaded: &mut dyn Iterator<Item = Loaded<T>>,
    size: usize,
    mut problem: impl FnMut(usize, Error),
) -> (Vec<Ready<T>>, bool) {
    let mut batch = Vec::with_capacity(size);
    while batch.len() < size {
        match loaded.next() {
            Some(Loaded { index, last, found: Ok(found) }) => batch.push(Ready { index, last, found }),
            Some(Loaded { index, found: Err(error), .. }) => problem(index, error),
            None => return (batch, true),
        }
    }
    (batch, false)
}
