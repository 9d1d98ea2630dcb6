//! `dfm merge`, `dfm update` and `dfm forget`: whatever the way to a set of pictures, the
//! model is that of one fit to them.

use std::fs;

use dfm_tests::pictures;
use dfm_tests::program::{Finished, Program, SMALL};
use dfm_tests::tolerance::assert_close;
use serde_json::Value;

/// Model files hold directions and coordinates in `f32`.
const F32: f64 = 1e-4;

/// Twelve good pictures in `good`, five of them in `first`, eight in `second`: one is in
/// both. And two new ones.
fn program() -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    dfm.save_good();
    for seed in 0..12 {
        let name = format!("{seed:02}.png");
        for (folder, has) in [("first", seed < 5), ("second", seed >= 4)] {
            if has {
                dfm.save(&format!("{folder}/{name}"), &pictures::good(seed, 72, 56));
            }
        }
    }
    dfm.save("new/good.png", &pictures::good(77, 72, 56));
    dfm.save("new/bad.png", &pictures::defective(78, 72, 56));
    dfm
}

fn fit(dfm: &Program, folder: &str, more: &[&str]) -> Finished {
    let model = format!("{folder}.dfm");
    dfm.run(&[&["fit", folder, "-o", &model], SMALL.as_slice(), more].concat()).expect_code(0)
}

fn info(dfm: &Program, model: &str) -> Value {
    dfm.run(&["info", model, "--format", "json"]).expect_code(0).json().remove(0)
}

/// Asserts that two models say the same: of themselves, and of pictures.
#[track_caller]
fn assert_same(dfm: &Program, actual: &str, expected: &str) {
    let [a, e] = [actual, expected].map(|model| info(dfm, model));
    assert_eq!(a["components"], e["components"], "{actual}");
    assert_eq!(a["record"]["picture_count"], e["record"]["picture_count"], "{actual}");
    let threshold = |info: &Value| info["threshold"].as_f64().expect("a threshold");
    assert_close("threshold", threshold(&a), threshold(&e), F32);
    let scores = |model: &str| dfm.run(&["predict", model, "new", "--format", "json"]).scores();
    let (a, e) = (scores(actual), scores(expected));
    assert_eq!(a.len(), 2);
    for (a, e) in a.iter().zip(&e) {
        assert_close("score", *a, *e, F32);
    }
}

#[test]
fn a_merge_is_the_fit_of_all_pictures_and_a_shared_one_counts_once() {
    let dfm = program();
    for score in [&["--score", "fre"][..], &["--score", "nll", "--pca", "3"], &["--aggregate", "relative"]] {
        for folder in ["good", "first", "second"] {
            fit(&dfm, folder, score);
        }
        dfm.run(&["merge", "first.dfm", "second.dfm", "-o", "one.dfm"]).expect_code(0);
        assert_same(&dfm, "one.dfm", "good.dfm");
        dfm.run(&["merge", "second.dfm", "first.dfm", "-o", "other.dfm"]).expect_code(0);
        assert_same(&dfm, "other.dfm", "one.dfm");
        // Nothing new in it.
        dfm.run(&["merge", "one.dfm", "first.dfm", "second.dfm", "-o", "again.dfm"]).expect_code(0);
        assert_same(&dfm, "again.dfm", "one.dfm");
    }
}

#[test]
fn an_update_is_the_fit_of_old_and_new() {
    let dfm = program();
    for folder in ["good", "first"] {
        fit(&dfm, folder, &[]);
    }
    dfm.run(&["update", "first.dfm", "second", "-o", "more.dfm"]).expect_code(0);
    assert_same(&dfm, "more.dfm", "good.dfm");
    assert_eq!(info(&dfm, "first.dfm")["record"]["picture_count"], 5);
    // In place, and known pictures once: a folder that grows can be given again.
    dfm.run(&["update", "first.dfm", "good"]).expect_code(0);
    assert_same(&dfm, "first.dfm", "good.dfm");
    dfm.run(&["update", "first.dfm", "good"]).expect_code(0);
    assert_same(&dfm, "first.dfm", "good.dfm");
}

#[test]
fn forgotten_pictures_leave_the_fit_of_the_others() {
    let dfm = program();
    fit(&dfm, "good", &[]);
    fit(&dfm, "first", &[]);
    let gone: Vec<String> = (5..12).map(|seed| format!("good/{seed:02}.png")).collect();
    let names: Vec<&str> = gone.iter().map(String::as_str).collect();
    dfm.run(&[&["forget", "good.dfm"], names.as_slice(), &["-o", "left.dfm"]].concat())
        .expect_code(0)
        .expect_said(&["left.dfm", "maps are coarse from here on"]);
    assert!(info(&dfm, "left.dfm")["record"]["params"]["map"].is_null());
    assert_eq!(info(&dfm, "good.dfm")["record"]["params"]["map"], "fine");
    assert_same(&dfm, "left.dfm", "first.dfm");
    // And they can come back.
    dfm.run(&["update", "left.dfm", "good"]).expect_code(0);
    assert_same(&dfm, "left.dfm", "good.dfm");
}

