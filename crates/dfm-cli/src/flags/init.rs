//! Flags of `dfm init`.

use std::path::PathBuf;

use clap::Args;

/// The file that is looked for in the current folder.
pub(crate) const CONFIG_NAME: &str = "dfm.toml";

/// Flags of `dfm init`.
#[derive(Debug, Args)]
pub(crate) struct InitFlags {
    /// File to write
    #[arg(default_value = CONFIG_NAME)]
    pub(crate) path: PathBuf,
    /// Overwrite the file if it exists
    #[arg(long)]
    pub(crate) force: bool,
}
