//! The program with cells as rows, averages of layers and recipes: every command, and what is refused.

use dfm_tests::pictures;
use dfm_tests::program::{Finished, Program, SMALL};
use dfm_tests::tolerance::assert_close;
use serde_json::Value;

/// Model files hold directions and coordinates in `f32`.
const F32: f64 = 1e-4;
/// A transformer with random weights, for small pictures.
const TRANSFORMER: [&str; 6] =
    ["--backbone", "vit_tiny_patch16_224", "--weights", "random", "--size", "64x80"];

/// Twelve good pictures in `good`, the first half of them in `first` and the rest in `rest`, and two to judge.
fn program() -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    dfm.save_good();
    for seed in 0..12 {
        let folder = if seed < 6 { "first" } else { "rest" };
        dfm.save(&format!("{folder}/{seed:02}.png"), &pictures::good(seed, 72, 56));
    }
    dfm.save("new/a.png", &pictures::good(100, 72, 56));
    dfm.save("new/c.png", &pictures::defective(101, 72, 56));
    dfm
}

fn fit(dfm: &Program, folder: &str, model: &str, more: &[&str]) -> Finished {
    dfm.run(&[&["fit", folder, "-o", model], SMALL.as_slice(), &["--pool", "1"], more].concat())
}

fn info(dfm: &Program, model: &str) -> Value {
    dfm.run(&["info", model, "--format", "json"]).expect_code(0).json().remove(0)
}

fn params(dfm: &Program, model: &str) -> Value {
    info(dfm, model)["record"]["params"].clone()
}

#[track_caller]
fn assert_same(dfm: &Program, actual: &str, expected: &str) {
    let threshold = |model: &str| info(dfm, model)["threshold"].as_f64().expect("a threshold");
    assert_close("threshold", threshold(actual), threshold(expected), F32);
    let scores =
        |model: &str| dfm.run(&["predict", model, "new", "--format", "json"]).expect_code(1).scores();
    for (a, e) in scores(actual).iter().zip(&scores(expected)) {
        assert_close(actual, *a, *e, F32);
    }
}

#[test]
fn a_model_of_cells_is_fitted_described_judged_explained_and_audited() {
    let dfm = program();
    fit(&dfm, "good", "cells.dfm", &["--rows", "cells"]).expect_code(0);
    let params = params(&dfm, "cells.dfm");
    assert_eq!((&params["rows"], &params["aggregation"]), (&"cells".into(), &"top:1%".into()));
    let table = dfm.run(&["info", "cells.dfm"]).expect_code(0).out;
    assert!(table.contains("fre, top:1% of the cells, each a row"), "{table}");
    assert!(table.contains("maps") && table.contains("coarse"), "{table}");
    let run = dfm.run(&["predict", "cells.dfm", "new", "--format", "json", "--maps", "maps"]).expect_code(1);
    assert_eq!([&run.json()[0]["label"], &run.json()[1]["label"]], ["normal", "anomalous"]);
    assert!(run.json()[1]["p_value"].as_f64() < run.json()[0]["p_value"].as_f64());
    assert!(dfm.path("maps/c.png-overlay.png").exists());
    let explained = dfm.run(&["explain", "cells.dfm", "new", "--format", "json"]).expect_code(0).json();
    assert_eq!(explained[1]["score"], run.json()[1]["score"]);
    let audit = dfm.run(&["audit", "cells.dfm", "--format", "json"]).expect_code(0).json().remove(0);
    assert_eq!(audit["pictures"], 12);
    let drift = dfm.run(&["drift", "cells.dfm", "good", "--format", "json"]).json().remove(0);
    assert_eq!(drift["features"].as_array().map(Vec::len), Some(0));
    // Without the flag, the file says nothing of rows.
    fit(&dfm, "good", "pictures.dfm", &["--rows", "picture"]).expect_code(0);
    fit(&dfm, "good", "usual.dfm", &[]).expect_code(0);
    assert!(self::params(&dfm, "usual.dfm").get("rows").is_none());
    let [pictures, usual] =
        ["pictures.dfm", "usual.dfm"].map(|model| std::fs::read(dfm.path(model)).unwrap());
    assert!(pictures == usual, "the same bytes");
}

#[test]
fn merged_updated_and_forgetful_models_are_those_of_one_fit() {
    let dfm = program();
    let cells = ["--rows", "cells"];
    fit(&dfm, "good", "whole.dfm", &cells).expect_code(0);
    fit(&dfm, "first", "first.dfm", &cells).expect_code(0);
    fit(&dfm, "rest", "rest.dfm", &cells).expect_code(0);
    dfm.run(&["merge", "first.dfm", "rest.dfm", "-o", "merged.dfm"]).expect_code(0);
    assert_same(&dfm, "merged.dfm", "whole.dfm");
    dfm.run(&["update", "first.dfm", "rest", "-o", "updated.dfm"]).expect_code(0);
    assert_same(&dfm, "updated.dfm", "whole.dfm");
    let rest: Vec<String> = (6..12).map(|seed| format!("rest/{seed:02}.png")).collect();
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    dfm.run(&[&["forget", "whole.dfm"], rest.as_slice(), &["-o", "forgot.dfm"]].concat()).expect_code(0);
    assert_same(&dfm, "forgot.dfm", "first.dfm");
    fit(&dfm, "rest", "pictures.dfm", &["--aggregate", "top:1%"]).expect_code(0);
    dfm.run(&["merge", "first.dfm", "pictures.dfm", "-o", "x.dfm"])
        .expect_code(2)
        .expect_said(&["expected rows cells", "got no rows"]);
}

