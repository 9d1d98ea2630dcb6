//! Flags of `dfm audit`.

use clap::Args;

use crate::flags::{ModelFlags, ReportFormat};

/// Flags of `dfm audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditFlags {
    #[command(flatten)]
    pub(crate) model: ModelFlags,
    /// Number of pictures to list, the most abnormal first
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) top: usize,
    /// Format of the list
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}
