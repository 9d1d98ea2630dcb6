//! Chores that are programs of their own, so that the others need not be built with Burn.

use std::ffi::OsString;

use anyhow::{Context, ensure};
use clap::Args;

use crate::workspace;

/// What is passed on to such a program.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct ToolFlags {
    /// Its own flags
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    rest: Vec<OsString>,
}

/// Builds and runs the member `tool`, in the folder that the user stands in.
///
/// # Errors
///
/// If it does not build, or fails.
pub(crate) fn run(tool: &str, flags: &ToolFlags) -> anyhow::Result<()> {
    let mut command = workspace::cargo();
    let here = std::env::current_dir().context("the current folder")?;
    command.current_dir(here).args(["run", "--release", "--manifest-path"]);
    // By its program's name and not as a package: the features of dependencies are then
    // those of the whole workspace, and Burn is the same build as everywhere else.
    command.arg(workspace::root().join("Cargo.toml")).args(["--bin", tool, "--"]).args(&flags.rest);
    let status = command.status().with_context(|| format!("starting {tool}"))?;
    ensure!(status.success(), "{tool}: {status}");
    Ok(())
}
