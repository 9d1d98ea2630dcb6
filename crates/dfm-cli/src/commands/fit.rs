//! `dfm fit`: from a folder of good pictures to a model.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use dfm_backbone::InstructionSet;
use dfm_core::{
    CalibrationKind, CalibrationParams, Dfm, FitParams, Keeping, Method, NetworkPrecision, PictureSize, Run,
    SaveOptions, StreamingParams, TapRecord, TileStatistics,
};

use super::info;
use super::learn::{Fitted, Learning};
use super::validate::validate;
use crate::checkpoint::Checkpoint;
use crate::flags::{FitFlags, TileStatisticsFlag, Validation};
use crate::messages::Messages;
use crate::report::table;
use crate::synthetic::HeldOut;
use crate::values::Memory;
use crate::{Outcome, args, atomic, input, output};

/// Runs the command. Unreadable pictures are reported and left out; they make the
/// outcome a failure unless `--skip-bad`.
pub(crate) fn run(flags: &FitFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let usual = Method::usual_for(flags.score, flags.compat);
    let by_position = flags.tile_statistics == Some(TileStatisticsFlag::Position);
    let resize = usual.usual_resize();
    let (taps, aggregation) = (args::taps(&flags.backbone, &usual.taps)?, usual.aggregation);
    let method = usual
        .with_calibration(calibration(flags)?)
        .with_taps(taps)
        .with_keep(flags.pca)
        .with_precision(flags.precision)
        .with_aggregation(flags.aggregate.unwrap_or(aggregation))
        .with_region(flags.roi.as_deref().map(input::region).transpose()?)
        .with_tiling(args::tiling(flags.tile, flags.stride))
        // Of pictures no larger than a tile, until it is known how large they are.
        .with_tile_statistics(match flags.tile.filter(|_| by_position) {
            Some(side) => TileStatistics::Position(PictureSize { width: side, height: side }),
            None => TileStatistics::Shared,
        });
    let memory = StreamingParams {
        max_bytes: flags.max_memory.map_or_else(args::memory, |Memory(bytes)| bytes),
        exact: flags.exact,
    };
    let mut params = FitParams::from(method)
        .with_run(Run::default().with_batch(flags.batch).with_memory(memory))
        .with_keeping(Keeping::default().with_fit_statistic(!flags.no_update));
    params.clone().check()?;
    args::check_precision(flags.precision, &flags.compute)?;
    if flags.precision == NetworkPrecision::Int8 && InstructionSet::best() == InstructionSet::Portable {
        messages.note("int8 is slower than f32 on this processor, which has neither AVX2 nor AVX-512");
    }
    atomic::check(&flags.output)?;
    let checkpoint = Arc::new(Checkpoint::beside(&flags.output, flags.resume, messages)?);
    let device = args::device(&flags.compute)?;
    let jobs = args::jobs(&flags.compute);
    let folder = &flags.folder;
    let pictures =
        input::training(folder, flags.layout, messages).with_context(|| folder.display().to_string())?;
    if by_position && let Some(size) = first_size(&pictures) {
        params.method.tile_statistics = TileStatistics::Position(size);
        params.clone().check()?;
    }
    let extractor = args::extractor(&flags.backbone, &params, resize, &device)?;

    let fit = || {
        let learning = Learning { folder, paths: &pictures, jobs, messages };
        let named = || folder.display().to_string();
        let Fitted { mut model, pictures: learnt } =
            learning.fit(&params, extractor, Some(&checkpoint)).with_context(named)?;
        if flags.val == Validation::Synthetic {
            let seed = flags.backbone.seed;
            let learnt = learnt.into_iter().map(|(hash, index)| (hash, pictures[index].clone()));
            let held_out = HeldOut::of(seed, learnt).with_context(named)?;
            model = validate(model, held_out, seed, jobs, messages).with_context(named)?;
        }
        if let Some(threshold) = flags.threshold {
            model = model.with_threshold(threshold)?;
        }
        save(&model, &flags.output, flags.slim)
    };
    fit().inspect_err(|_| checkpoint.leave(messages))?;
    checkpoint.remove(messages);
    Ok(if flags.skip_bad { Outcome::Success } else { messages.outcome(Outcome::Success) })
}

