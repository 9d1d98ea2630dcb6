//! Flags of `dfm init`.

use std::path::PathBuf;

use clap::Args;

/// Flags of `dfm init`.
#[derive(Debug, Args)]
pub(crate) struct InitFlags {
    /// Where to write it
    #[arg(default_value = crate::config::NAME)]
    pub(crate) path: PathBuf,
    /// Write it in the place of what is there
    #[arg(long)]
    pub(crate) force: bool,
}
