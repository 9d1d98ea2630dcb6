//! `cargo xtask bench validation`: measures what synthetic defects say about a model, and how their
//! threshold does on real defects.

use std::path::Path;

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use crate::cases::{Case, words};
use crate::setting::MeasureFlags;
use crate::{process, program, report};

/// The document that `--write` changes.
const DOCUMENT: &str = "docs/thresholds.md";
/// Flags of each fit. The seed is also the seed of the defects.
const WAYS: [&[&str]; 6] = [
    &["--val", "train"],
    &["--val", "train", "--calibrate", "split"],
    &["--val", "synthetic"],
    &["--val", "synthetic", "--seed", "1"],
    &["--val", "synthetic", "--seed", "2"],
    &["--val", "synthetic", "--false-alarm", "0.1"],
];

/// Flags of `cargo xtask bench validation`.
#[derive(Debug, Args)]
pub(crate) struct ValidationFlags {
    #[command(flatten)]
    measure: MeasureFlags,
}

/// Fits and evaluates `data` and the bundled pictures with every way to validate.
///
/// # Errors
///
/// If something does not build or run.
pub(crate) fn run(flags: &ValidationFlags) -> anyhow::Result<()> {
    let texts = program::on_data_and_demo(&flags.measure.data, "validation", |dfm, folder, scratch| {
        let mut text =
            "| Flags | Synthetic: image AUROC | pixel AUROC | found | Real: image AUROC | pixel AUROC | \
                        found | good rejected | F1 | best F1 |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
                .to_owned();
        for way in WAYS {
            eprintln!("{}: {}", folder.display(), way.join(" "));
            text += &format!("\n{}", row(flags.measure.threads, [dfm, folder, scratch], way)?);
        }
        Ok(text)
    })?;
    if flags.measure.write { report::write_to(DOCUMENT, &texts) } else { Ok(()) }
}

/// The row of one way to validate: its own figures, and those of its model on the test pictures.
fn row(threads: usize, [dfm, data, scratch]: [&Path; 3], way: &[&str]) -> anyhow::Result<String> {
    let (model, count) = (scratch.join("validation.dfm"), threads.to_string());
    let run = |arguments| -> anyhow::Result<String> {
        let case = Case::new("validation", None, dfm, arguments);
        Ok(process::measure(case.command(), &[0], scratch, threads)?.output)
    };
    let json = |text: String| serde_json::from_str::<Value>(&text).context(text);
    let mut fit = words(&[&"fit", &data, &"-o", &model, &"--threads", &count]);
    fit.extend(way.iter().map(Into::into));
    run(fit)?;
    let info = json(run(words(&[&"info", &model, &"--format", &"json"]))?)?;
    let evaluate =
        [words(&[&"evaluate", &model, &data, &"--format", &"json"]), words(&[&"--bootstrap", &"0"])];
    let real = json(run(evaluate.concat())?)?;
    let figure = |value: &Value| value.as_f64().map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
    let synthetic = &info["record"]["validation"];
    let count = |name: &str| real["confusion"][name].as_u64().context("no threshold");
    let [found, missed] = [count("true_positives")?, count("false_negatives")?];
    let [rejected, passed] = [count("false_positives")?, count("true_negatives")?];
    Ok(format!(
        "| `{}` | {} | {} | {} | {} | {} | {found} of {} | {rejected} of {} | {} | {} |",
        way.join(" "),
        figure(&synthetic["image_auroc"]),
        figure(&synthetic["pixel_auroc"]),
        figure(&synthetic["found"]),
        figure(&real["image_auroc"]),
        figure(&real["pixel_auroc"]),
        found + missed,
        rejected + passed,
        figure(&real["image"]["f1"]["value"]),
        figure(&real["best_f1"]["f1"]),
    ))
}
