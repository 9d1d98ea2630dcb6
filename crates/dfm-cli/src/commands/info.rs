//! `dfm info`: what is in a model file.

use std::fs::File;
use std::io::{BufReader, Write};

use anyhow::Context;
use dfm_core::{Keep, LoadOptions, ModelInfo, ScoreKind};

use crate::Outcome;
use crate::flags::{Format, InfoFlags};
use crate::report::table;

/// Runs the command. The hash is checked, the self-test is not run.
pub(crate) fn run(flags: &InfoFlags) -> anyhow::Result<Outcome> {
    let named = || flags.model.display().to_string();
    let file = File::open(&flags.model).with_context(named)?;
    let info = ModelInfo::read(&mut BufReader::new(file), LoadOptions::MAX_BYTES).with_context(named)?;
    let mut out = std::io::stdout().lock();
    match flags.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&info)?)?,
        Format::Csv => anyhow::bail!("--format csv: a model is no table; take json"),
        Format::Table => print(&info, &mut out)?,
    }
    Ok(Outcome::Success)
}

fn print(info: &ModelInfo, out: &mut impl Write) -> std::io::Result<()> {
    let params = &info.record.params;
    let mut line = |name: &str, value: String| writeln!(out, "{name:<12}  {value}");
    line("format", format!("version {}, by {}", info.version, info.program))?;
    line("backbone", format!("{} up to {}, pool {}", info.architecture.name, params.layer, params.pool))?;
    line("input", format!("{}×{} pixels", info.input.height, info.input.width))?;
    line("weights", format!("{}; {}", info.source, info.license))?;
    line("", format!("SHA-256 {}", info.weights_sha256))?;
    let shape = info.feature_shape;
    line("features", format!("{} = {}×{}×{}", shape.len(), shape.channels, shape.height, shape.width))?;
    line(
        "pictures",
        format!(
            "{}, varying in {} directions ({})",
            info.record.picture_count, info.record.rank, info.record.route
        ),
    )?;
    let asked = match params.keep {
        Keep::Ratio(ratio) => format!("asked for {:.2} %", 100.0 * ratio),
        Keep::Components(count) => format!("asked for {count}"),
    };
    let explained = 100.0 * info.explained_ratio;
    line(
        "components",
        format!("{}, explaining {explained:.2} % of the variance ({asked})", info.components),
    )?;
    line("score", if params.score == ScoreKind::Fre { "fre".to_owned() } else { "nll".to_owned() })?;
    line("threshold", info.threshold.map_or_else(|| "none".to_owned(), table::score))?;
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
