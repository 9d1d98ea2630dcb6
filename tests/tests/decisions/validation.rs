//! `dfm fit --val`: no threshold at all, or figures and a threshold from synthetic defects.

use std::fs;

use dfm_core::{Dfm, DfmError, LoadOptions, ModelFileError};
use dfm_tests::model_file::ModelFile;
use dfm_tests::models::flex;
use dfm_tests::pictures;
use dfm_tests::program::{Finished, Program, SMALL, files_below};
use dfm_tests::tolerance::assert_close;
use serde_json::Value;

/// Model files hold directions and coordinates in `f32`.
const F32: f64 = 1e-4;

/// Twelve good pictures, of which three are held out, a data set and pictures to predict.
fn program() -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    dfm.save_good();
    dfm.save_dataset();
    dfm
}

fn try_fit(dfm: &Program, model: &str, more: &[&str]) -> Finished {
    dfm.run(&[&["fit", "good", "-o", model], SMALL.as_slice(), more].concat())
}

fn fit(dfm: &Program, model: &str, more: &[&str]) -> Finished {
    try_fit(dfm, model, more).expect_code(0)
}

fn info(dfm: &Program, model: &str) -> Value {
    dfm.run(&["info", model, "--format", "json"]).expect_code(0).json().remove(0)
}

fn validation(dfm: &Program, model: &str) -> Value {
    info(dfm, model)["record"]["validation"].clone()
}

fn threshold(dfm: &Program, model: &str) -> f64 {
    info(dfm, model)["threshold"].as_f64().expect("a threshold")
}

#[test]
fn without_validation_there_are_scores_and_maps_and_no_verdict() {
    let dfm = program();
    let said = fit(&dfm, "none.dfm", &["--val", "none"]);
    assert!(said.out.contains("no threshold"), "{}", said.out);
    let found = info(&dfm, "none.dfm");
    assert_eq!(
        [&found["threshold"], &found["calibration"], &found["record"]["validation"]],
        [&Value::Null; 3]
    );
    assert_eq!((&found["record"]["picture_count"], &found["record"]["held_out"]), (&12.into(), &0.into()));

    const SENTENCE: &str =
        "none.dfm: has no threshold, so there are scores but no verdicts: give --threshold";
    let test = "data/test/square";
    let json = ["predict", "none.dfm", test, "--format", "json", "--maps", "maps"];
    let predicted = dfm.run(&json).expect_code(0).expect_said(&[SENTENCE]);
    for line in predicted.json() {
        assert_eq!([&line["label"], &line["normalized_score"], &line["p_value"]], [&Value::Null; 3]);
    }
    assert!(dfm.path("maps/0.png-heatmap.png").exists());
    // The model is that of all pictures, as with calibration.
    fit(&dfm, "train.dfm", &["--val", "train"]);
    let scores = dfm.run(&["predict", "train.dfm", test, "--format", "json"]).scores();
    assert_eq!(predicted.scores(), scores);

    for arguments in [
        &["evaluate", "none.dfm", "data", "--report", "run"][..],
        &["explain", "none.dfm", test],
        &["predict", "none.dfm", test],
    ] {
        dfm.run(arguments).expect_code(0).expect_said(&[SENTENCE]);
    }
    let metrics = fs::read_to_string(dfm.path("run/metrics.json")).unwrap();
    let metrics: Value = serde_json::from_str(&metrics).unwrap();
    assert_eq!(metrics["threshold"], Value::Null);
    assert!(metrics["image"]["auroc"]["value"].is_f64(), "{metrics}");
    assert!(fs::read_to_string(dfm.path("run/index.html")).unwrap().contains("no threshold"));
    // Who stands out is asked of the others, with or without a threshold.
    dfm.run(&["audit", "none.dfm"]).expect_code(0);
    dfm.run(&["info", "none.dfm"]).expect_code(0);

    let given = dfm.run(&["predict", "none.dfm", test, "--threshold", "0", "--format", "json"]);
    assert!(given.expect_code(1).json().iter().all(|line| line["label"] == "anomalous"));
    let rate = ["predict", "none.dfm", test, "--false-alarm", "0.5"];
    dfm.run(&rate).expect_code(2).expect_said(&["--false-alarm", "--val none", "give a threshold"]);
    // Also of a model whose threshold was given, and in tiles.
    fit(&dfm, "given.dfm", &["--val", "none", "--threshold", "3"]);
    assert_eq!(threshold(&dfm, "given.dfm"), 3.0);
    fit(&dfm, "tiles.dfm", &["--val", "none", "--tile", "40"]);
    assert_eq!(info(&dfm, "tiles.dfm")["record"]["held_out"], 0);
}

