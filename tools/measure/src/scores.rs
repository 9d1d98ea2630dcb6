//! `cargo xtask bench scores`: measures how well each score and aggregation finds defects, by the
//! program itself.

use std::path::Path;

use clap::Args;

use crate::cases::count_files;
use crate::setting::{DEFAULT, MeasureFlags, PUBLISHED, Setting, Trial, figure};
use crate::{program, report};

/// The document that `--write` changes.
const DOCUMENT: &str = "docs/accuracy.md";

/// Every score, and for the score that has cells every aggregation.
const SETTINGS: &[(&str, &str)] = &[
    ("fre", "sum"),
    ("fre", "relative"),
    ("fre", "max"),
    ("fre", "top:1%"),
    ("fre", "top:10%"),
    ("fre", "power:4"),
    ("nll", "sum"),
    ("mahalanobis", "sum"),
];

/// The layers, pools and ways to resize that are compared. The first is the default.
const WAYS: &[Setting<'_>] = &[
    DEFAULT,
    PUBLISHED,
    Setting { layers: "layer3", pools: "4", resize: "mirror", aggregation: "relative" },
    Setting { layers: "layer3", pools: "2", resize: "mirror", aggregation: "relative" },
    Setting { layers: "layer2", pools: "4", resize: "mirror", aggregation: "relative" },
    Setting { layers: "layer2,layer3", pools: "4", resize: "mirror", aggregation: "sum" },
    Setting { layers: "layer2,layer3", pools: "4", resize: "stretch", aggregation: "relative" },
    Setting { layers: "layer2,layer3", pools: "2,4", resize: "mirror", aggregation: "relative" },
    Setting { layers: "layer2,layer3", pools: "4,2", resize: "mirror", aggregation: "relative" },
    Setting { layers: "layer2,layer3", pools: "4,2", resize: "stretch", aggregation: "relative" },
    Setting { layers: "layer2,layer3", pools: "8,2", resize: "mirror", aggregation: "relative" },
    Setting { layers: "layer1,layer2,layer3", pools: "8,4,4", resize: "mirror", aggregation: "relative" },
    Setting { layers: "layer3", pools: "4", resize: "letterbox", aggregation: "relative" },
    Setting { layers: "layer3", pools: "4", resize: "crop", aggregation: "relative" },
];

/// Flags of `cargo xtask bench scores`.
#[derive(Debug, Args)]
pub(crate) struct ScoresFlags {
    #[command(flatten)]
    measure: MeasureFlags,
    /// Sides of the average pool, in cells
    #[arg(long, num_args = 1.., value_delimiter = ',', default_values_t = [4, 2])]
    pool: Vec<usize>,
}

/// Fits and evaluates every setting on `data` and on the bundled pictures.
///
/// # Errors
///
/// If something does not build or run.
pub(crate) fn run(flags: &ScoresFlags) -> anyhow::Result<()> {
    let mut texts = program::on_data_and_demo(&flags.measure.data, "ways", |dfm, folder, scratch| {
        ways(flags, dfm, folder, scratch)
    })?;
    texts.extend(program::on_data_and_demo(&flags.measure.data, "scores", |dfm, folder, scratch| {
        let table = table(flags, dfm, folder, scratch)?;
        let counts = [count_files(&folder.join("train/good"))?, count_files(&folder.join("test"))?];
        Ok(format!("{} pictures to learn, {} to judge.\n\n{table}", counts[0], counts[1]))
    })?);
    if flags.measure.write { report::write_to(DOCUMENT, &texts) } else { Ok(()) }
}

/// One row for each of [`WAYS`].
fn ways(flags: &ScoresFlags, dfm: &Path, data: &Path, scratch: &Path) -> anyhow::Result<String> {
    let trial = Trial { dfm, data, scratch, threads: flags.measure.threads };
    let mut rows = vec![
        "| `--layer` | `--pool` | `--resize` | `--aggregate` | Image AUROC | Pixel AUROC |".to_owned(),
        "|---|---|---|---|--:|--:|".to_owned(),
    ];
    for setting in WAYS {
        let Setting { layers, pools, resize, aggregation } = setting;
        eprintln!("{}: {layers}, pool {pools}, {resize}, {aggregation}", data.display());
        let [image, pixel] = trial.auroc(&data.join("train/good"), "fre", *setting)?;
        rows.push(format!(
            "| {layers} | {pools} | {resize} | {aggregation} | {} | {} |",
            figure(image),
            figure(pixel)
        ));
    }
    Ok(rows.join("\n"))
}

/// One row for each score.
fn table(flags: &ScoresFlags, dfm: &Path, data: &Path, scratch: &Path) -> anyhow::Result<String> {
    let trial = Trial { dfm, data, scratch, threads: flags.measure.threads };
    let (mut head, mut rule) = ("| Score | Aggregation |".to_owned(), "|---|---|".to_owned());
    for pool in &flags.pool {
        head += &format!(" Image AUROC, pool {pool} | Pixel AUROC, pool {pool} |");
        rule += "--:|--:|";
    }
    let mut rows = vec![head, rule];
    for (score, aggregation) in SETTINGS {
        let of_cells = if *score == "fre" { aggregation } else { "–" };
        let mut row = format!("| `{score}` | {of_cells} |");
        for pool in &flags.pool {
            eprintln!("{}: {score}, {aggregation}, pool {pool}", data.display());
            let pools: &str = &pool.to_string();
            let setting = Setting { aggregation, pools, ..PUBLISHED };
            let [image, pixel] = trial.auroc(&data.join("train/good"), score, setting)?;
            row += &format!(" {} | {} |", figure(image), figure(pixel));
        }
        rows.push(row);
    }
    Ok(rows.join("\n"))
}
