//! Parts for people and for programs.

use std::io::Write;

use dfm::counted;
use dfm::parts::{PartLine, PartsEvaluation, PartsInfo};

use crate::commands::explain;
use crate::commands::info::standing_out;
use crate::commands::predict::answer;
use crate::flags::Format;
use crate::output;
use crate::report::plain;
use crate::report::table::{self, Align, Table};

/// Writes what a model of parts says of itself.
pub(super) fn print_info(info: &PartsInfo, out: &mut impl Write) -> std::io::Result<()> {
    // Text from a file that anyone may have written, on its way to a terminal.
    let mut line = |name: &str, value: String| writeln!(out, "{name:<12}  {}", plain(&value));
    let views: Vec<&str> = info.views.iter().map(|view| view.view.as_str()).collect();
    line("parts", format!("{} with the views {}", info.parts, views.join(", ")))?;
    line("joined by", info.pattern.clone().unwrap_or_else(|| "a list".to_owned()))?;
    for view in &info.views {
        let pictures = view.model.record.picture_count;
        let (median, reach) = (table::score(view.median), table::score(view.reach));
        line(
            &format!("view {}", view.view),
            format!("{}; usual score {median}, one in ten lies {reach} above", counted(pictures, "picture")),
        )?;
        if let Some(found) = &view.model.record.standing_out {
            line("stands out", standing_out(found, None))?;
        }
    }
    line("score", "the largest of the views' (score − usual) / reach".to_owned())?;
    let rate = match info.false_alarm {
        _ if info.threshold_given => "as given".to_owned(),
        Some(rate) => format!("for a false-alarm rate of {rate} of parts, {}", info.calibration),
        None => format!("an estimate ({})", info.calibration),
    };
    line("threshold", format!("{}, {rate}", table::score(info.threshold)))?;
    let least = 100.0 / (info.held_out as f64 + 1.0);
    line("left out", format!("none: {}", info.not_searched))?;
    line("held out", format!("{}: a rate from {least:.1} % can be stated", counted(info.held_out, "part")))?;
    line("p-values", format!("{}; proved: {}", info.calibration, info.guarantee))
}

/// Writes the classes, the views and the counts.
pub(super) fn print_evaluation(evaluation: &PartsEvaluation, out: &mut impl Write) -> std::io::Result<()> {
    let mut classes = Table::new(&[
        ("class", Align::Left),
        ("parts", Align::Right),
        ("called anomalous", Align::Right),
        ("mean score", Align::Right),
        ("AUROC", Align::Right),
    ]);
    for (name, class) in &evaluation.classes {
        classes.push([
            plain(name).into_owned(),
            class.parts.to_string(),
            class.called_anomalous.to_string(),
            table::score(class.mean_score),
            table::figure(class.part_auroc),
        ]);
    }
    let confusion = evaluation.confusion;
    let called = confusion.true_positives + confusion.false_positives;
    let auroc = table::figure(evaluation.part_auroc);
    classes.push(["all".to_owned(), evaluation.parts.to_string(), called.to_string(), String::new(), auroc]);
    classes.write(out)?;
    writeln!(out)?;
    let mut views = Table::new(&[
        ("view", Align::Left),
        ("AUROC alone", Align::Right),
        ("defects it decides", Align::Right),
        ("good parts it rejects", Align::Right),
    ]);
    for view in &evaluation.views {
        let figure = table::figure(view.part_auroc);
        views.push([view.view.clone(), figure, view.found.to_string(), view.rejected.to_string()]);
    }
    views.write(out)?;
    writeln!(out)?;
    if let Some(auroc) = evaluation.part.auroc
        && let (Some(low), Some(high)) = (auroc.low, auroc.high)
    {
        writeln!(out, "AUROC              {:.4}, 95 %: {low:.4} to {high:.4}", auroc.value)?;
    }
    writeln!(
        out,
        "at the threshold   {}: {} defective parts found, {} missed, {} good parts called anomalous, {} not",
        table::score(evaluation.threshold),
        confusion.true_positives,
        confusion.false_negatives,
        confusion.false_positives,
        confusion.true_negatives
    )?;
    if evaluation.unjudged + evaluation.unmatched > 0 {
        let (parts, pictures) = (evaluation.unjudged, evaluation.unmatched);
        let (parts, pictures) = (counted(parts, "part"), counted(pictures, "picture"));
        writeln!(out, "not judged         {parts}, and {pictures} of no part")?;
    }
    for note in evaluation.contradictions.notes_of("part") {
        writeln!(out, "{note}")?;
    }
    Ok(())
}

/// Verdicts on their way to standard output.
pub(super) enum Lines {
    /// Printed at the end, because columns must line up.
    Table(Table),
    /// Printed at once.
    Json,
    /// Printed at once.
    Csv(Box<csv::Writer<output::Output>>),
}

impl Lines {
    pub(super) fn new(format: Format, views: &[String]) -> anyhow::Result<Self> {
        Ok(match format {
            Format::Table => {
                let before =
                    [("score", Align::Right), ("normalized", Align::Right), ("p-value", Align::Right)];
                let label = [("label", Align::Left), ("view", Align::Left)];
                let own = views.iter().map(|view| (view.as_str(), Align::Right));
                let columns = before.into_iter().chain(label).chain(own).chain([("part", Align::Left)]);
                Self::Table(Table::new(&columns.collect::<Vec<_>>()))
            }
            Format::Json => Self::Json,
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(output::stdout());
                let of_part = [
                    "part",
                    "score",
                    "normalized_score",
                    "label",
                    "threshold",
                    "p_value",
                    "calibration",
                    "guarantee",
                    "view",
                ];
                let of_view = |view: &String| {
                    ["path", "score", "scaled", "p_value"].map(|name| format!("{view}_{name}"))
                };
                let columns = of_part.map(str::to_owned).into_iter().chain(views.iter().flat_map(of_view));
                writer.write_record(columns)?;
                Self::Csv(Box::new(writer))
            }
        })
    }

    /// Adds the verdict on a part, whose views have so many regions, if that is known.
    pub(super) fn push(&mut self, line: &PartLine, regions: Option<usize>) -> Result<(), dfm::Error> {
        let label = explain::word(line.label);
        match self {
            Self::Table(table) => {
                let figures = [table::score(line.score), table::figure(Some(line.normalized_score))];
                let answer = answer(label, line.contradiction, regions);
                let decided = [table::figure(Some(line.p_value)), answer, line.view.clone()];
                let own = line.views.iter().map(|view| table::score(view.scaled));
                let part = [plain(&line.part).into_owned()];
                table.push(figures.into_iter().chain(decided).chain(own).chain(part));
            }
            Self::Json => writeln!(output::stdout(), "{}", serde_json::to_string(line)?)?,
            Self::Csv(writer) => {
                let number = |value: f64| value.to_string();
                let of_part = [
                    line.part.clone(),
                    number(line.score),
                    number(line.normalized_score),
                    label.to_owned(),
                    number(line.threshold),
                    number(line.p_value),
                    line.calibration.to_string(),
                    line.guarantee.to_owned(),
                    line.view.clone(),
                ];
                let of_view = line.views.iter().flat_map(|view| {
                    let p_value = view.p_value.map_or_else(String::new, number);
                    [view.path.clone(), number(view.score), number(view.scaled), p_value]
                });
                writer.write_record(of_part.into_iter().chain(of_view)).map_err(std::io::Error::from)?;
                writer.flush()?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> anyhow::Result<()> {
        if let Self::Table(table) = self {
            table.write(&mut output::stdout())?;
        }
        Ok(())
    }
}
