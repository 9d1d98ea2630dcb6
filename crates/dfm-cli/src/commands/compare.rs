//! `dfm compare`: two evaluations of the same pictures, told apart.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use dfm_core::Label;
use dfm_core::metrics::{BootstrapParams, Difference, PairedFigures, PairedPicture, paired_figures};
use serde::Serialize;

use crate::evaluation::{METRICS, PREDICTIONS, PictureLine};
use crate::flags::{CompareFlags, ReportFormat};
use crate::report::table::{self, Align, Table};
use crate::{Outcome, input, output};

/// What `dfm compare --format json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Comparison {
    /// The runs, as they were named.
    first: String,
    second: String,
    /// Pictures that both judged.
    pictures: usize,
    /// Pictures that the first alone judges rightly at its threshold; null without one.
    only_first_right: Option<usize>,
    /// Those that the second alone does.
    only_second_right: Option<usize>,
    /// Draws that intervals are made of.
    replicates: usize,
    figures: PairedFigures,
}

/// Runs the command.
pub(crate) fn run(flags: &CompareFlags) -> anyhow::Result<Outcome> {
    let params = BootstrapParams { replicates: flags.bootstrap, ..BootstrapParams::default() };
    let bootstrap = params.check().context("--bootstrap")?;
    let [first, second] = [Run::read(&flags.first)?, Run::read(&flags.second)?];
    let pairs = paired(&first, &second)?;
    let thresholds = [first.threshold(), second.threshold()];
    // Nothing where either has no threshold.
    let right = |one: &Run, other: &Run| {
        one.lines.iter().try_fold(0, |count, (path, line)| {
            Some(count + usize::from(line.is_right()? && !other.lines[path].is_right()?))
        })
    };
    let comparison = Comparison {
        first: flags.first.display().to_string(),
        second: flags.second.display().to_string(),
        pictures: pairs.len(),
        only_first_right: right(&first, &second),
        only_second_right: right(&second, &first),
        replicates: params.replicates,
        figures: paired_figures(&pairs, thresholds, &bootstrap),
    };
    let mut out = output::stdout();
    match flags.format {
        ReportFormat::Json => writeln!(out, "{}", serde_json::to_string(&comparison)?)?,
        ReportFormat::Table => print(&comparison, &mut out)?,
    }
    Ok(Outcome::Success)
}

/// One evaluation.
struct Run {
    file: PathBuf,
    /// By the picture's path.
    lines: BTreeMap<String, PictureLine>,
}

impl Run {
    /// Reads the predictions in a folder, or beside its metrics.
    fn read(named: &Path) -> anyhow::Result<Self> {
        let folder = match named.file_name().is_some_and(|name| name == METRICS) && named.is_file() {
            true => named.parent().unwrap_or(Path::new("")),
            false => named,
        };
        let file = folder.join(PREDICTIONS);
        if !file.is_file() {
            bail!(
                "{}: expected a folder with {PREDICTIONS}, as `dfm evaluate --output` writes it, found none",
                named.display()
            );
        }
        let mut lines = BTreeMap::new();
        for (number, line) in input::json_lines::<PictureLine>(&file, "a line of `dfm evaluate --output`")? {
            if !line.score.is_finite() {
                bail!("{}, line {number}: expected a finite score", file.display());
            }
            if let Some(twice) = lines.insert(line.path.clone(), line) {
                bail!("{}, line {number}: {} is there twice", file.display(), twice.path);
            }
        }
        if lines.is_empty() {
            bail!("{}: expected at least one picture, found none", file.display());
        }
        Ok(Self { file, lines })
    }

    fn threshold(&self) -> Option<f64> {
        self.lines.values().next().and_then(|line| line.threshold)
    }
}

