//! `cargo xtask bench decisions`: counts how many good pictures are called anomalous at each stated
//! rate, for each way to calibrate.

use std::path::Path;

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::Value;

use crate::cases::{Case, count_files, words};
use crate::setting::MeasureFlags;
use crate::{process, program, report};

/// The document that `--write` changes.
const DOCUMENT: &str = "docs/thresholds.md";
const KINDS: [&str; 3] = ["leave-one-out", "split", "jackknife+"];
const RATES: [f64; 4] = [0.01, 0.02, 0.05, 0.1];

/// Flags of `cargo xtask bench decisions`.
#[derive(Debug, Args)]
pub(crate) struct DecisionsFlags {
    #[command(flatten)]
    measure: MeasureFlags,
}

/// Fits and judges `data` and the bundled pictures with every way to calibrate.
///
/// # Errors
///
/// If something does not build or run.
pub(crate) fn run(flags: &DecisionsFlags) -> anyhow::Result<()> {
    let texts = program::on_data_and_demo(&flags.measure.data, "decisions", |dfm, folder, scratch| {
        let good = folder.join("test/good");
        let counts = [count_files(&folder.join("train/good"))?, count_files(&good)?];
        let mut text = format!("{} good pictures to learn, {} to judge.\n\n", counts[0], counts[1]);
        text += "| `--calibrate` | Calibrating |";
        RATES.iter().for_each(|rate| text += &format!(" Rejected at {rate} |"));
        text += "\n|---|--:|";
        RATES.iter().for_each(|_| text += "--:|");
        for kind in KINDS {
            eprintln!("{}: {kind}", folder.display());
            text += &format!("\n{}", row(flags, dfm, folder, scratch, kind)?);
        }
        Ok(text)
    })?;
    if flags.measure.write { report::write_to(DOCUMENT, &texts) } else { Ok(()) }
}

/// The row of one way to calibrate: how many good pictures it rejects.
fn row(
    flags: &DecisionsFlags,
    dfm: &Path,
    data: &Path,
    scratch: &Path,
    kind: &str,
) -> anyhow::Result<String> {
    let (model, threads) = (scratch.join("decisions.dfm"), flags.measure.threads.to_string());
    let run = |arguments| -> anyhow::Result<String> {
        let case = Case::new(kind, None, dfm, arguments);
        // The exit code is 1 where the program finds anomalies.
        Ok(process::measure(case.command(), &[0, 1], scratch, flags.measure.threads)?.output)
    };
    let (train, good) = (data.join("train/good"), data.join("test/good"));
    run(words(&[&"fit", &train, &"-o", &model, &"--calibrate", &kind, &"--threads", &threads]))?;
    let judged = run(words(&[&"predict", &model, &good, &"--format", &"json", &"--threads", &threads]))?;
    let info = run(words(&[&"info", &model, &"--format", &"json"]))?;
    let info: Value = serde_json::from_str(&info).with_context(|| info.clone())?;
    let calibrating = info["calibration"]["pictures"].as_u64().context("no calibration")?;
    let p_values = judged
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).ok()?["p_value"].as_f64())
        .collect::<Option<Vec<f64>>>()
        .context("verdicts without p-values")?;
    ensure!(!p_values.is_empty(), "no verdict");
    let mut row = format!("| `{kind}` | {calibrating} |");
    for rate in RATES {
        row += &match 1.0 / (calibrating + 1) as f64 <= rate {
            true => {
                let rejected = p_values.iter().filter(|p_value| **p_value <= rate).count();
                format!(" {rejected} |")
            }
            false => " – |".to_owned(),
        };
    }
    Ok(row)
}
