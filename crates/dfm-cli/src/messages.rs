//! What goes wrong with one picture: said at once, counted, and never the end of the run.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use dfm::{DataError, Error, Note, Observer, PreprocessError, Stage};

use crate::Outcome;
use crate::hints::told;
use crate::report::{Progress, aside, plain};

/// Pictures of one format that is not read that are named.
const NAMED: usize = 5;

/// Reports to standard error, keeps count, and shows bars.
#[derive(Debug)]
pub(crate) struct Messages {
    quiet: bool,
    errors: AtomicUsize,
    /// Pictures of each format that is not read.
    unread: Mutex<BTreeMap<&'static str, usize>>,
    bars: Mutex<HashMap<Stage, Progress>>,
}

impl Messages {
    /// With `quiet`, only errors are said.
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, errors: AtomicUsize::new(0), unread: Mutex::default(), bars: Mutex::default() }
    }

    /// Where no messages are passed: as quiet as the log of the program.
    pub(crate) fn of_program() -> Self {
        Self::new(!tracing::enabled!(tracing::Level::WARN))
    }

    /// Reports what is wrong with `path`.
    pub(crate) fn error(&self, path: &Path, error: impl Display) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        say(&format!("dfm: {}", plain(&format!("{}: {error}", path.display()))));
    }

    /// Reports what is wrong with `path`. The first few pictures of one format that is not read are
    /// named, and the others are counted.
    pub(crate) fn data_error(&self, path: &Path, error: &DataError) {
        if let DataError::Picture(PreprocessError::OtherFormat { format }) = error {
            let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
            let count = unread.entry(format).or_default();
            *count += 1;
            if *count > NAMED {
                self.errors.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
        self.error(path, error);
    }

    /// Says how many pictures were not named by [`data_error`](Self::data_error).
    pub(crate) fn tell_rest(&self) {
        let unread = std::mem::take(&mut *self.unread.lock().unwrap_or_else(PoisonError::into_inner));
        for (format, count) in unread.into_iter().filter(|(_, count)| *count > NAMED) {
            say(&format!("dfm: {} more pictures of {format}, {count} in all, are not read", count - NAMED));
        }
    }

    /// Says something that is not an error.
    pub(crate) fn say(&self, text: impl Display) {
        if !self.quiet {
            say(&plain(&text.to_string()));
        }
    }

    /// `otherwise`, unless there was an error.
    pub(crate) fn outcome(&self, otherwise: Outcome) -> Outcome {
        if self.errors.load(Ordering::Relaxed) > 0 { Outcome::Failed } else { otherwise }
    }

    fn bars(&self) -> std::sync::MutexGuard<'_, HashMap<Stage, Progress>> {
        // A bar is whole whatever panicked.
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Messages {
    fn begin(&self, stage: Stage, total: Option<usize>) {
        let what = match stage {
            Stage::Reading => "reading",
            Stage::Learning => "learning",
            Stage::Statistics => "working out what they share",
            Stage::Judging => "judging",
            Stage::Validating => "validating",
            Stage::Extracting => "extracting",
            Stage::Sweeping => "fitting and judging",
            Stage::MakingDefects => "making defects",
            Stage::Fetching => "fetching weights, MiB",
            _ => "working",
        };
        let bar = match total {
            Some(total) => Progress::new(what, total, self.quiet),
            None => Progress::turning(what, self.quiet),
        };
        self.bars().insert(stage, bar);
    }

    fn step(&self, stage: Stage) {
        if let Some(bar) = self.bars().get_mut(&stage) {
            bar.step();
        }
    }

    fn end(&self, stage: Stage) {
        let ended = self.bars().remove(&stage);
        drop(ended);
    }

    fn problem(&self, path: &Path, error: &Error) {
        match error.root() {
            Error::Data(data @ DataError::Picture(PreprocessError::OtherFormat { .. })) => {
                self.data_error(path, data);
            }
            data @ Error::Data(_) => self.error(path, told(data)),
            _ => self.error(path, told(error)),
        }
    }

    fn note(&self, note: &Note) {
        let hint = match note {
            Note::CheckpointLeft { .. } => "; --resume goes on from it",
            Note::Pixels { .. } => "; --normalise states it",
            Note::StayOut { .. } => "; --include-left-out learns them",
            Note::ValidationDropped { .. } => "; a fit with --val synthetic finds it anew",
            _ => "",
        };
        self.say(format_args!("{note}{hint}"));
    }
}

/// One line on standard error, beside the bars. Should that be closed, there is nobody to tell.
pub(crate) fn say(line: &str) {
    aside(|| {
        let _ = writeln!(std::io::stderr(), "{line}");
    });
}
