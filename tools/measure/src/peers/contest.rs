//! One contest: one network, one batch, all contestants in turn.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::worker::Worker;
use crate::network::floats;

/// Duration of a turn.
const TURN_MILLISECONDS: f64 = 700.0;
/// Pause between turns, so the threads of the last contestant have gone to sleep.
const PAUSE: Duration = Duration::from_millis(300);
/// Largest difference of features in f32, as the norm of the difference over the norm.
pub(crate) const TOLERANCE: f64 = 1e-4;
/// The same in smaller numbers: beyond it, a contestant computes another network.
pub(crate) const SMALL_TOLERANCE: f64 = 0.1;

/// The beginning of the names of our own contestants.
pub(crate) const OURS: &str = "DFM";

/// A contestant.
#[derive(Debug)]
pub(crate) struct Contestant {
    /// Name for the table.
    pub(crate) name: &'static str,
    /// The program and its first arguments.
    pub(crate) program: Vec<PathBuf>,
    /// The network in the format that the program needs.
    pub(crate) network: PathBuf,
    /// Whether the contest takes place without this contestant, because a machine may lack what it
    /// needs.
    pub(crate) optional: bool,
    /// The largest difference from the features of the first contestant.
    pub(crate) tolerance: f64,
}

/// The input of all contestants.
#[derive(Debug)]
pub(crate) struct Round<'a> {
    pub(crate) input: &'a Path,
    pub(crate) scratch: &'a Path,
    pub(crate) batch: usize,
    pub(crate) side: usize,
    pub(crate) threads: usize,
    pub(crate) count: usize,
}

/// The results of one contestant.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    /// Milliseconds for a picture.
    pub(crate) times: Vec<f64>,
    pub(crate) peak_bytes: Option<u64>,
    /// Difference from the features of the first contestant.
    pub(crate) difference: f64,
}

impl Outcome {
    /// Whether it is that of our own program.
    pub(crate) fn is_ours(&self) -> bool {
        self.name.starts_with(OURS)
    }
}

/// The results of all contestants. The first is ours in f32.
#[derive(Debug)]
pub(crate) struct Contest {
    pub(crate) batch: usize,
    /// The index of the outcome that the peers are compared with, which is the last one of ours.
    pub(crate) ours: usize,
    pub(crate) outcomes: Vec<Outcome>,
    /// Contestants that could not take part, with the reason.
    pub(crate) absent: Vec<(&'static str, String)>,
    /// GFLOP/s of a product of large matrices, the best of all turns.
    pub(crate) peak_rate: f64,
}

/// Starts every contestant, compares their features with those of the first, and lets them take
/// turns. `yardstick` takes turns too, to measure the peak of the machine.
///
/// # Errors
///
/// If a contestant that is not optional cannot run, or computes other features.
pub(crate) fn hold(
    contestants: &[Contestant],
    yardstick: &Contestant,
    round: &Round<'_>,
) -> anyhow::Result<Contest> {
    let mut absent = Vec::new();
    let mut workers: Vec<(Worker, Outcome, usize)> = Vec::new();
    let mut ours: Option<Vec<f32>> = None;
    for contestant in contestants {
        eprintln!("batch {}: starting {}", round.batch, contestant.name);
        let mut worker = match start(contestant, round) {
            Ok(worker) => worker,
            Err(error) if contestant.optional => {
                absent.push((contestant.name, format!("{error:#}")));
                continue;
            }
            Err(error) => return Err(error),
        };
        let features = floats(&round.scratch.join("features"))?;
        let difference = relative_l2(&features, ours.as_ref().unwrap_or(&features))
            .with_context(|| format!("{}: features of another shape", contestant.name))?;
        ensure!(
            difference <= contestant.tolerance,
            "{}: relative L2 {difference:.1e} to ours, at most {:.1e}",
            contestant.name,
            contestant.tolerance
        );
        ours.get_or_insert(features);
        // The first runs after the one that was written are also a warm-up.
        let warm = worker.run(3)?.into_iter().fold(f64::INFINITY, f64::min);
        let version = worker.version.clone();
        let outcome =
            Outcome { name: contestant.name, version, times: Vec::new(), peak_bytes: None, difference };
        workers.push((worker, outcome, (TURN_MILLISECONDS / warm).clamp(1.0, 200.0) as usize));
    }
    let mut yardstick = start(yardstick, round)?;
    let mut peak_rate = 0.0;
    for turn in 1..=round.count {
        eprintln!("batch {}: round {turn} of {}", round.batch, round.count);
        for (worker, outcome, runs) in &mut workers {
            std::thread::sleep(PAUSE);
            let times = worker.run(*runs)?;
            outcome.times.extend(times.into_iter().map(|time| time / round.batch as f64));
        }
        std::thread::sleep(PAUSE);
        peak_rate = yardstick.run(3)?.into_iter().fold(peak_rate, f64::max);
    }
    let outcomes = workers.into_iter().map(|(worker, mut outcome, _)| {
        outcome.peak_bytes = worker.peak_bytes();
        outcome
    });
    let outcomes: Vec<Outcome> = outcomes.collect();
    let ours = outcomes.iter().rposition(Outcome::is_ours).context("no contestant is ours")?;
    Ok(Contest { batch: round.batch, ours, outcomes, absent, peak_rate })
}

fn start(contestant: &Contestant, round: &Round<'_>) -> anyhow::Result<Worker> {
    let (program, first) = contestant.program.split_first().context("no program")?;
    let mut command = Command::new(program);
    command.args(first).arg(&contestant.network).arg(round.input).arg(round.scratch.join("features"));
    command.args([round.batch, round.side, round.threads].map(|number| number.to_string()));
    let errors = round.scratch.join(format!("{}.log", contestant.name.replace(' ', "-")));
    Worker::start(command, round.threads, errors).with_context(|| contestant.name.to_owned())
}

/// The norm of the difference over the norm of `ours`; `None` if the lengths differ.
fn relative_l2(theirs: &[f32], ours: &[f32]) -> Option<f64> {
    if theirs.len() != ours.len() || ours.is_empty() {
        return None;
    }
    let square = |value: f64| value * value;
    let apart: f64 =
        theirs.iter().zip(ours).map(|(theirs, ours)| square(f64::from(*theirs) - f64::from(*ours))).sum();
    let whole: f64 = ours.iter().map(|ours| square(f64::from(*ours))).sum();
    // This is NaN if all values are zero, and a NaN is within no tolerance.
    Some((apart / whole).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_relative() {
        assert_eq!(relative_l2(&[3.0, 4.0], &[3.0, 4.0]), Some(0.0));
        assert_eq!(relative_l2(&[3.0, 5.0], &[3.0, 4.0]), Some(0.2));
        assert_eq!(relative_l2(&[3.0], &[3.0, 4.0]), None);
        assert!(relative_l2(&[f32::NAN, 4.0], &[3.0, 4.0]).is_some_and(f64::is_nan));
        assert!(relative_l2(&[0.0], &[0.0]).is_some_and(f64::is_nan));
    }
}
