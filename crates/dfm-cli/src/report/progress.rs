//! A bar with rate and time left, for work of more than a second, and only where
//! somebody looks.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that takes less is not worth a bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar that appears after a while.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    begun: Instant,
    wanted: bool,
}

impl Progress {
    /// For `count` pictures. Never seen if `quiet` or not on a terminal.
    pub(crate) fn new(what: &'static str, count: usize, quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(Some(count as u64), ProgressDrawTarget::hidden());
        // The template is a constant; should it not parse, the default bar serves.
        if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} {per_sec} {eta} left") {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self { bar, begun: Instant::now(), wanted: !quiet && std::io::stderr().is_terminal() }
    }

    /// One picture is done.
    pub(crate) fn step(&mut self) {
        if self.wanted && self.begun.elapsed() > PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.wanted = false;
        }
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
