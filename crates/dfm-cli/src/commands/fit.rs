//! `dfm fit`: from a folder of good pictures to a model.

use std::io::Write;
use std::path::Path;

use anyhow::bail;
use dfm::{
    Aggregation, CalibrationKind, CalibrationParams, Checkpoint, Dfm, FileKind, Files, FitParams,
    InstructionSet, Keeping, Learner, Method, ModelStore, NetworkPrecision, Run, SaveOptions,
    StreamingParams, Support, TapRecord, TileStatistics, TileStatisticsKind, WrittenSizes, check_file,
    counted,
};

use super::{info, recipe};
use crate::flags::{FitFlags, Validation};
use crate::hints::Hints;
use crate::input::Folders;
use crate::messages::Messages;
use crate::report::{plain, table};
use crate::values::Memory;
use crate::{Outcome, args, input, output};

/// Runs the command. Unreadable pictures are reported and left out; they make the
/// outcome a failure unless `--skip-bad`.
pub(crate) fn run(flags: &FitFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let learner = learner(flags, messages)?;
    check_file(&flags.output, FileKind::MODEL)?;
    let checkpoint = Checkpoint::beside(&flags.output, flags.resume, messages).hints()?;
    let (folder, pictures) = pictures(flags, messages)?;
    let options = SaveOptions { slim: flags.slim };
    let (model, sizes) = learner
        .fit_resumable(&pictures, &checkpoint, messages, |model| {
            let sizes = ModelStore::save_observed(&model, &flags.output, &options, messages)?;
            Ok((model, sizes))
        })
        .map_err(|error| error.at(folder))
        .hints()?;
    tell(&model, &flags.output, sizes, messages)?;
    Ok(if flags.skip_bad { Outcome::Success } else { messages.outcome(Outcome::Success) })
}

/// The good pictures that the flags name, and the folder or the list that names them.
fn pictures<'f>(flags: &'f FitFlags, messages: &Messages) -> anyhow::Result<(&'f Path, Files)> {
    match (&flags.folder, &flags.list) {
        (Some(folder), _) => {
            let folders = Folders::all(flags.all_folders);
            Ok((folder, input::good_pictures(folder, flags.layout(), folders, messages)?))
        }
        (None, Some(list)) => Ok((list, input::listed(list, messages)?)),
        (None, None) => bail!("expected a folder of good pictures or --list, got neither"),
    }
}

/// What fits as the flags describe.
pub(crate) fn learner(flags: &FitFlags, messages: &Messages) -> anyhow::Result<Learner> {
    let by_position = flags.tile_statistics == Some(TileStatisticsKind::Position);
    let params = params(flags, messages)?;
    args::check_precision(flags.precision, &flags.compute)?;
    if flags.precision == NetworkPrecision::Int8 && InstructionSet::best() == InstructionSet::Portable {
        messages.say("int8 is slower than f32 on this processor, which has neither AVX2 nor AVX-512");
    }
    let network = args::network(&flags.backbone, Some(&params.method))?;
    Ok(Learner::new(params.method.clone())
        .with_params(params)
        .with_network(network)
        .with_compute(args::compute(&flags.compute)?)
        .with_workers(args::workers(&flags.compute))
        .with_tiles_by_position(by_position)
        .with_synthetic_defects((flags.val == Validation::Synthetic).then_some(flags.backbone.seed))
        .with_threshold(flags.threshold))
}

/// The parameters that the flags describe, checked as far as they can be without pictures.
fn params(flags: &FitFlags, messages: &Messages) -> anyhow::Result<FitParams> {
    let usual = recipe::usual(flags)?;
    let mut method = usual
        .clone()
        .with_taps(args::taps(&flags.backbone, &usual.taps)?)
        .with_keep(flags.pca.unwrap_or(usual.keep))
        .with_precision(flags.precision)
        .with_aggregation(flags.aggregate.unwrap_or_else(|| usual_aggregation(&usual, flags.calibrate)))
        .with_map(flags.map)
        .with_levels(flags.levels)
        .with_region(input::region(flags.roi.as_deref(), flags.ignore.as_deref(), messages)?)
        .with_regions(args::region_rule(&flags.regions)?)
        .with_tiling(args::tiling(flags.tile, flags.stride))
        .with_calibration(calibration(flags)?);
    if let Some(side) = flags.tile
        && flags.tile_statistics == Some(TileStatisticsKind::Position)
    {
        // As in pictures no larger than a tile, until it is known how large they are.
        let size = dfm::PictureSize { width: side, height: side };
        method = method.with_tile_statistics(TileStatistics::Position(size));
    }
    let memory = StreamingParams {
        max_bytes: flags.max_memory.map_or_else(args::memory, |Memory(bytes)| bytes),
        exact: flags.exact,
    };
    let params = FitParams::from(method)
        .with_run(Run::default().with_batch(flags.batch).with_memory(memory).with_robust(flags.robust))
        .with_keeping(
            Keeping::default().with_fit_statistic(!flags.no_update).with_half_components(flags.half),
        );
    params.clone().check()?;
    if let Some(recipe) = flags.recipe {
        messages.say(recipe::told(recipe, &params.method));
    }
    Ok(params)
}