#[test]
fn what_excludes_itself_is_refused_with_a_cure() {
    let dfm = program();
    for more in [&["--calibrate", "split"][..], &["--false-alarm", "0.2"]] {
        let refused = try_fit(&dfm, "m.dfm", &[&["--val", "none"], more].concat());
        refused.expect_code(2).expect_said(&["--val none", "--calibrate", "--false-alarm", "--threshold"]);
    }
    for kind in ["leave-one-out", "jackknife+"] {
        let refused = try_fit(&dfm, "m.dfm", &["--val", "synthetic", "--calibrate", kind]);
        refused.expect_code(2).expect_said(&["--val synthetic", "--calibrate split", kind]);
    }
    try_fit(&dfm, "m.dfm", &["--val", "some"]).expect_code(2).expect_said(&["none", "train", "synthetic"]);
    // Two pictures leave none to hold out.
    for seed in 0..2 {
        dfm.save(&format!("two/{seed}.png"), &pictures::good(seed, 72, 56));
    }
    let two = [&["fit", "two", "-o", "m.dfm", "--val", "synthetic"], SMALL.as_slice()].concat();
    dfm.run(&two).expect_code(2).expect_said(&["two", "3"]);
    assert!(!dfm.path("m.dfm").exists());
}

/// The figures are those of a model that never saw the held-out pictures, on a data set that
/// `dfm synthesise` makes: two ways that share the generator and nothing else.
#[test]
fn figures_are_those_of_an_evaluation_of_the_same_defects() {
    let dfm = program();
    for (seed, more) in [
        // A fine map also knows good pictures that are held out.
        ("0", &["--map", "coarse"][..]),
        ("5", &["--resize", "stretch", "--aggregate", "sum", "--map", "coarse"]),
        ("6", &["--layer", "layer1,layer2", "--score", "mahalanobis", "--resize", "letterbox"]),
    ] {
        let more: Vec<&str> =
            if more.contains(&"--layer") { more.to_vec() } else { [&["--layer", "layer1"], more].concat() };
        let small = ["--backbone", "resnet18", "--weights", "random", "--size", "64", "--seed", seed];
        let fit = |folder: &str, model: &str, val: &str| {
            dfm.run(&[&["fit", folder, "-o", model, "--val", val], small.as_slice(), &more].concat())
                .expect_code(0)
        };
        let said = fit("good", "model.dfm", "synthetic");
        let data = format!("data-{seed}");
        dfm.run(&["synthesise", "good", "-o", &data, "--seed", seed]).expect_code(0);
        fit(&data, "without.dfm", "none");
        let run = ["evaluate", "without.dfm", &data, "--format", "json", "--bootstrap", "0"];
        let evaluated = dfm.run(&run).expect_code(0).json().remove(0);
        let found = validation(&dfm, "model.dfm");
        assert_eq!((&found["good"], &found["defective"]), (&3.into(), &3.into()));
        assert_eq!((&found["seed"], &found["decides"]), (&seed.parse::<u64>().unwrap().into(), &true.into()));
        let figure = |of: &Value| of["value"].as_f64().expect("a figure");
        let recorded = |name: &str| found[name].as_f64().expect("a figure");
        // Counts of pairs of pictures are exact; pixels near one another in score may change
        // places by rounding.
        assert_close("image", recorded("image_auroc"), figure(&evaluated["image"]["auroc"]), 1e-12);
        assert_close("pixel", recorded("pixel_auroc"), figure(&evaluated["pixel"]["auroc"]), F32);
        assert_close("F1", recorded("best_f1"), figure(&evaluated["image"]["best_f1"]), 1e-12);
        let best = &evaluated["best_f1"];
        // In the middle of the gap below the lowest score that is called anomalous.
        let lowest = best["threshold"].as_f64().unwrap();
        let judged = dfm.run(&["predict", "without.dfm", &format!("{data}/test"), "--format", "json"]).json();
        let scores = judged.iter().map(|line| line["score"].as_f64().expect("a score"));
        let below = scores.filter(|score| *score < lowest).fold(f64::NEG_INFINITY, f64::max);
        let middle = if below.is_finite() { f64::midpoint(below, lowest) } else { lowest };
        assert_close("threshold", threshold(&dfm, "model.dfm"), middle, F32);
        assert_close("found", recorded("found"), best["recall"].as_f64().unwrap(), 1e-12);
        // For people: the same, and what it is worth.
        let words = ["3 held-out good and 3 synthetic pictures", "real defects are others"];
        let shown = dfm.run(&["info", "model.dfm"]).out;
        for text in [&said.out, &shown] {
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        }
    }
}

