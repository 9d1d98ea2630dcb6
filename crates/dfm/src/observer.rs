//! What a caller is told while work goes on.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use dfm_core::FeatureExtractor;

use crate::error::Error;
use crate::note::Note;

/// A piece of work that takes a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Reading pictures.
    Reading,
    /// Taking good pictures through the network.
    Learning,
    /// Computing the principal components. The time that it takes is not known in advance.
    Statistics,
    /// Judging pictures.
    Judging,
    /// Judging held-out good pictures and defective copies of them.
    Validating,
    /// Taking pictures through the network for their features alone.
    Extracting,
    /// Fitting and judging with every setting of a grid.
    Sweeping,
    /// Making defects.
    MakingDefects,
    /// Fetching the weights of a network. A step is one mebibyte.
    Fetching,
}

/// Receives progress, notes, and pictures that cannot be used. Every method does nothing unless it is
/// overridden. Methods are called from the thread that does the work.
///
/// ```
/// use dfm::{Error, Observer, Silent};
/// use std::path::Path;
///
/// struct Loud;
///
/// impl Observer for Loud {
///     fn problem(&self, picture: &Path, error: &Error) {
///         eprintln!("{}: {error}", picture.display());
///     }
/// }
/// # let _: [&dyn Observer; 2] = [&Loud, &Silent];
/// ```
pub trait Observer: Send + Sync {
    /// A stage begins. `total` is its number of pictures or settings, if that is known.
    fn begin(&self, stage: Stage, total: Option<usize>) {
        let _ = (stage, total);
    }

    /// One picture or setting of a stage is finished or was given up.
    fn step(&self, stage: Stage) {
        let _ = stage;
    }

    /// A stage is over.
    fn end(&self, stage: Stage) {
        let _ = stage;
    }

    /// A picture, a mask or a folder cannot be used; the work goes on without it.
    fn problem(&self, path: &Path, error: &Error) {
        let _ = (path, error);
    }

    /// Something that the caller should know and that is not an error.
    fn note(&self, note: &Note) {
        let _ = note;
    }
}

/// An observer that does nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}

/// Passes messages of one operation to an observer, and counts the problems.
pub(crate) struct Reporter<'o> {
    observer: &'o dyn Observer,
    problems: AtomicUsize,
}

impl<'o> Reporter<'o> {
    pub(crate) fn new(observer: &'o dyn Observer) -> Self {
        Self { observer, problems: AtomicUsize::new(0) }
    }

    /// Reports a problem and counts it.
    pub(crate) fn problem(&self, path: &Path, error: impl Into<Error>) {
        Observer::problem(self, path, &error.into());
    }

    /// Reports all `problems` and counts them.
    pub(crate) fn problems(&self, problems: impl IntoIterator<Item = dfm_data::Problem>) {
        problems.into_iter().for_each(|problem| self.problem(&problem.path, problem.error));
    }

    pub(crate) fn note(&self, note: Note) {
        self.observer.note(&note);
    }

    /// Tells if Burn runs the network of `extractor` because our own kernels cannot.
    pub(crate) fn tell_engine(&self, extractor: &FeatureExtractor) {
        if let Some(unsupported) = extractor.unsupported_by_kernels().cloned() {
            self.note(Note::ByBurn { unsupported });
        }
    }

    /// Begins a stage, which ends when the result is dropped.
    pub(crate) fn stage(&self, stage: Stage, total: Option<usize>) -> Progress<'_> {
        self.observer.begin(stage, total);
        Progress { observer: self.observer, stage }
    }

    /// The number of problems so far.
    pub(crate) fn count(&self) -> usize {
        self.problems.load(Ordering::Relaxed)
    }
}

/// A part of the operation can report to this reporter, which passes everything on and counts the problems.
impl Observer for Reporter<'_> {
    fn begin(&self, stage: Stage, total: Option<usize>) {
        self.observer.begin(stage, total);
    }

    fn step(&self, stage: Stage) {
        self.observer.step(stage);
    }

    fn end(&self, stage: Stage) {
        self.observer.end(stage);
    }

    fn problem(&self, path: &Path, error: &Error) {
        self.problems.fetch_add(1, Ordering::Relaxed);
        self.observer.problem(path, error);
    }

    fn note(&self, note: &Note) {
        self.observer.note(note);
    }
}

/// A stage that is running.
pub(crate) struct Progress<'o> {
    observer: &'o dyn Observer,
    stage: Stage,
}

impl Progress<'_> {
    /// Reports that one more picture or setting is finished.
    pub(crate) fn step(&self) {
        self.observer.step(self.stage);
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.observer.end(self.stage);
    }
}
