//! `dfm drift`: is today's stream still what the model was fitted on?

use std::io::Write;

use anyhow::Context;
use dfm::{DriftParams, DriftReport, Files, counted, drift, scores_of_lines};

use crate::flags::{DriftFlags, ReportFormat};
use crate::messages::Messages;
use crate::report::table::{Align, Table};
use crate::{Outcome, args, output};

/// Runs the command: `Anomalous` if there is drift, `Failed` if any picture could not be
/// used.
pub(crate) fn run(flags: &DriftFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let params = DriftParams { false_alarm: flags.false_alarm, ..DriftParams::default() };
    let checked = params.check()?;
    let named = || flags.today.display().to_string();
    let workers = args::workers(&flags.model.compute);
    let model = args::model(&flags.model, args::Purpose::Anything, &workers)?;
    let report = match flags.today.is_dir() {
        true => {
            let files = Files::in_folder(&flags.today, messages).with_context(named)?;
            drift(&model, &files, params, &workers, messages).with_context(named)?
        }
        false => {
            let scores = scores_of_lines(&flags.today).map_err(with_help).with_context(named)?;
            workers.run(|| model.drift_of_scores(&scores, checked))??
        }
    };
    let mut out = output::stdout();
    match flags.format {
        ReportFormat::Json => writeln!(out, "{}", serde_json::to_string(&report)?)?,
        ReportFormat::Table => print(&report, flags.today.is_dir(), &mut out)?,
    }
    Ok(messages.outcome(if report.drift { Outcome::Anomalous } else { Outcome::Success }))
}

/// Adds where such a file comes from.
fn with_help(error: dfm::Error) -> anyhow::Error {
    anyhow::anyhow!("{error}; `dfm predict --format json` prints such lines")
}

/// The verdict for people, on a `folder` of pictures or on a file of predictions.
fn print(report: &DriftReport, folder: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let verdict = if report.drift { "drift" } else { "no drift" };
    let today = counted(report.pictures, "picture");
    writeln!(out, "{verdict}: {today} of today beside {} of the fit", report.reference)?;
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
        let more = if folder {
            "the features of a model by position, or with cells as rows, are not"
        } else {
            "a folder of pictures shows more"
        };
        writeln!(out, "Only scores were compared; {more}.")?;
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
