//! `cargo xtask bench anomalib`: times `dfm fit` beside anomalib's fit of the same model, as whole
//! processes.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use crate::cases::{Case, count_files, words};
use crate::process::{self, Measured};
use crate::workspace;
use crate::{environment, machine, program, report};

/// The requirements of benches/peers/anomalib_dfm.py.
const REQUIREMENTS: [&str; 1] = ["requirements-anomalib.txt"];

/// Flags of `cargo xtask bench anomalib`.
#[derive(Debug, Args)]
pub(crate) struct AnomalibFlags {
    /// A folder with `train/good` inside, in the layout of MVTec AD
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Networks
    #[arg(long, num_args = 1.., value_delimiter = ',', default_values = ["resnet50", "resnet18"])]
    arch: Vec<String>,
    /// Number of recorded runs of each program
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
    /// Number of threads of every program
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Write the table into docs/benchmarks.md
    #[arg(long)]
    write: bool,
}

/// Times both and prints the table.
///
/// # Errors
///
/// If something does not build, install or run.
pub(crate) fn run(flags: &AnomalibFlags) -> anyhow::Result<()> {
    let data = flags.data.canonicalize().with_context(|| flags.data.display().to_string())?;
    let good = data.join("train/good");
    let python = environment::python("anomalib", &REQUIREMENTS)?;
    let scratch = tempfile::tempdir().context("a scratch folder")?;
    let cases = cases(flags, &good, &program::build()?, &python, scratch.path())?;
    let mut runs: Vec<Vec<Measured>> = cases.iter().map(|_| Vec::new()).collect();
    for turn in 0..=flags.repeats {
        for (case, runs) in cases.iter().zip(&mut runs) {
            eprintln!("turn {turn} of {}: {}", flags.repeats, case.name);
            let measured = process::measure(case.command(), case.accepted, scratch.path(), flags.threads)?;
            if turn > 0 {
                runs.push(measured);
            }
        }
    }
    let versions = machine::versions(&python, &["anomalib", "torch", "lightning", "scikit-learn"])?;
    let setting = machine::describe(flags.threads, None)?;
    let pictures = count_files(&good)?;
    let table = report::peer_table(&cases, &runs);
    let text = format!(
        "{setting} {pictures} pictures, {} runs of each. Peer: {versions}.\n\n{table}",
        flags.repeats
    );
    println!("{text}");
    if flags.write { report::write(&[("anomalib".to_owned(), text)]) } else { Ok(()) }
}

/// For every network our case, and anomalib's after it.
fn cases(
    flags: &AnomalibFlags,
    good: &Path,
    dfm: &Path,
    python: &Path,
    scratch: &Path,
) -> anyhow::Result<Vec<Case>> {
    let count = Some(count_files(good)?);
    let script = workspace::root().join("benches/peers/anomalib_dfm.py");
    let (model, threads) = (scratch.join("model.dfm"), flags.threads.to_string());
    let mut cases = Vec::new();
    for arch in &flags.arch {
        let ours = words(&[
            &"fit",
            &good,
            &"-o",
            &model,
            &"--backbone",
            arch,
            &"--weights",
            &"random",
            &"--layer",
            &"layer3",
            &"--pool",
            &"4",
            &"--resize",
            &"stretch",
            &"--aggregate",
            &"sum",
            &"--threads",
            &threads,
        ]);
        let theirs = words(&[&script, &good, &"--backbone", arch, &"--threads", &threads]);
        let place = cases.len();
        cases.push(Case::new(&format!("fit, {arch} to layer3, pool 4"), count, dfm, ours));
        cases.push(Case::new("anomalib", count, python, theirs).beside(place));
    }
    Ok(cases)
}
