//! A bar with rate and time left, for work of more than a second, and only where
//! somebody looks.

use std::io::IsTerminal;
use std::sync::LazyLock;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that takes less is not worth a bar.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two pictures of something that turns.
const TURN: Duration = Duration::from_millis(120);

/// Every bar on the screen: there is one terminal, and lines must not run into them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Says something with the bars out of the way.
pub(crate) fn aside<T>(say: impl FnOnce() -> T) -> T {
    BARS.suspend(say)
}

/// A bar that appears after a while.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    begun: Instant,
    wanted: bool,
    clock: Option<(Sender<()>, JoinHandle<()>)>,
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
        Self { bar, begun: Instant::now(), wanted: wanted(quiet), clock: None }
    }

    /// For one piece of work whose end cannot be foreseen: something that turns.
    pub(crate) fn turning(what: &'static str, quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{msg} {spinner} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(what);
        let clock = wanted(quiet).then(|| {
            let (sender, receiver) = channel();
            let bar = bar.clone();
            let show = move || {
                if receiver.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                    BARS.add(bar).enable_steady_tick(TURN);
                }
            };
            (sender, std::thread::spawn(show))
        });
        Self { bar, begun: Instant::now(), wanted: false, clock }
    }

    /// One picture is done, or given up.
    pub(crate) fn step(&mut self) {
        if self.wanted && self.begun.elapsed() > PATIENCE {
            BARS.add(self.bar.clone());
            self.wanted = false;
        }
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((sender, clock)) = self.clock.take() {
            drop(sender);
            // Or it would show the bar after its end.
            let _ = clock.join();
        }
        self.bar.finish_and_clear();
        BARS.remove(&self.bar);
    }
}

fn wanted(quiet: bool) -> bool {
    !quiet && std::io::stderr().is_terminal()
}
