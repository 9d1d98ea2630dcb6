//! `cargo xtask bench statistics`: times our fit of real feature rows, beside the principal
//! components of other libraries.
//!
//! Every contestant is a process that times itself, so reading the rows and importing libraries do
//! not count. All take turns.

mod part;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::Value;

pub(crate) use part::{PartFlags, run as run_part};

use crate::process::{self, Measured};
use crate::workspace;
use crate::{environment, machine, report};

/// The requirements of benches/peers/decompositions.py.
const REQUIREMENTS: [&str; 1] = ["requirements.txt"];
/// The share of the variance that the components must explain.
const RATIO: f64 = 0.97;
/// The largest relative difference of a variance from the SVD's at which a method counts as equally
/// accurate. Two correct programs stay within it in `f64`.
const EQUAL: f64 = 1e-6;

/// Flags of `cargo xtask bench statistics`.
#[derive(Debug, Args)]
pub(crate) struct StatisticsFlags {
    /// A folder with `train/good` inside, in the layout of MVTec AD
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Numbers of rows
    #[arg(long, num_args = 1.., value_delimiter = ',', default_values_t = [300, 1000, 5000])]
    rows: Vec<usize>,
    /// Number of turns of every contestant
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Number of threads of every contestant
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Seconds after which a contestant with a limit is stopped
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    limit: u64,
    /// Write the tables into docs/benchmarks.md
    #[arg(long)]
    write: bool,
}

/// A contestant.
struct Contestant {
    /// Name for the table.
    name: &'static str,
    /// Name in benches/peers/decompositions.py; none for ours.
    method: Option<&'static str>,
    /// Whether it is stopped when it takes too long, and may fail. It then takes no more turns.
    limited: bool,
}

/// All contestants. The first is the reference for accuracy, the second is ours.
const CONTESTANTS: &[Contestant] = &[
    Contestant { name: "PyTorch, SVD", method: Some("torch-svd"), limited: false },
    Contestant { name: "DFM", method: None, limited: false },
    Contestant { name: "PyTorch, Gram matrix", method: Some("torch-gram"), limited: false },
    Contestant { name: "scikit-learn, full", method: Some("full"), limited: false },
    Contestant { name: "scikit-learn, randomized", method: Some("randomized"), limited: false },
    Contestant { name: "scikit-learn, covariance_eigh", method: Some("covariance-eigh"), limited: true },
    Contestant { name: "scikit-learn, IncrementalPCA", method: Some("incremental"), limited: false },
];
/// Indices in the list.
const YARDSTICK: usize = 0;
const OURS: usize = 1;

/// The results of one contestant.
#[derive(Debug, Default)]
struct Outcome {
    /// Seconds of each turn.
    times: Vec<f64>,
    peak_bytes: Option<u64>,
    variances: Vec<f64>,
    /// Seconds to score a batch, if it scores.
    scoring: Vec<f64>,
    /// The reason why it takes no more turns.
    given_up: Option<GivenUp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GivenUp {
    /// It did not finish within the limit.
    TooLong,
    /// It crashed.
    Failed,
}

/// The input of all contestants.
struct Round<'a> {
    rows: usize,
    /// The file with the rows.
    features: &'a Path,
    scratch: &'a Path,
    python: &'a Path,
    threads: usize,
    limit: Duration,
}

/// Extracts the rows, lets all contestants fit them, and prints the tables.
///
/// # Errors
///
/// If a peer cannot be installed, if something does not run, or if our variances are not those of
/// the SVD.
pub(crate) fn run(flags: &StatisticsFlags) -> anyhow::Result<()> {
    let good = flags.data.join("train/good");
    let good = good.canonicalize().with_context(|| good.display().to_string())?;
    let most = flags.rows.iter().copied().max().unwrap_or(0);
    ensure!(flags.rows.iter().all(|rows| *rows >= 2), "--rows: there is no fit of fewer than 2");
    let python = environment::python("statistics", &REQUIREMENTS)?;
    let scratch = tempfile::tempdir().context("a scratch folder")?;
    let features = scratch.path().join("features");
    eprintln!("features of {most} pictures");
    let mut command = ours("extract", &good, most)?;
    command.arg(&features);
    let extracted = process::measure(command, &[0], scratch.path(), flags.threads)?;
    let (extraction, pictures) = (figure(&extracted, "seconds")?, figure(&extracted, "pictures")?);
    let mut tables = Vec::new();
    for &rows in &flags.rows {
        let round = Round {
            rows,
            features: &features,
            scratch: scratch.path(),
            python: &python,
            threads: flags.threads,
            limit: Duration::from_secs(flags.limit),
        };
        let outcomes = hold(&round, flags.rounds)?;
        let setting = machine::describe(flags.threads, None)?;
        let versions = machine::versions(&python, &["torch", "scikit-learn", "numpy"])?;
        let parts = rows.saturating_sub(pictures as usize);
        let text = format!(
            "{setting} Peers: {versions}. {rows} rows, {parts} of them of parts of pictures; {} turns.\n\n{}\n\n{}",
            flags.rounds,
            table(&outcomes, round.limit)?,
            scoring(&outcomes[OURS], extraction)
        );
        println!("## {rows} rows\n\n{text}\n");
        tables.push((format!("statistics:{rows}"), text));
    }
    if flags.write { report::write(&tables) } else { Ok(()) }
}

