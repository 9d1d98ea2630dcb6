//! Decisions from good pictures alone, by the program: false-alarm rates, p-values, and the
//! pictures of a fit that look unlike its others.

use dfm_core::{Dfm, Layer, Method, SaveOptions};
use dfm_tests::models::{fit_prepared, flex, small_weights};
use dfm_tests::pictures;
use dfm_tests::program::{Finished, Program, SMALL};
use serde_json::Value;

/// Sixteen good pictures in `good`, half of them in each of `first` and `second`; new ones in
/// `new`.
fn program() -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    for seed in 0..16 {
        let (name, picture) = (format!("{seed:02}.png"), pictures::good(seed, 72, 56));
        dfm.save(&format!("good/{name}"), &picture);
        dfm.save(&format!("{}/{name}", if seed < 8 { "first" } else { "second" }), &picture);
    }
    for seed in 0..5 {
        dfm.save(&format!("new/{seed}.png"), &pictures::good(100 + seed, 72, 56));
    }
    dfm.save("new/bad.png", &pictures::defective(200, 72, 56));
    dfm
}

/// Enough good pictures for quartiles that say something: forty in `good`.
fn many() -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    for seed in 0..40 {
        dfm.save(&format!("good/{seed:02}.png"), &pictures::good(seed, 72, 56));
    }
    dfm
}

fn fit(dfm: &Program, folder: &str, more: &[&str]) -> Finished {
    let model = format!("{folder}.dfm");
    dfm.run(&[&["fit", folder, "-o", &model], SMALL.as_slice(), more].concat())
}

fn predict(dfm: &Program, model: &str, more: &[&str]) -> Vec<Value> {
    dfm.run(&[&["predict", model, "new", "--format", "json"], more].concat()).json()
}

fn audit(dfm: &Program, model: &str, code: i32) -> Value {
    dfm.run(&["audit", model, "--format", "json"]).expect_code(code).json().remove(0)
}

const KINDS: [(&str, &str, f64); 3] = [
    ("leave-one-out", "none: an estimate", 17.0),
    ("split", "P(p_value <= a) <= a", 5.0),
    ("jackknife+", "P(p_value <= a) <= 2a", 17.0),
];

#[test]
fn every_verdict_has_a_p_value_and_says_what_is_proved_of_it() {
    let dfm = program();
    for (kind, guarantee, ranks) in KINDS {
        let lean = if kind == "jackknife+" { &["--slim"][..] } else { &["--slim", "--no-update"] };
        fit(&dfm, "good", &[&["--calibrate", kind, "--false-alarm", "0.25"], lean].concat()).expect_code(0);
        for line in predict(&dfm, "good.dfm", &[]) {
            assert_eq!(
                (&line["calibration"], &line["guarantee"]),
                (&kind.into(), &guarantee.into()),
                "{line}"
            );
            let p_value = line["p_value"].as_f64().unwrap();
            let rank = p_value * ranks;
            assert!(rank >= 0.999 && (rank - rank.round()).abs() < 1e-9, "{line}");
            assert_eq!(line["label"] == "anomalous", p_value <= 0.25, "{line}");
            if line["path"].as_str().unwrap().ends_with("bad.png") {
                assert!((rank - 1.0).abs() < 1e-9, "{line}");
            }
        }
        let info = dfm.run(&["info", "good.dfm", "--format", "json"]).json().remove(0);
        let calibration = &info["calibration"];
        assert_eq!((&calibration["kind"], &calibration["guarantee"]), (&kind.into(), &guarantee.into()));
        assert_eq!(calibration["pictures"].as_f64().unwrap(), ranks - 1.0);
        let said = dfm.run(&["info", "good.dfm"]).out;
        assert!(said.contains(kind) && said.contains("for a false-alarm rate of 0.25"), "{said}");
    }
    fit(&dfm, "good", &[]).expect_code(0);
    assert!(dfm.run(&["info", "good.dfm"]).out.contains("an estimate from 16 held-out pictures"));
    fit(&dfm, "good", &["--threshold", "7"]).expect_code(0);
    let line = predict(&dfm, "good.dfm", &[]).remove(0);
    assert!(
        line["p_value"].is_null() && line["calibration"].is_null() && line["guarantee"].is_null(),
        "{line}"
    );
    dfm.run(&["predict", "good.dfm", "new", "--false-alarm", "0.1"])
        .expect_code(2)
        .expect_said(&["--threshold"]);
}

