//! At whatever moment a fit ends and by whatever, the next one goes on where it was.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dfm_tests::program::Program;

use super::support::{
    BATCH, PATIENCE, arguments, assert_whole, break_at, bytes, complete, fit, program, records, resume, stuck,
};

/// The tiles of a picture, where there are any.
const TILES: usize = 6;

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
fn without_resume_nothing_is_lost_and_with_it_nothing_is_needed() {
    let dfm = program(20);
    fit(&dfm, "model.dfm", &["--resume"]).expect_code(0).expect_said(&["model.dfm.partial: not there"]);
    let model = bytes(&dfm, "model.dfm");
    let checkpoint = complete(&dfm);
    fit(&dfm, "model.dfm", &[]).expect_code(2).expect_said(&["model.dfm.partial", "--resume", "delete"]);
    assert!(bytes(&dfm, "model.dfm.partial") == checkpoint && bytes(&dfm, "model.dfm") == model);
    // A fit that learnt nothing leaves nothing.
    let dfm = program(0);
    fs::create_dir(dfm.path("good")).unwrap();
    break_at(&dfm, 0);
    fit(&dfm, "model.dfm", &[]).expect_code(2).expect_said(&["at least 2 different"]);
    assert!(!dfm.path("model.dfm.partial").exists());
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
    let small = ["--slim", "--no-update", "--pca", "1", "--map", "coarse"];
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
