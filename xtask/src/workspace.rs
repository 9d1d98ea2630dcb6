//! The workspace, and the programs that chores start in it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};

/// The folder that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable for what it runs; the constant serves a program started by hand.
    let manifest =
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let manifest = PathBuf::from(manifest);
    // The lock file lies there and nowhere else.
    let root = manifest.ancestors().find(|folder| folder.join("Cargo.lock").is_file());
    root.map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// The cargo that runs this program, started at the root of the workspace.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Returns what a command prints to its standard output. Its standard error goes to ours.
///
/// # Errors
///
/// If the command cannot be started, fails, or prints something that is not UTF-8.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let name = format!("{command:?}");
    let output = command.stderr(std::process::Stdio::inherit()).output().with_context(|| name.clone())?;
    ensure!(output.status.success(), "{name}: {}", output.status);
    String::from_utf8(output.stdout).with_context(|| format!("{name}: output that is not UTF-8"))
}
