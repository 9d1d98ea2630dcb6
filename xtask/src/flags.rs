//! The command line as the user types it.

use clap::{Parser, Subcommand};

use crate::{bench, test, weights};

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
    /// Time whole runs of the program, and of its peers
    Bench(bench::BenchFlags),
    /// The statistics alone, for `bench --peers`
    #[command(hide = true)]
    BenchDecompose(bench::DecomposeFlags),
    /// A fit of many rows alone, for `bench memory`
    #[command(hide = true)]
    BenchStream(bench::StreamFlags),
    /// The features of pictures, or a fit of them, for `bench statistics`
    #[command(hide = true)]
    BenchStatistics(bench::PartFlags),
    /// The network alone, for `bench peers`
    #[command(hide = true)]
    BenchNetwork(bench::NetworkFlags),
    /// Convert backbone weights, or rebuild the default ones
    Weights(weights::WeightsFlags),
}
