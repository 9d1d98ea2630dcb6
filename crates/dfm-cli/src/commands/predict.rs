//! `dfm predict`: a verdict on each picture.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use dfm_core::{Dfm, Label, PredictOptions};
use image::{ImageFormat, RgbImage};

use super::judge::{Judged, judge};
use crate::flags::{Format, PredictFlags};
use crate::messages::Messages;
use crate::report::heatmap::Heatmap;
use crate::report::json::PredictionLine;
use crate::report::table::{self, Align, Table};
use crate::{Outcome, args, atomic, input};

/// Runs the command: `Anomalous` if any picture is, `Failed` if any could not be
/// judged.
pub(crate) fn run(flags: &PredictFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let jobs = args::jobs(&flags.model.compute)?;
    let model = args::model(&flags.model)?;
    let paths = input::expand(&flags.paths, messages)?;
    let maps = match &flags.maps {
        Some(folder) => Some(Maps::new(folder, &paths)?),
        None => None,
    };
    let mut lines = Lines::new(flags.format)?;
    let mut anomalous = 0;
    let options = PredictOptions { map: maps.is_some() };
    judge(&model, &paths, jobs, options, messages, |judged| {
        anomalous += usize::from(judged.prediction.label == Some(Label::Anomalous));
        let path = &paths[judged.index];
        if let Some(maps) = &maps
            && let Err(error) = maps.write(path, &judged, &model)
        {
            messages.error(path, format_args!("{error:#}"));
        }
        let threshold = model.calibration().map(|calibration| calibration.threshold());
        lines.push(PredictionLine::new(path.display().to_string(), &judged.prediction, threshold))
    })?;
    lines.finish()?;
    Ok(messages.outcome(if anomalous > 0 { Outcome::Anomalous } else { Outcome::Success }))
}

/// Verdicts on their way to standard output.
pub(super) enum Lines {
    /// Printed at the end, because columns must line up.
    Table(Table),
    /// Printed at once.
    Json,
    /// Printed at once.
    Csv(Box<csv::Writer<std::io::Stdout>>),
}

impl Lines {
    pub(super) fn new(format: Format) -> anyhow::Result<Self> {
        Ok(match format {
            Format::Table => Self::Table(Table::new(&[
                ("score", Align::Right),
                ("normalized", Align::Right),
                ("label", Align::Left),
                ("picture", Align::Left),
            ])),
            Format::Json => Self::Json,
            Format::Csv => Self::Csv(Box::new(csv::Writer::from_writer(std::io::stdout()))),
        })
    }

    pub(super) fn push(&mut self, line: PredictionLine) -> anyhow::Result<()> {
        match self {
            Self::Table(table) => table.push([
                table::score(line.score),
                table::figure(line.normalized_score),
                match line.label {
                    Some(Label::Anomalous) => "anomalous".to_owned(),
                    Some(Label::Normal) => "normal".to_owned(),
                    None => "-".to_owned(),
                },
                line.path,
            ]),
            Self::Json => {
                let mut out = std::io::stdout().lock();
                writeln!(out, "{}", serde_json::to_string(&line)?)?;
            }
            Self::Csv(writer) => {
                writer.serialize(line)?;
                writer.flush()?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> anyhow::Result<()> {
        if let Self::Table(table) = self {
            table.write(&mut std::io::stdout().lock())?;
        }
        Ok(())
    }
}

/// Heat maps and overlays in a folder that mirrors where the pictures lie.
pub(super) struct Maps {
    folder: PathBuf,
    common: PathBuf,
}

impl Maps {
    /// Creates `folder`. The part of their path that all pictures share is left
    /// out inside it.
    pub(super) fn new(folder: &Path, pictures: &[PathBuf]) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the folder {} for maps", folder.display()))?;
        let mut parents = pictures.iter().filter_map(|picture| picture.parent());
        let mut common = parents.next().unwrap_or(Path::new("")).to_owned();
        for parent in parents {
            while !parent.starts_with(&common) {
                common.pop();
            }
        }
        Ok(Self { folder: folder.to_owned(), common })
    }

    /// Writes `NAME-heatmap.png` and `NAME-overlay.png` of one picture, in its own
    /// size.
    pub(super) fn write(&self, path: &Path, judged: &Judged, model: &Dfm) -> anyhow::Result<()> {
        let Some(grid) = &judged.prediction.map else {
            bail!("this model's score has no map: fit with --score fre");
        };
        let threshold = model.calibration().map(|calibration| calibration.threshold());
        let heatmap = Heatmap::new(grid, judged.size, threshold);
        let relative = path.strip_prefix(&self.common).unwrap_or(path);
        let plain = relative.components().filter(|part| matches!(part, std::path::Component::Normal(_)));
        let target = self.folder.join(plain.collect::<PathBuf>());
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        let named = |kind: &str| {
            let name = target.file_name().unwrap_or_default().to_string_lossy();
            target.with_file_name(format!("{name}-{kind}.png"))
        };
        write_png(&named("heatmap"), &heatmap.colours())?;
        write_png(&named("overlay"), &heatmap.over(&input::decode_file(path)?))
    }
}

fn write_png(path: &Path, picture: &RgbImage) -> anyhow::Result<()> {
    let mut png = Vec::new();
    picture.write_to(&mut std::io::Cursor::new(&mut png), ImageFormat::Png)?;
    atomic::write(path, |writer| Ok(writer.write_all(&png)?))
}
