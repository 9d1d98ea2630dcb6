//! One run of one program: its time, and its peak memory.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// How often the memory of a run is read. The kernel keeps the peak itself, so only growth in the
/// last moments of a program can be missed.
const EVERY: Duration = Duration::from_millis(20);
/// Environment variables that tell the programs how many threads to use.
pub(crate) const THREAD_VARIABLES: [&str; 4] =
    ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"];

/// The result of one run.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Time from start to exit.
    pub(crate) wall: Duration,
    /// The largest resident set, on systems that report it (Linux).
    pub(crate) peak_bytes: Option<u64>,
    /// What the program printed.
    pub(crate) output: String,
}

/// Runs `command` once on `threads` threads. Its output is kept in `scratch`.
///
/// # Errors
///
/// If it cannot be started, or exits with a code that is not in `accepted`.
pub(crate) fn measure(
    command: Command,
    accepted: &[i32],
    scratch: &Path,
    threads: usize,
) -> anyhow::Result<Measured> {
    Ok(measure_within(command, accepted, scratch, threads, None)?.0)
}

/// Like [`measure`], but ends the program after `limit`. Also returns whether it finished by
/// itself.
///
/// # Errors
///
/// As for [`measure`].
pub(crate) fn measure_within(
    mut command: Command,
    accepted: &[i32],
    scratch: &Path,
    threads: usize,
    limit: Option<Duration>,
) -> anyhow::Result<(Measured, bool)> {
    let name = format!("{command:?}");
    let (output, errors) = (scratch.join("stdout"), scratch.join("stderr"));
    for variable in THREAD_VARIABLES {
        command.env(variable, threads.to_string());
    }
    command.stdin(Stdio::null()).stdout(File::create(&output)?).stderr(File::create(&errors)?);
    let start = Instant::now();
    let mut child = command.spawn().with_context(|| name.clone())?;
    let (id, ended) = (child.id(), AtomicBool::new(false));
    let (status, wall, peak_bytes) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| watch(id, &ended));
        let status = match limit {
            None => child.wait().map(Some),
            Some(limit) => wait_until(&mut child, start + limit),
        };
        let wall = start.elapsed();
        ended.store(true, Ordering::Relaxed);
        (status, wall, watch.join().unwrap_or(None))
    });
    let Some(status) = status.with_context(|| name.clone())? else {
        return Ok((Measured { wall, peak_bytes, output: String::new() }, false));
    };
    ensure!(
        status.code().is_some_and(|code| accepted.contains(&code)),
        "{name}: {status}\n{}",
        std::fs::read_to_string(&errors).unwrap_or_default()
    );
    let output = std::fs::read_to_string(&output).with_context(|| output.display().to_string())?;
    Ok((Measured { wall, peak_bytes, output }, true))
}

/// Returns how `child` exits, or `None` if it had to be ended at `deadline`.
fn wait_until(child: &mut Child, deadline: Instant) -> std::io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(EVERY);
    }
}

/// Returns the peak memory of process `id`, read until it has `ended`.
fn watch(id: u32, ended: &AtomicBool) -> Option<u64> {
    let mut peak = None;
    while !ended.load(Ordering::Relaxed) {
        peak = peak.max(peak_of(id));
        std::thread::sleep(EVERY);
    }
    peak
}

/// Returns the peak memory of process `id` so far, on systems that report it (Linux).
pub(crate) fn peak_of(id: u32) -> Option<u64> {
    high_water(&std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default())
}

/// The number of bytes on the line `VmHWM:   123 kB`.
fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_its_line() {
        assert_eq!(
            high_water("Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t  1234 kB\nVmRSS:\t 1 kB\n"),
            Some(1234 * 1024)
        );
        assert_eq!(high_water("Name:\tx\n"), None);
    }

    #[test]
    fn a_run_beyond_its_limit_is_ended() {
        let scratch = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO"));
        command.arg("--version");
        let limit = Some(Duration::from_secs(600));
        let (measured, ended) = measure_within(command, &[0], scratch.path(), 1, limit).unwrap();
        assert!(ended && measured.output.starts_with("cargo "), "{measured:?}");
        let mut command = Command::new(env!("CARGO"));
        command.arg("--version");
        let (measured, ended) =
            measure_within(command, &[0], scratch.path(), 1, Some(Duration::ZERO)).unwrap();
        // The program may have ended before its memory was read once.
        assert!(ended == measured.output.starts_with("cargo "), "{measured:?}");
    }

    #[test]
    fn a_run_is_measured_and_an_odd_exit_is_an_error() {
        let scratch = tempfile::tempdir().unwrap();
        let cargo = || Command::new(env!("CARGO"));
        let mut version = cargo();
        version.arg("--version");
        let measured = measure(version, &[0], scratch.path(), 1).unwrap();
        assert!(measured.output.starts_with("cargo "), "{measured:?}");
        assert!(measured.wall > Duration::ZERO);
        let mut wrong = cargo();
        wrong.arg("no-such-command");
        let error = measure(wrong, &[0], scratch.path(), 1).unwrap_err().to_string();
        assert!(error.contains("no-such-command"), "{error}");
    }
}
