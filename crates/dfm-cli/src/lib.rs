//! The program `dfm`: learn what good looks like from a folder of pictures, then
//! judge new ones.
//!
//! [`main`] is the whole program. Arguments are read as typed (`flags`), completed from a file of
//! flags (`config`), turned into what the library `dfm` takes (`args`), and handed to one of
//! `commands`. What those find is put into words by `report`. `messages` reports and counts pictures
//! that cannot be used; they never end the run. `hints` adds to errors what a user can do.

mod args;
mod commands;
mod config;
mod flags;
mod hints;
mod input;
mod map_files;
mod messages;
mod outcome;
mod output;
mod report;
mod values;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use tracing::Level;

use config::{Record, Resolved};
use flags::{Command, Flags};
use messages::Messages;
pub(crate) use outcome::Outcome;

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let typed: Vec<_> = std::env::args_os().collect();
    let ended = config::resolve(&typed).and_then(|resolved| {
        start_logging(&resolved.flags);
        run(resolved)
    });
    match ended {
        Ok(Outcome::Success) => ExitCode::SUCCESS,
        Ok(Outcome::Anomalous) => ExitCode::from(1),
        Ok(Outcome::Failed) => ExitCode::from(2),
        Ok(Outcome::Review) => ExitCode::from(3),
        Err(error) => {
            messages::say(&format!("dfm: {}", report::plain(&hints::whole(&error))));
            ExitCode::from(2)
        }
    }
}

/// Reads the file of flags at `path` as every command would, and runs none: for tests of whatever
/// such a file may hold.
///
/// # Errors
///
/// If it cannot be read, or a command would refuse it.
#[doc(hidden)]
pub fn check_config(path: &std::path::Path) -> anyhow::Result<()> {
    config::check(path)
}

fn run(resolved: Resolved) -> anyhow::Result<Outcome> {
    let Resolved { flags, note, record } = resolved;
    let messages = Messages::new(flags.quiet);
    if let Some(note) = note {
        messages.say(note);
    }
    let ended = run_command(flags, &record, &messages);
    messages.tell_rest();
    ended
}

fn run_command(flags: Flags, record: &Record, messages: &Messages) -> anyhow::Result<Outcome> {
    match flags.command {
        Command::Fit(flags) if commands::parts::fits(&flags) => {
            commands::parts::fit(&flags, record, messages)
        }
        Command::Predict(flags) if commands::parts::judges(&flags.judge.model, flags.part.as_ref()) => {
            commands::parts::predict(&flags, record, messages)
        }
        Command::Evaluate(flags) if commands::parts::judges(&flags.judge.model, flags.part.as_ref()) => {
            commands::parts::evaluate(&flags, record, messages)
        }
        Command::Info(flags) if dfm::parts::holds_parts(&flags.model) => commands::parts::info(&flags),
        Command::Fit(flags) => commands::fit::run(&flags, messages),
        Command::FitAll(flags) => commands::products::fit_all(&flags, messages),
        Command::Predict(flags) => commands::predict::run(&flags, messages),
        Command::Explain(flags) => commands::explain::run(&flags, messages),
        Command::Evaluate(flags) => commands::evaluate::run(&flags, record, messages),
        Command::EvaluateAll(flags) => commands::products::evaluate_all(&flags, messages),
        Command::Compare(flags) => commands::compare::run(&flags),
        Command::Sweep(flags) => commands::sweep::run(&flags, messages),
        Command::Synthesise(flags) => commands::synthesise::run(&flags, messages),
        Command::Merge(flags) => commands::union::merge(&flags, messages),
        Command::Update(flags) => commands::union::update(&flags, messages),
        Command::Forget(flags) => commands::union::forget(&flags, messages),
        Command::Audit(flags) => commands::audit::run(&flags, messages),
        Command::Drift(flags) => commands::drift::run(&flags, messages),
        Command::Features(flags) => commands::features::run(&flags, messages),
        Command::Info(flags) => commands::info::run(&flags),
        Command::Devices(flags) => commands::devices::run(&flags),
        Command::Weights(flags) => commands::weights::run(&flags, messages),
        Command::Bench(flags) => commands::bench::run(&flags),
        Command::Demo(flags) => commands::demo::run(&flags, messages),
        Command::Init(flags) => commands::init::run(&flags),
        Command::Completions { shell } => commands::completions(shell),
    }
}

fn start_logging(flags: &Flags) {
    let level = match (flags.quiet, flags.verbose) {
        (true, _) => Level::ERROR,
        (false, 0) => Level::WARN,
        (false, 1) => Level::INFO,
        (false, 2) => Level::DEBUG,
        (false, _) => Level::TRACE,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(|| Log)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .finish();
    // Fails only if a logger is there already, and then that one serves.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Standard error beside the bars.
struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        report::aside(|| std::io::stderr().write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}
