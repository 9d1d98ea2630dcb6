//! Flags of `dfm drift`.

use std::path::PathBuf;

use clap::Args;

use crate::flags::{ComputeFlags, ReportFormat};

/// Flags of `dfm drift`.
#[derive(Debug, Args)]
pub(crate) struct DriftFlags {
    /// The model, as `dfm fit` wrote it (without --no-update)
    pub(crate) model: PathBuf,
    /// A folder of today's pictures, or what `dfm predict --format json` said of them
    /// (then scores alone are compared)
    #[arg(value_name = "DIR|FILE.jsonl")]
    pub(crate) today: PathBuf,
    /// Share of streams without drift that may be called drift, 0.001 to 0.5
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    pub(crate) false_alarm: f64,
    /// Weights of a model that was fitted with --slim: a pulled name or a file; embedded and
    /// random ones are found without
    #[arg(long)]
    pub(crate) weights: Option<String>,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
    /// How to write the verdict
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}
