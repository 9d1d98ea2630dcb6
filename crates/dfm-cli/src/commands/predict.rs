//! `dfm predict`: a verdict on each picture.

use std::io::Write;

use anyhow::bail;
use dfm::{
    Contradiction, Contradictions, Judge, Judged, Label, MapsFolder, PictureFiles, Regions, RegionsTable,
    Source, VerdictLine, counted,
};

use super::explain;
use crate::flags::{Format, LISTED, PredictFlags, ReportFormat};
use crate::hints::Hints;
use crate::messages::Messages;
use crate::report::table::{self, Align, Table};
use crate::{Outcome, args, input, map_files, output};

/// Runs the command: `Failed` if any picture could not be judged, `Anomalous` if any is, `Review` if a
/// person should look at any.
pub(crate) fn run(flags: &PredictFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    if flags.explain && flags.format != Format::Table {
        bail!("--explain goes with a table: for programs take dfm explain --format json");
    }
    // What is nearest is known from the pictures of the fit.
    let purpose = if flags.explain { args::Purpose::Anything } else { args::Purpose::Judging };
    let workers = args::workers(&flags.judge.model.compute);
    let (model, options) = args::judge(&flags.judge, purpose, &workers, messages)?;
    let options = options.with_region_rule(args::region_rule(&flags.regions)?);
    let rule = model.region_rule(&options).map_err(dfm::Error::from).hints()?;
    map_files::check(&flags.maps, &model, rule)?;
    let mut table = flags.maps.regions.as_deref().map(RegionsTable::new).transpose()?;
    let named = input::named(&flags.paths, flags.list.as_deref(), messages)?;
    let files = named.source();
    let folders = map_files::folders(&flags.maps, &model, rule, &files, &workers)?;
    let options = options.with_map(!folders.is_empty()).with_regions(true).with_explain(flags.explain);
    let judging = model.judging(&options)?;
    let (threshold, review_from) = (judging.threshold(), judging.review_from());
    drop(judging);
    let judge = Judge::new(model).with_workers(workers.clone());
    let mut lines = Lines::new(flags.format)?;
    let (mut anomalous, mut review, mut explained) = (0, 0, Vec::new());
    let mut contradictions = Contradictions::default();
    judge.each(&files, &options, messages, |batch| {
        let written = MapsFolder::write_all(&folders, &files, &batch, messages);
        let answered = |label| batch.iter().filter(|one| one.verdict.label == Some(label)).count();
        anomalous += answered(Label::Anomalous);
        review += answered(Label::Review);
        batch.iter().for_each(|one| contradictions.push(one.verdict.contradiction()));
        let line = |(one, written): &(&Judged, PictureFiles)| {
            let path = files.path(one.index).display().to_string();
            let line = VerdictLine::new(path, &one.verdict, judge.model(), threshold);
            line.with_review_from(review_from).with_files(written)
        };
        let pairs: Vec<(&Judged, PictureFiles)> = batch.iter().zip(written).collect();
        workers.map(&pairs, line)?.into_iter().try_for_each(|line| lines.push(line))?;
        if let Some(table) = &mut table {
            for one in &batch {
                table.push(&files.path(one.index).display().to_string(), &one.verdict)?;
            }
        }
        if flags.explain {
            for one in &batch {
                let path = files.path(one.index).display().to_string();
                explain::write(&path, &one.verdict, threshold, ReportFormat::Table, LISTED, &mut explained)?;
            }
        }
        Ok(())
    })?;
    lines.finish()?;
    if let Some(table) = table {
        table.finish()?;
    }
    contradictions.notes().iter().for_each(|note| messages.say(note));
    if flags.explain {
        writeln!(output::stdout())?;
        output::stdout().write_all(&explained)?;
    }
    // The process ends here: the system takes its memory back faster than piece by piece.
    std::mem::forget(judge);
    Ok(messages.outcome(match (anomalous, review) {
        (1.., _) => Outcome::Anomalous,
        (0, 1..) => Outcome::Review,
        (0, 0) => Outcome::Success,
    }))
}

/// The label, and the regions where they say something else.
pub(super) fn answer(label: &str, contradiction: Option<Contradiction>, regions: Option<usize>) -> String {
    match contradiction {
        Some(Contradiction::NormalWithRegions) => {
            format!("{label} ({})", counted(regions.unwrap_or(0), "region"))
        }
        Some(Contradiction::AnomalousWithoutRegions) => format!("{label} (no region)"),
        _ => label.to_owned(),
    }
}

/// How many regions a picture has, if that is known.
fn count(line: &VerdictLine) -> Option<usize> {
    line.regions.as_ref().map(|regions| match regions {
        Regions::List(list) => list.len(),
        Regions::Count(count) => *count,
    })
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
    pub(super) fn new(format: Format) -> anyhow::Result<Self> {
        Ok(match format {
            Format::Table => Self::Table(Table::new(&[
                ("score", Align::Right),
                ("normalized", Align::Right),
                ("p-value", Align::Right),
                ("label", Align::Left),
                ("picture", Align::Left),
            ])),
            Format::Json => Self::Json,
            Format::Csv => Self::Csv(Box::new(csv::Writer::from_writer(output::stdout()))),
        })
    }

    pub(super) fn push(&mut self, line: VerdictLine) -> Result<(), dfm::Error> {
        match self {
            Self::Table(table) => table.push([
                table::score(line.score),
                table::figure(line.normalized_score),
                table::figure(line.p_value),
                answer(line.label.map_or("-", explain::word), line.contradiction, count(&line)),
                line.path,
            ]),
            Self::Json => writeln!(output::stdout(), "{}", serde_json::to_string(&line)?)?,
            Self::Csv(writer) => {
                writer.serialize(line.with_region_count()).map_err(std::io::Error::from)?;
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
