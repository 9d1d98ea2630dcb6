//! `dfm fit`: from a folder of good pictures to a model.

use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use dfm_backbone::InstructionSet;
use dfm_core::{
    Dfm, DfmError, DfmParams, FeatureExtractor, NetworkPrecision, PreparedPicture, Preprocessor, SaveOptions,
    StreamingParams,
};
use tracing::info;

use crate::flags::FitFlags;
use crate::messages::Messages;
use crate::report::{Progress, table};
use crate::{Outcome, args, atomic, input, output};

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
        precision: flags.precision,
        aggregation: flags.aggregate,
        region: flags.roi.as_deref().map(input::region).transpose()?,
        compat: flags.compat,
        batch: flags.batch,
        keep_fit_statistic: !flags.no_update,
        memory: StreamingParams {
            max_bytes: flags.max_memory.unwrap_or_else(args::memory),
            exact: flags.exact,
        },
    };
    params.clone().check()?;
    args::check_precision(flags.precision, &flags.compute)?;
    if flags.precision == NetworkPrecision::Int8 && InstructionSet::best() == InstructionSet::Portable {
        messages.note("int8 is slower than f32 on this processor, which has neither AVX2 nor AVX-512");
    }
    if let Some(threshold) = flags.threshold.filter(|threshold| !threshold.is_finite()) {
        bail!("--threshold {threshold}: expected a finite number");
    }
    atomic::check(&flags.output)?;
    let device = args::device(&flags.compute)?;
    let jobs = args::jobs(&flags.compute)?;
    let folder = training_folder(&flags.folder);
    let pictures = input::folder(&folder, messages).with_context(|| folder.display().to_string())?;
    let extractor = args::extractor(&flags.backbone, &params, &device)?;

    let mut model = fit_files(&params, extractor, &pictures, jobs, messages)
        .with_context(|| folder.display().to_string())?;
    if let Some(threshold) = flags.threshold {
        model.set_threshold(threshold)?;
    }
    save(&model, &flags.output, flags.slim)?;
    Ok(if flags.skip_bad { Outcome::Success } else { messages.outcome(Outcome::Success) })
}

/// Fits the pictures at `paths`; those that cannot be read, and those of which the
/// network makes no finite features, are reported and left out.
pub(crate) fn fit_files(
    params: &DfmParams,
    extractor: FeatureExtractor,
    paths: &[PathBuf],
    jobs: usize,
    messages: &Messages,
) -> anyhow::Result<Dfm> {
    let preprocessor = extractor.preprocessor();
    learn_files(paths, &preprocessor, jobs, params.batch, messages, |pictures, each| {
        Ok(params.clone().check()?.fit_each(extractor, pictures, each)?)
    })
}

/// What is told of every picture: its place, and whether its features are finite.
type Each<'a> = &'a mut dyn FnMut(usize, Result<(), DfmError>) -> Result<(), DfmError>;

/// Lets `learn` make a model of the pictures at `paths`; those that it cannot use are
/// reported.
pub(crate) fn learn_files(
    paths: &[PathBuf],
    preprocessor: &Preprocessor,
    jobs: usize,
    batch: usize,
    messages: &Messages,
    learn: impl FnOnce(&mut dyn Iterator<Item = PreparedPicture>, Each<'_>) -> anyhow::Result<Dfm>,
) -> anyhow::Result<Dfm> {
    let begun = Instant::now();
    let progress = RefCell::new(Progress::new("learning", paths.len(), messages.is_quiet()));
    // Where the pictures lie in `paths` that the fit was given.
    let given = RefCell::new(Vec::with_capacity(paths.len()));
    let prepared = input::load(paths, preprocessor, jobs, batch).filter_map(|loaded| {
        let picture = readable(&paths[loaded.index], loaded.picture, messages);
        match picture {
            Some(_) => given.borrow_mut().push(loaded.index),
            None => progress.borrow_mut().step(),
        }
        picture
    });
    // Whoever asks beyond the last picture is about to work out the components.
    let end = std::iter::from_fn(|| {
        progress.replace(Progress::turning("working out what they share", messages.is_quiet()));
        None
    });
    let mut each = |place: usize, found: Result<(), DfmError>| {
        progress.borrow_mut().step();
        if found.is_err() {
            let path = &paths[given.borrow()[place]];
            messages.error(path, "its features are not finite: the weights or the picture are unusable");
        }
        Ok(())
    };
    let model = learn(&mut prepared.chain(end), &mut each)?;
    info!(
        "{} of {} pictures learnt in {:.1?}; the model: {} pictures, {} components of {} directions",
        given.borrow().len(),
        paths.len(),
        begun.elapsed(),
        model.record().picture_count,
        model.component_count(),
        model.record().rank
    );
    Ok(model)
}

/// Writes `model` to `path` and says what it holds.
pub(crate) fn save(model: &Dfm, path: &Path, slim: bool) -> anyhow::Result<()> {
    let sizes = atomic::write(path, |writer| Ok(model.write(writer, &SaveOptions { slim })?))?;
    let record = model.record();
    let mut out = output::stdout();
    writeln!(out, "{}", path.display())?;
    writeln!(
        out,
        "  {} pictures, {} components of {} directions explain {:.2} % of the variance",
        record.picture_count,
        model.component_count(),
        record.rank,
        100.0 * model.explained_ratio()
    )?;
    if let Some(compression) = &record.compression {
        writeln!(
            out,
            "  no more than {} directions fitted into memory: {:.2} % of the variance lies in none of them",
            compression.limit,
            100.0 * compression.dropped_share
        )?;
    }
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
pub(crate) fn training_folder(folder: &Path) -> PathBuf {
    let inside = folder.join("train/good");
    if inside.is_dir() { inside } else { folder.to_owned() }
}