/// The pictures of both, which must be the same.
fn paired(first: &Run, second: &Run) -> anyhow::Result<Vec<PairedPicture>> {
    let names = [first, second].map(|run| run.file.display().to_string());
    let alone = |one: &Run, other: &Run| -> Vec<String> {
        one.lines.keys().filter(|path| !other.lines.contains_key(*path)).cloned().collect()
    };
    for (name, alone) in names.iter().zip([alone(first, second), alone(second, first)]) {
        if let [path, ..] = alone.as_slice() {
            bail!(
                "{name} holds {} pictures that the other run does not, as {path}: evaluate both models on the same \
                 pictures",
                alone.len()
            );
        }
    }
    let classes: BTreeSet<&str> =
        first.lines.values().filter(|line| line.anomalous).map(|line| line.class.as_str()).collect();
    // A score without maps has no pixels at all, of which there is nothing to compare.
    let both_marked = [first, second].iter().all(|run| run.lines.values().any(|line| line.pixels.is_some()));
    let mut pairs = Vec::with_capacity(first.lines.len());
    for (path, one) in &first.lines {
        let other = &second.lines[path];
        if (&one.class, one.anomalous) != (&other.class, other.anomalous) {
            bail!(
                "{path} is of class {} in {} and of class {} in {}: the runs saw different data sets",
                one.class,
                names[0],
                other.class,
                names[1]
            );
        }
        let [own, others] = [one, other].map(|line| line.pixels.map_or(0, |pixels| pixels.anomalous_pixels));
        if both_marked && own != others {
            bail!(
                "{path} has {own} marked pixels in {} and {others} in {}: the masks differ, evaluate both models with \
                 the same",
                names[0],
                names[1]
            );
        }
        let kind = one.anomalous.then(|| classes.iter().position(|class| *class == one.class)).flatten();
        pairs.push(PairedPicture {
            kind,
            scores: [one.score, other.score],
            pixels: [one.pixels, other.pixels],
        });
    }
    Ok(pairs)
}

impl PictureLine {
    /// Whether the verdict is the truth.
    fn is_right(&self) -> Option<bool> {
        Some((self.label? == Label::Anomalous) == self.anomalous)
    }
}

/// The comparison for people.
fn print(comparison: &Comparison, out: &mut impl Write) -> anyhow::Result<()> {
    let mut table = Table::new(&[
        ("figure", Align::Left),
        ("first", Align::Right),
        ("second", Align::Right),
        ("difference", Align::Right),
        ("95 %", Align::Left),
        ("p-value", Align::Right),
        ("better", Align::Left),
    ]);
    let figures = comparison.figures;
    for (name, difference) in named(&figures) {
        table.push(row(name, difference));
    }
    table.write(out)?;
    writeln!(out)?;
    if let (Some(first), Some(second)) = (comparison.only_first_right, comparison.only_second_right) {
        writeln!(
            out,
            "verdicts   {first} of {} pictures are judged rightly by the first alone, {second} by the second alone",
            comparison.pictures
        )?;
    }
    let drawn = named(&figures).into_iter().any(|(_, found)| found.is_some_and(|found| found.low.is_some()));
    match drawn {
        true => writeln!(
            out,
            "intervals  95 %, of {} draws of pictures that both runs share, as many of each class as there are",
            comparison.replicates
        )?,
        false => writeln!(out, "intervals  none: they take two good pictures and two with defects")?,
    }
    Ok(())
}

/// Every figure with its name.
fn named(figures: &PairedFigures) -> [(&'static str, Option<Difference>); 8] {
    [
        ("image AUROC", figures.image_auroc),
        ("image average precision", figures.image_average_precision),
        ("image best F1", figures.image_best_f1),
        ("image F1 at the threshold", figures.image_f1),
        ("pixel AUROC", figures.pixel_auroc),
        ("pixel AUPRO to 30 %", figures.pixel_aupro_30),
        ("pixel AUPRO to 5 %", figures.pixel_aupro_5),
        ("pixel AUPIMO", figures.pixel_aupimo),
    ]
}

fn row(name: &str, difference: Option<Difference>) -> [String; 7] {
    let Some(found) = difference else {
        return [name, "-", "-", "-", "", "", ""].map(str::to_owned);
    };
    let (interval, better) = match (found.low, found.high) {
        (Some(low), Some(high)) => {
            let better = match (low > 0.0, high < 0.0) {
                (true, _) => "second",
                (_, true) => "first",
                _ => "",
            };
            (format!("{low:+.4} to {high:+.4}"), better)
        }
        _ => (String::new(), ""),
    };
    [
        name.to_owned(),
        table::figure(Some(found.first)),
        table::figure(Some(found.second)),
        format!("{:+.4}", found.difference),
        interval,
        found.p_value.map_or_else(String::new, |p_value| format!("{p_value:.4}")),
        better.to_owned(),
    ]
}
