//! `dfm predict`: a verdict on each picture.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use dfm_core::{Label, ScoreKind};
use image::{ImageFormat, RgbImage};
use rayon::prelude::*;

use super::explain;
use super::judge::{Judged, judge};
use crate::flags::{Format, LISTED, PredictFlags, ReportFormat};
use crate::messages::Messages;
use crate::report::heatmap::Heatmap;
use crate::report::json::{PredictionLine, Regions};
use crate::report::legend::legend;
use crate::report::scale::MapScale;
use crate::report::table::{self, Align, Table};
use crate::{Outcome, args, atomic, input, output};

/// Runs the command: `Anomalous` if any picture is, `Failed` if any could not be
/// judged.
pub(crate) fn run(flags: &PredictFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let jobs = args::jobs(&flags.judge.model.compute);
    if flags.explain && flags.format != Format::Table {
        bail!("--explain goes with a table: for programs take dfm explain --format json");
    }
    // What is nearest is known from the pictures of the fit.
    let purpose = if flags.explain { args::Purpose::Anything } else { args::Purpose::Judging };
    let args::Judge { model, options, threshold } = args::judge(&flags.judge, purpose, messages)?;
    if flags.maps.is_some() && model.record().params.method.score == ScoreKind::Nll {
        bail!("--maps: this model's score has no map; fit one with --score fre or mahalanobis");
    }
    let paths = input::expand(&flags.paths, messages);
    let scale = MapScale::of(&model);
    let maps = match &flags.maps {
        Some(folder) => Some(Maps::new(folder, &paths, scale)?),
        None => None,
    };
    let mut lines = Lines::new(flags.format)?;
    let (mut anomalous, mut explained) = (0, Vec::new());
    let for_programs = flags.format != Format::Table;
    let options = options.with_map(maps.is_some() || for_programs).with_explain(flags.explain);
    judge(&model, &paths, jobs, &options, messages, |judged| {
        if let Some(maps) = &maps {
            maps.write(&paths, &judged, messages);
        }
        anomalous += judged.iter().filter(|one| one.prediction.label == Some(Label::Anomalous)).count();
        let line = |one: &Judged| {
            let line = PredictionLine::new(paths[one.index].display().to_string(), one, &model, threshold);
            if for_programs { line.with_regions(one, &scale) } else { line }
        };
        let found: Vec<_> = judged.par_iter().map(line).collect();
        if flags.explain {
            explained.extend(judged.into_iter().map(|Judged { prediction, index, size }| {
                // The map was written.
                let mut prediction = prediction;
                prediction.grid = None;
                Judged { index, size, prediction }
            }));
        }
        found.into_iter().try_for_each(|line| lines.push(line))
    })?;
    lines.finish()?;
    if flags.explain {
        writeln!(output::stdout())?;
        explain::write(&explained, &paths, threshold, ReportFormat::Table, LISTED)?;
    }
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

    pub(super) fn push(&mut self, line: PredictionLine) -> anyhow::Result<()> {
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
                let regions = line.regions.map(|regions| match regions {
                    Regions::List(list) => Regions::Count(list.len()),
                    count => count,
                });
                writer.serialize(PredictionLine { regions, ..line })?;
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

/// Heat maps and overlays in a folder that mirrors where the pictures lie.
pub(super) struct Maps {
    folder: PathBuf,
    common: PathBuf,
    scale: MapScale,
}

impl Maps {
    /// Creates `folder`, marked so that a later run takes no map for a picture, with a legend
    /// if all maps have one scale. The part of their path that all pictures share is left out
    /// inside it.
    pub(super) fn new(folder: &Path, pictures: &[PathBuf], scale: MapScale) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the folder {} for maps", folder.display()))?;
        atomic::write(&folder.join(input::MAPS_MARK), |_| Ok(()))?;
        if let Some(legend) = legend(&scale) {
            write_png(&folder.join(input::LEGEND), &legend)?;
        }
        Ok(Self { folder: folder.to_owned(), common: input::common_folder(pictures), scale })
    }

    /// Writes `NAME-heatmap.png` and `NAME-overlay.png` of every picture of a batch, in
    /// its own size. What cannot be written is reported.
    ///
    /// Each picture is read once more: keeping a batch of photographs until its
    /// verdicts are there would take gigabytes. That is little beside compressing two
    /// pictures of its size, and all processors share it.
    pub(super) fn write(&self, paths: &[PathBuf], judged: &[Judged], messages: &Messages) {
        let results: Vec<_> = judged.par_iter().map(|one| self.write_one(&paths[one.index], one)).collect();
        for (one, result) in judged.iter().zip(results) {
            if let Err(error) = result {
                messages.error(&paths[one.index], format_args!("{error:#}"));
            }
        }
    }

    fn write_one(&self, path: &Path, judged: &Judged) -> anyhow::Result<()> {
        let Some(grid) = &judged.prediction.grid else { return Ok(()) };
        let heatmap = Heatmap::new(grid, judged.size, &self.scale);
        let relative = path.strip_prefix(&self.common).unwrap_or(path);
        let plain = relative.components().filter(|part| matches!(part, std::path::Component::Normal(_)));
        let target = self.folder.join(plain.collect::<PathBuf>());
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        let named = |ending: &str| {
            let mut name = target.file_name().unwrap_or_default().to_owned();
            name.push(ending);
            target.with_file_name(name)
        };
        write_png(&named(input::HEATMAP), &heatmap.colours())?;
        write_png(&named(input::OVERLAY), &heatmap.over(&input::decode_file(path)?))
    }
}

fn write_png(path: &Path, picture: &RgbImage) -> anyhow::Result<()> {
    let mut png = Vec::new();
    picture.write_to(&mut std::io::Cursor::new(&mut png), ImageFormat::Png)?;
    atomic::write(path, |writer| Ok(writer.write_all(&png)?))
}
