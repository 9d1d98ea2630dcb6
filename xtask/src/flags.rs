//! The command line, as typed.

use clap::{Parser, Subcommand};

use crate::weights;

/// The project's chores.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Flags {
    #[command(subcommand)]
    pub(crate) chore: Chore,
}

/// One chore; its own flags live in its module.
#[derive(Debug, Subcommand)]
pub(crate) enum Chore {
    /// Convert backbone weights, or rebuild the default ones
    Weights(weights::WeightsFlags),
}
