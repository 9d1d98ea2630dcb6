//! `dfm drift`: is today's stream still what the model was fitted on?

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use dfm_core::{Dfm, DriftParams, DriftReport, ValidDriftParams};
use serde::Deserialize;

use super::judge::{in_batches, pieces};
use crate::flags::{DriftFlags, ReportFormat};
use crate::messages::Messages;
use crate::report::table::{Align, Table};
use crate::{Outcome, args, input, output};

/// The longest line of predictions that is read.
const LONGEST_LINE: u64 = 1 << 20;

/// What is read of a line of `dfm predict --format json`.
#[derive(Deserialize)]
struct Line {
    score: f64,
}

/// Runs the command: `Anomalous` if there is drift, `Failed` if any picture could not be
/// used.
pub(crate) fn run(flags: &DriftFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let params = DriftParams { false_alarm: flags.false_alarm, ..DriftParams::default() }.check()?;
    let jobs = args::jobs(&flags.model.compute);
    let named = || flags.today.display().to_string();
    let model = args::model(&flags.model, args::Purpose::Anything)?;
    let report = match flags.today.is_dir() {
        true => watch(&model, &flags.today, jobs, params, messages).with_context(named)?,
        false => model.drift_of_scores(&scores(&flags.today).with_context(named)?, params)?,
    };
    let mut out = output::stdout();
    match flags.format {
        ReportFormat::Json => writeln!(out, "{}", serde_json::to_string(&report)?)?,
        ReportFormat::Table => print(&report, flags.today.is_dir(), &mut out)?,
    }
    Ok(messages.outcome(if report.drift { Outcome::Anomalous } else { Outcome::Success }))
}

/// The scores of a file of predictions.
fn scores(path: &Path) -> anyhow::Result<Vec<f64>> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut scores = Vec::new();
    for number in 1.. {
        let mut line = String::new();
        if reader.by_ref().take(LONGEST_LINE).read_line(&mut line)? == 0 {
            break;
        }
        if line.trim().is_empty() {
            continue;
        }
        let Line { score } = serde_json::from_str(&line)
            .with_context(|| format!("line {number}: expected what `dfm predict --format json` prints"))?;
        ensure!(score.is_finite(), "line {number}: expected a finite score, found {score}");
        scores.push(score);
    }
    if scores.is_empty() {
        bail!("expected lines of `dfm predict --format json`, found none");
    }
    Ok(scores)
}

/// Runs the pictures of a folder through the model. Those that cannot be used are
/// reported and left out.
fn watch(
    model: &Dfm,
    folder: &Path,
    jobs: usize,
    params: ValidDriftParams,
    messages: &Messages,
) -> anyhow::Result<DriftReport> {
    let paths = input::folder(folder, messages)?;
    let mut watch = model.watch(params);
    let (batch, preparer) = (watch.batch(), watch.preparer());
    in_batches(pieces(&paths, preparer, jobs, batch), "judging", &paths, batch, messages, |pieces| {
        for (index, error) in watch.push(&pieces) {
            messages.error(&paths[index], error);
        }
        Ok(())
    })?;
    Ok(watch.finish()?)
}

/// The verdict for people, on a `folder` of pictures or on a file of predictions.
fn print(report: &DriftReport, folder: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let verdict = if report.drift { "drift" } else { "no drift" };
    writeln!(out, "{verdict}: {} pictures of today beside {} of the fit", report.pictures, report.reference)?;
    writeln!(out)?;
    let mut table = Table::new(&[
        ("what", Align::Left),
        ("found", Align::Right),
        ("p-value", Align::Right),
        ("", Align::Left),
    ]);
    let mut row = |what: &str, found: String, p_value: f64| {
        let mark = if p_value <= report.level { "drift" } else { "" };
        table.push([what.to_owned(), found, format!("{p_value:.2e}"), mark.to_owned()]);
    };
    row("distance of scores", format!("{:.4}", report.score_distance), report.score_p_value);
    for features in &report.features {
        let what = |what: &str| match report.features.len() {
            1 => what.to_owned(),
            _ => format!("{what}, {}", features.layer),
        };
        row(&what("shift of the mean"), format!("{:.4} sd", features.mean_shift), features.mean_p_value);
        row(&what("largest angle"), format!("{:.1}°", features.largest_angle), features.angle_p_value);
    }
    table.write(out)?;
    writeln!(out)?;
    if report.features.is_empty() {
        let more =
            if folder { "of tiles by position nothing else is" } else { "a folder of pictures shows more" };
        writeln!(out, "Scores alone were compared; {more}.")?;
    }
    writeln!(
        out,
        "Drift is a p-value of {:.2e} or less; at most {} of the streams without it are called so.",
        report.level,
        share(report.false_alarm)
    )?;
    Ok(())
}

fn share(value: f64) -> String {
    format!("{:.2} %", 100.0 * value)
}
