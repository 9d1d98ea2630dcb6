//! Flags of `dfm drift`.

use std::path::PathBuf;

use clap::Args;

use crate::flags::{ModelFlags, ReportFormat};
use crate::values::parse_drift_alarm;

/// Flags of `dfm drift`.
#[derive(Debug, Args)]
pub(crate) struct DriftFlags {
    #[command(flatten)]
    pub(crate) model: ModelFlags,
    /// A folder of today's pictures, or the output of `dfm predict --format json` for them. With
    /// such a file only scores are compared
    #[arg(value_name = "DIR|FILE.jsonl")]
    pub(crate) today: PathBuf,
    /// Largest share of streams without drift that may be called drift, 0.001 to 0.5
    #[arg(long, value_name = "SHARE", default_value_t = 0.01, value_parser = parse_drift_alarm)]
    pub(crate) false_alarm: f64,
    /// Format of the verdict
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}
