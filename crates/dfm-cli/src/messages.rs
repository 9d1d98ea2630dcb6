//! What goes wrong with one picture: said at once, counted, and never the end of
//! the run.

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Outcome;
use crate::report::{aside, plain};

/// Reports to standard error and keeps count.
#[derive(Debug)]
pub(crate) struct Messages {
    quiet: bool,
    errors: AtomicUsize,
}

impl Messages {
    /// With `quiet`, only errors are said.
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, errors: AtomicUsize::new(0) }
    }

    /// Reports what is wrong with `path`.
    pub(crate) fn error(&self, path: &Path, error: impl Display) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        say(&format!("dfm: {}", plain(&format!("{}: {error}", path.display()))));
    }

    /// Says something that is not an error.
    pub(crate) fn note(&self, text: impl Display) {
        if !self.quiet {
            say(&plain(&text.to_string()));
        }
    }

    /// Whether nothing but errors should be said.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Errors so far.
    pub(crate) fn error_count(&self) -> usize {
        self.errors.load(Ordering::Relaxed)
    }

    /// `otherwise`, unless there was an error.
    pub(crate) fn outcome(&self, otherwise: Outcome) -> Outcome {
        if self.error_count() > 0 { Outcome::Failed } else { otherwise }
    }
}

/// One line on standard error, beside the bars. Should that be closed, there is nobody
/// to tell.
pub(crate) fn say(line: &str) {
    aside(|| {
        let _ = writeln!(std::io::stderr(), "{line}");
    });
}
