//! An observer that counts the problems of one product on their way to the caller's.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::Error;
use crate::observer::{Note, Observer, Stage};

/// Hands everything on to another observer, and counts problems.
pub(super) struct Counting<'o> {
    observer: &'o dyn Observer,
    problems: AtomicUsize,
}

impl<'o> Counting<'o> {
    pub(super) fn new(observer: &'o dyn Observer) -> Self {
        Self { observer, problems: AtomicUsize::new(0) }
    }

    /// Problems so far.
    pub(super) fn count(&self) -> usize {
        self.problems.load(Ordering::Relaxed)
    }
}

impl Observer for Counting<'_> {
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
