//! `dfm fit`: from a folder of good pictures to a model.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use dfm_core::{Dfm, DfmParams, FeatureExtractor, PreparedPicture, SaveOptions};

use crate::flags::FitFlags;
use crate::messages::Messages;
use crate::report::{Progress, table};
use crate::{Outcome, args, atomic, input};

/// Runs the command. Unreadable pictures are reported and left out; they make the
/// outcome a failure unless `--skip-bad`.
pub(crate) fn run(flags: &FitFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    // With a threshold given, there is none to look for in held-out pictures.
    let calibration = match flags.threshold {
        Some(_) => None,
        None => DfmParams::default().calibration,
    };
    let params = DfmParams {
        calibration,
        layer: flags.backbone.layer,
        pool: flags.backbone.pool,
        keep: flags.pca,
        score: flags.score,
        batch: flags.batch,
        keep_fit_statistic: !flags.no_update,
    };
    params.clone().check()?;
    let device = args::device(&flags.compute)?;
    let jobs = args::jobs(&flags.compute)?;
    let folder = training_folder(&flags.folder);
    let pictures = input::folder(&folder).with_context(|| folder.display().to_string())?;
    let extractor = args::extractor(&flags.backbone, &params, &device)?;

    let mut model = fit_files(&params, extractor, &pictures, jobs, messages)
        .with_context(|| folder.display().to_string())?;
    if let Some(threshold) = flags.threshold {
        model.set_threshold(threshold)?;
    }
    save(&model, &flags.output, flags.slim)?;
    Ok(if flags.skip_bad { Outcome::Success } else { messages.outcome(Outcome::Success) })
}

/// Fits the pictures at `paths`; those that cannot be read are reported.
pub(crate) fn fit_files(
    params: &DfmParams,
    extractor: FeatureExtractor,
    paths: &[PathBuf],
    jobs: usize,
    messages: &Messages,
) -> anyhow::Result<Dfm> {
    let mut progress = Progress::new("learning", paths.len(), messages.is_quiet());
    let prepared = input::load(paths, &extractor.preprocessor(), jobs).filter_map(|loaded| {
        progress.step();
        readable(&paths[loaded.index], loaded.picture, messages)
    });
    Ok(params.clone().check()?.fit(extractor, prepared)?)
}

/// Writes `model` to `path` and says what it holds.
pub(crate) fn save(model: &Dfm, path: &Path, slim: bool) -> anyhow::Result<()> {
    let sizes = atomic::write(path, |writer| Ok(model.write(writer, &SaveOptions { slim })?))?;
    let record = model.record();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", path.display())?;
    writeln!(
        out,
        "  {} pictures, {} components of {} directions explain {:.2} % of the variance",
        record.picture_count,
        model.component_count(),
        record.rank,
        100.0 * model.explained_ratio()
    )?;
    if let Some(calibration) = model.calibration() {
        writeln!(out, "  threshold {}", table::score(calibration.threshold()))?;
    }
    writeln!(
        out,
        "  {}: backbone {}, kept for updates {}",
        table::bytes(sizes.total),
        table::bytes(sizes.backbone),
        table::bytes(sizes.fit_statistic)
    )?;
    Ok(())
}

/// The picture, or nothing and a report.
pub(crate) fn readable(
    path: &Path,
    picture: anyhow::Result<PreparedPicture>,
    messages: &Messages,
) -> Option<PreparedPicture> {
    picture.map_err(|error| messages.error(path, format_args!("{error:#}"))).ok()
}

/// `folder`, or `train/good` inside it if it is a data set.
fn training_folder(folder: &Path) -> PathBuf {
    let inside = folder.join("train/good");
    if inside.is_dir() { inside } else { folder.to_owned() }
}