/// Lets all contestants take `turns`.
fn hold(round: &Round<'_>, turns: u32) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes: Vec<Outcome> = CONTESTANTS.iter().map(|_| Outcome::default()).collect();
    for turn in 1..=turns {
        for (place, contestant) in CONTESTANTS.iter().enumerate() {
            if outcomes[place].given_up.is_some() {
                continue;
            }
            eprintln!("{} rows, turn {turn} of {turns}: {}", round.rows, contestant.name);
            // Some contestants must be told how many components the ratio takes.
            let components = kept(&outcomes[YARDSTICK].variances);
            take_turn(contestant, components, round, &mut outcomes[place])?;
        }
    }
    let error = largest_error(&outcomes[OURS].variances, &outcomes[YARDSTICK].variances);
    ensure!(error <= EQUAL, "our variances differ from those of the SVD by {error:.1e}");
    Ok(outcomes)
}

fn take_turn(
    contestant: &Contestant,
    components: usize,
    round: &Round<'_>,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let variances = round.scratch.join("variances");
    let command = match contestant.method {
        None => {
            let mut command = ours("fit", round.features, round.rows)?;
            command.arg(&variances);
            command
        }
        Some(method) => {
            let mut command = Command::new(round.python);
            command
                .arg(workspace::root().join("benches/peers/decompositions.py"))
                .arg(method)
                .arg(round.features);
            command.args([round.rows, part::COLUMNS].map(|number| number.to_string())).arg(&variances);
            command.args([round.threads, components].map(|number| number.to_string()));
            command
        }
    };
    let limit = contestant.limited.then_some(round.limit);
    let (measured, ended) = match process::measure_within(command, &[0], round.scratch, round.threads, limit)
    {
        Err(error) if contestant.limited => {
            eprintln!("{error:#}");
            outcome.given_up = Some(GivenUp::Failed);
            return Ok(());
        }
        measured => measured?,
    };
    outcome.peak_bytes = outcome.peak_bytes.max(measured.peak_bytes);
    outcome.given_up = (!ended).then_some(GivenUp::TooLong);
    if ended {
        outcome.times.push(figure(&measured, "seconds")?);
        outcome.scoring.extend(figure(&measured, "scoring_seconds").ok());
        let bytes = std::fs::metadata(&variances).with_context(|| variances.display().to_string())?.len();
        outcome.variances = part::doubles(&variances, bytes as usize / 8)?;
    }
    Ok(())
}

/// A part of this program, with its first two arguments.
fn ours(part: &str, input: &Path, rows: usize) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("the path of this program")?);
    command.args(["alone", "statistics", part]).arg(input).arg(rows.to_string());
    Ok(command)
}

fn figure(measured: &Measured, name: &str) -> anyhow::Result<f64> {
    let found: Value = serde_json::from_str(&measured.output).with_context(|| measured.output.clone())?;
    found[name].as_f64().with_context(|| format!("no {name} in {}", measured.output))
}

/// The smallest number of variances whose share reaches the ratio.
fn kept(variances: &[f64]) -> usize {
    let all: f64 = variances.iter().sum();
    let mut reached = 0.0;
    let short = variances.iter().take_while(|variance| {
        reached += **variance;
        reached / all < RATIO
    });
    (short.count() + 1).min(variances.len())
}

/// The largest relative difference between the variances that the ratio takes and those of the SVD.
fn largest_error(variances: &[f64], yardstick: &[f64]) -> f64 {
    let kept = kept(yardstick);
    if variances.len() < kept {
        return f64::INFINITY;
    }
    let error = |(found, right): (&f64, &f64)| (found / right - 1.0).abs();
    // A NaN stays a NaN.
    variances
        .iter()
        .zip(yardstick)
        .take(kept)
        .map(error)
        .fold(0.0, |most, next| if most.is_nan() || next <= most { most } else { next })
}

