//! `dfm explain`: what a score is made of, and which good picture is nearest.

use std::io::Write;
use std::path::PathBuf;

use dfm_core::{
    CellShare, ChannelShare, Dfm, DfmError, Explainer, Explanation, Label, LayerExplanation, PreparedPicture,
};
use serde_json::{Value, json};

use super::judge::{Tiles, in_batches};
use crate::flags::{ExplainFlags, ReportFormat};
use crate::messages::Messages;
use crate::report::plain;
use crate::report::table::{self, Align, Table};
use crate::{Outcome, args, input, output};

/// Runs the command: `Failed` if any picture could not be explained, whatever the verdicts.
pub(crate) fn run(flags: &ExplainFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let jobs = args::jobs(&flags.judge.model.compute);
    let model = args::judge(&flags.judge, args::Purpose::Anything, messages)?;
    let paths = input::expand(&flags.paths, messages);
    explain(&model, &paths, jobs, flags.format, flags.top, messages)?;
    Ok(messages.outcome(Outcome::Success))
}

/// Explains every picture of `paths`, the `top` cells and channels of each layer.
pub(super) fn explain(
    model: &Dfm,
    paths: &[PathBuf],
    jobs: usize,
    format: ReportFormat,
    top: usize,
    messages: &Messages,
) -> anyhow::Result<()> {
    let explainer = model.explainer();
    let mut tiles = Tiles::default();
    in_batches(model, paths, jobs, messages, |places, pictures| {
        for (place, explained) in places.iter().zip(each(&explainer, pictures)) {
            let Some(whole) = tiles.push(place.index, explained, place.last) else { continue };
            let path = &paths[place.index];
            match whole.map(Explanation::of_tiles) {
                Ok(Some(explanation)) => {
                    let (path, mut out) = (path.display().to_string(), output::stdout());
                    match format {
                        ReportFormat::Json => writeln!(out, "{}", line(&path, &explanation, model, top))?,
                        ReportFormat::Table => print(&path, &explanation, model, top, &mut out)?,
                    }
                }
                Ok(None) => {}
                Err(error) => messages.error(path, error),
            }
        }
        Ok(())
    })
}

/// The whole batch at once; should it fail, one by one, so that a single picture does not take
/// the others with it.
fn each(explainer: &Explainer<'_>, pictures: &[PreparedPicture]) -> Vec<Result<Explanation, DfmError>> {
    match explainer.explain(pictures) {
        Ok(explanations) => explanations.into_iter().map(Ok).collect(),
        Err(_) => {
            let one = |picture: &PreparedPicture| {
                let mut explanations = explainer.explain(std::slice::from_ref(picture))?;
                explanations.pop().ok_or(DfmError::NonFiniteFeatures { picture: 0 })
            };
            pictures.iter().map(one).collect()
        }
    }
}

/// One line of `dfm explain --format json`.
fn line(path: &str, explanation: &Explanation, model: &Dfm, top: usize) -> Value {
    let cell = |cell: &CellShare| {
        let [x, y, width, height] = [0, 1, 2, 3].map(|place| cell.pixels.map(|pixels| pixels[place]));
        json!({
            "row": cell.row, "column": cell.column, "share": cell.share,
            "x": x, "y": y, "width": width, "height": height,
        })
    };
    let layer = |layer: &LayerExplanation| {
        let channels = layer.channels.iter().take(top);
        json!({
            "layer": layer.tap.layer.to_string(),
            "pool": layer.tap.pool,
            "score": layer.score,
            "usual": layer.usual,
            "cells": layer.cells.iter().take(top).map(cell).collect::<Vec<_>>(),
            "channels": channels
                .map(|ChannelShare { channel, share }| json!({ "channel": channel, "share": share }))
                .collect::<Vec<_>>(),
            "elsewhere": layer.elsewhere,
        })
    };
    json!({
        "path": path,
        "score": explanation.prediction.score,
        "label": explanation.prediction.label,
        "threshold": model.calibration().map(|calibration| calibration.threshold()),
        "p_value": explanation.prediction.p_value,
        "layers": explanation.layers.iter().map(layer).collect::<Vec<_>>(),
        "nearest": explanation.nearest.as_ref().map(|nearest| json!({
            "name": nearest.name,
            "content_hash": nearest.content_hash,
            "distance": nearest.distance,
            "usual_distance": nearest.usual_distance,
        })),
    })
}

/// One picture for people.
fn print(
    path: &str,
    explanation: &Explanation,
    model: &Dfm,
    top: usize,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    write!(out, "{}: {}", plain(path), table::score(explanation.prediction.score))?;
    if let (Some(label), Some(calibration)) = (explanation.prediction.label, model.calibration()) {
        let label = if label == Label::Anomalous { "anomalous" } else { "normal" };
        write!(out, ", {label}; the threshold is {}", table::score(calibration.threshold()))?;
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
