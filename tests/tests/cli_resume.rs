//! `dfm fit --resume`: a fit that was interrupted, at whatever moment and by whatever,
//! ends with the bytes of one that was not; and no checkpoint makes a wrong model.
#![cfg(unix)]

use std::fs;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use dfm_tests::pictures;
use dfm_tests::program::{Finished, Program, SMALL};
use sha2::{Digest, Sha256};

/// Values of a feature row of [`SMALL`] networks.
const COLUMNS: usize = 1024;
/// Two hashes, the values, a hash: see docs/model-format.md.
const RECORD: usize = 32 + 32 + 4 * COLUMNS + 32;
/// Pictures that go through the network together in these fits, unless one says otherwise.
const BATCH: usize = 8;
/// Of a picture, where there are any.
const TILES: usize = 6;
/// Whatever takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// `good/000.png` and so on, and pictures to judge.
fn program(count: usize) -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    for place in 0..count {
        save(&dfm, place);
    }
    dfm
}

fn save(dfm: &Program, place: usize) {
    dfm.save(&format!("good/{place:03}.png"), &pictures::good(place as u64, 72, 56));
}

/// Puts a picture that cannot be read before that of a place.
fn break_at(dfm: &Program, place: usize) {
    fs::write(dfm.path(&format!("good/{place:03}-.png")), b"no picture").unwrap();
}

fn arguments<'a>(model: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let components: &[&str] = if more.contains(&"--pca") { &[] } else { &["--pca", "8"] };
    let batch: &[&str] = if more.contains(&"--batch") { &[] } else { &["--batch", "8"] };
    [&["fit", "good", "-o", model, "--skip-bad"], SMALL.as_slice(), components, batch, more].concat()
}

fn fit(dfm: &Program, model: &str, more: &[&str]) -> Finished {
    dfm.run(&arguments(model, more))
}