/// How good pictures are held out, if they are.
///
/// # Errors
///
/// If flags contradict each other.
fn calibration(flags: &FitFlags) -> anyhow::Result<Option<CalibrationParams>> {
    let (kind, threshold) = match (flags.val, flags.calibrate) {
        (Validation::None, None) if flags.false_alarm.is_none() => return Ok(None),
        (Validation::None, _) => bail!(
            "--val none: expected neither --calibrate nor --false-alarm, since no good pictures are held out; leave \
             --val out, or give --threshold in their place"
        ),
        // With a threshold given, there is none to look for in held-out pictures.
        (Validation::Train, _) if flags.threshold.is_some() => return Ok(None),
        (Validation::Train, kind) => (kind, None),
        (Validation::Synthetic, None | Some(CalibrationKind::Split)) => {
            (Some(CalibrationKind::Split), flags.threshold)
        }
        (Validation::Synthetic, Some(kind)) => bail!(
            "--val synthetic: expected --calibrate split, since defects are made on pictures that are not fitted on, \
             got {kind}"
        ),
    };
    let asked = CalibrationParams::default().with_kind(kind).with_threshold(threshold);
    Ok(Some(asked.with_false_alarm(flags.false_alarm)))
}

/// The size of the first picture that can be read.
fn first_size(pictures: &[PathBuf]) -> Option<PictureSize> {
    let first = pictures.iter().find_map(|path| input::decode_file(path).ok())?;
    Some(PictureSize { width: first.width(), height: first.height() })
}

/// Writes `model` to `path` and says what it holds.
pub(crate) fn save(model: &Dfm, path: &Path, slim: bool) -> anyhow::Result<()> {
    let sizes = atomic::write(path, |writer| Ok(model.write(writer, &SaveOptions { slim })?))?;
    let record = model.record();
    let mut out = output::stdout();
    writeln!(out, "{}", path.display())?;
    let method = &record.params.method;
    let (taps, ratios) = (method.taps.len(), model.explained_ratios());
    let places = record.taps.len() / taps;
    let learnt = match (method.tiling, method.tile_statistics) {
        (Some(_), TileStatistics::Shared) => format!("{} tiles", record.picture_count),
        (Some(_), TileStatistics::Position(_)) => {
            format!("{} pictures at {places} places", record.picture_count)
        }
        (None, _) => format!("{} pictures", record.picture_count),
    };
    for (number, tap) in method.taps.iter().enumerate() {
        let layer = if taps > 1 { format!("{}: ", tap.layer) } else { String::new() };
        let found = || record.taps.iter().skip(number).step_by(taps);
        let explained = ratios.iter().skip(number).step_by(taps).map(|ratio| 100.0 * ratio);
        writeln!(
            out,
            "  {layer}{learnt}, {} components of {} directions explain {} % of the variance",
            table::range(found().map(|found| found.components as f64), 0),
            table::range(found().map(|found| found.rank as f64), 0),
            table::range(explained, 2)
        )?;
        let compressions = || found().filter_map(|TapRecord { compression, .. }| compression.as_ref());
        if compressions().next().is_some() {
            writeln!(
                out,
                "  {layer}no more than {} directions fitted into memory: {} % of the variance lies in none of them",
                table::range(compressions().map(|compression| compression.limit as f64), 0),
                table::range(compressions().map(|compression| 100.0 * compression.dropped_share), 2)
            )?;
        }
    }
    if let Some(validation) = &record.validation {
        writeln!(out, "  {}", info::validation(validation))?;
    }
    let decides = record.validation.as_ref().is_some_and(|validation| validation.decides);
    let asked = method.calibration_kind().zip(method.calibration);
    match (model.calibration(), asked) {
        (None, _) => writeln!(out, "  no threshold: verdicts take --threshold")?,
        (Some(found), asked) => {
            let threshold = table::score(found.threshold());
            match asked.map(|(kind, asked)| (kind, asked.false_alarm, asked.threshold)) {
                Some(_) if decides => {
                    writeln!(out, "  threshold {threshold}, {}", info::SYNTHETIC_THRESHOLD)?
                }
                Some((kind, Some(rate), _)) => {
                    writeln!(out, "  threshold {threshold} for a false-alarm rate of {rate}, {kind}")?;
                }
                Some((kind, None, None)) => writeln!(out, "  threshold {threshold}, an estimate ({kind})")?,
                Some((_, None, Some(_))) | None => writeln!(out, "  threshold {threshold}")?,
            }
        }
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
pub(crate) fn readable<T>(path: &Path, picture: anyhow::Result<T>, messages: &Messages) -> Option<T> {
    picture.map_err(|error| messages.error(path, format_args!("{error:#}"))).ok()
}