#[test]
fn the_statistics_are_those_of_split_and_the_threshold_the_best_of_f1() {
    let dfm = program();
    fit(&dfm, "split.dfm", &["--calibrate", "split"]);
    fit(&dfm, "synthetic.dfm", &["--val", "synthetic", "--calibrate", "split"]);
    let predict = |model: &str| {
        dfm.run(&["predict", model, "data/test/square", "data/test/good", "--format", "json"]).json()
    };
    for (one, other) in predict("split.dfm").iter().zip(predict("synthetic.dfm")) {
        // The defects change the threshold alone.
        assert_eq!((&one["score"], &one["p_value"]), (&other["score"], &other["p_value"]));
        let reaches = other["score"].as_f64() >= other["threshold"].as_f64();
        assert_eq!(other["label"] == "anomalous", reaches);
    }
    // The same command, the same bytes; another seed, other figures.
    let bytes = |model: &str| fs::read(dfm.path(model)).unwrap();
    fit(&dfm, "again.dfm", &["--val", "synthetic", "--jobs", "1", "--threads", "1"]);
    assert!(bytes("again.dfm") == bytes("synthetic.dfm"));
    // What has no say is not recorded.
    assert_eq!(validation(&dfm, "split.dfm"), Value::Null);
}

#[test]
fn a_stated_rate_or_threshold_stays_and_the_defects_only_measure() {
    let dfm = program();
    fit(&dfm, "split.dfm", &["--calibrate", "split", "--false-alarm", "0.5"]);
    fit(&dfm, "rate.dfm", &["--val", "synthetic", "--false-alarm", "0.5"]);
    assert_eq!(threshold(&dfm, "rate.dfm"), threshold(&dfm, "split.dfm"));
    fit(&dfm, "given.dfm", &["--val", "synthetic", "--threshold", "0.25"]);
    assert_eq!(threshold(&dfm, "given.dfm"), 0.25);
    fit(&dfm, "synthetic.dfm", &["--val", "synthetic"]);
    let decided = validation(&dfm, "synthetic.dfm");
    for model in ["rate.dfm", "given.dfm"] {
        let found = validation(&dfm, model);
        assert_eq!(found["decides"], false);
        for name in ["image_auroc", "pixel_auroc", "best_f1", "good", "defective"] {
            assert_eq!(found[name], decided[name], "{model}: {name}");
        }
        let text = dfm.run(&["info", model]).out;
        assert!(!text.contains("real defects are others") && text.contains("synthetic pictures"), "{text}");
    }
    // A threshold of 0.25 is beyond every score, or none: what is found says so.
    let scores = dfm.run(&["predict", "given.dfm", "good", "--format", "json"]).scores();
    assert!(scores.iter().all(|score| *score < 0.25), "{scores:?}");
    assert_eq!(validation(&dfm, "given.dfm")["false_alarms"], 0.0);
    // A threshold that was given outlasts the pictures.
    dfm.save("new/0.png", &pictures::good(77, 72, 56));
    let updated = dfm.run(&["update", "given.dfm", "new"]).expect_code(0);
    let updated = updated.expect_said(&["synthetic defects", "dropped"]);
    assert!(!updated.err.contains("the threshold is"), "{}", updated.err);
    assert_eq!(threshold(&dfm, "given.dfm"), 0.25);
}