/// The aggregation of a fit that states none. Models without each picture, by which jackknife+ judges new
/// pictures, have no cells: it takes the share of the row's norm.
fn usual_aggregation(usual: &Method, kind: Option<CalibrationKind>) -> Aggregation {
    match (kind, usual.aggregation) {
        (Some(CalibrationKind::JackknifePlus), usual) if usual.needs_cells() => Aggregation::Relative,
        (_, usual) => usual,
    }
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

/// Warns if few pictures calibrate the threshold of the model with this `name`.
/// `has_set_aside` says whether these are the pictures that the fit set aside.
pub(crate) fn tell_few(name: &str, support: &Support, has_set_aside: bool, messages: &Messages) {
    if !support.is_few {
        return;
    }
    let enough = match support.needed().zip(support.asked_rate) {
        Some((needed, rate)) if !support.supports_asked() => {
            format!(" ({} % takes {needed}; --false-alarm states a larger rate)", (1e6 * rate).round() / 1e4)
        }
        _ => String::new(),
    };
    let memory = match has_set_aside {
        true => "; with more memory (--max-memory) more pictures calibrate",
        false => "",
    };
    messages.say(format_args!("{name}: few pictures calibrate the threshold: {support}{enough}{memory}"));
}

/// Says what the `model` that was written to `path` holds.
/// Few pictures behind the threshold are a warning.
pub(crate) fn tell(model: &Dfm, path: &Path, sizes: WrittenSizes, messages: &Messages) -> anyhow::Result<()> {
    let record = model.record();
    let mut out = output::stdout();
    writeln!(out, "{}", path.display())?;
    let (taps, ratios) = (record.params.method.taps.len(), model.explained_ratios());
    let places = record.taps.len() / taps;
    let learnt = match (record.params.method.tiling, record.params.method.tile_statistics) {
        (Some(_), TileStatistics::Shared) => counted(record.picture_count, "tile"),
        (Some(_), TileStatistics::Position(_)) => {
            format!("{} at {}", counted(record.picture_count, "picture"), counted(places, "place"))
        }
        (None, _) => counted(record.picture_count, "picture"),
    };
    if !record.params.method.levels.is_auto() {
        writeln!(out, "  levels {}", record.params.method.levels)?;
    }
    for (number, tap) in record.params.method.taps.iter().enumerate() {
        if let Some(text) = info::averaged(tap) {
            writeln!(out, "  {text}")?;
        }
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
    if let Some(pictures) = record.set_aside {
        writeln!(out, "  {}", info::set_aside(pictures))?;
    }
    if let Some(validation) = &record.validation {
        writeln!(out, "  {}", info::validation(validation))?;
    }
    let support = model.support();
    let from = support.map_or_else(String::new, |support| format!(", from {support}"));
    let decides = record.validation.as_ref().is_some_and(|validation| validation.decides);
    match (model.calibration(), record.params.method.calibration) {
        (None, _) => writeln!(out, "  no threshold: verdicts take --threshold")?,
        (Some(found), asked) => {
            let threshold = table::score(found.threshold());
            let kind = record.calibration_kind().unwrap_or_default();
            match asked.map(|asked| (kind, asked.false_alarm, asked.threshold)) {
                Some(_) if decides => {
                    writeln!(out, "  threshold {threshold}, {}", info::SYNTHETIC_THRESHOLD)?
                }
                Some((kind, Some(rate), _)) => {
                    writeln!(out, "  threshold {threshold} for a false-alarm rate of {rate}, {kind}{from}")?;
                }
                Some((kind, None, None)) => {
                    writeln!(out, "  threshold {threshold}, an estimate ({kind}){from}")?;
                }
                Some((_, None, Some(_))) | None => writeln!(out, "  threshold {threshold}")?,
            }
        }
    }
    if let Some(found) = &record.foreign {
        let threshold = model.calibration().map(|found| found.threshold());
        writeln!(out, "  {}", plain(&info::foreign(found, threshold)))?;
    }
    if let Some(not_searched) = record.not_searched {
        writeln!(out, "  {not_searched}")?;
    }
    if let Some(found) = &record.standing_out {
        writeln!(
            out,
            "  {}",
            plain(&info::standing_out(found, model.calibration().map(|found| found.threshold())))
        )?;
    }
    if let Some(support) = support {
        tell_few(&path.display().to_string(), &support, record.set_aside.is_some(), messages);
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
