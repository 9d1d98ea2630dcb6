//! What is said beside a verdict: how far a threshold can be believed, which pictures stand out, what a
//! person should look at, and where a verdict and its map disagree.

use dfm_tests::pictures;
use dfm_tests::program::{Finished, Program, SMALL};
use serde_json::Value;

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_dfm-under-test"))
}

fn save_good(dfm: &Program, folder: &str, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        dfm.save(&format!("{folder}/{seed:03}.png"), &pictures::good(seed, 72, 56));
    }
}

fn fit(dfm: &Program, folder: &str, more: &[&str]) -> Finished {
    let model = format!("{folder}.dfm");
    dfm.run(&[&["fit", folder, "-o", &model], more, SMALL.as_slice()].concat())
}

fn info(dfm: &Program, model: &str) -> Value {
    dfm.run(&["info", model, "--format", "json"]).expect_code(0).json().remove(0)
}

fn predict(dfm: &Program, more: &[&str]) -> Finished {
    dfm.run(&[&["predict", "--format", "json"], more].concat())
}

#[test]
fn few_pictures_say_what_they_can_support() {
    let dfm = program();
    save_good(&dfm, "few", 0..12);
    let words = "12 held-out pictures: enough for a rate of 8 %, too few for 1 %";
    let fitted = fit(&dfm, "few", &[]).expect_code(0).expect_said(&["few pictures", words, "99"]);
    assert!(fitted.out.contains(words), "{}", fitted.out);
    assert!(dfm.run(&["info", "few.dfm"]).out.contains(words));
    let few = info(&dfm, "few.dfm");
    assert_eq!(few["calibration"]["estimate"], "tail");
    let support = &few["calibration"]["support"];
    assert_eq!((&support["pictures"], &support["is_few"]), (&12.into(), &true.into()));
    assert!((support["smallest_rate"].as_f64().unwrap() - 1.0 / 13.0).abs() < 1e-12, "{support}");
    // The threshold from the tail lies above all twelve.
    assert!((support["highest_rate"].as_f64().unwrap() - 0.220_922).abs() < 1e-5, "{support}");
    let rates = |number: usize| support["tail_rates"][number].as_f64().unwrap();
    assert!(rates(0) < 0.01 && rates(1) > 0.01, "{support}");

    // A rate that they support is no reason for a warning.
    let stated = fit(&dfm, "few", &["--false-alarm", "0.1"]).expect_code(0);
    assert!(!stated.err.contains("few pictures"), "{}", stated.err);
    assert!(stated.out.contains("enough for a rate of 10 %;"), "{}", stated.out);
    let stated = info(&dfm, "few.dfm");
    assert_eq!(stated["calibration"]["support"]["is_few"], false);
    assert!(
        stated["calibration"]["estimate"].is_null()
            && stated["calibration"]["support"]["tail_rates"].is_null()
    );

    save_good(&dfm, "many", 0..60);
    let many = fit(&dfm, "many", &[]).expect_code(0);
    assert!(!many.err.contains("few pictures") && many.out.contains("60 held-out pictures"), "{}", many.out);
}

#[test]
fn tiles_count_pictures() {
    let dfm = program();
    for seed in 0..6 {
        dfm.save(&format!("large/{seed}.png"), &pictures::good(seed, 200, 160));
    }
    let fitted = fit(&dfm, "large", &["--tile", "64"]).expect_code(0);
    let fitted = fitted.expect_said(&["few pictures", "2 held-out pictures"]);
    assert!(fitted.out.contains("2 held-out pictures: enough for a rate of 34 %"), "{}", fitted.out);
    assert!(dfm.run(&["info", "large.dfm"]).out.contains("2 held-out pictures: enough for a rate of 34 %"));
    assert_eq!(info(&dfm, "large.dfm")["calibration"]["support"]["pictures"], 2);
}

#[test]
fn an_evaluation_says_what_the_threshold_rests_on() {
    let dfm = program();
    save_good(&dfm, "d/train/good", 0..8);
    save_good(&dfm, "d/test/good", 20..23);
    dfm.save("d/test/spot/0.png", &pictures::defective(0, 72, 56));
    fit(&dfm, "d", &[]).expect_code(0);
    let evaluate = |more: &[&str]| {
        dfm.run(&[&["evaluate", "d.dfm", "d", "--bootstrap", "0"], more].concat()).expect_code(0)
    };
    let json = evaluate(&["--format", "json"]).json().remove(0);
    assert_eq!((&json["support"]["pictures"], &json["support"]["is_few"]), (&8.into(), &true.into()));
    assert!(json["review"].is_null());
    assert!(evaluate(&[]).out.contains("8 held-out pictures"));
    let stated = evaluate(&["--format", "json", "--false-alarm", "0.2"]).json().remove(0);
    assert_eq!(
        (&stated["support"]["asked_rate"], &stated["support"]["is_few"]),
        (&0.2.into(), &false.into())
    );
}

