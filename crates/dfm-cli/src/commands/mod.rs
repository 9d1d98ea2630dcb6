//! One module a command, each with a `run`.

pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod compare;
pub(crate) mod demo;
pub(crate) mod devices;
pub(crate) mod drift;
pub(crate) mod evaluate;
pub(crate) mod explain;
pub(crate) mod features;
mod figures;
pub(crate) mod fit;
pub(crate) mod info;
pub(crate) mod init;
pub(crate) mod parts;
pub(crate) mod predict;
pub(crate) mod products;
mod recipe;
pub(crate) mod sweep;
pub(crate) mod synthesise;
pub(crate) mod union;
pub(crate) mod weights;

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::flags::Flags;
use crate::{Outcome, output};

/// `dfm completions`.
pub(crate) fn completions(shell: Shell) -> anyhow::Result<Outcome> {
    // By way of memory: what fails while it generates, it panics at.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Flags::command(), "dfm", &mut script);
    output::stdout().write_all(&script)?;
    Ok(Outcome::Success)
}