#[test]
fn a_rate_can_be_stated_at_the_fit_and_later_and_is_refused_where_pictures_are_too_few() {
    let dfm = program();
    fit(&dfm, "good", &["--false-alarm", "0.01"]).expect_code(2).expect_said(&["0.01", "99", "got 16"]);
    fit(&dfm, "good", &["--false-alarm", "0.1", "--calibrate", "split"]).expect_code(2).expect_said(&[
        "split",
        "9 good pictures",
        "33 different pictures",
        "got 4",
    ]);
    fit(&dfm, "good", &["--false-alarm", "0.7"]).expect_code(2).expect_said(&["--false-alarm", "0.5"]);
    fit(&dfm, "good", &["--calibrate", "folds"]).expect_code(2).expect_said(&["leave-one-out, split"]);
    fit(&dfm, "good", &["--calibrate", "split", "--threshold", "1"])
        .expect_code(2)
        .expect_said(&["--threshold"]);
    fit(&dfm, "good", &["--calibrate", "jackknife+", "--no-update"])
        .expect_code(2)
        .expect_said(&["jackknife+"]);
    fit(&dfm, "good", &["--calibrate", "jackknife+", "--score", "nll"]).expect_code(2).expect_said(&["fre"]);
    assert!(!dfm.path("good.dfm").exists());

    fit(&dfm, "good", &[]).expect_code(0);
    let labels = |rate: &str| {
        let lines = predict(&dfm, "good.dfm", &["--false-alarm", rate]);
        let rate: f64 = rate.parse().unwrap();
        for line in &lines {
            let alarm = line["p_value"].as_f64().unwrap() <= rate;
            assert_eq!(line["label"] == "anomalous", alarm, "{line}");
            assert_eq!(line["score"].as_f64() >= line["threshold"].as_f64(), alarm, "{line}");
        }
        lines.iter().filter(|line| line["label"] == "anomalous").count()
    };
    assert!(labels("0.06") <= labels("0.5"));
    dfm.run(&["predict", "good.dfm", "new", "--false-alarm", "0.05"])
        .expect_code(2)
        .expect_said(&["--false-alarm", "19"]);
    dfm.run(&["predict", "good.dfm", "new", "--false-alarm", "0.1", "--threshold", "1"])
        .expect_code(2)
        .expect_said(&["--threshold"]);
    dfm.save_dataset();
    let report = dfm.run(&["evaluate", "good.dfm", "data", "--false-alarm", "0.1", "--format", "json"]);
    let own = dfm.run(&["evaluate", "good.dfm", "data", "--format", "json"]).expect_code(0).json().remove(0);
    assert_ne!(report.expect_code(0).json()[0]["threshold"], own["threshold"]);
}

