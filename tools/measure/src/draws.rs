//! `cargo xtask bench draws DIR…`: fits models of few pictures, drawn at random, on every data set
//! below the folders. It measures how well they find defects, how many good pictures they reject, and
//! whether turned copies of the pictures help.

mod table;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use image::DynamicImage;
use serde_json::Value;

use crate::cases::{Case, words};
use crate::datasets::{DataSet, data_sets};
use crate::draw::{chosen, pictures};
use crate::{process, program, report};
use table::Found;

/// The document that `--write` changes.
const DOCUMENT: &str = "docs/accuracy.md";
/// Numbers of pictures to learn.
const COUNTS: [usize; 5] = [3, 5, 10, 30, 100];
/// Copies are tried up to this number of pictures.
const FEW: usize = 30;

/// Turns or mirrors a picture.
type Turn = fn(&DynamicImage) -> DynamicImage;

/// What is learnt beside the drawn pictures: a name, and the copies of each picture.
const WAYS: &[(&str, &[Turn])] = &[
    ("the pictures alone", &[]),
    ("with half turns", &[DynamicImage::rotate180]),
    (
        "with mirrored copies and half turns",
        &[DynamicImage::fliph, DynamicImage::flipv, DynamicImage::rotate180],
    ),
];

/// Flags of `cargo xtask bench draws`.
#[derive(Debug, Args)]
pub(crate) struct DrawsFlags {
    /// Folders that are data sets or hold some: `train/good` and `test`
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Number of random choices of pictures for each number of pictures
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    draws: u64,
    /// Number of threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Write the results into the document
    #[arg(long)]
    write: bool,
}

/// Fits and judges every draw, and prints the tables.
///
/// # Errors
///
/// If there is no data set, or a run fails.
pub(crate) fn run(flags: &DrawsFlags) -> anyhow::Result<()> {
    let sets = data_sets(&flags.folders)?;
    let (dfm, scratch) = (program::build()?, tempfile::tempdir().context("a scratch folder")?);
    let trial = Trial { dfm: &dfm, scratch: scratch.path(), threads: flags.threads };
    let mut found = Vec::new();
    for set in &sets {
        let (learn, judge) = (pictures(&set.folder.join("train/good"))?, rows_to_judge(set)?);
        for count in COUNTS.into_iter().filter(|count| *count < learn.len()) {
            for (way, turns) in WAYS.iter().filter(|(_, turns)| turns.is_empty() || count <= FEW) {
                eprintln!("{}: {count} pictures, {way}", set.name);
                for draw in 0..flags.draws {
                    let drawn = chosen(&learn, count, draw);
                    let figures = trial.figures(&rows_to_learn(&drawn, turns, scratch.path())?, &judge)?;
                    found.push(Found { set: set.name.clone(), count, way, figures });
                }
            }
        }
    }
    let begin = format!("{} random choices of the pictures to learn.", flags.draws);
    let ways: Vec<&str> = WAYS.iter().map(|(way, _)| *way).collect();
    let texts = [
        ("draws".to_owned(), format!("{begin}\n\n{}", table::by_count(&found, ways[0]))),
        ("draws-rejected".to_owned(), table::rejected_by_set(&found, ways[0])),
        ("draws-copies".to_owned(), table::gains(&found, &ways)),
    ];
    for (_, text) in &texts {
        println!("{text}\n");
    }
    if flags.write { report::write_to(DOCUMENT, &texts) } else { Ok(()) }
}

/// The rows of a list that name the pictures to judge. They name no masks, so no time goes into pixels.
fn rows_to_judge(set: &DataSet) -> anyhow::Result<String> {
    let mut rows = String::new();
    for class in pictures(&set.folder.join("test"))? {
        let label = class.file_name().context("a folder without a name")?.to_string_lossy().into_owned();
        for picture in pictures(&class)? {
            writeln!(rows, "\"{}\",{label},test", picture.display())?;
        }
    }
    Ok(rows)
}

/// The rows of a list that name the pictures to learn and their copies, which are written to `scratch`.
fn rows_to_learn(drawn: &[&Path], turns: &[Turn], scratch: &Path) -> anyhow::Result<String> {
    let mut rows = String::new();
    for (index, picture) in drawn.iter().enumerate() {
        writeln!(rows, "\"{}\",good,train", picture.display())?;
        if turns.is_empty() {
            continue;
        }
        let original = image::open(picture).with_context(|| picture.display().to_string())?;
        for (place, turn) in turns.iter().enumerate() {
            let copy = scratch.join(format!("{index}-{place}.png"));
            turn(&original).save(&copy).with_context(|| copy.display().to_string())?;
            writeln!(rows, "\"{}\",good,train", copy.display())?;
        }
    }
    Ok(rows)
}

/// The program, and where it works.
struct Trial<'t> {
    dfm: &'t Path,
    scratch: &'t Path,
    threads: usize,
}

impl Trial<'_> {
    /// What `dfm evaluate` finds with a model of the pictures to learn.
    fn figures(&self, learn: &str, judge: &str) -> anyhow::Result<Value> {
        let (list, model) = (self.scratch.join("draw.csv"), self.scratch.join("draw.dfm"));
        std::fs::write(&list, format!("path,label,split\n{learn}{judge}"))?;
        let threads = self.threads.to_string();
        let run = |name: &str, arguments| {
            let case = Case::new(name, None, self.dfm, arguments);
            process::measure(case.command(), case.accepted, self.scratch, self.threads)
        };
        run("fit", words(&[&"fit", &list, &"-o", &model, &"--no-update", &"--threads", &threads]))?;
        let judge = words(&[&"evaluate", &model, &list, &"--bootstrap", &"0", &"--format", &"json"]);
        let output = run("evaluate", [judge, words(&[&"--threads", &threads])].concat())?.output;
        serde_json::from_str(&output).with_context(|| output.clone())
    }
}
