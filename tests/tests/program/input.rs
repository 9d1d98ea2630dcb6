//! What the program makes of its input: folders in disorder, its own maps, features
//! that are not finite, thresholds.

use std::fs;

use dfm_backbone::{Architecture, BackboneWeights, InputContract, Layer};
use dfm_core::{Dfm, DfmError, Learnt, Method};
use dfm_tests::models::{fit_prepared, pieces};
use dfm_tests::pictures;
use dfm_tests::program::{Program, SMALL, files_below};

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_dfm-under-test"))
}

#[test]
fn a_class_without_pictures_and_hidden_folders_do_not_stop_an_evaluation() {
    let dfm = program();
    dfm.fit_small();
    dfm.save_dataset();
    fs::create_dir_all(dfm.path("data/test/.cache")).unwrap();
    let evaluate = || dfm.run(&["evaluate", "model.dfm", "data", "--format", "json"]);
    assert_eq!(evaluate().expect_code(0).json()[0]["errors"], 0);
    fs::create_dir_all(dfm.path("data/test/scratch")).unwrap();
    let run = evaluate().expect_code(2).expect_said(&["scratch", "found none"]);
    let report = run.json().remove(0);
    assert_eq!((report["pictures"].clone(), report["errors"].clone()), (8.into(), 1.into()));
    assert_eq!(report["image_auroc"], 1.0);
}

#[test]
fn masks_of_pictures_in_sub_folders_lie_in_sub_folders() {
    let dfm = program();
    dfm.fit_small();
    dfm.save_dataset();
    for folder in ["test", "ground_truth"] {
        let at = |name: &str| dfm.path(&format!("data/{folder}/square/{name}"));
        let names = files_below(&at(""));
        fs::create_dir(at("monday")).unwrap();
        for name in names {
            fs::rename(&name, at("monday").join(name.file_name().unwrap())).unwrap();
        }
    }
    let report =
        dfm.run(&["evaluate", "model.dfm", "data", "--format", "json"]).expect_code(0).json().remove(0);
    assert_eq!(report["without_mask"], 0);
    assert!(report["pixel_auroc"].as_f64().unwrap() > 0.9, "{report}");
}

#[test]
fn maps_inside_the_folder_of_pictures_are_not_judged() {
    let dfm = program();
    dfm.fit_small();
    dfm.save("new/a.png", &pictures::good(3, 72, 56));
    for maps in ["new/maps", "new"] {
        for _ in 0..2 {
            let run =
                dfm.run(&["predict", "model.dfm", "new", "--maps", maps, "--format", "json"]).expect_code(0);
            assert_eq!(run.paths(), ["new/a.png"]);
        }
    }
    assert_eq!(files_below(&dfm.path("new")).len(), 1 + 2 * (2 + 1));
    assert_eq!(dfm.run(&["predict", "model.dfm", "new/*.png", "--format", "json"]).paths(), ["new/a.png"]);
    // Whoever names one means it.
    let named = dfm.run(&["predict", "model.dfm", "new/a.png-heatmap.png", "--format", "json"]);
    assert_eq!(named.scores().len(), 1);
}

#[test]
fn names_in_any_script_serve_for_folders_models_and_maps() {
    let dfm = program();
    for seed in 0..12 {
        dfm.save(&format!("良品/für Ölpumpe/{seed}.png"), &pictures::good(seed, 72, 56));
    }
    dfm.run(&[&["fit", "良品", "-o", "модель.dfm"], SMALL.as_slice()].concat()).expect_code(0);
    dfm.save("новые/ünï 😀.png", &pictures::defective(1, 72, 56));
    let arguments = ["predict", "модель.dfm", "новые", "--maps", "χάρτες", "--format", "json"];
    assert_eq!(dfm.run(&arguments).expect_code(1).paths(), ["новые/ünï 😀.png"]);
    let maps = files_below(&dfm.path("χάρτες"));
    let names: Vec<_> = maps.iter().map(|map| map.file_name().unwrap().to_string_lossy()).collect();
    assert_eq!(names, ["dfm-legend.png", "ünï 😀.png-heatmap.png", "ünï 😀.png-overlay.png"]);
}

#[cfg(unix)]
#[test]
fn a_picture_that_cannot_be_opened_is_reported() {
    let dfm = program();
    dfm.fit_small();
    dfm.save("new/a.png", &pictures::good(3, 72, 56));
    std::os::unix::fs::symlink("gone.png", dfm.path("new/b.png")).unwrap();
    let said = ["b.png", "cannot open"];
    let run = dfm.run(&["predict", "model.dfm", "new", "--format", "json"]).expect_code(2).expect_said(&said);
    assert_eq!(run.paths(), ["new/a.png"]);
    let features = ["features", "new", "-o", "rows.safetensors", "--model", "model.dfm"];
    let run = dfm.run(&features).expect_code(2).expect_said(&said);
    assert!(run.out.contains("1 rows"), "{}", run.out);
    dfm.run(&["features", "new/b.png", "-o", "none.safetensors", "--model", "model.dfm"]).expect_code(2);
    assert!(!dfm.path("none.safetensors").exists());
}

