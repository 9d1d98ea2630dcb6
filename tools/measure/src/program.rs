//! `cargo xtask bench --data DIR`: times whole runs of the program, from start to exit.
//!
//! Every case runs once unrecorded, so the files are in the page cache. It then runs as often as
//! asked. Cases take turns, so a slow minute of the machine affects all of them. With `--peers`
//! PyTorch and scikit-learn do the same work in turns in the same run.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::Value;

use crate::process::Measured;
use crate::workspace;
use crate::{cases, decompose, machine, process, report};

/// Flags of `cargo xtask bench` without a subcommand.
#[derive(Debug, Args)]
pub(crate) struct ProgramFlags {
    /// A folder with `train/good` and `test` inside, in the layout of MVTec AD
    #[arg(long, value_name = "DIR", required = true)]
    data: Option<PathBuf>,
    /// Number of recorded runs of each case
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
    /// Threads of every program [default: one for each core]
    #[arg(long)]
    threads: Option<usize>,
    /// Also time PyTorch and scikit-learn at the same work (benches/peers)
    #[arg(long)]
    peers: bool,
    /// The Python that has benches/peers/requirements.txt installed
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Rows and columns of the matrix that is decomposed
    #[arg(long, default_value = "300x16384", value_parser = decompose::parse_shape)]
    shape: (usize, usize),
    /// Put the tables into docs/benchmarks.md
    #[arg(long)]
    write: bool,
}

/// Times every case and prints the tables.
///
/// # Errors
///
/// If the program does not build, a run fails, or a peer gets other results.
pub(crate) fn run(flags: &ProgramFlags) -> anyhow::Result<()> {
    let data = flags.data.as_deref().context("--data DIR is missing")?;
    let scratch = tempfile::tempdir().context("a scratch folder")?;
    let threads = flags.threads.unwrap_or_else(machine::cores);
    let peers = flags.peers.then(|| cases::Peers { python: &flags.python, shape: flags.shape });
    let cases = cases::all(peers.as_ref(), data, &build()?, scratch.path(), threads)?;
    let mut runs: Vec<Vec<Measured>> = cases.iter().map(|_| Vec::new()).collect();
    for turn in 0..=flags.repeats {
        for (case, runs) in cases.iter().zip(&mut runs) {
            eprintln!("turn {turn} of {}: {}", flags.repeats, case.name);
            let measured = process::measure(case.command(), case.accepted, scratch.path(), threads)?;
            if turn > 0 {
                runs.push(measured);
            }
        }
    }
    cases::agree(&cases, &runs)?;

    let setting = machine::describe(threads, flags.peers.then_some(flags.python.as_path()))?;
    let whole = report::own_table(&cases, &runs);
    println!("{setting}\n\n{whole}");
    let peers = flags.peers.then(|| report::peer_table(&cases, &runs));
    if let Some(peers) = &peers {
        println!("\n{peers}");
    }
    if flags.write {
        let mut tables = vec![("program".to_owned(), format!("{setting}\n\n{whole}"))];
        tables.extend(peers.map(|peers| ("peers".to_owned(), format!("{setting}\n\n{peers}"))));
        report::write(&tables)?;
    }
    Ok(())
}

/// Calls `text` with the program, a folder of pictures and a scratch folder, once for `data` and
/// once for the bundled pictures. Returns each text with the name of its marker in the document.
pub(crate) fn on_data_and_demo(
    data: &Path,
    table: &str,
    text: impl Fn(&Path, &Path, &Path) -> anyhow::Result<String>,
) -> anyhow::Result<Vec<(String, String)>> {
    let data = data.canonicalize().with_context(|| data.display().to_string())?;
    let dfm = build()?;
    let scratch = tempfile::tempdir().context("a scratch folder")?;
    let demo = workspace::root().join("assets/demo");
    let mut texts = Vec::new();
    for (name, folder) in [("data", &data), ("demo", &demo)] {
        let text = text(&dfm, folder, scratch.path())?;
        println!("{name}: {text}\n");
        texts.push((format!("{table}-{name}"), text));
    }
    Ok(texts)
}

/// Builds the program as the README's first command does, and returns its path.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    let lines = workspace::output(workspace::cargo().args([
        "build",
        "--release",
        "--bin",
        "dfm",
        "--message-format",
        "json",
    ]))?;
    let executable = lines.lines().rev().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == "dfm").then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    let executable = executable.context("cargo build names no executable called dfm")?;
    ensure!(executable.is_file(), "{}: not there", executable.display());
    Ok(executable)
}
