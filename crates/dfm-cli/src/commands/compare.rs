//! `dfm compare`: two evaluations of the same pictures, told apart.

use std::io::Write;

use anyhow::Context;
use dfm::metrics::{BootstrapParams, Difference, PairedFigures};
use dfm::{Comparison, compare};

use crate::flags::{CompareFlags, ReportFormat};
use crate::hints::Hints;
use crate::report::table::{self, Align, Table};
use crate::{Outcome, output};

/// Runs the command.
pub(crate) fn run(flags: &CompareFlags) -> anyhow::Result<Outcome> {
    let params = BootstrapParams { replicates: flags.bootstrap, ..BootstrapParams::default() };
    params.check().context("--bootstrap")?;
    let comparison = compare(&flags.first, &flags.second, params).hints()?;
    let mut out = output::stdout();
    match flags.format {
        ReportFormat::Json => writeln!(out, "{}", serde_json::to_string(&comparison)?)?,
        ReportFormat::Table => print(&comparison, &mut out)?,
    }
    Ok(Outcome::Success)
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
