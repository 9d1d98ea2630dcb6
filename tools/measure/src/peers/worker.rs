//! A contestant as a process that runs during the whole contest and is controlled line by line.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::process::{THREAD_VARIABLES, peak_of};

/// The process, and both ends of the pipe to it.
#[derive(Debug)]
pub(crate) struct Worker {
    /// What the contestant says about itself.
    pub(crate) version: String,
    child: Child,
    asks: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    errors: PathBuf,
}

/// The first line that a contestant prints.
#[derive(Debug, Deserialize)]
struct Ready {
    ready: bool,
    version: String,
}

impl Worker {
    /// Starts `command` on `threads` threads and waits until it is ready. Its standard error goes
    /// to the file `errors`.
    ///
    /// # Errors
    ///
    /// If it ends before it says that it is ready.
    pub(crate) fn start(mut command: Command, threads: usize, errors: PathBuf) -> anyhow::Result<Self> {
        let name = format!("{command:?}");
        for variable in THREAD_VARIABLES {
            command.env(variable, threads.to_string());
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&errors)?);
        let mut child = command.spawn().with_context(|| name.clone())?;
        let asks = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut worker = Self { version: String::new(), child, asks, answers, errors };
        let ready: Ready = worker.answer().with_context(|| name.clone())?;
        ensure!(ready.ready, "{name}: not ready");
        worker.version = ready.version;
        Ok(worker)
    }

    /// Returns the figures of `count` forward passes.
    ///
    /// # Errors
    ///
    /// If it ends, or answers something else.
    pub(crate) fn run(&mut self, count: usize) -> anyhow::Result<Vec<f64>> {
        let asks = self.asks.as_mut().context("no standard input")?;
        writeln!(asks, "run {count}").and_then(|()| asks.flush()).context("asking")?;
        let figures: Vec<f64> = self.answer()?;
        ensure!(
            !figures.is_empty() && figures.iter().all(|one| one.is_finite() && *one > 0.0),
            "{figures:?}"
        );
        Ok(figures)
    }

    /// The largest resident set so far, including building the network.
    pub(crate) fn peak_bytes(&self) -> Option<u64> {
        peak_of(self.child.id())
    }

    fn answer<T: for<'de> Deserialize<'de>>(&mut self) -> anyhow::Result<T> {
        let mut line = String::new();
        self.answers.read_line(&mut line).context("reading an answer")?;
        let complaint = || {
            let errors = std::fs::read_to_string(&self.errors).unwrap_or_default();
            let last: Vec<&str> = errors.lines().rev().take(20).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            format!("unexpected answer '{}'\n{}", line.trim(), last.join("\n"))
        };
        serde_json::from_str(&line).with_context(complaint)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The process ends when its input ends.
        drop(self.asks.take());
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_no_contestant_is_an_error_with_its_complaint() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO"));
        command.arg("no-such-command");
        let error = Worker::start(command, 1, folder.path().join("errors")).unwrap_err();
        assert!(format!("{error:#}").contains("no such command"), "{error:#}");
    }
}