/// Whatever the way to a set of pictures, they calibrate alike.
#[test]
fn merged_updated_and_forgetful_models_decide_as_one_fit_does() {
    let dfm = program();
    for (kind, ..) in KINDS {
        let flags = ["--calibrate", kind, "--false-alarm", "0.4"];
        for folder in ["good", "first", "second"] {
            fit(&dfm, folder, &flags).expect_code(0);
        }
        let decisions = |model: &str| -> Vec<(Value, Value)> {
            let lines = predict(&dfm, model, &[]);
            lines.iter().map(|line| (line["p_value"].clone(), line["label"].clone())).collect()
        };
        let expected = decisions("good.dfm");
        dfm.run(&["merge", "second.dfm", "first.dfm", "-o", "one.dfm"]).expect_code(0);
        assert_eq!(decisions("one.dfm"), expected, "{kind}, merged");
        dfm.run(&["update", "first.dfm", "good", "-o", "one.dfm"]).expect_code(0);
        assert_eq!(decisions("one.dfm"), expected, "{kind}, updated");
        let gone: Vec<String> = (8..16).map(|seed| format!("second/{seed:02}.png")).collect();
        let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
        dfm.run(&[&["forget", "one.dfm"], gone.as_slice()].concat()).expect_code(0);
        assert_eq!(decisions("one.dfm"), decisions("first.dfm"), "{kind}, forgotten");
    }
    fit(&dfm, "first", &["--calibrate", "split"]).expect_code(0);
    dfm.run(&["merge", "first.dfm", "second.dfm", "-o", "one.dfm"])
        .expect_code(2)
        .expect_said(&["parameters"]);
}

#[test]
fn a_bad_picture_among_the_good_stands_out_and_can_be_forgotten_by_its_name() {
    let dfm = many();
    dfm.save("good/line/bad.png", &pictures::defective(300, 72, 56));
    fit(&dfm, "good", &[]).expect_code(0);
    let found = audit(&dfm, "good.dfm", 1);
    assert_eq!((&found["pictures"], &found["standing_out"]), (&41.into(), &1.into()), "{found}");
    let worst = &found["worst"][0];
    assert_eq!((&worst["name"], &worst["stands_out"]), (&"line/bad.png".into(), &true.into()), "{found}");
    assert!((worst["p_value"].as_f64().unwrap() - 1.0 / 41.0).abs() < 1e-12);
    let scores: Vec<f64> =
        found["worst"].as_array().unwrap().iter().map(|line| line["score"].as_f64().unwrap()).collect();
    assert_eq!(scores.len(), 10);
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    let said = dfm.run(&["audit", "good.dfm", "--top", "1"]).expect_code(1).out;
    assert!(
        said.contains("line/bad.png") && said.contains("stands out") && !said.contains("00.png"),
        "{said}"
    );
    assert_eq!(
        dfm.run(&["audit", "good.dfm", "--top", "99", "--format", "json"]).json()[0]["worst"]
            .as_array()
            .unwrap()
            .len(),
        41
    );
    // What audit prints is what forget takes, wherever it runs.
    dfm.run(&["forget", "good.dfm", "line/bad.png"]).expect_code(0);
    assert_eq!(audit(&dfm, "good.dfm", 0)["pictures"], 40);
    dfm.run(&["forget", "good.dfm", "line/bad.png"]).expect_code(2).expect_said(&["line/bad.png"]);
}

/// Someone always has the smallest p-value; that alone is no finding.
#[test]
fn among_good_pictures_none_stands_out() {
    let dfm = many();
    for flags in [&[][..], &["--aggregate", "relative"], &["--calibrate", "split"], &["--threshold", "9"]] {
        fit(&dfm, "good", flags).expect_code(0);
        let found = audit(&dfm, "good.dfm", 0);
        assert_eq!((&found["pictures"], &found["standing_out"]), (&40.into(), &0.into()), "{found}");
    }
    fit(&dfm, "good", &["--no-update"]).expect_code(0);
    dfm.run(&["audit", "good.dfm"]).expect_code(2).expect_said(&["--no-update"]);
}

