//! `dfm compare`: two evaluations of the same pictures.

use std::fs;

use dfm_tests::datasets::{LAYOUTS, mask};
use dfm_tests::program::{Finished, Program, SMALL};
use serde_json::Value;

/// Two models of one data set, and what each makes of it.
fn two_runs() -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    (LAYOUTS[0].write)(&dfm);
    for (name, more) in [("one", ["--pca", "4"]), ("two", ["--pca", "1"])] {
        let model = format!("{name}.dfm");
        let fit = ["fit", "mvtec", "-o", &model, "-q"];
        dfm.run(&[&fit, SMALL.as_slice(), &more].concat()).expect_code(0);
        let evaluate = ["evaluate", &model, "mvtec", "-o", name, "-q", "--bootstrap", "100"];
        dfm.run(&evaluate).expect_code(0);
    }
    dfm
}

fn compare(dfm: &Program, first: &str, second: &str) -> Finished {
    dfm.run(&["compare", first, second, "--bootstrap", "500", "--format", "json"])
}

/// Changes the lines of a run.
fn edit(dfm: &Program, run: &str, change: impl Fn(usize, &mut Value)) {
    let path = dfm.path(&format!("{run}/predictions.jsonl"));
    let text = fs::read_to_string(&path).unwrap();
    let lines = text.lines().enumerate().map(|(place, line)| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        change(place, &mut line);
        format!("{line}\n")
    });
    fs::write(&path, lines.collect::<String>()).unwrap();
}

#[test]
fn a_run_is_no_better_than_itself() {
    let dfm = two_runs();
    let report = compare(&dfm, "one", "one/metrics.json").expect_code(0).json().remove(0);
    assert_eq!(report["pictures"], 7);
    let figures = report["figures"].as_object().unwrap();
    // Too few pixels for AUPIMO.
    assert!(figures["pixel_aupimo"].is_null());
    for (name, figure) in figures.iter().filter(|(name, _)| *name != "pixel_aupimo") {
        assert_eq!(
            [&figure["difference"], &figure["low"], &figure["high"]],
            [&Value::from(0.0); 3],
            "{name}"
        );
        assert_eq!(figure["p_value"], 1.0, "{name}");
    }
    assert_eq!((&report["only_first_right"], &report["only_second_right"]), (&0.into(), &0.into()));
}

#[test]
fn figures_are_those_of_the_runs_and_turn_with_them() {
    let dfm = two_runs();
    let report = compare(&dfm, "one", "two").expect_code(0).json().remove(0);
    for (run, side) in [("one", "first"), ("two", "second")] {
        let metrics: Value =
            serde_json::from_str(&fs::read_to_string(dfm.path(&format!("{run}/metrics.json"))).unwrap())
                .unwrap();
        let pixel = metrics["pixel"]["aupro_30"].as_object().unwrap();
        let compared = report["figures"]["pixel_aupro_30"][side].as_f64().unwrap();
        // The comparison takes pictures one by one, whose bins are wider than those of all.
        let bound = 5.0 * pixel["bound"].as_f64().unwrap();
        assert!((compared - pixel["value"].as_f64().unwrap()).abs() <= bound, "{run}: {compared}, {pixel:?}");
        let image = metrics["image"]["f1"]["value"].as_f64().unwrap();
        assert_eq!(report["figures"]["image_f1"][side], image, "{run}");
    }
    let turned = compare(&dfm, "two", "one").expect_code(0).json().remove(0);
    let difference = |report: &Value| report["figures"]["pixel_auroc"]["difference"].as_f64().unwrap();
    assert_eq!(difference(&turned), -difference(&report));
    let table = dfm.run(&["compare", "one", "two"]).expect_code(0).out;
    assert!(table.contains("pixel AUPRO to 5 %") && table.contains("verdicts"), "{table}");
}

#[test]
fn a_blind_model_is_found_out() {
    let dfm = two_runs();
    edit(&dfm, "two", |place, line| {
        // Good pictures come first.
        line["score"] = (10 - place).into();
        line["label"] = "normal".into();
    });
    let report = compare(&dfm, "one", "two").expect_code(0).json().remove(0);
    let auroc = &report["figures"]["image_auroc"];
    assert!(auroc["difference"].as_f64().unwrap() < -0.2, "{auroc}");
    assert_eq!(report["only_first_right"], 3);
    let table = dfm.run(&["compare", "two", "one"]).expect_code(0).out;
    assert!(table.lines().any(|line| line.starts_with("image AUROC") && line.ends_with("second")), "{table}");
}

#[test]
fn runs_of_other_pictures_are_refused() {
    let dfm = two_runs();
    let refused = |change: &dyn Fn(usize, &mut Value), words: &[&str]| {
        let before = fs::read(dfm.path("two/predictions.jsonl")).unwrap();
        edit(&dfm, "two", change);
        compare(&dfm, "one", "two").expect_code(2).expect_said(words);
        fs::write(dfm.path("two/predictions.jsonl"), before).unwrap();
    };
    refused(
        &|place, line| {
            if place == 0 {
                line["path"] = "test/good/9.png".into();
            }
        },
        &["1 pictures that the other run does not", "test/good/0.png"],
    );
    refused(
        &|_, line| {
            if line["class"] == "square" {
                line["class"] = "round".into();
            }
        },
        &["of class square in", "of class round"],
    );
    refused(&|_, line| line["path"] = "same.png".into(), &["line 2", "same.png is there twice"]);
    refused(&|_, line| line["score"] = Value::Null, &["line 1", "a line of an evaluation's predictions"]);
    compare(&dfm, "one", "three").expect_code(2).expect_said(&["three", "dfm evaluate --output"]);
    fs::write(dfm.path("two/predictions.jsonl"), b"").unwrap();
    compare(&dfm, "one", "two").expect_code(2).expect_said(&["expected at least one picture"]);
    // Another mask of the same picture.
    let half = image::imageops::crop_imm(&mask(255), 0, 0, 36, 56).to_image();
    let mut other = mask(0);
    image::imageops::replace(&mut other, &half, 0, 0);
    dfm.save("mvtec/ground_truth/square/1_mask.png", &other);
    dfm.run(&["evaluate", "two.dfm", "mvtec", "-o", "two", "-q"]).expect_code(0);
    compare(&dfm, "one", "two").expect_code(2).expect_said(&["square/1.png", "the masks differ"]);
}
