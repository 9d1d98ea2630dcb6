//! The command line as the user types it.

use clap::{Parser, Subcommand};

use crate::{fuzz, test, tools};

/// The project's chores.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Flags {
    #[command(subcommand)]
    pub(crate) chore: Chore,
}

/// One chore. Its flags are in its module.
#[derive(Debug, Subcommand)]
pub(crate) enum Chore {
    /// Run every suite, and say at the end which devices ran
    Test(test::TestFlags),
    /// Check the rules of ARCHITECTURE.md that a program can check
    Tidy,
    /// Run the kernels' tests under AddressSanitizer; needs a nightly toolchain
    Sanitize,
    /// Give random bytes to whatever reads foreign ones; needs a compiler for C++
    Fuzz(fuzz::FuzzFlags),
    /// Time whole runs of the program, and of its peers
    Bench(tools::ToolFlags),
    /// Convert backbone weights, or rebuild the default ones
    Weights(tools::ToolFlags),
}