/// Weights that are finite and make features that are not: the last bias is as large
/// as an `f32` can be, and something is added to it.
fn save_overflowing_weights(dfm: &Program) {
    let architecture = Architecture::known("resnet18").unwrap();
    let input = InputContract::imagenet().with_size(64, 64);
    let weights = BackboneWeights::random(architecture, Layer::named("layer1"), input, 0).unwrap();
    let mut values = weights.values().to_vec();
    values.first_mut().unwrap().iter_mut().for_each(|value| *value *= 1e34);
    values.last_mut().unwrap().fill(f32::MAX);
    let weights = BackboneWeights::new(weights.header().clone(), values).unwrap();
    fs::write(dfm.path("overflowing.safetensors"), weights.to_bytes().unwrap()).unwrap();
}

#[test]
fn features_that_are_not_finite_name_their_picture_and_are_left_out() {
    let dfm = program();
    dfm.save("good/a.png", &pictures::good(0, 72, 56));
    dfm.save("good/b.png", &pictures::good(1, 72, 56));
    save_overflowing_weights(&dfm);
    let mut arguments = SMALL;
    arguments[3] = "overflowing.safetensors";
    let run = |command: &[&str]| dfm.run(&[command, &arguments[..], &["--device", "flex"]].concat());
    for command in [&["fit", "good", "-o", "m.dfm"][..], &["features", "good", "-o", "rows.safetensors"]] {
        run(command).expect_code(2).expect_said(&["a.png: its features are not finite", "b.png"]);
    }
    assert!(!dfm.path("m.dfm").exists() && !dfm.path("rows.safetensors").exists());
}

#[test]
fn a_fit_can_leave_out_pictures_whose_features_are_not_finite() {
    let device = dfm_core::device::parse("flex").unwrap();
    let params = Method::published().with_taps(vec![Layer::named("layer1").pooled(4)]).check().unwrap();
    let extractor = || {
        let input = InputContract::imagenet().with_size(64, 64);
        let architecture = Architecture::known("resnet18").unwrap();
        let weights = BackboneWeights::random(architecture, Layer::named("layer1"), input, 0).unwrap();
        params.extractor(weights, &device).unwrap()
    };
    let preprocessor = extractor().preprocessor();
    let good: Vec<_> =
        (0..9).map(|seed| preprocessor.prepare(pictures::good(seed, 64, 64)).unwrap()).collect();
    let mut with_bad = good.clone();
    with_bad.insert(4, good[0].clone());
    // As large as a pixel can be: sums of them are not finite.
    with_bad[4].pixels.fill(f32::MAX);
    let mut refused = Vec::new();
    let model = params.fit_each(extractor(), pieces(with_bad.clone()), |learnt| {
        match learnt {
            Learnt::NotFinite(piece, _) => refused.push(piece.number),
            Learnt::LeftOut(number) => assert_eq!(refused, [number]),
            _ => {}
        }
        Ok(())
    });
    assert_eq!(refused, [4]);
    let hashes = |model: &Dfm| model.fit_statistics().unwrap().1.to_vec();
    let without = fit_prepared(&params, extractor(), good).unwrap();
    assert_eq!(hashes(&model.unwrap()), hashes(&without));
    let error = fit_prepared(&params, extractor(), with_bad).unwrap_err();
    assert!(matches!(error, DfmError::NonFiniteFeatures { picture: 4 }), "{error}");
}

#[test]
fn the_threshold_given_to_fit_is_the_models_and_evaluate_can_move_it() {
    let dfm = program();
    dfm.save_good();
    dfm.save_dataset();
    let fit = ["fit", "good", "-o", "model.dfm", "--threshold", "-2.5"];
    dfm.run(&[&fit, SMALL.as_slice()].concat()).expect_code(0);
    assert_eq!(dfm.run(&["info", "model.dfm", "--format", "json"]).json()[0]["threshold"], -2.5);
    dfm.run(&["predict", "model.dfm", "good/00.png"]).expect_code(1);
    let evaluate = |threshold: &[&str]| {
        let arguments = [&["evaluate", "model.dfm", "data", "--format", "json"], threshold].concat();
        dfm.run(&arguments).expect_code(0).json().remove(0)
    };
    let all = evaluate(&[]);
    assert_eq!(all["confusion"]["false_positives"], 4);
    let none = evaluate(&["--threshold", "1e12"]);
    assert_eq!(
        (none["threshold"].clone(), none["confusion"]["true_positives"].clone()),
        (1e12.into(), 0.into())
    );
    assert_eq!(none["image_auroc"], all["image_auroc"]);
}

#[test]
fn a_slim_model_gives_features_with_its_weights() {
    let dfm = program();
    dfm.save_good();
    let embedded = ["--layer", "layer1", "--size", "64"];
    dfm.run(&[&["fit", "good", "-o", "slim.dfm", "--slim"], &embedded[..]].concat()).expect_code(0);
    let arguments = ["features", "good", "-o", "rows.safetensors", "--model", "slim.dfm"];
    dfm.run(&arguments).expect_code(0);
    dfm.run(&[&arguments[..], &["--weights", "embedded"]].concat()).expect_code(0);
    dfm.run(&[&arguments[..], &["--pool", "2"]].concat()).expect_code(2).expect_said(&["--pool", "--model"]);
}