#[test]
fn a_fit_says_which_picture_stands_out_and_what_it_does() {
    let dfm = program();
    save_good(&dfm, "clean", 0..40);
    save_good(&dfm, "rogue", 0..40);
    dfm.save("rogue/bad.png", &pictures::defective(300, 72, 56));
    let clean = fit(&dfm, "clean", &[]).expect_code(0);
    assert!(!clean.out.contains("far out"), "{}", clean.out);
    assert!(info(&dfm, "clean.dfm")["record"].get("standing_out").is_none());
    for more in [&[][..], &["--no-update"], &["--calibrate", "split"]] {
        let rogue = fit(&dfm, "rogue", more).expect_code(0);
        assert!(rogue.out.contains("1 of 41 pictures stands far out: bad.png; with it"), "{}", rogue.out);
        assert!(dfm.run(&["info", "rogue.dfm"]).out.contains("bad.png; with it the threshold is"));
        let found = info(&dfm, "rogue.dfm");
        let standing_out = &found["record"]["standing_out"];
        assert_eq!((&standing_out["count"], &standing_out["of"]), (&1.into(), &41.into()));
        assert_eq!(standing_out["pictures"][0]["name"], "bad.png");
    }
    fit(&dfm, "rogue", &[]).expect_code(0);
    let found = info(&dfm, "rogue.dfm");
    let (with, without) = (&found["threshold"], &found["record"]["standing_out"]["threshold_without"]);
    let (with, without) = (with.as_f64().unwrap(), without.as_f64().unwrap());
    let expected = info(&dfm, "clean.dfm")["threshold"].as_f64().unwrap();
    assert!((without - expected).abs() <= 1e-6 * expected, "{without} for {expected}");
    // One odd picture moves the tail of the others little.
    assert!(with > without && with < 1.5 * without, "{with} {without}");
    // Once it is forgotten, nothing stands out.
    dfm.run(&["forget", "rogue.dfm", "bad.png"]).expect_code(0);
    assert!(info(&dfm, "rogue.dfm")["record"].get("standing_out").is_none());
}

