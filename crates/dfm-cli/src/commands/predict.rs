//! `dfm predict`: a verdict on each picture.

use std::io::Write;

use anyhow::bail;
use dfm::{
    Judge, Judged, Label, MapScale, MapsFolder, PictureFiles, RegionsTable, ScoreKind, Source, VerdictLine,
};
use rayon::prelude::*;

use super::explain;
use crate::flags::{Format, LISTED, NumberFlags, PredictFlags, ReportFormat};
use crate::hints::Hints;
use crate::messages::Messages;
use crate::report::table::{self, Align, Table};
use crate::{Outcome, args, input, output};

/// Runs the command: `Anomalous` if any picture is, `Failed` if any could not be
/// judged.
pub(crate) fn run(flags: &PredictFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    if flags.explain && flags.format != Format::Table {
        bail!("--explain goes with a table: for programs take dfm explain --format json");
    }
    // What is nearest is known from the pictures of the fit.
    let purpose = if flags.explain { args::Purpose::Anything } else { args::Purpose::Judging };
    let (model, options) = args::judge(&flags.judge, purpose, messages)?;
    let options = options.with_region_rule(args::region_rule(&flags.regions)?);
    let rule = model.region_rule(&options).map_err(dfm::Error::from).hints()?;
    let NumberFlags { raw_maps, masks, regions, .. } = &flags.numbers;
    let has_maps = model.record().params.method.score != ScoreKind::Nll;
    for (flag, is_given, takes_threshold) in [
        ("--maps", flags.maps.is_some(), false),
        ("--raw-maps", raw_maps.is_some(), false),
        ("--masks", masks.is_some(), true),
        ("--regions", regions.is_some(), true),
    ] {
        if is_given && !has_maps {
            bail!("{flag}: this model's score has no map; fit one with --score fre or mahalanobis");
        }
        if is_given && takes_threshold && rule.pixel_threshold.is_none() {
            bail!(
                "{flag}: this model has no pixel threshold; give --pixel-threshold, or fit without --threshold"
            );
        }
    }
    let mut table = regions.as_deref().map(RegionsTable::new).transpose()?;
    let named = input::named(&flags.paths, flags.list.as_deref(), messages)?;
    let files = named.source();
    let workers = args::workers(&flags.judge.model.compute);
    let scale = MapScale::by(&model, rule);
    let folders = [
        flags.maps.as_deref().map(|folder| MapsFolder::new(folder, &files, scale)),
        raw_maps.as_deref().map(|folder| MapsFolder::numbers(folder, &files, flags.numbers.grid)),
        masks.as_deref().map(|folder| MapsFolder::masks(folder, &files, rule)),
    ];
    let folders: Vec<MapsFolder> = folders.into_iter().flatten().collect::<Result<_, _>>()?;
    let folders: Vec<MapsFolder> =
        folders.into_iter().map(|folder| folder.with_workers(workers.clone())).collect();
    let for_programs = flags.format != Format::Table;
    let options = options
        .with_map(!folders.is_empty())
        .with_regions(for_programs || table.is_some())
        .with_explain(flags.explain);
    let threshold = model.judging(&options)?.threshold();
    let judge = Judge::new(model).with_workers(workers);
    let mut lines = Lines::new(flags.format)?;
    let (mut anomalous, mut explained) = (0, Vec::new());
    judge.each(&files, &options, messages, |batch| {
        let mut written = vec![PictureFiles::default(); batch.len()];
        for folder in &folders {
            for (all, more) in written.iter_mut().zip(folder.write(&files, &batch, messages)) {
                *all = std::mem::take(all).or(more);
            }
        }
        anomalous += batch.iter().filter(|one| one.verdict.label == Some(Label::Anomalous)).count();
        let line = |(one, written): (&Judged, &PictureFiles)| {
            let path = files.path(one.index).display().to_string();
            VerdictLine::new(path, &one.verdict, judge.model(), threshold).with_files(written)
        };
        let made: Vec<_> = batch.par_iter().zip(&written).map(line).collect();
        made.into_iter().try_for_each(|line| lines.push(line))?;
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
    if flags.explain {
        writeln!(output::stdout())?;
        output::stdout().write_all(&explained)?;
    }
    // The process ends here: the system takes its memory back faster than piece by piece.
    std::mem::forget(judge);
    Ok(messages.outcome(if anomalous > 0 { Outcome::Anomalous } else { Outcome::Success }))
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
                match line.label {
                    Some(Label::Anomalous) => "anomalous".to_owned(),
                    Some(Label::Normal) => "normal".to_owned(),
                    None => "-".to_owned(),
                },
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