fn bytes(dfm: &Program, file: &str) -> Vec<u8> {
    fs::read(dfm.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Asserts that `model` is to the bit that of a fit that nothing interrupted, and that
/// nothing is left beside it.
#[track_caller]
fn assert_whole(dfm: &Program, model: &str, more: &[&str]) {
    fit(dfm, "whole.dfm", more).expect_code(0);
    assert!(bytes(dfm, model) == bytes(dfm, "whole.dfm"), "{model} {more:?}: other bytes");
    for left in [model, "whole.dfm"].map(|model| format!("{model}.partial")) {
        assert!(!dfm.path(&left).exists(), "{left} is left");
    }
}

/// Where the records of a checkpoint begin.
fn header_len(checkpoint: &[u8]) -> usize {
    16 + u32::from_le_bytes(checkpoint[12..16].try_into().unwrap()) as usize + 32
}

/// Whole records, if there is a checkpoint.
fn records(dfm: &Program, model: &str) -> Option<usize> {
    let checkpoint = fs::read(dfm.path(&format!("{model}.partial"))).ok()?;
    Some((checkpoint.len() - header_len(&checkpoint)) / RECORD)
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

/// A fit that stands still at its first message, because nobody reads those.
struct Stuck {
    child: Child,
    /// Where its messages come out once they are read.
    messages: std::io::PipeReader,
}

/// Starts a fit whose folder has one picture that cannot be read, and waits until all
/// batches before that picture are learnt.
fn stuck(dfm: &Program, model: &str, more: &[&str], learnt: usize) -> Stuck {
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

impl Drop for Stuck {
    /// Nothing of a test that failed stays behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Stuck {
    fn end(mut self, signal: &str) {
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

/// Interrupts a fit before the picture at `place`, and goes on with it.
fn interrupt(dfm: &Program, signal: &str, place: usize, more: &[&str]) {
    break_at(dfm, place);
    let tiles = if more.contains(&"--tile") { TILES } else { 1 };
    let learnt = place * tiles / BATCH * BATCH;
    stuck(dfm, "model.dfm", more, learnt).end(signal);
    assert!(!dfm.path("model.dfm").exists());
    let learnt = format!("model.dfm.partial: {learnt} pictures are learnt already");
    let broken = format!("good/{place:03}-.png");
    fit(dfm, "model.dfm", &[more, &["--resume"]].concat()).expect_code(0).expect_said(&[&learnt, &broken]);
    assert_whole(dfm, "model.dfm", more);
    for gone in [&broken, "model.dfm"] {
        fs::remove_file(dfm.path(gone)).unwrap();
    }
}

#[test]
fn whatever_ends_it_and_when_the_model_has_the_same_bytes() {
    let dfm = program(30);
    for (signal, place) in [("INT", 20), ("KILL", 0), ("KILL", 9), ("TERM", 24), ("KILL", 30)] {
        interrupt(&dfm, signal, place, &[]);
    }
}

/// In the middle of a picture too.
#[test]
fn so_it_has_of_tiles() {
    let dfm = program(12);
    for (place, statistics) in [(5, "position"), (8, "position"), (0, "position"), (5, "shared")] {
        interrupt(&dfm, "KILL", place, &["--tile", "40", "--tile-statistics", statistics]);
    }
}

#[test]
fn so_it_has_in_int8_compressed_and_on_other_devices() {
    // In 2 MiB, some 65 rows are fitted exactly.
    let dfm = program(90);
    for more in [&["--precision", "int8"][..], &["--max-memory", "2MiB"], &["--device", "flex"]] {
        for place in [68, 85] {
            interrupt(&dfm, "KILL", place, more);
        }
    }
}

#[test]
fn killed_while_it_computes_it_resumes_again_and_again() {
    let dfm = program(160);
    let (mut killed, mut before) = (0, 0);
    // Each time a little further, until it is through. Where this suite is kept from
    // running for so long that the program gets through before, again.
    for _ in 0..20 {
        let arguments = arguments("model.dfm", &["--resume", "--threads", "1"]);
        let mut child =
            dfm.command().args(arguments).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if killed < 5 && records(&dfm, "model.dfm").is_some_and(|records| records > before + BATCH) {
                child.kill().unwrap();
            }
            assert!(begun.elapsed() < PATIENCE);
        };
        match (status.code(), killed) {
            (Some(0), 0) => {}
            (Some(0), _) => return assert_whole(&dfm, "model.dfm", &[]),
            (code, _) => {
                assert_eq!(code, None, "it failed by itself");
                killed += 1;
                // None if all that was left to do was to exit.
                before = records(&dfm, "model.dfm").unwrap_or(0);
            }
        }
    }
    panic!("it was killed {killed} times and never got through");
}

/// The checkpoint of twenty pictures, of a fit that was killed when it had learnt them all.
fn complete(dfm: &Program) -> Vec<u8> {
    break_at(dfm, 20);
    stuck(dfm, "model.dfm", &["--batch", "4"], 20).end("KILL");
    fs::remove_file(dfm.path("good/020-.png")).unwrap();
    bytes(dfm, "model.dfm.partial")
}

/// Resumes from `checkpoint`.
fn resume(dfm: &Program, checkpoint: &[u8], more: &[&str]) -> Finished {
    fs::write(dfm.path("model.dfm.partial"), checkpoint).unwrap();
    fit(dfm, "model.dfm", &[more, &["--resume"]].concat())
}

#[test]
fn what_is_made_of_the_features_can_change() {
    let dfm = program(20);
    let checkpoint = complete(&dfm);
    let settings: [&[&str]; 4] = [
        &["--score", "nll", "--pca", "2"],
        &["--threshold", "5"],
        &["--aggregate", "max"],
        &["--val", "synthetic"],
    ];
    for more in settings {
        resume(&dfm, &checkpoint, more).expect_code(0);
        assert_whole(&dfm, "model.dfm", more);
    }
    // So can the batch, on the cpu.
    resume(&dfm, &checkpoint, &["--batch", "3"]).expect_code(0);
    assert_whole(&dfm, "model.dfm", &["--batch", "3"]);
}

#[test]
fn a_fit_that_fails_leaves_what_took_more_than_a_moment() {
    let dfm = program(20);
    // The threshold of a likelihood takes more pictures than components.
    let fails = ["--score", "nll", "--pca", "1.0"];
    let said = ["model.dfm.partial: holds the features of 20 pictures", "--resume"];
    fit(&dfm, "model.dfm", &fails).expect_code(2).expect_said(&["at least"]);
    assert_eq!(records(&dfm, "model.dfm"), None);
    let checkpoint = complete(&dfm);
    resume(&dfm, &checkpoint, &fails).expect_code(2).expect_said(&said);
    assert_eq!(records(&dfm, "model.dfm"), Some(20));
    fit(&dfm, "model.dfm", &["--resume"]).expect_code(0);
    assert_whole(&dfm, "model.dfm", &[]);
    // Six seconds of reading its first message are more than a moment.
    fs::remove_file(dfm.path("model.dfm")).unwrap();
    break_at(&dfm, 9);
    let mut slow = stuck(&dfm, "model.dfm", &fails, 8);
    std::thread::sleep(Duration::from_secs(6));
    let mut messages = Vec::new();
    slow.messages.read_to_end(&mut messages).unwrap();
    assert_eq!(slow.child.wait().unwrap().code(), Some(2));
    let messages = String::from_utf8(messages).unwrap();
    assert!(said.iter().all(|word| messages.contains(word)), "{}", messages.trim());
    assert_eq!(records(&dfm, "model.dfm"), Some(20));
}

#[test]
fn cut_anywhere_behind_its_header_it_is_gone_on_with() {
    let dfm = program(20);
    let checkpoint = complete(&dfm);
    let header = header_len(&checkpoint);
    for length in [0, 1, RECORD - 1, RECORD, 8 * RECORD - 7, 8 * RECORD, 9 * RECORD + 64, 20 * RECORD - 1] {
        resume(&dfm, &checkpoint[..header + length], &[]).expect_code(0);
        assert_whole(&dfm, "model.dfm", &[]);
    }
    for length in [0, 5, 15, header - 1] {
        let cut = &checkpoint[..length];
        resume(&dfm, cut, &[]).expect_code(2).expect_said(&["model.dfm.partial", "cut short", "delete it"]);
        assert_eq!(bytes(&dfm, "model.dfm.partial"), cut);
    }
}

#[test]
fn a_damaged_one_or_something_else_is_refused_and_stays() {
    let dfm = program(20);
    let checkpoint = complete(&dfm);
    let header = header_len(&checkpoint);
    let flipped = |at: usize| {
        let mut damaged = checkpoint.clone();
        damaged[at] ^= 1;
        damaged
    };
    for (content, words) in [
        (flipped(header + 3 * RECORD + 100), "damaged in its record 3"),
        (flipped(20), "header is damaged"),
        (flipped(8), "checkpoint version 0"),
        (flipped(0), "not a checkpoint"),
        (bytes(&dfm, "good/003.png"), "not a checkpoint"),
    ] {
        resume(&dfm, &content, &[]).expect_code(2).expect_said(&["model.dfm.partial", words]);
        assert!(bytes(&dfm, "model.dfm.partial") == content, "{words}: it was changed");
        assert!(!dfm.path("model.dfm").exists());
    }
    // The last record may have been half written.
    resume(&dfm, &flipped(header + 19 * RECORD + 5), &[]).expect_code(0);
    assert_whole(&dfm, "model.dfm", &[]);
    fs::create_dir(dfm.path("model.dfm.partial")).unwrap();
    fit(&dfm, "model.dfm", &["--resume"]).expect_code(2).expect_said(&["model.dfm.partial", "no file"]);
}

#[test]
fn features_that_would_differ_are_refused_and_stay() {
    let dfm = program(20);
    let checkpoint = complete(&dfm);
    for (more, words) in [
        (&["--pool", "2"][..], "pool 2, found layer1, pool 4"),
        (&["--layer", "layer2"], "layers layer2, pool 4, found layer1, pool 4"),
        (&["--size", "96"], "input size 96×96, found 64×64"),
        (&["--resize", "stretch"], "resize stretch, found mirror"),
        (&["--roi", "3,4,40,40"], "region 3,4,40,40, found the whole picture"),
        (&["--seed", "1"], "backbone weights"),
        (&["--compat", "anomalib", "--pca", "0.9"], "resize stretch, found mirror"),
        (&["--device", "flex"], "device "),
        (&["--precision", "int8"], "precision int8, found f32"),
        (&["--backbone", "resnet34"], "network resnet34, found resnet18"),
    ] {
        // What is asked for once more takes the place of what it was.
        let network = SMALL.chunks(2).filter(|flag| flag[0] != more[0]).flatten();
        let arguments: Vec<&str> = ["fit", "good", "-o", "model.dfm", "--resume"]
            .iter()
            .chain(network)
            .chain(more)
            .copied()
            .collect();
        dfm.run(&arguments).expect_code(2).expect_said(&["model.dfm.partial", "another fit", words]);
        assert!(bytes(&dfm, "model.dfm.partial") == checkpoint, "{more:?}: it was changed");
        assert!(!dfm.path("model.dfm").exists());
    }
}

#[test]
fn other_pictures_in_the_folder_are_learnt_and_those_that_went_are_not() {
    let dfm = program(20);
    let checkpoint = complete(&dfm);
    save(&dfm, 100);
    fs::remove_file(dfm.path("good/003.png")).unwrap();
    fs::rename(dfm.path("good/001.png"), dfm.path("good/050.png")).unwrap();
    dfm.save("good/002.png", &pictures::good(200, 72, 56));
    resume(&dfm, &checkpoint, &[]).expect_code(0);
    assert_whole(&dfm, "model.dfm", &[]);
}

#[test]
fn other_pictures_among_the_first_are_refused_in_int8_whose_steps_they_decide() {
    let dfm = program(72);
    let int8 = ["--precision", "int8"];
    break_at(&dfm, 66);
    stuck(&dfm, "model.dfm", &int8, 64).end("KILL");
    let checkpoint = bytes(&dfm, "model.dfm.partial");
    dfm.save("good/000.png", &pictures::defective(0, 72, 56));
    resume(&dfm, &checkpoint, &int8).expect_code(2).expect_said(&["model.dfm.partial", "steps of int8"]);
    assert!(bytes(&dfm, "model.dfm.partial") == checkpoint);
    save(&dfm, 0);
    resume(&dfm, &checkpoint, &int8).expect_code(0);
    assert_whole(&dfm, "model.dfm", &int8);
}

#[test]
fn without_resume_nothing_is_lost_and_with_it_nothing_is_needed() {
    let dfm = program(20);
    fit(&dfm, "model.dfm", &["--resume"]).expect_code(0).expect_said(&["model.dfm.partial: not there"]);
    let model = bytes(&dfm, "model.dfm");
    let checkpoint = complete(&dfm);
    fit(&dfm, "model.dfm", &[]).expect_code(2).expect_said(&["model.dfm.partial", "--resume", "delete"]);
    assert!(bytes(&dfm, "model.dfm.partial") == checkpoint && bytes(&dfm, "model.dfm") == model);
    // Of a fit that learnt nothing, nothing is left.
    let dfm = program(0);
    fs::create_dir(dfm.path("good")).unwrap();
    break_at(&dfm, 0);
    fit(&dfm, "model.dfm", &[]).expect_code(2).expect_said(&["at least 2 different"]);
    assert!(!dfm.path("model.dfm.partial").exists());
}

#[test]
fn the_features_come_from_the_checkpoint() {
    let dfm = program(20);
    let mut checkpoint = complete(&dfm);
    let header = header_len(&checkpoint);
    // Twice the features of the first picture, with the hash that they take.
    let (head, records) = checkpoint.split_at_mut(header);
    for bytes in records[64..RECORD - 32].as_chunks_mut::<4>().0 {
        *bytes = (2.0 * f32::from_le_bytes(*bytes)).to_le_bytes();
    }
    let hash = Sha256::new().chain_update(&head[header - 32..]).chain_update(&records[..RECORD - 32]);
    records[RECORD - 32..RECORD].copy_from_slice(&hash.finalize());
    assert_eq!(records[..32], Sha256::digest(bytes(&dfm, "good/000.png"))[..]);
    resume(&dfm, &checkpoint, &[]).expect_code(0);
    fit(&dfm, "whole.dfm", &[]).expect_code(0);
    assert!(bytes(&dfm, "model.dfm") != bytes(&dfm, "whole.dfm"), "they were computed again");
}

#[test]
fn two_fits_to_one_output_do_not_mix() {
    let dfm = program(20);
    break_at(&dfm, 12);
    let first = stuck(&dfm, "model.dfm", &[], 8);
    fit(&dfm, "model.dfm", &["--resume"]).expect_code(2).expect_said(&["another fit is writing it"]);
    fit(&dfm, "model.dfm", &[]).expect_code(2).expect_said(&["has not ended"]);
    assert_eq!(records(&dfm, "model.dfm"), Some(8));
    first.end("KILL");
    fit(&dfm, "model.dfm", &["--resume"]).expect_code(0);
    assert_whole(&dfm, "model.dfm", &[]);
}

#[test]
fn a_disk_without_space_costs_the_checkpoint_and_not_the_fit() {
    let dfm = program(60);
    // A limit of 100 KiB takes the place of a full disk: enough for the model, and for some
    // 24 of the records.
    let small = ["--slim", "--no-update", "--pca", "1"];
    let mut command = Command::new("sh");
    let script = "trap '' XFSZ; ulimit -f 200; exec \"$@\"";
    command.args(["-c", script, "sh"]).arg(dfm.command().get_program());
    let output = command.args(arguments("model.dfm", &small)).current_dir(dfm.path("")).output();
    let output = output.expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(said.matches("model.dfm.partial").count(), 1, "{said}");
    assert!(said.contains("the fit goes on"), "{said}");
    assert_whole(&dfm, "model.dfm", &small);
}
