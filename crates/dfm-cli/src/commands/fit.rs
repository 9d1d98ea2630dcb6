//! `dfm fit`: from a folder of good pictures to a model.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use dfm_backbone::InstructionSet;
use dfm_core::{
    CalibrationKind, CalibrationParams, Dfm, DfmParams, NetworkPrecision, SaveOptions, StreamingParams,
    Tiling,
};

use super::learn::Learning;
use crate::checkpoint::Checkpoint;
use crate::defaults::Defaults;
use crate::flags::FitFlags;
use crate::messages::Messages;
use crate::report::table;
use crate::values::Memory;
use crate::{Outcome, args, atomic, input, output};

/// Runs the command. Unreadable pictures are reported and left out; they make the
/// outcome a failure unless `--skip-bad`.
pub(crate) fn run(flags: &FitFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    // With a threshold given, there is none to look for in held-out pictures.
    let calibration = match flags.threshold {
        Some(_) => None,
        None => Some(CalibrationParams {
            kind: flags.calibrate.unwrap_or(match flags.tile {
                Some(_) => CalibrationKind::Split,
                None => CalibrationKind::default(),
            }),
            false_alarm: flags.false_alarm,
            ..CalibrationParams::default()
        }),
    };
    let usual = Defaults::of(flags.score, flags.compat);
    let params = DfmParams {
        calibration,
        taps: args::taps(&flags.backbone, usual.layers)?,
        keep: flags.pca,
        score: flags.score,
        precision: flags.precision,
        aggregation: flags.aggregate.unwrap_or(usual.aggregation),
        region: flags.roi.as_deref().map(input::region).transpose()?,
        tiling: flags.tile.map(|side| Tiling { side, stride: flags.stride.unwrap_or(side - side / 4) }),
        compat: flags.compat,
        batch: flags.batch,
        keep_fit_statistic: !flags.no_update,
        memory: StreamingParams {
            max_bytes: flags.max_memory.map_or_else(args::memory, |Memory(bytes)| bytes),
            exact: flags.exact,
        },
    };
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
    let extractor = args::extractor(&flags.backbone, &params, usual.resize, &device)?;

    let fit = || {
        let learning = Learning { folder, paths: &pictures, jobs, messages };
        let mut model = learning
            .fit(&params, extractor, Some(&checkpoint))
            .with_context(|| folder.display().to_string())?;
        if let Some(threshold) = flags.threshold {
            model.set_threshold(threshold)?;
        }
        save(&model, &flags.output, flags.slim)
    };
    fit().inspect_err(|_| checkpoint.leave(messages))?;
    checkpoint.remove(messages);
    Ok(if flags.skip_bad { Outcome::Success } else { messages.outcome(Outcome::Success) })
}

/// Writes `model` to `path` and says what it holds.
pub(crate) fn save(model: &Dfm, path: &Path, slim: bool) -> anyhow::Result<()> {
    let sizes = atomic::write(path, |writer| Ok(model.write(writer, &SaveOptions { slim })?))?;
    let record = model.record();
    let mut out = output::stdout();
    writeln!(out, "{}", path.display())?;
    let learnt = match record.params.tiling {
        Some(_) => format!("{} tiles", record.picture_count),
        None => format!("{} pictures", record.picture_count),
    };
    for ((tap, found), ratio) in record.params.taps.iter().zip(&record.taps).zip(model.explained_ratios()) {
        let layer = if record.taps.len() > 1 { format!("{}: ", tap.layer) } else { String::new() };
        writeln!(
            out,
            "  {layer}{learnt}, {} components of {} directions explain {:.2} % of the variance",
            found.components,
            found.rank,
            100.0 * ratio
        )?;
        if let Some(compression) = &found.compression {
            writeln!(
                out,
                "  {layer}no more than {} directions fitted into memory: {:.2} % of the variance lies in none of \
                 them",
                compression.limit,
                100.0 * compression.dropped_share
            )?;
        }
    }
    if let Some(calibration) = model.calibration() {
        let threshold = table::score(calibration.threshold());
        let calibrated = record.params.calibration.zip(model.calibration_kind());
        match calibrated.map(|(params, kind)| (kind, params.false_alarm)) {
            Some((kind, Some(rate))) => {
                writeln!(out, "  threshold {threshold} for a false-alarm rate of {rate}, {kind}")?;
            }
            Some((kind, None)) => writeln!(out, "  threshold {threshold}, an estimate ({kind})")?,
            None => writeln!(out, "  threshold {threshold}")?,
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
