//! `dfm info`: what is in a model file.

use std::io::Write;

use dfm::{
    CalibrationInfo, Compat, ForeignRecord, InputContract, Keep, ModelInfo, ModelStore, OddPicture,
    PictureSize, Rows, ScoreKind, StandingOutRecord, Tap, TapInfo, TapRecord, TileStatistics,
    ValidationRecord, counted,
};

use crate::flags::{InfoFlags, ReportFormat};
use crate::report::{plain, table};
use crate::{Outcome, output};

/// Runs the command. The hash is checked, the self-test is not run.
pub(crate) fn run(flags: &InfoFlags) -> anyhow::Result<Outcome> {
    let info = ModelStore::info(&flags.model)?;
    let mut out = output::stdout();
    match flags.format {
        ReportFormat::Json => writeln!(out, "{}", serde_json::to_string(&info)?)?,
        ReportFormat::Table => print(&info, &mut out)?,
    }
    Ok(Outcome::Success)
}

/// Where a threshold that synthetic defects decided comes from, and what that is worth.
pub(super) const SYNTHETIC_THRESHOLD: &str =
    "of the best F1 between held-out good and synthetic pictures: real defects are others";

/// The most pictures that stand out and are named in one line.
const NAMED: usize = 5;

/// What a model made of synthetic defects.
pub(super) fn validation(found: &ValidationRecord) -> String {
    let pixels = found.pixel_auroc.map_or_else(String::new, |auroc| format!(", pixel AUROC {auroc:.4}"));
    format!(
        "{} held-out good and {} synthetic pictures: image AUROC {:.4}{pixels}, best F1 {:.4}; at the threshold \
         {:.1} % found, {:.1} % false alarms",
        found.good,
        found.defective,
        found.image_auroc,
        found.best_f1,
        100.0 * found.found,
        100.0 * found.false_alarms
    )
}

/// Which pictures a robust fit left out.
pub(super) fn foreign(found: &ForeignRecord, threshold: Option<f64>) -> String {
    let count = found.count();
    let names = listed(&found.pictures, found.pictures.len(), |picture| {
        let times = if picture.copies > 1 { format!(", {} times", picture.copies) } else { String::new() };
        format!("{} (score {}{times})", shown(picture), table::score(picture.score))
    });
    let are = if count == 1 { "is" } else { "are" };
    let of = found.of + count - found.pictures.len();
    let threshold =
        threshold.map_or_else(String::new, |at| format!("; the threshold is {}", table::score(at)));
    format!(
        "{count} of {of} pictures {are} foreign to the others and not learnt: {names}{threshold} (`dfm audit` lists all, \
         `dfm update --include-left-out` learns one all the same, `dfm fit --robust off` learns every picture)"
    )
}

fn shown(picture: &OddPicture) -> &str {
    picture.name.as_ref().unwrap_or(&picture.content_hash)
}

