//! Small fits, and what interrupts them.

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use dfm_tests::pictures;
use dfm_tests::program::{Finished, Program, SMALL};

/// Values of a feature row of [`SMALL`] networks.
const COLUMNS: usize = 1024;
/// Values of the details behind it, for fine maps.
const DETAILS: usize = 64 * 16 * 16;
/// Two hashes, the values, a hash: see docs/model-format.md.
pub(crate) const RECORD: usize = 32 + 32 + 4 * (COLUMNS + DETAILS) + 32;
/// Pictures that go through the network together in these fits, unless one says otherwise.
pub(crate) const BATCH: usize = 8;
/// Whatever takes longer has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// `good/000.png` and so on, and pictures to judge.
pub(crate) fn program(count: usize) -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    for place in 0..count {
        save(&dfm, place);
    }
    dfm
}

/// `good/PLACE.png`.
pub(crate) fn save(dfm: &Program, place: usize) {
    dfm.save(&format!("good/{place:03}.png"), &pictures::good(place as u64, 72, 56));
}

/// Puts a picture that cannot be read before that of a place.
pub(crate) fn break_at(dfm: &Program, place: usize) {
    fs::write(dfm.path(&format!("good/{place:03}-.png")), b"no picture").unwrap();
}

/// The command line of a fit to `model`.
pub(crate) fn arguments<'a>(model: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let components: &[&str] = if more.contains(&"--pca") { &[] } else { &["--pca", "8"] };
    let batch: &[&str] = if more.contains(&"--batch") { &[] } else { &["--batch", "8"] };
    [&["fit", "good", "-o", model, "--skip-bad"], SMALL.as_slice(), components, batch, more].concat()
}

/// Runs it.
pub(crate) fn fit(dfm: &Program, model: &str, more: &[&str]) -> Finished {
    dfm.run(&arguments(model, more))
}

/// What a file holds.
pub(crate) fn bytes(dfm: &Program, file: &str) -> Vec<u8> {
    fs::read(dfm.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Asserts that `model` is to the bit that of a fit that nothing interrupted, and that
/// nothing is left beside it.
#[track_caller]
pub(crate) fn assert_whole(dfm: &Program, model: &str, more: &[&str]) {
    fit(dfm, "whole.dfm", more).expect_code(0);
    assert!(bytes(dfm, model) == bytes(dfm, "whole.dfm"), "{model} {more:?}: other bytes");
    for left in [model, "whole.dfm"].map(|model| format!("{model}.partial")) {
        assert!(!dfm.path(&left).exists(), "{left} is left");
    }
}

/// Where the records of a checkpoint begin.
pub(crate) fn header_len(checkpoint: &[u8]) -> usize {
    16 + u32::from_le_bytes(checkpoint[12..16].try_into().unwrap()) as usize + 32
}

/// Whole records, if there is a checkpoint.
pub(crate) fn records(dfm: &Program, model: &str) -> Option<usize> {
    let checkpoint = fs::read(dfm.path(&format!("{model}.partial"))).ok()?;
    let (header, records) = checkpoint.split_at(header_len(&checkpoint));
    let has_details = header.windows(7).any(|name| name == b"details");
    Some(records.len() / if has_details { RECORD } else { RECORD - 4 * DETAILS })
}

/// A fit that stands still at its first message, because nobody reads those.
pub(crate) struct Stuck {
    pub(crate) child: Child,
    /// Where its messages come out once they are read.
    pub(crate) messages: std::io::PipeReader,
}

/// Starts a fit whose folder has one picture that cannot be read, and waits until all
/// batches before that picture are learnt.
pub(crate) fn stuck(dfm: &Program, model: &str, more: &[&str], learnt: usize) -> Stuck {
    let (messages, mut full) = std::io::pipe().expect("a pipe");
    let stderr = full.try_clone().expect("a pipe");
    let (sender, receiver) = channel();
    std::thread::spawn(move || while full.write_all(&[b' '; 512]).is_ok() && sender.send(()).is_ok() {});
    while receiver.recv_timeout(Duration::from_millis(200)) != Err(RecvTimeoutError::Timeout) {}
    let child = dfm.command().args(arguments(model, more)).stdout(Stdio::null()).stderr(stderr).spawn();
    let child = child.expect("the program runs");
    let begun = Instant::now();
    while records(dfm, model) != Some(learnt) {
        assert!(begun.elapsed() < PATIENCE, "{:?} records", records(dfm, model));
        std::thread::sleep(Duration::from_millis(2));
    }
    Stuck { child, messages }
}

impl Stuck {
    /// Ends it by a signal.
    pub(crate) fn end(mut self, signal: &str) {
        let signal = heeded(signal);
        send(signal, &self.child);
        let begun = Instant::now();
        let status = loop {
            match self.child.try_wait().expect("it can be waited for") {
                Some(status) => break status,
                None => assert!(begun.elapsed() < PATIENCE, "SIG{signal} did not end it"),
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        assert_eq!(status.code(), None, "SIG{signal} did not end it");
    }
}

impl Drop for Stuck {
    /// Nothing of a test that failed stays behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The checkpoint of twenty pictures, of a fit that was killed when it had learnt them all.
pub(crate) fn complete(dfm: &Program) -> Vec<u8> {
    break_at(dfm, 20);
    stuck(dfm, "model.dfm", &["--batch", "4"], 20).end("KILL");
    fs::remove_file(dfm.path("good/020-.png")).unwrap();
    bytes(dfm, "model.dfm.partial")
}

/// Resumes from `checkpoint`.
pub(crate) fn resume(dfm: &Program, checkpoint: &[u8], more: &[&str]) -> Finished {
    fs::write(dfm.path("model.dfm.partial"), checkpoint).unwrap();
    fit(dfm, "model.dfm", &[more, &["--resume"]].concat())
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

/// `signal`, or KILL where whoever started these tests wants them to survive it, as background
/// jobs of scripts do with INT: the program inherits that.
fn heeded(signal: &str) -> &str {
    let bit = match signal {
        "INT" => 1,
        "TERM" => 14,
        _ => return signal,
    };
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    if ignored.is_none_or(|mask| mask >> bit & 1 == 0) {
        return signal;
    }
    println!("SIG{signal} is ignored here: SIGKILL in its place");
    "KILL"
}
