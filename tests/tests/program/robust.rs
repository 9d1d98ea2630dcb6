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

fn info(dfm: &Program, model: &str) -> Value {
    dfm.run(&["info", model, "--format", "json"]).json().remove(0)
}

fn record(dfm: &Program, model: &str) -> Value {
    info(dfm, model)["record"].clone()
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
    assert_eq!(info(&dfm, "model.dfm")["map"], "fine");
    assert_eq!(record(&dfm, "model.dfm")["picture_count"], 110);
    assert!(dfm.run(&["info", "model.dfm"]).out.contains("3 of 113 pictures are foreign"));
    // The model is that of the good pictures alone.
    let clean = program(110, 0);
    let said = fit(&clean, "model.dfm", &[]).expect_code(0).out;
    assert!(!said.contains("foreign"), "{said}");
    for name in ["threshold", "cell_threshold"] {
        let value = |dfm: &Program| info(dfm, "model.dfm")[name].as_f64().unwrap();
        let (found, expected) = (value(&dfm), value(&clean));
        // Taking rows out of a statistic rounds; the good pictures are the same.
        assert!((found - expected).abs() < 1e-6 * expected, "{name}: {found} for {expected}");
    }

    let audit = dfm.run(&["audit", "model.dfm", "--format", "json"]).json().remove(0);
    assert_eq!(audit["left_out"].as_array().map(Vec::len), Some(3), "{audit}");
    assert!(dfm.run(&["audit", "model.dfm"]).out.contains("left out 3 as foreign"));
    // Given again with the others, it stays out and is named.
    let run = dfm.run(&["update", "model.dfm", "good"]).expect_code(0);
    let run = run.expect_said(&["3 pictures stay left out as foreign", "bad-1.png", "--include-left-out"]);
    assert!(
        run.out.contains("0 pictures new, 110 known already, 3 still left out as foreign"),
        "{}",
        run.out
    );
    assert_eq!(left_out(&dfm, "model.dfm").len(), 3);
    // It was never learnt, so it cannot be forgotten.
    for picture in ["good/bad-1.png", "bad-1.png"] {
        let run = dfm.run(&["forget", "model.dfm", picture]).expect_code(2);
        run.expect_said(&[picture, "the model never learnt it", "left it out as foreign"]);
    }
    // If that is asked for, it is learnt.
    dfm.save("again/bad-1.png", &pictures::defective(1001, 72, 56));
    let told = dfm.run(&["update", "model.dfm", "again", "--include-left-out"]).expect_code(0).out;
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

/// Where no threshold is looked for, pictures are held out all the same.
#[test]
fn a_fit_without_held_out_threshold_leaves_foreign_pictures_out_too() {
    let dfm = program(110, 3);
    for more in [&["--val", "none"][..], &["--threshold", "3"]] {
        let run = fit(&dfm, "model.dfm", more).expect_code(0);
        assert!(run.out.contains("3 of 113 pictures are foreign to the others"), "{}", run.out);
        assert_eq!(left_out(&dfm, "model.dfm"), ["bad-0.png", "bad-1.png", "bad-2.png"]);
    }
    // With few pictures, the odd one is named, and learnt.
    let few = program(40, 0);
    few.save("good/dark.png", &image::RgbImage::new(72, 56));
    let run = fit(&few, "few.dfm", &["--val", "none"]).expect_code(0);
    assert!(run.out.contains("1 of 41 pictures stands far out: dark.png"), "{}", run.out);
}

#[test]
fn a_fit_that_cannot_look_for_foreign_pictures_says_so_everywhere() {
    let dfm = program(110, 3);
    for (more, reason, words) in [
        (&["--calibrate", "split"][..], "calibration", "the calibration proves its rate"),
        (&["--tile", "40"], "tiles", "tiles share statistics"),
        (&["--score", "mahalanobis"], "score", "the rule needs the score fre"),
        (&["--robust", "off"], "off", "the fit was to learn every picture"),
        (&["--max-memory", "2MiB"], "memory", "memory did not suffice"),
    ] {
        let words = format!("no picture was looked at for being foreign to the others, because {words}");
        let run = fit(&dfm, "model.dfm", more).expect_code(0);
        assert!(run.out.contains(&words), "{more:?}: {}", run.out);
        assert!(dfm.run(&["info", "model.dfm"]).out.contains(&words), "{more:?}");
        assert_eq!(record(&dfm, "model.dfm")["not_searched"], reason, "{more:?}");
    }
    // A fit that looked says nothing of the kind, and its file does not change.
    let run = fit(&dfm, "model.dfm", &[]).expect_code(0);
    assert!(!run.out.contains("no picture was looked at"), "{}", run.out);
    assert!(record(&dfm, "model.dfm").get("not_searched").is_none());
}

#[test]
fn an_audit_that_cannot_judge_counts_the_pictures_and_fails() {
    let dfm = program(110, 3);
    fit(&dfm, "model.dfm", &["--max-memory", "2MiB"]).expect_code(0);
    let run = dfm.run(&["audit", "model.dfm", "--format", "json"]).expect_code(2);
    let run = run.expect_said(&["cannot judge 113 pictures", "--max-memory"]);
    let audit = run.json().remove(0);
    assert_eq!((&audit["not_judged"], &audit["not_searched"]), (&113.into(), &"memory".into()));
    fit(&dfm, "exact.dfm", &["--calibrate", "split"]).expect_code(0);
    let audit = dfm.run(&["audit", "exact.dfm", "--format", "json"]).json().remove(0);
    assert_eq!((&audit["not_judged"], &audit["not_searched"]), (&0.into(), &"calibration".into()));
}

#[test]
fn an_update_to_a_hundred_pictures_looks_for_foreign_ones_among_the_new() {
    let dfm = program(60, 0);
    fit(&dfm, "model.dfm", &[]).expect_code(0);
    fit(&dfm, "all.dfm", &["--robust", "off"]).expect_code(0);
    for seed in 200..250 {
        dfm.save(&format!("more/{seed}.png"), &pictures::good(seed, 72, 56));
    }
    for seed in 0..2 {
        dfm.save(&format!("more/bad-{seed}.png"), &pictures::defective(1000 + seed, 72, 56));
    }
    let run = dfm.run(&["update", "model.dfm", "more"]).expect_code(0);
    assert!(run.out.contains("2 of 112 pictures are foreign to the others"), "{}", run.out);
    let words = "50 pictures new, 0 known already, 2 left out as foreign to the others";
    assert!(run.out.contains(words), "{}", run.out);
    // What fine maps know of the two is taken out, too.
    assert_eq!(info(&dfm, "model.dfm")["map"], "fine");
    assert_eq!(left_out(&dfm, "model.dfm"), ["bad-0.png", "bad-1.png"]);
    // They stay out, and a fit that was to learn everything learns them.
    dfm.run(&["update", "model.dfm", "more"]).expect_code(0).expect_said(&["2 pictures stay left out"]);
    dfm.run(&["update", "all.dfm", "more"]).expect_code(0);
    assert_eq!(record(&dfm, "all.dfm")["picture_count"], 112);
    assert!(left_out(&dfm, "all.dfm").is_empty());
    // A merge does not look, and says so.
    let second = program(60, 0);
    for seed in 0..60 {
        second.save(&format!("good/{seed:03}.png"), &pictures::good(500 + seed, 72, 56));
    }
    fit(&second, "second.dfm", &[]).expect_code(0);
    std::fs::copy(second.path("second.dfm"), dfm.path("second.dfm")).expect("a copy");
    fit(&dfm, "first.dfm", &[]).expect_code(0);
    let run = dfm.run(&["merge", "first.dfm", "second.dfm", "-o", "both.dfm"]).expect_code(0);
    assert!(run.out.contains("because models of few pictures were merged"), "{}", run.out);
}

#[test]
fn copies_of_a_picture_that_is_left_out_are_counted() {
    let dfm = program(110, 1);
    for copy in 0..2 {
        dfm.save(&format!("good/copy-{copy}.png"), &pictures::defective(1000, 72, 56));
    }
    let run = fit(&dfm, "model.dfm", &[]).expect_code(0);
    assert!(run.out.contains("3 of 113 pictures are foreign to the others"), "{}", run.out);
    assert!(run.out.contains("3 times)"), "{}", run.out);
    let foreign = record(&dfm, "model.dfm")["foreign"].clone();
    assert_eq!((&foreign["of"], &foreign["pictures"][0]["copies"]), (&111.into(), &3.into()));
    assert!(dfm.run(&["audit", "model.dfm"]).out.contains("left out 3 as foreign"));
}

#[test]
fn a_fit_of_all_products_says_what_each_left_out_and_how_few_calibrate() {
    let dfm = program(0, 0);
    for seed in 0..110 {
        dfm.save(&format!("root/many/{seed:03}.png"), &pictures::good(seed, 72, 56));
    }
    dfm.save("root/many/bad.png", &pictures::defective(1000, 72, 56));
    for seed in 0..6 {
        dfm.save(&format!("root/few/{seed}.png"), &pictures::good(seed, 72, 56));
    }
    let fit_all = |more: &[&str]| dfm.run(&[&["fit-all", "root", "-o", "models"], &SMALL[..], more].concat());
    // The second run keeps the models, and says the same.
    for more in [&[][..], &["--format", "json"]] {
        let run = fit_all(more).expect_code(0).expect_said(&[
            "many: 1 of 111 pictures is foreign to the others and not learnt: bad.png",
            "few: few pictures calibrate the threshold: 6 held-out pictures",
        ]);
        if more.is_empty() {
            assert!(run.out.contains("6, few"), "{}", run.out);
            continue;
        }
        let products = run.json().remove(0)["products"].clone();
        assert_eq!(
            (&products[0]["foreign"], &products[0]["support"]["is_few"]),
            (&Value::Null, &true.into())
        );
        assert_eq!(products[1]["foreign"]["pictures"][0]["name"], "bad.png");
    }
}

#[test]
fn a_fit_of_parts_says_that_it_leaves_no_picture_out_and_names_the_odd_one() {
    let dfm = program(0, 0);
    for seed in 0..20 {
        dfm.save(&format!("good/{seed:02}_top.png"), &pictures::good(seed, 72, 56));
        dfm.save(&format!("good/{seed:02}_side.png"), &pictures::good(100 + seed, 72, 56));
    }
    dfm.save("good/07_top.png", &image::RgbImage::new(72, 56));
    let part = ["--part", "(?<part>.+)_(?<view>top|side)"];
    let run = fit(&dfm, "part", &part).expect_code(0);
    for words in
        ["because a part is learnt with all its views", "1 of 20 pictures stands far out: 07_top.png"]
    {
        assert!(run.out.contains(words), "{}", run.out);
    }
    let info = dfm.run(&["info", "part", "--format", "json"]).json().remove(0);
    assert_eq!(info["not_searched"], "parts");
    let run = fit(&dfm, "other", &[&part[..], &["--robust", "on"]].concat()).expect_code(2);
    run.expect_said(&["--robust on", "a part is learnt with all its views or not at all"]);
}
