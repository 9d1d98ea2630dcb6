//! The project's chores: `cargo xtask CHORE`.
//!
//! Each chore is a module of its own with one `run` function; [`flags`] says
//! how they are typed.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

mod consumer;
mod flags;
mod fuzz;
mod sanitize;
mod test;
mod tidy;
mod tools;
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
        Chore::Fuzz(flags) => fuzz::run(&flags),
        Chore::Bench(flags) => tools::run("dfm-measure", &flags),
        Chore::Weights(flags) => tools::run("dfm-convert", &flags),
    }
}