/// One row for each contestant, ours first, and a summary.
fn table(outcomes: &[Outcome], limit: Duration) -> anyhow::Result<String> {
    let time = |outcome: &Outcome| match outcome.given_up {
        Some(_) => limit.as_secs_f64(),
        None => report::median(&report::sorted(outcome.times.clone())),
    };
    let (ours, yardstick) = (&outcomes[OURS], &outcomes[YARDSTICK].variances);
    let mut table = "| | Median | It / DFM | Peak memory | It / DFM | Largest error of a variance |\n\
                     |---|--:|--:|--:|--:|--:|\n"
        .to_owned();
    let mut best: Option<(&str, f64)> = None;
    for place in std::iter::once(OURS).chain((0..outcomes.len()).filter(|place| *place != OURS)) {
        let (outcome, name) = (&outcomes[place], CONTESTANTS[place].name);
        if outcome.given_up == Some(GivenUp::Failed) {
            table.push_str(&format!("| {name} | crashed | – | – | – | – |\n"));
            continue;
        }
        let (seconds, ratio) = (time(outcome), time(outcome) / time(ours));
        let than = if outcome.given_up.is_some() { "> " } else { "" };
        let error = largest_error(&outcome.variances, yardstick);
        let peak = |outcome: &Outcome| outcome.peak_bytes.map_or(f64::NAN, |bytes| bytes as f64);
        let shown = match place {
            YARDSTICK => "–".to_owned(),
            _ if outcome.given_up.is_some() => "–".to_owned(),
            _ => format!("{error:.0e}"),
        };
        table.push_str(&format!(
            "| {name} | {than}{seconds:.2} s | {than}{ratio:.2} | {than}{} | {than}{:.2} | {shown} |\n",
            report::mebibytes(outcome.peak_bytes.context("peak memory is read on Linux alone")?),
            peak(outcome) / peak(ours),
        ));
        let rival = place != OURS && outcome.given_up.is_none() && error <= EQUAL;
        if rival && best.is_none_or(|(_, least)| ratio < least) {
            best = Some((name, ratio));
        }
    }
    let (name, ratio) = best.context("nobody is as accurate as the SVD")?;
    let components = kept(yardstick);
    table.push_str(&format!(
        "\n{components} components. The SVD takes **{:.1}** times as long as DFM, the best that is equally accurate \
         **{ratio:.2}** times ({name}).",
        time(&outcomes[YARDSTICK]) / time(ours)
    ));
    Ok(table)
}

/// The cost of scoring beside that of the network.
fn scoring(ours: &Outcome, extraction: f64) -> String {
    let scoring = report::median(&report::sorted(ours.scoring.clone()));
    format!(
        "Scoring {} rows takes {:.2} ms, {:.1} % of the {:.1} ms of extracting them.",
        part::BATCH,
        1e3 * scoring,
        100.0 * scoring / extraction,
        1e3 * extraction
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_takes_the_fewest_that_reach_it() {
        assert_eq!(kept(&[96.0, 1.0, 3.0]), 2);
        assert_eq!(kept(&[97.0, 2.0, 1.0]), 1);
        assert_eq!(kept(&[1.0; 10]), 10);
        assert_eq!(kept(&[]), 0);
    }

    #[test]
    fn errors_are_those_of_the_components_alone() {
        assert!((largest_error(&[2.02, 1.0, 5.0], &[2.0, 1.0, 0.01]) - 0.01).abs() < 1e-12);
        assert_eq!(largest_error(&[2.0], &[2.0, 1.0]), f64::INFINITY);
        assert!(largest_error(&[f64::NAN, 1.0], &[2.0, 1.0]).is_nan(), "no tolerance lets it pass");
    }

    #[test]
    fn ours_comes_first_and_who_is_less_accurate_is_no_rival() {
        let outcome = |seconds: f64, variances: Vec<f64>| Outcome {
            times: vec![seconds],
            peak_bytes: Some(1 << 20),
            variances,
            ..Outcome::default()
        };
        let mut outcomes: Vec<Outcome> =
            (0..CONTESTANTS.len()).map(|_| outcome(4.0, vec![2.0, 1.0])).collect();
        outcomes[OURS] = outcome(2.0, vec![2.0, 1.0]);
        outcomes[4] = outcome(1.0, vec![2.0, 0.9]);
        outcomes[5].given_up = Some(GivenUp::TooLong);
        outcomes[6].given_up = Some(GivenUp::Failed);
        let table = table(&outcomes, Duration::from_secs(9)).unwrap();
        let rows: Vec<&str> = table.lines().collect();
        assert!(rows[2].starts_with("| DFM | 2.00 s | 1.00 |"), "{table}");
        assert!(
            table.contains("| scikit-learn, randomized | 1.00 s | 0.50 | 1 MiB | 1.00 | 1e-1 |"),
            "{table}"
        );
        assert!(table.contains("| scikit-learn, covariance_eigh | > 9.00 s | > 4.50 |"), "{table}");
        assert!(table.contains("| scikit-learn, IncrementalPCA | crashed |"), "{table}");
        assert!(table.contains("the best that is equally accurate **2.00** times"), "{table}");
    }
}
