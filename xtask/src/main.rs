//! The project's chores: `cargo xtask CHORE`.
//!
//! Each chore is a module of its own with one `run` function; [`flags`] says
//! how they are typed.

mod bench;
mod flags;
mod sanitize;
mod test;
mod tidy;
mod weights;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

use flags::{Chore, Flags};

fn main() -> ExitCode {
    match run(Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: Flags) -> anyhow::Result<()> {
    match flags.chore {
        Chore::Test(flags) => test::run(&flags),
        Chore::Tidy => tidy::run(),
        Chore::Sanitize => sanitize::run(),
        Chore::Bench(flags) => bench::run(&flags),
        Chore::BenchDecompose(flags) => bench::decompose(&flags),
        Chore::BenchStream(flags) => bench::stream(&flags),
        Chore::BenchStatistics(flags) => bench::statistics(&flags),
        Chore::BenchNetwork(flags) => bench::network(&flags),
        Chore::Weights(flags) => weights::run(flags),
    }
}
