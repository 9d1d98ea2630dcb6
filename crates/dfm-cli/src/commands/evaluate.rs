//! `dfm evaluate`: how well a model tells defects from good pictures.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use dfm_core::metrics::BootstrapParams;

use super::judge::Judged;
use crate::config::Record;
use crate::evaluation::{self, Evaluated, Evaluation, Settings, Tally};
use crate::flags::{EvaluateFlags, ReportFormat};
use crate::input::Dataset;
use crate::messages::Messages;
use crate::report::gallery::Gallery;
use crate::report::html;
use crate::report::scale::MapScale;
use crate::{Outcome, args, atomic, output};

/// Runs the command.
pub(crate) fn run(flags: &EvaluateFlags, record: &Record, messages: &Messages) -> anyhow::Result<Outcome> {
    args::set_threads(&flags.judge.model.compute)?;
    let jobs = args::jobs(&flags.judge.model.compute);
    let bootstrap = (flags.bootstrap > 0)
        .then(|| BootstrapParams { replicates: flags.bootstrap, ..BootstrapParams::default() });
    bootstrap.map(BootstrapParams::check).transpose().context("--bootstrap")?;
    for folder in flags.output.iter().chain(&flags.report) {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the folder {}", folder.display()))?;
        atomic::check(&folder.join(evaluation::METRICS))?;
    }
    let mut gallery = flags.report.is_some().then(Gallery::new).transpose()?;
    let dataset = Dataset::read_test(&flags.dataset, flags.layout, messages)?;
    let judge = args::judge(&flags.judge, args::Purpose::Judging, messages)?;
    let scale = MapScale::of(&judge.model);
    let evaluated =
        evaluate(&judge, &scale, &dataset, jobs, bootstrap, messages, |judged| match &mut gallery {
            Some(gallery) => gallery.push(&dataset, judged, &scale, messages),
            None => Ok(()),
        })?;
    let settings = settings(&flags.judge.model.path, &flags.judge.model.compute.device, &dataset)?;
    let evaluation = Evaluation::new(&evaluated, settings);
    for folder in flags.output.iter().chain(&flags.report) {
        evaluation::write(folder, dataset.folder(), &evaluated, &evaluation, &record.text())?;
    }
    if let (Some(folder), Some(gallery)) = (&flags.report, &mut gallery) {
        html::write(folder, dataset.folder(), &evaluated, &evaluation, gallery)?;
    }
    let mut out = output::stdout();
    match flags.format {
        ReportFormat::Json => writeln!(out, "{}", serde_json::to_string(&evaluation)?)?,
        ReportFormat::Table => {
            evaluation::print(&evaluation, &mut out)?;
            if let Some(folder) = &flags.output {
                writeln!(
                    out,
                    "{} and {} are in {}.",
                    evaluation::METRICS,
                    evaluation::PREDICTIONS,
                    folder.display()
                )?;
            }
            if let Some(folder) = &flags.report {
                writeln!(out, "The report is {}.", folder.join(html::PAGE).display())?;
            }
        }
    }
    Ok(messages.outcome(Outcome::Success))
}

/// Judges every picture of `dataset` and compares with the truth, the values of maps read by their
/// `scale`. `each` sees the
/// verdicts of every batch on their way. Errors reported before count as the data
/// set's.
pub(super) fn evaluate(
    judge: &args::Judge,
    scale: &MapScale,
    dataset: &Dataset,
    jobs: usize,
    bootstrap: Option<BootstrapParams>,
    messages: &Messages,
    mut each: impl FnMut(&[Judged]) -> anyhow::Result<()>,
) -> anyhow::Result<Evaluated> {
    let paths: Vec<PathBuf> = dataset.pictures.iter().map(|picture| picture.path.clone()).collect();
    let mut tally = Tally::new(dataset, *scale);
    let options = judge.options.clone().with_map(true);
    super::judge::judge(&judge.model, &paths, jobs, &options, messages, |judged| {
        each(&judged)?;
        tally.push(&judged, messages);
        Ok(())
    })?;
    tally.finish(judge.threshold, bootstrap, messages.error_count())
}

/// What is recorded of a run, so that it can be done again.
pub(super) fn settings(model: &Path, device: &str, dataset: &Dataset) -> anyhow::Result<Settings> {
    let info = args::model_info(model)?;
    Ok(Settings {
        program: concat!("dfm ", env!("CARGO_PKG_VERSION")).to_owned(),
        model: model.display().to_string(),
        model_digest: info.digest,
        model_program: info.program,
        params: serde_json::to_value(&info.record.params)?,
        architecture: info.architecture.name,
        input: serde_json::to_value(info.input)?,
        weights_sha256: info.weights_sha256,
        fitted_on: info.record.picture_count,
        device: device.to_owned(),
        dataset: dataset.root.display().to_string(),
        layout: dataset.layout.name(),
    })
}

/// A path without `root`, for people.
pub(super) fn below<'p>(root: &Path, path: &'p Path) -> &'p Path {
    path.strip_prefix(root).unwrap_or(path)
}
