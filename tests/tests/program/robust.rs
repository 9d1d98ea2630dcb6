//! Pictures that the others call foreign: a fit leaves them out and says which, and nothing is lost.

use dfm_tests::pictures;
use dfm_tests::program::{Finished, Program, SMALL};
use serde_json::Value;

/// With `good` pictures and `bad` ones among them.
fn program(good: u64, bad: u64) -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    for seed in 0..good {
        dfm.save(&format!("good/{seed:03}.png"), &pictures::good(seed, 72, 56));
    }
    for seed in 0..bad {
        dfm.save(&format!("good/bad-{seed}.png"), &pictures::defective(1000 + seed, 72, 56));
    }
    dfm
}

fn fit(dfm: &Program, model: &str, more: &[&str]) -> Finished {
    dfm.run(&[&["fit", "good", "-o", model], SMALL.as_slice(), more].concat())
}

fn record(dfm: &Program, model: &str) -> Value {
    dfm.run(&["info", model, "--format", "json"]).json().remove(0)["record"].clone()
}

/// The names of the pictures that the fit left out, sorted.
fn left_out(dfm: &Program, model: &str) -> Vec<String> {
    let record = record(dfm, model);
    let pictures = record["foreign"]["pictures"].as_array().cloned().unwrap_or_default();
    let mut names: Vec<String> =
        pictures.iter().map(|picture| picture["name"].as_str().expect("a name").to_owned()).collect();
    names.sort();
    names
}

#[test]
fn defects_among_a_hundred_good_pictures_are_left_out_named_and_can_come_back() {
    let dfm = program(110, 3);
    let told = fit(&dfm, "model.dfm", &[]).expect_code(0).out;
    assert!(told.contains("3 of 113 pictures are foreign to the others and not learnt: bad-"), "{told}");
    assert_eq!(left_out(&dfm, "model.dfm"), ["bad-0.png", "bad-1.png", "bad-2.png"]);
    // What fine maps know of them is taken out, too.
    assert!(
        dfm.run(&["info", "model.dfm"]).out.lines().any(|line| line.split_whitespace().eq(["maps", "fine"]))
    );
    assert_eq!(record(&dfm, "model.dfm")["picture_count"], 110);
    assert!(dfm.run(&["info", "model.dfm"]).out.contains("3 of 113 pictures are foreign"));
    // The model is that of the good pictures alone.
    let clean = program(110, 0);
    let said = fit(&clean, "model.dfm", &[]).expect_code(0).out;
    assert!(!said.contains("foreign"), "{said}");
    for name in ["threshold", "cell_threshold"] {
        let value = |dfm: &Program| {
            dfm.run(&["info", "model.dfm", "--format", "json"]).json().remove(0)[name].as_f64().unwrap()
        };
        let (found, expected) = (value(&dfm), value(&clean));
        // Taking rows out of a statistic rounds; the good pictures are the same.
        assert!((found - expected).abs() < 1e-6 * expected, "{name}: {found} for {expected}");
    }

    let audit = dfm.run(&["audit", "model.dfm", "--format", "json"]).json().remove(0);
    assert_eq!(audit["left_out"].as_array().map(Vec::len), Some(3), "{audit}");
    assert!(dfm.run(&["audit", "model.dfm"]).out.contains("left out 3 as foreign"));
    // Given again by itself, a picture is learnt.
    dfm.save("again/bad-1.png", &pictures::defective(1001, 72, 56));
    let told = dfm.run(&["update", "model.dfm", "again"]).expect_code(0).out;
    assert!(told.contains("1 picture new (1 of them left out as foreign before)"), "{told}");
    assert_eq!(record(&dfm, "model.dfm")["foreign"]["of"], 113);
    assert_eq!(left_out(&dfm, "model.dfm"), ["bad-0.png", "bad-2.png"]);
    assert_eq!(record(&dfm, "model.dfm")["picture_count"], 111);
}

#[test]
fn every_picture_is_learnt_if_that_is_asked_for_or_they_are_few() {
    let dfm = program(110, 3);
    fit(&dfm, "all.dfm", &["--robust", "off"]).expect_code(0);
    assert!(left_out(&dfm, "all.dfm").is_empty());
    assert_eq!(record(&dfm, "all.dfm")["picture_count"], 113);
    // A proof rests on pictures that nobody chose.
    for more in [&["--calibrate", "split"][..], &["--score", "mahalanobis", "--calibrate", "split"]] {
        fit(&dfm, "split.dfm", more).expect_code(0);
        assert!(left_out(&dfm, "split.dfm").is_empty());
        fit(&dfm, "none.dfm", &[more, &["--robust", "on"]].concat()).expect_code(2).expect_said(&["robust"]);
    }
    let few = program(40, 1);
    fit(&few, "auto.dfm", &[]).expect_code(0);
    assert!(left_out(&few, "auto.dfm").is_empty());
    fit(&few, "on.dfm", &["--robust", "on"]).expect_code(0);
    assert_eq!(left_out(&few, "on.dfm"), ["bad-0.png"]);
}

#[test]
fn one_dark_frame_among_forty_is_left_out_if_that_is_asked_for() {
    let dfm = program(40, 0);
    dfm.save("good/dark.png", &image::RgbImage::new(72, 56));
    fit(&dfm, "on.dfm", &["--robust", "on"]).expect_code(0);
    assert_eq!(left_out(&dfm, "on.dfm"), ["dark.png"]);
}

#[test]
fn good_pictures_alone_are_learnt() {
    let mut lost = 0;
    for first in [0, 5000, 9000] {
        let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
        for seed in 0..120 {
            dfm.save(&format!("good/{seed:03}.png"), &pictures::good(first + seed, 72, 56));
        }
        fit(&dfm, "model.dfm", &[]).expect_code(0);
        lost += left_out(&dfm, "model.dfm").len();
    }
    // At most a hundredth, as docs/thresholds.md promises of clean folders.
    assert!(lost <= 3, "{lost} of 360 good pictures are called foreign");
}
