//! Flags of `dfm explain`.

use std::path::PathBuf;

use clap::Args;

use crate::flags::{JudgeFlags, ReportFormat};

/// Number of cells and channels that are listed for each layer by default.
pub(crate) const LISTED: usize = 5;

/// Flags of `dfm explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainFlags {
    #[command(flatten)]
    pub(crate) judge: JudgeFlags,
    /// Pictures, folders, or patterns such as 'shots/*.png'; - reads one picture from standard input
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Number of cells and channels to list for each layer, the largest share first
    #[arg(long, value_name = "N", default_value_t = LISTED)]
    pub(crate) top: usize,
    /// Format of the results
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}
