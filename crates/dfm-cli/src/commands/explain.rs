//! `dfm explain`: what a score is made of, and which good picture is nearest.

use std::io::Write;

use dfm::{
    CellShare, ChannelShare, Explanation, ExplanationLine, Judge, Label, LayerExplanation, Source, Verdict,
};

use crate::flags::{ExplainFlags, ReportFormat};
use crate::messages::Messages;
use crate::report::plain;
use crate::report::table::{self, Align, Table};
use crate::{Outcome, args, input, output};

/// Runs the command: `Failed` if any picture could not be explained, whatever the verdicts.
pub(crate) fn run(flags: &ExplainFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let workers = args::workers(&flags.judge.model.compute);
    let (model, options) = args::judge(&flags.judge, args::Purpose::Anything, &workers, messages)?;
    let named = input::named(&flags.paths, None, messages)?;
    let files = named.source();
    let options = options.with_explain(true);
    let threshold = model.judging(&options)?.threshold();
    let judge = Judge::new(model).with_workers(workers);
    judge.each(&files, &options, messages, |batch| {
        for one in batch {
            let path = files.path(one.index).display().to_string();
            write(&path, &one.verdict, threshold, flags.format, flags.top, &mut output::stdout())?;
        }
        Ok(())
    })?;
    Ok(messages.outcome(Outcome::Success))
}

/// Writes what the score of a picture is made of, the `top` cells and channels of each layer.
pub(super) fn write(
    path: &str,
    verdict: &Verdict,
    threshold: Option<f64>,
    format: ReportFormat,
    top: usize,
    out: &mut impl Write,
) -> Result<(), dfm::Error> {
    let Some(explanation) = &verdict.explanation else { return Ok(()) };
    match format {
        ReportFormat::Json => {
            let line = ExplanationLine::new(path.to_owned(), verdict, threshold, top);
            writeln!(out, "{}", serde_json::to_string(&line)?)?;
        }
        ReportFormat::Table => print(path, verdict, explanation, threshold, top, out)?,
    }
    Ok(())
}

/// A label as JSON has it.
pub(crate) fn word(label: Label) -> &'static str {
    match label {
        Label::Anomalous => "anomalous",
        Label::Review => "review",
        _ => "normal",
    }
}

/// One picture for people.
fn print(
    path: &str,
    verdict: &Verdict,
    explanation: &Explanation,
    threshold: Option<f64>,
    top: usize,
    out: &mut impl Write,
) -> std::io::Result<()> {
    write!(out, "{}: {}", plain(path), table::score(verdict.score))?;
    if let (Some(label), Some(threshold)) = (verdict.label, threshold) {
        let label = word(label);
        write!(out, ", {label}; the threshold is {}", table::score(threshold))?;
    }
    writeln!(out)?;
    for layer in &explanation.layers {
        write!(out, "{}: {}", layer.tap, table::score(layer.score))?;
        match layer.usual.filter(|usual| *usual > 0.0 && layer.score > 0.0) {
            Some(usual) => {
                writeln!(out, ", {:.2} times what is usual of good pictures", layer.score / usual)?
            }
            None => writeln!(out)?,
        }
        shares(layer, top).write(out)?;
    }
    if let Some(nearest) = &explanation.nearest {
        let name = nearest.name.as_deref().unwrap_or(&nearest.content_hash);
        write!(out, "nearest good picture: {}", plain(name))?;
        match nearest.usual_distance.filter(|usual| *usual > 0.0) {
            Some(usual) => {
                let times = nearest.distance / usual;
                writeln!(out, ", at {times:.2} times the usual distance from one to the next")?;
            }
            None => writeln!(out)?,
        }
    }
    writeln!(out)?;
    Ok(())
}

fn shares(layer: &LayerExplanation, top: usize) -> Table {
    let mut table = Table::new(&[("share", Align::Right), ("of the score, in", Align::Left)]);
    let mut row = |share: f64, what: String| table.push([format!("{:.1} %", 100.0 * share), what]);
    let split = |count: usize| top.min(count);
    let (listed, others) = layer.cells.split_at(split(layer.cells.len()));
    for CellShare { row: y, column: x, share, pixels } in listed {
        let place = match pixels {
            Some([left, top, width, height]) => format!("{width} × {height} pixels at {left}, {top}"),
            None => "beside the picture".to_owned(),
        };
        row(*share, format!("row {y}, column {x} of cells: {place}"));
    }
    if !others.is_empty() {
        let share = others.iter().map(|cell| cell.share).sum();
        row(share, format!("{} other cells", others.len()));
    }
    if layer.elsewhere > 0.0 {
        row(layer.elsewhere, "no cell and no channel".to_owned());
    }
    let (listed, others) = layer.channels.split_at(split(layer.channels.len()));
    for ChannelShare { channel, share } in listed {
        row(*share, format!("channel {channel}"));
    }
    if !others.is_empty() {
        let share = others.iter().map(|channel| channel.share).sum();
        row(share, format!("{} other channels", others.len()));
    }
    table
}