/// The first of some pictures, each as `show` makes it, and how many more there are.
fn listed(pictures: &[OddPicture], count: usize, show: impl Fn(&OddPicture) -> String) -> String {
    let mut names: Vec<String> = pictures.iter().take(NAMED).map(show).collect();
    if let more @ 1.. = count.saturating_sub(names.len()) {
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

/// Which pictures of a fit look unlike the others, and what they do to the threshold.
pub(crate) fn standing_out(found: &StandingOutRecord, threshold: Option<f64>) -> String {
    let names = listed(&found.pictures, found.count, |picture| shown(picture).to_owned());
    let (stand, them) = if found.count == 1 { ("stands", "it") } else { ("stand", "them") };
    let moved = match (threshold, found.threshold_without) {
        (Some(with), Some(without)) => format!(
            "; with {them} the threshold is {}, without {them} {}",
            table::score(with),
            table::score(without)
        ),
        _ => String::new(),
    };
    format!(
        "{} of {} pictures {stand} far out: {}{moved} (`dfm forget` takes pictures out)",
        found.count, found.of, names
    )
}

/// How many layers a tap averages, and which.
pub(super) fn averaged(tap: &Tap) -> Option<String> {
    let layers = tap.layer.averaged().ok()?;
    let (first, last) = layers.first().zip(layers.last())?;
    Some(format!("{} is the average of {} layers, {first} to {last}", tap.layer, layers.len()))
}

/// How many pictures a fit set aside.
pub(super) fn set_aside(pictures: usize) -> String {
    let (were, calibrate) = if pictures == 1 { ("was", "calibrates") } else { ("were", "calibrate") };
    format!(
        "{} {were} not learnt and {calibrate}, because memory did not suffice for an exact fit",
        counted(pictures, "picture")
    )
}

fn print(info: &ModelInfo, out: &mut impl Write) -> std::io::Result<()> {
    let method = &info.record.params.method;
    // Text from a file that anyone may have written, on its way to a terminal.
    let mut line = |name: &str, value: String| writeln!(out, "{name:<12}  {}", plain(&value));
    line("format", format!("version {}, by {}", info.version, info.program))?;
    let taps: Vec<String> = method.taps.iter().map(Tap::to_string).collect();
    line("backbone", format!("{} up to {}", info.architecture.name(), taps.join(" and ")))?;
    for tap in &method.taps {
        if let Some(text) = averaged(tap) {
            line("", text)?;
        }
    }
    line("precision", method.precision.to_string())?;
    let InputContract { height, width, resize, resampling, .. } = info.input;
    line("input", format!("{height}×{width} pixels, {resize}, in {resampling}"))?;
    line("", format!("pixels as {}", info.input.normalisation()))?;
    if !method.levels.is_auto() {
        line("levels", method.levels.to_string())?;
    }
    if let Some(region) = &method.region {
        line("region", region.to_string())?;
    }
    if let Some(tiling) = method.tiling {
        line("tiles", tiling.to_string())?;
        if let TileStatistics::Position(PictureSize { width, height }) = method.tile_statistics {
            let places = info.record.taps.len() / method.taps.len();
            line(
                "",
                format!("statistics by position: {places} places in pictures of {width}×{height} pixels"),
            )?;
        }
    }
    line("weights", format!("{}; {}", info.source, info.license))?;
    line("", format!("SHA-256 {}", info.weights_sha256))?;
    if let Some(sha256) = &info.weights_file_sha256 {
        line("", format!("from the file with SHA-256 {sha256}"))?;
    }
    line("pictures", info.record.picture_count.to_string())?;
    let count = method.taps.len();
    for (number, first) in info.taps.iter().zip(&info.record.taps).take(count).enumerate() {
        let (TapInfo { layer, feature_shape: shape, .. }, TapRecord { route, rank_cut, .. }) = first;
        // By position of one place after the other.
        let taps = || info.taps.iter().skip(number).step_by(count);
        let records = || info.record.taps.iter().skip(number).step_by(count);
        let of_layer = if count > 1 { format!(" of {layer}") } else { String::new() };
        let shape = format!("{} = {}×{}×{}", shape.len(), shape.channels, shape.height, shape.width);
        line("features", format!("{shape}{of_layer}"))?;
        let rank = table::range(records().map(|record| record.rank as f64), 0);
        line(
            "varying in",
            format!("{rank} directions ({route}; variances from {rank_cut:.0e} of the largest)"),
        )?;
        let compressions = || records().filter_map(|record| record.compression.as_ref());
        if compressions().next().is_some() {
            let divisor = info.record.picture_count.saturating_sub(1).max(1) as f64;
            let bound =
                compressions().map(|compression| compression.error_bound / divisor).fold(0.0, f64::max);
            line(
                "compressed",
                format!(
                    "to {} directions: {} % of the variance dropped, no variance off by more than {}",
                    table::range(compressions().map(|compression| compression.limit as f64), 0),
                    table::range(compressions().map(|compression| 100.0 * compression.dropped_share), 2),
                    table::score(bound)
                ),
            )?;
        }
        let asked = match method.keep {
            Keep::Ratio(ratio) => format!("asked for {:.2} %", 100.0 * ratio),
            Keep::Components(count) => format!("asked for {count}"),
        };
        let components = table::range(taps().map(|tap| tap.components as f64), 0);
        let explained = table::range(taps().map(|tap| 100.0 * tap.explained_ratio), 2);
        line("components", format!("{components}, explaining {explained} % of the variance ({asked})"))?;
    }
    if let Some(pictures) = info.record.set_aside {
        line("held out", set_aside(pictures))?;
    }
    let gaussian = info.record.taps.first().and_then(|tap| tap.gaussian.as_ref());
    let gaussian = gaussian.map_or_else(String::new, |gaussian| {
        format!(
            ", a Gaussian of {} directions ({}), variances shrunk by {:.3}",
            gaussian.rank, gaussian.route, gaussian.shrinkage
        )
    });
    let score = match (method.score, method.compat) {
        (ScoreKind::Fre, Some(Compat::Anomalib)) => "fre as anomalib's".to_owned(),
        (ScoreKind::Fre, None) if method.rows == Rows::Cells => {
            format!("fre, {} of the cells, each a row", method.aggregation)
        }
        (ScoreKind::Fre, None) => format!("fre, {} of the cells", method.aggregation),
        (score, _) => score.name().to_owned(),
    };
    line("score", format!("{score}{gaussian}"))?;
    if let Some(map) = info.map {
        line("maps", map.name().to_owned())?;
    }
    if let Some(found) = &info.record.validation {
        line("validated on", format!("{} (seed {})", validation(found), found.seed))?;
    }
    let threshold = info.threshold.map_or_else(|| "none".to_owned(), table::score);
    let is_given = method.calibration.is_some_and(|asked| asked.threshold.is_some());
    line(
        "threshold",
        match &info.calibration {
            _ if info.record.validation.as_ref().is_some_and(|found| found.decides) => {
                format!("{threshold}, {SYNTHETIC_THRESHOLD}")
            }
            Some(CalibrationInfo { pictures, false_alarm, support, .. }) if !is_given => {
                let rate = match false_alarm {
                    Some(rate) => format!("for a false-alarm rate of {rate}"),
                    None => "an estimate".to_owned(),
                };
                let from = match support {
                    Some(support) => support.to_string(),
                    None => counted(*pictures, "held-out picture"),
                };
                format!("{threshold}, {rate} from {from}")
            }
            _ => threshold,
        },
    )?;
    if let Some(found) = &info.record.foreign {
        line("left out", foreign(found, info.threshold))?;
    }
    if let Some(not_searched) = info.record.not_searched {
        line("left out", format!("none: {not_searched}"))?;
    }
    if let Some(found) = &info.record.standing_out {
        line("stands out", standing_out(found, info.threshold))?;
    }
    if let Some(threshold) = info.cell_threshold {
        line("map", format!("cells stand out from {}", table::score(threshold)))?;
    }
    if let Some(CalibrationInfo { kind, guarantee, .. }) = &info.calibration {
        line("p-values", format!("{kind}; proved: {guarantee}"))?;
    }
    let rule = method.regions;
    let asked = [
        rule.pixel_threshold.map(|threshold| format!("from {}", table::score(threshold))),
        rule.close.map(|gap| format!("gaps of up to {gap} pixels closed")),
        rule.min_area.map(|area| format!("of {area} pixels or more")),
        rule.pixel_size.map(|side| format!("a pixel is {side} mm wide")),
    ];
    if !rule.is_empty() {
        line("regions", asked.into_iter().flatten().collect::<Vec<_>>().join(", "))?;
    }
    line("updatable", if info.updatable { "yes".to_owned() } else { "no".to_owned() })?;
    line(
        "size",
        format!(
            "{}: backbone {}, kept for updates {}",
            table::bytes(info.total_bytes),
            table::bytes(info.backbone_bytes),
            table::bytes(info.fit_statistic_bytes)
        ),
    )?;
    line("SHA-256", info.digest.clone())
}
