//! Flags of `dfm init`.

use std::path::PathBuf;

use clap::Args;

/// Flags of `dfm init`.
#[derive(Debug, Args)]
pub(crate) struct InitFlags {
    /// File to write
    #[arg(default_value = crate::config::NAME)]
    pub(crate) path: PathBuf,
    /// Overwrite the file if it exists
    #[arg(long)]
    pub(crate) force: bool,
}
