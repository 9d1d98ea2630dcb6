//! One module a command, each with a `run`.

pub(crate) mod bench;
pub(crate) mod demo;
pub(crate) mod devices;
pub(crate) mod evaluate;
pub(crate) mod features;
pub(crate) mod fit;
pub(crate) mod info;
mod judge;
pub(crate) mod predict;
pub(crate) mod weights;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::Outcome;
use crate::flags::Flags;

/// `dfm completions`.
pub(crate) fn completions(shell: Shell) -> anyhow::Result<Outcome> {
    clap_complete::generate(shell, &mut Flags::command(), "dfm", &mut std::io::stdout());
    Ok(Outcome::Success)
}