#[test]
fn other_pictures_take_the_figures_and_their_threshold_away() {
    let dfm = program();
    fit(&dfm, "model.dfm", &["--val", "synthetic"]);
    fit(&dfm, "split.dfm", &["--calibrate", "split"]);
    dfm.save("new/0.png", &pictures::good(77, 72, 56));
    dfm.save("old/0.png", &pictures::good(3, 72, 56));
    // Nothing new, nothing changed.
    let before = info(&dfm, "model.dfm");
    let same = dfm.run(&["update", "model.dfm", "old", "-o", "same.dfm"]).expect_code(0);
    assert!(!same.err.contains("dropped"), "{}", same.err);
    let after = info(&dfm, "same.dfm");
    assert_eq!(after["record"]["validation"], before["record"]["validation"]);
    assert_eq!(after["threshold"], before["threshold"]);

    for (name, arguments) in
        [("update", &["update", "MODEL", "new", "-o"][..]), ("forget", &["forget", "MODEL", "03.png", "-o"])]
    {
        let run = |model: &str, output: &str| {
            let mut arguments: Vec<&str> =
                arguments.iter().map(|word| if *word == "MODEL" { model } else { word }).collect();
            arguments.push(output);
            dfm.run(&arguments).expect_code(0)
        };
        let said = run("model.dfm", "a.dfm");
        said.expect_said(&[
            "synthetic defects",
            "dropped",
            "held-out good pictures in place of the synthetic",
        ]);
        assert!(!run("split.dfm", "b.dfm").err.contains("dropped"));
        assert_eq!(validation(&dfm, "a.dfm"), Value::Null, "{name}");
        // As if nobody had asked for defects.
        assert_close(name, threshold(&dfm, "a.dfm"), threshold(&dfm, "b.dfm"), F32);
    }
    for seed in 20..26 {
        dfm.save(&format!("other/{seed}.png"), &pictures::good(seed, 72, 56));
    }
    let other = [&["fit", "other", "-o", "other.dfm", "--calibrate", "split"], SMALL.as_slice()].concat();
    dfm.run(&other).expect_code(0);
    for models in [["model.dfm", "other.dfm"], ["other.dfm", "model.dfm"]] {
        let merged = dfm.run(&[&["merge"], models.as_slice(), &["-o", "merged.dfm"]].concat());
        merged.expect_code(0).expect_said(&["merged.dfm: the figures on synthetic defects"]);
        assert_eq!(validation(&dfm, "merged.dfm"), Value::Null);
    }
}

#[test]
fn it_works_with_regions_tiles_crops_and_likelihoods() {
    let dfm = program();
    let settings: [&[&str]; 8] = [
        &["--roi", "10,8,40,40"],
        &["--tile", "40", "--stride", "30"],
        &["--tile", "32", "--roi", "10,8,50,40"],
        &["--resize", "crop"],
        &["--score", "nll", "--pca", "2"],
        &["--no-update", "--slim"],
        &["--aggregate", "max", "--batch", "1"],
        &["--precision", "int8"],
    ];
    for more in settings {
        fit(&dfm, "model.dfm", &[&["--val", "synthetic"], more].concat());
        let found = validation(&dfm, "model.dfm");
        assert_eq!((&found["good"], &found["defective"]), (&3.into(), &3.into()), "{more:?}");
        let auroc = found["pixel_auroc"].as_f64();
        assert_eq!(auroc.is_none(), more.contains(&"nll"), "{more:?}: {found}");
        // Defects lie where the model looks: better than chance, whatever it looks at.
        assert!(auroc.is_none_or(|auroc| auroc > 0.6), "{more:?}: {found}");
        dfm.run(&["predict", "model.dfm", "good"]);
    }
}

