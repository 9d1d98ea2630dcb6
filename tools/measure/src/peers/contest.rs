//! One contest: one network, one batch, everybody in turn.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::worker::Worker;
use crate::network::floats;

/// How long a turn is to take.
const TURN_MILLISECONDS: f64 = 700.0;
/// Between turns, so that the threads of the last contestant have gone to sleep.
const PAUSE: Duration = Duration::from_millis(300);
/// What features may differ by, as the norm of the difference over the norm.
const TOLERANCE: f64 = 1e-4;

/// Who takes part.
#[derive(Debug)]
pub(crate) struct Contestant {
    /// For the table.
    pub(crate) name: &'static str,
    /// The program and its first arguments.
    pub(crate) program: Vec<PathBuf>,
    /// The network as it wants it.
    pub(crate) network: PathBuf,
    /// Whether there is a contest without it: it needs what a machine may lack.
    pub(crate) optional: bool,
}

/// What all contestants are given.
#[derive(Debug)]
pub(crate) struct Round<'a> {
    pub(crate) input: &'a Path,
    pub(crate) scratch: &'a Path,
    pub(crate) batch: usize,
    pub(crate) side: usize,
    pub(crate) threads: usize,
    pub(crate) count: usize,
}

/// How one contestant did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    /// Milliseconds a picture.
    pub(crate) times: Vec<f64>,
    pub(crate) peak_bytes: Option<u64>,
    /// Against ours, which is first.
    pub(crate) difference: f64,
}

/// Everybody's outcome, ours first.
#[derive(Debug)]
pub(crate) struct Contest {
    pub(crate) batch: usize,
    pub(crate) outcomes: Vec<Outcome>,
    /// Who could not take part, and why.
    pub(crate) absent: Vec<(&'static str, String)>,
    /// GFLOP a second of a product of large matrices, the best of all turns.
    pub(crate) peak_rate: f64,
}

/// Starts every contestant, compares their features with those of the first, and
/// lets them take turns; `yardstick` takes its turn for the machine's peak.
///
/// # Errors
///
/// If one that is not optional cannot run, or gets other features.
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
        ensure!(difference <= TOLERANCE, "{}: relative L2 {difference:.1e} to ours", contestant.name);
        ours.get_or_insert(features);
        // The first runs after the one that was written are a warm-up, too.
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
    Ok(Contest { batch: round.batch, outcomes: outcomes.collect(), absent, peak_rate })
}

fn start(contestant: &Contestant, round: &Round<'_>) -> anyhow::Result<Worker> {
    let (program, first) = contestant.program.split_first().context("no program")?;
    let mut command = Command::new(program);
    command.args(first).arg(&contestant.network).arg(round.input).arg(round.scratch.join("features"));
    command.args([round.batch, round.side, round.threads].map(|number| number.to_string()));
    let errors = round.scratch.join(format!("{}.log", contestant.name.replace(' ', "-")));
    Worker::start(command, round.threads, errors).with_context(|| contestant.name.to_owned())
}

/// The norm of the difference over the norm of `ours`; none if the lengths differ.
fn relative_l2(theirs: &[f32], ours: &[f32]) -> Option<f64> {
    if theirs.len() != ours.len() || ours.is_empty() {
        return None;
    }
    let square = |value: f64| value * value;
    let apart: f64 =
        theirs.iter().zip(ours).map(|(theirs, ours)| square(f64::from(*theirs) - f64::from(*ours))).sum();
    let whole: f64 = ours.iter().map(|ours| square(f64::from(*ours))).sum();
    // NaN where all is zero, which no tolerance lets pass.
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
