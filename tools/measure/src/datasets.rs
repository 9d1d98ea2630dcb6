//! `cargo xtask bench datasets DIR…`: measures the default and named alternatives on every data set
//! below the folders, by the program itself.

mod figures;
mod tables;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::Value;

use crate::cases::{Case, count_files, words};
use crate::{process, program, report};
use figures::Figures;

/// The document that `--write` changes.
const DOCUMENT: &str = "docs/accuracy.md";
/// How deep below a folder a data set may lie.
const DEPTH: usize = 2;

/// A name and the flags of `dfm fit` that differ from the default, which is the first.
const WAYS: &[(&str, &[&str])] = &[
    ("default", &[]),
    ("sum", &["--aggregate", "sum"]),
    ("relative", &["--aggregate", "relative"]),
    ("every picture learnt", &["--robust", "off"]),
    ("max", &["--aggregate", "max"]),
    ("top:5%", &["--aggregate", "top:5%"]),
    ("power:2", &["--aggregate", "power:2"]),
    ("power:3", &["--aggregate", "power:3"]),
    ("power:4", &["--aggregate", "power:4"]),
    ("power:6", &["--aggregate", "power:6"]),
    ("power:4, pool 2", &["--aggregate", "power:4", "--pool", "2"]),
    ("rows cells", &["--rows", "cells"]),
    ("rows cells, pool 1", &["--rows", "cells", "--pool", "1"]),
    ("int8", &["--precision", "int8"]),
    ("no update", &["--no-update"]),
    ("no update, half", &["--no-update", "--half"]),
    ("no update, pca 0.9", &["--no-update", "--pca", "0.9"]),
    ("no update, pca 0.99", &["--no-update", "--pca", "0.99"]),
    ("bytes", &["--resampling", "bytes"]),
    (
        "published",
        &["--layer", "layer3", "--resize", "stretch", "--resampling", "bytes", "--aggregate", "sum"],
    ),
];

/// Flags of `cargo xtask bench datasets`.
#[derive(Debug, Args)]
pub(crate) struct DatasetsFlags {
    /// Folders that are data sets or hold some: `train/good`, `test` and, if there are masks,
    /// `ground_truth`
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Only these ways, by name [default: all]
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Number of threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Write the results into the document
    #[arg(long)]
    write: bool,
}

/// A folder with pictures to learn and pictures to judge.
#[derive(Debug)]
pub(crate) struct DataSet {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    /// How many pictures there are to learn.
    learnt: usize,
}

/// Measures every way on every data set, and prints the tables.
///
/// # Errors
///
/// If there is no data set, a name is unknown, or a run fails.
pub(crate) fn run(flags: &DatasetsFlags) -> anyhow::Result<()> {
    let known = |name: &String| WAYS.iter().any(|(way, _)| way == name);
    if let Some(name) = flags.only.iter().find(|name| !known(name)) {
        let names: Vec<&str> = WAYS.iter().map(|(name, _)| *name).collect();
        anyhow::bail!("--only {name}: expected one of {}", names.join("; "));
    }
    let chosen = |name: &str| flags.only.is_empty() || flags.only.iter().any(|only| only == name);
    let ways: Vec<_> = WAYS.iter().filter(|(name, _)| chosen(name)).collect();
    let sets = data_sets(&flags.folders)?;
    let (dfm, scratch) = (program::build()?, tempfile::tempdir().context("a scratch folder")?);
    let mut found: Vec<Vec<Figures>> = Vec::new();
    for (name, fit) in &ways {
        let mut of_way = Vec::new();
        for set in &sets {
            eprintln!("{name}: {}", set.name);
            of_way.push(measure(&dfm, set, fit, scratch.path(), flags.threads)?);
        }
        found.push(of_way);
    }
    let ways: Vec<&str> = ways.iter().map(|(name, _)| *name).collect();
    let sets: Vec<&str> = sets.iter().map(|set| set.name.as_str()).collect();
    let texts = vec![
        ("datasets-first".to_owned(), tables::one_way(&sets, &found[0])),
        ("datasets-ways".to_owned(), tables::every_way(&sets, &ways, &found)),
    ];
    for (_, text) in &texts {
        println!("{text}\n");
    }
    if flags.write { report::write_to(DOCUMENT, &texts) } else { Ok(()) }
}

/// The data sets at `folders` or below them, by name.
///
/// # Errors
///
/// If there is none, or a folder cannot be read.
pub(crate) fn data_sets(folders: &[PathBuf]) -> anyhow::Result<Vec<DataSet>> {
    let mut sets = Vec::new();
    for folder in folders {
        let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
        find(&folder, DEPTH, &mut sets)?;
    }
    ensure!(!sets.is_empty(), "no folder has train/good and test, or holds one that has");
    Ok(sets)
}

/// Adds the data sets at `folder` or below it, by name.
fn find(folder: &Path, depth: usize, sets: &mut Vec<DataSet>) -> anyhow::Result<()> {
    let good = folder.join("train/good");
    if good.is_dir() && folder.join("test").is_dir() {
        let name = folder.file_name().context("a folder without a name")?.to_string_lossy().into_owned();
        sets.push(DataSet { name, learnt: count_files(&good)?, folder: folder.to_owned() });
        return Ok(());
    }
    if depth == 0 {
        return Ok(());
    }
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut below: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    below.sort();
    below.iter().filter(|path| path.is_dir()).try_for_each(|path| find(path, depth - 1, sets))
}

/// Fits a model of the good pictures of `set` with the flags `fit`, and evaluates it.
fn measure(
    dfm: &Path,
    set: &DataSet,
    fit: &[&str],
    scratch: &Path,
    threads: usize,
) -> anyhow::Result<Figures> {
    let (model, threads_text) = (scratch.join("set.dfm"), threads.to_string());
    let good = set.folder.join("train/good");
    let mut learn = words(&[&"fit", &good, &"-o", &model, &"--threads", &threads_text]);
    learn.extend(fit.iter().map(OsString::from));
    let judge = words(&[
        &"evaluate",
        &model,
        &set.folder,
        &"--bootstrap",
        &"0",
        &"--format",
        &"json",
        &"--threads",
        &threads_text,
    ]);
    let run = |name: &str, arguments| {
        let case = Case::new(name, None, dfm, arguments);
        process::measure(case.command(), case.accepted, scratch, threads)
    };
    let learning = run("fit", learn)?;
    let judging = run("evaluate", judge)?;
    let found: Value = serde_json::from_str(&judging.output).with_context(|| judging.output.clone())?;
    let bytes = fs::metadata(&model).with_context(|| model.display().to_string())?.len();
    Figures::new(set.learnt, &found, [learning.wall, judging.wall], bytes)
}
