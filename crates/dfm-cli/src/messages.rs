//! What goes wrong with one picture: said at once, counted, and never the end of the run.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use dfm::{Error, Note, Observer, Stage};

use crate::Outcome;
use crate::hints::told;
use crate::report::{Progress, aside, plain};

/// Reports to standard error, keeps count, and shows bars.
#[derive(Debug)]
pub(crate) struct Messages {
    quiet: bool,
    errors: AtomicUsize,
    bars: Mutex<HashMap<Stage, Progress>>,
}

impl Messages {
    /// With `quiet`, only errors are said.
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, errors: AtomicUsize::new(0), bars: Mutex::default() }
    }

    /// Reports what is wrong with `path`.
    pub(crate) fn error(&self, path: &Path, error: impl Display) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        say(&format!("dfm: {}", plain(&format!("{}: {error}", path.display()))));
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
        self.error(path, told(error));
    }

    fn note(&self, note: &Note) {
        let hint = match note {
            Note::CheckpointLeft { .. } => "; --resume goes on from it",
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