#[test]
fn names_go_where_pictures_go_and_say_nothing_of_the_machine() {
    let dfm = program();
    let folder = dfm.path("first");
    let absolute = folder.to_str().unwrap();
    dfm.run(&[&["fit", absolute, "-o", "first.dfm"], SMALL.as_slice()].concat()).expect_code(0);
    let bytes = std::fs::read(dfm.path("first.dfm")).unwrap();
    let holds = |needle: &str| bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
    assert!(holds("00.png\0") && !holds(absolute) && !holds("first/"));
    dfm.save("more/line/99.png", &pictures::good(99, 72, 56));
    fit(&dfm, "second", &[]).expect_code(0);
    dfm.run(&["merge", "first.dfm", "second.dfm", "-o", "one.dfm"]).expect_code(0);
    dfm.run(&["update", "one.dfm", "more"]).expect_code(0);
    dfm.run(&["forget", "one.dfm", "first/00.png"]).expect_code(0);
    let found = dfm.run(&["audit", "one.dfm", "--top", "99", "--format", "json"]).json().remove(0);
    let mut names: Vec<&str> =
        found["worst"].as_array().unwrap().iter().map(|line| line["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    let mut expected: Vec<String> = (1..16).map(|seed| format!("{seed:02}.png")).collect();
    expected.push("line/99.png".to_owned());
    assert_eq!(names, expected);
}

#[test]
fn a_name_that_two_pictures_have_is_given_by_its_hash() {
    let dfm = program();
    dfm.save("other/00.png", &pictures::good(50, 72, 56));
    dfm.save("other/01.png", &pictures::good(51, 72, 56));
    for folder in ["first", "other"] {
        fit(&dfm, folder, &[]).expect_code(0);
    }
    dfm.run(&["merge", "first.dfm", "other.dfm", "-o", "one.dfm"]).expect_code(0);
    dfm.run(&["forget", "one.dfm", "00.png"]).expect_code(2).expect_said(&["00.png", "several pictures"]);
    let said = dfm.run(&["audit", "one.dfm"]).out;
    let shown: Vec<&str> =
        said.lines().skip(1).take(10).filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(shown.iter().filter(|shown| shown.len() == 64).count(), 4, "{said}");
    assert!(shown.contains(&"07.png"), "{said}");
    let hash = shown.iter().find(|shown| shown.len() == 64).unwrap();
    dfm.run(&["forget", "one.dfm", hash]).expect_code(0);
}

#[test]
fn a_model_without_names_lists_hashes() {
    let dfm = program();
    let params = Method::published().with_taps(vec![Layer::named("layer1").pooled(4)]).check().unwrap();
    let extractor = params.extractor(small_weights(), flex()).unwrap();
    let preprocessor = extractor.preprocessor();
    let prepared: Vec<_> =
        (0..6).map(|seed| preprocessor.prepare(pictures::good(seed, 72, 56)).unwrap()).collect();
    let model: Dfm = fit_prepared(&params, extractor, prepared.clone()).unwrap();
    let write = |model: &Dfm| {
        let mut bytes = Vec::new();
        model.write(&mut bytes, &SaveOptions::default()).unwrap();
        std::fs::write(dfm.path("model.dfm"), bytes).unwrap();
    };
    write(&model);
    let found = audit(&dfm, "model.dfm", 0);
    assert!(found["worst"].as_array().unwrap().iter().all(|line| line["name"].is_null()), "{found}");
    let said = dfm.run(&["audit", "model.dfm"]).out;
    let hash = found["worst"][0]["content_hash"].as_str().unwrap();
    assert!(said.contains(hash), "{said}");
    dfm.run(&["forget", "model.dfm", hash, "-o", "less.dfm"]).expect_code(0);
    // Names that a model cannot hold, and those of pictures that it does not know, are not taken.
    let names = ["", "a\0b", &"n".repeat(5000), "fine.png", "other.png"].map(str::to_owned);
    let hashes = prepared.iter().map(dfm_tests::models::hash);
    let model = model.with_names(hashes.clone().zip(names));
    let model = model.with_names([([0; 32], "nobody.png".to_owned())]);
    let named: Vec<Option<&str>> = hashes.map(|hash| model.picture_name(&hash)).collect();
    assert_eq!(named, [None, None, None, Some("fine.png"), Some("other.png"), None]);
    write(&model);
    let found = audit(&dfm, "model.dfm", 0);
    let named = |line: &&Value| line["name"] == "fine.png" || line["name"] == "other.png";
    assert_eq!(found["worst"].as_array().unwrap().iter().filter(named).count(), 2, "{found}");
}