#[test]
fn a_review_band_gives_a_third_answer_and_its_exit_code() {
    let dfm = program();
    save_good(&dfm, "good", 0..24);
    fit(&dfm, "good", &[]).expect_code(0);
    dfm.save("new/0.png", &pictures::good(40, 72, 56));
    dfm.save("new/1.png", &pictures::defective(41, 72, 56));
    let scores = predict(&dfm, &["good.dfm", "new"]).scores();
    let [low, high] = [scores[0], scores[1]];
    assert!(low < high, "{scores:?}");
    let band = |from: f64, to: f64| format!("{from}..{to}");
    let labels = |review: &str, code: i32| {
        let finished = predict(&dfm, &["good.dfm", "new", "--review", review]).expect_code(code);
        finished.json().iter().map(|line| line["label"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let middle = 0.5 * (low + high);
    assert_eq!(labels(&band(middle, high * 2.0), 3), ["normal", "review"]);
    assert_eq!(labels(&band(low, high * 2.0), 3), ["review", "review"]);
    assert_eq!(labels(&band(low, high), 1), ["review", "anomalous"]);
    assert_eq!(labels(&band(high * 2.0, high * 3.0), 0), ["normal", "normal"]);
    // An error comes before everything else.
    std::fs::write(dfm.path("new/2.png"), "no picture").unwrap();
    assert_eq!(labels(&band(middle, high * 2.0), 2), ["normal", "review"]);
    std::fs::remove_file(dfm.path("new/2.png")).unwrap();

    // In p-values, of 24 pictures: 1/25 is anomalous, up to 0.5 is for review.
    for kind in ["leave-one-out", "jackknife+"] {
        fit(&dfm, "good", &["--calibrate", kind]).expect_code(0);
        for line in predict(&dfm, &["good.dfm", "new", "good", "--review", "p:0.04..0.5"]).json() {
            let p_value = line["p_value"].as_f64().unwrap();
            let expected = match p_value {
                _ if p_value <= 0.04 => "anomalous",
                _ if p_value <= 0.5 => "review",
                _ => "normal",
            };
            assert_eq!(line["label"], expected, "{kind}: {line}");
            let from = line["review_from"].as_f64().unwrap();
            assert!(from < line["threshold"].as_f64().unwrap(), "{kind}: {line}");
        }
    }
    fit(&dfm, "good", &[]).expect_code(0);
    let table = dfm.run(&["predict", "good.dfm", "new", "--review", &band(middle, high * 2.0)]);
    assert!(table.expect_code(3).out.contains("review"));
    let csv = ["predict", "good.dfm", "new", "--format", "csv", "--review", &band(middle, high * 2.0)];
    assert!(dfm.run(&csv).expect_code(3).out.contains(",review,"));
    for (review, word) in [("2..1", "smaller number"), ("p:0.001..0.1", "24"), ("1", "LOW..HIGH")] {
        predict(&dfm, &["good.dfm", "new", "--review", review])
            .expect_code(2)
            .expect_said(&["--review", word]);
    }
    predict(&dfm, &["good.dfm", "new", "--review", "1..2", "--threshold", "1"])
        .expect_code(2)
        .expect_said(&["--threshold"]);
}

#[test]
fn an_evaluation_counts_the_answers() {
    let dfm = program();
    save_good(&dfm, "d/train/good", 0..16);
    save_good(&dfm, "d/test/good", 20..24);
    (0..2).for_each(|seed| {
        dfm.save(&format!("d/test/spot/{seed}.png"), &pictures::defective(seed, 72, 56));
    });
    fit(&dfm, "d", &[]).expect_code(0);
    let evaluate = |review: &str, more: &[&str]| {
        let fixed = ["evaluate", "d.dfm", "d", "--bootstrap", "0", "--review", review];
        dfm.run(&[&fixed, more].concat()).expect_code(0)
    };
    let json = evaluate("0..1e30", &["--format", "json", "--report", "page"]).json().remove(0);
    assert_eq!(json["answers"], serde_json::json!({ "normal": 0, "review": 6, "anomalous": 0 }));
    assert_eq!((&json["review"]["good"], &json["review"]["defects"]), (&1.0.into(), &1.0.into()));
    assert_eq!(json["classes"]["spot"]["answers"]["review"], 2);
    let page = std::fs::read_to_string(dfm.path("page/index.html")).unwrap();
    assert_eq!(page.matches("class=\"remark\">for review").count(), 6);
    assert!(page.contains("100.0 % of the good ones"));
    assert!(evaluate("0..1e30", &[]).out.contains("6 of 6 pictures, 100.0 % of the good ones"));
    let json = evaluate("1e29..1e30", &["--format", "json"]).json().remove(0);
    assert_eq!((&json["answers"]["normal"], &json["review"]["good"]), (&6.into(), &0.0.into()));
}

#[test]
fn a_verdict_that_its_map_contradicts_says_so() {
    let dfm = program();
    save_good(&dfm, "d/train/good", 0..24);
    save_good(&dfm, "d/test/good", 40..42);
    dfm.save("d/test/spot/0.png", &pictures::defective(1, 72, 56));
    fit(&dfm, "d", &[]).expect_code(0);
    // A threshold above every score: what the map marks is called normal.
    let high = ["d.dfm", "d/test/spot", "--threshold", "1e30"];
    let finished =
        predict(&dfm, &high).expect_code(0).expect_said(&["1 picture called normal, though the map"]);
    assert_eq!(finished.json()[0]["contradiction"], "normal_with_regions");
    let table = dfm.run(&[&["predict"], high.as_slice()].concat()).expect_code(0);
    assert!(table.expect_said(&["1 picture called normal"]).out.contains("normal (1 region)"));
    // A threshold below every score: what the map does not mark is called anomalous.
    let low = ["d.dfm", "d/test/good", "--threshold", "-1"];
    let finished = predict(&dfm, &low).expect_code(1);
    let without = finished.json().iter().filter(|line| line["regions"] == serde_json::json!([])).count();
    assert!(without > 0, "{}", finished.out);
    let words = format!("{without} picture{} called anomalous, though", if without == 1 { "" } else { "s" });
    assert!(finished.err.contains(&words), "{}", finished.err);
    assert!(dfm.run(&[&["predict"], low.as_slice()].concat()).out.contains("anomalous (no region)"));
    let evaluate = ["evaluate", "d.dfm", "d", "--bootstrap", "0", "--threshold", "1e30"];
    let json = dfm.run(&[&evaluate, &["--format", "json", "--report", "page"][..]].concat()).json().remove(0);
    assert_eq!(json["contradictions"]["anomalous_without_regions"], 0);
    assert!(json["contradictions"]["normal_with_regions"].as_u64().unwrap() >= 1, "{json}");
    assert!(dfm.run(&evaluate).out.contains("called normal, though the map reaches"));
    let page = std::fs::read_to_string(dfm.path("page/index.html")).unwrap();
    assert!(page.contains("called normal, but the map has regions"));
}

#[test]
fn an_update_says_what_was_new_and_how_the_threshold_moved() {
    let dfm = program();
    save_good(&dfm, "good", 0..12);
    save_good(&dfm, "more", 8..16);
    fit(&dfm, "good", &[]).expect_code(0);
    let updated = dfm.run(&["update", "good.dfm", "more"]).expect_code(0);
    assert!(
        updated.out.contains("4 pictures new, 4 known already; the threshold moves from"),
        "{}",
        updated.out
    );
    let again = dfm.run(&["update", "good.dfm", "more"]).expect_code(0);
    assert!(again.out.contains("0 pictures new, 8 known already; the threshold stays"), "{}", again.out);
}