#[test]
fn a_picture_that_the_model_does_not_know_changes_nothing() {
    let dfm = program();
    fit(&dfm, "first", &[]);
    let before = fs::read(dfm.path("first.dfm")).unwrap();
    let forget = |picture: &str| dfm.run(&["forget", "first.dfm", "first/00.png", picture]).expect_code(2);
    forget("good/09.png").expect_said(&["good/09.png", "was not fitted on it"]);
    forget("nothing.png").expect_said(&["nothing.png", "cannot open"]);
    let hash = "0".repeat(64);
    forget(&hash).expect_said(&[&hash, "was not fitted on it"]);
    let all = ["first/00.png", "first/01.png", "first/02.png", "first/03.png"];
    dfm.run(&[&["forget", "first.dfm"], all.as_slice()].concat())
        .expect_code(2)
        .expect_said(&["at least 2 different good pictures, got 1"]);
    assert_eq!(fs::read(dfm.path("first.dfm")).unwrap(), before);
}

#[test]
fn models_that_look_in_different_ways_are_refused() {
    let dfm = program();
    fit(&dfm, "first", &[]);
    for (flags, what) in [
        (&["--seed", "1"][..], "backbone weights"),
        (&["--size", "96"], "backbone weights"),
        (&["--pool", "2"], "feature shape"),
        (&["--pca", "0.9"], "parameters"),
        (&["--score", "nll", "--pca", "3"], "parameters"),
    ] {
        let arguments = ["fit", "second", "-o", "second.dfm"];
        let network: Vec<&str> = match flags[0] {
            "--size" => SMALL[..6].to_vec(),
            _ => SMALL.to_vec(),
        };
        dfm.run(&[&arguments, network.as_slice(), flags].concat()).expect_code(0);
        dfm.run(&["merge", "first.dfm", "second.dfm", "-o", "one.dfm"])
            .expect_code(2)
            .expect_said(&["second.dfm", what]);
        assert!(!dfm.path("one.dfm").exists());
    }
}

#[test]
fn a_model_that_keeps_nothing_says_how_to_get_one_that_does() {
    let dfm = program();
    fit(&dfm, "first", &["--no-update"]);
    fit(&dfm, "second", &[]);
    for arguments in [
        &["merge", "first.dfm", "second.dfm", "-o", "one.dfm"][..],
        &["merge", "second.dfm", "first.dfm", "-o", "one.dfm"],
        &["update", "first.dfm", "second"],
        &["forget", "first.dfm", "first/00.png"],
    ] {
        dfm.run(arguments).expect_code(2).expect_said(&["first.dfm", "--no-update"]);
    }
}

#[test]
fn a_broken_picture_is_left_out_of_an_update_and_counted() {
    let dfm = program();
    fit(&dfm, "first", &[]);
    fs::write(dfm.path("second/broken.png"), b"no picture").unwrap();
    dfm.run(&["update", "first.dfm", "second", "-o", "more.dfm"]).expect_code(2).expect_said(&["broken.png"]);
    assert_eq!(info(&dfm, "more.dfm")["record"]["picture_count"], 12);
    dfm.run(&["update", "first.dfm", "second", "--skip-bad"]).expect_code(0);
}

#[test]
fn a_given_threshold_stays_and_so_does_a_slim_file() {
    let dfm = program();
    fit(&dfm, "first", &["--threshold", "123.5", "--slim"]);
    dfm.run(&["update", "first.dfm", "second"]).expect_code(0);
    let info = info(&dfm, "first.dfm");
    assert_eq!(info["threshold"], 123.5);
    assert_eq!(info["weights_included"], false);
    assert_eq!(info["record"]["picture_count"], 12);
}

#[test]
fn a_model_in_int8_is_updated_with_its_own_steps() {
    let dfm = program();
    fit(&dfm, "first", &["--precision", "int8"]);
    dfm.run(&["update", "first.dfm", "second"]).expect_code(0);
    assert_eq!(info(&dfm, "first.dfm")["record"]["picture_count"], 12);
    dfm.run(&["forget", "first.dfm", "good/11.png"]).expect_code(0);
    assert_eq!(info(&dfm, "first.dfm")["record"]["picture_count"], 11);
    // Two fits have steps of their own.
    fit(&dfm, "second", &["--precision", "int8"]);
    dfm.run(&["merge", "first.dfm", "second.dfm", "-o", "one.dfm"])
        .expect_code(2)
        .expect_said(&["steps of int8"]);
}