#[test]
fn a_picture_without_room_for_a_defect_costs_its_copy_alone() {
    let dfm = program();
    for file in files_below(&dfm.path("good")) {
        fs::remove_file(file).unwrap();
    }
    // Pictures of one pixel and of two, all different.
    for place in 0..8_u8 {
        dfm.save(&format!("good/{place}.png"), &pictures::good(place.into(), 72, 56));
        let dot = image::RgbImage::from_pixel(1, 1, [place, 7, 30 * place].into());
        dfm.save(&format!("good/dot-{place}.png"), &dot);
        let two = image::RgbImage::from_fn(2, 1, |x, _| [place, 9, 100 * x as u8].into());
        dfm.save(&format!("good/two-{place}.png"), &two);
    }
    let made = dfm.run(&["synthesise", "good", "-o", "made"]);
    let dots = files_below(&dfm.path("made/test/good"))
        .iter()
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("dot"))
        .count();
    assert!(dots > 0, "none of the dots is held out: {}", made.out);
    let code = 2;
    made.expect_code(code).expect_said(&["dot-", "two pixels or more", "1×1"]);
    assert_eq!(files_below(&dfm.path("made/test/synthetic")).len(), 6 - dots);
    let said = try_fit(&dfm, "model.dfm", &["--val", "synthetic"]).expect_code(code);
    said.expect_said(&["dot-", "two pixels or more"]);
    let found = validation(&dfm, "model.dfm");
    assert_eq!((&found["good"], &found["defective"]), (&6.into(), &(6 - dots).into()));
    try_fit(&dfm, "model.dfm", &["--val", "synthetic", "--skip-bad"]).expect_code(0);
}

#[test]
fn figures_that_no_validation_gives_are_refused() {
    let dfm = program();
    fit(&dfm, "model.dfm", &["--val", "synthetic"]);
    let file = ModelFile::open(&fs::read(dfm.path("model.dfm")).unwrap());
    let read = |file: ModelFile| Dfm::read(&mut file.close().as_slice(), LoadOptions::on(flex()));
    assert!(read(file.clone()).is_ok());
    for (old, new) in [("\"good\":3", "\"good\":0"), ("\"defective\":3", "\"defective\":0")] {
        let Err(DfmError::Model(error)) = read(file.clone().replace(old, new)) else { panic!("{new}") };
        assert!(matches!(error, ModelFileError::Inconsistent { what: "record.validation", .. }), "{error}");
    }
    let figures = file.header.split_once("\"validation\":").expect("figures").1.to_owned();
    for name in ["image_auroc", "pixel_auroc", "best_f1", "found", "false_alarms"] {
        // As it stands there: numbers that are parsed and printed may differ in the last digit.
        let value = figures.split_once(&format!("\"{name}\":")).expect(name).1;
        let old = format!("\"{name}\":{}", &value[..value.find([',', '}']).expect("an end")]);
        for value in ["1.5", "-0.1"] {
            let changed = file.clone().replace(&old, &format!("\"{name}\":{value}"));
            let Err(DfmError::Model(error)) = read(changed) else { panic!("{name} {value}") };
            assert!(matches!(error, ModelFileError::Inconsistent { .. }), "{error}");
        }
    }
    let unknown = file.replace("\"decides\":true", "\"decides\":true,\"more\":1");
    assert!(matches!(read(unknown), Err(DfmError::Model(ModelFileError::Header { .. }))));
}