#[test]
fn what_cells_cannot_have_is_refused_with_the_reason() {
    let dfm = program();
    dfm.save("mask.png", &image::RgbImage::from_fn(72, 56, |x, _| [if x < 40 { 255 } else { 0 }; 3].into()));
    for (more, said) in [
        (&["--score", "nll"][..], "fre, where cells are rows"),
        (&["--score", "mahalanobis"], "fre, where cells are rows"),
        (&["--compat", "anomalib", "--resize", "stretch"], "no numbers to reproduce"),
        (&["--calibrate", "jackknife+"], "leave-one-out or split, where cells are rows"),
        (&["--roi", "mask.png"], "cells outside of it have no features"),
        (&["--map", "fine"], "where cells are rows"),
    ] {
        let run = fit(&dfm, "good", "x.dfm", &[&["--rows", "cells"], more].concat());
        let run = run.expect_code(2).expect_said(&[said]);
        assert!(!run.err.contains("another --backbone"), "{}", run.err);
        assert!(!dfm.path("x.dfm").exists());
    }
    fit(&dfm, "good", "x.dfm", &["--rows", "stripes"]).expect_code(2).expect_said(&["picture or cells"]);
}

#[test]
fn a_recipe_sets_what_the_flags_do_not() {
    let dfm = program();
    let with = |model: &str, more: &[&str]| {
        let recipe = ["fit", "good", "-o", model, "--recipe", "subspace-ad", "--threads", "1"];
        dfm.run(&[&recipe, TRANSFORMER.as_slice(), more].concat())
    };
    with("recipe.dfm", &[]).expect_code(0).expect_said(&[
        "recipe subspace-ad: --layer mean:blocks.4..blocks.7 --pool 1 --rows cells --pca 0.99 --score fre --aggregate \
         top:1%",
    ]);
    let set = params(&dfm, "recipe.dfm");
    assert_eq!(set["taps"], serde_json::json!([{"layer": "mean:blocks.4..blocks.7", "pool": 1}]));
    assert_eq!((&set["keep"]["ratio"], &set["rows"]), (&0.99.into(), &"cells".into()));
    // The same by the flags that it stands for.
    let flags = ["--layer", "mean:blocks.4..blocks.7", "--pool", "1", "--rows", "cells", "--pca", "0.99"];
    let plain = ["fit", "good", "-o", "flags.dfm", "--threads", "1"];
    dfm.run(&[&plain, TRANSFORMER.as_slice(), &flags].concat()).expect_code(0);
    let [recipe, flags] = ["recipe.dfm", "flags.dfm"].map(|model| std::fs::read(dfm.path(model)).unwrap());
    assert!(recipe == flags, "the same bytes");
    // Flags win.
    let more =
        ["--layer", "blocks.3", "--pool", "2", "--pca", "5", "--aggregate", "max", "--rows", "picture"];
    with("own.dfm", &more).expect_code(0);
    let own = params(&dfm, "own.dfm");
    assert_eq!(own["taps"], serde_json::json!([{"layer": "blocks.3", "pool": 2}]));
    assert_eq!((&own["keep"]["components"], &own["aggregation"]), (&5.into(), &"max".into()));
    assert!(own.get("rows").is_none());
    // Other rows keep the score of the recipe.
    with("rows.dfm", &["--rows", "picture"])
        .expect_code(0)
        .expect_said(&["--rows picture", "--aggregate top:1%"]);
    assert_eq!(params(&dfm, "rows.dfm")["aggregation"], "top:1%");
    // A network without blocks of tokens has no middle ones.
    let small = |model: &str, more: &[&str]| {
        let arguments = ["fit", "good", "-o", model, "--recipe", "subspace-ad", "--size", "64"];
        dfm.run(&[&arguments, more].concat())
    };
    small("x.dfm", &["--backbone", "resnet18", "--weights", "random"])
        .expect_code(2)
        .expect_said(&["expected a transformer with blocks", "got resnet18"]);
    small("x.dfm", &["--weights", "mine.safetensors"])
        .expect_code(2)
        .expect_said(&["expected --backbone, or --layer"]);
    let layers = ["--backbone", "resnet18", "--weights", "random", "--layer", "mean:layer2.0+layer2"];
    small("layers.dfm", &layers).expect_code(0);
    assert_eq!(params(&dfm, "layers.dfm")["taps"][0]["pool"], 1);
    dfm.run(&["predict", "layers.dfm", "new", "--format", "json"]).expect_code(1);
}

#[test]
fn a_wrong_average_is_refused_by_name() {
    let dfm = program();
    for (layer, said) in [
        ("mean:layer1", "expected two to 64 layers"),
        ("mean:layer2+layer1", "each once, in the order of their names"),
        ("mean:layer3..layer1", "the smaller number first"),
        ("mean:layer1..layer65", "these are more"),
        ("mean:layer1..stage2", "mean:blocks.3..blocks.8"),
        ("mean:layer1+layer2", "expected layers of one shape"),
    ] {
        let run = dfm.run(&[
            "fit",
            "good",
            "-o",
            "x.dfm",
            "--backbone",
            "resnet18",
            "--weights",
            "random",
            "--size",
            "64",
            "--layer",
            layer,
        ]);
        assert_ne!(run.code, 0, "{layer}");
        run.expect_said(&[said]);
    }
}
