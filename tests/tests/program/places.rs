//! The program with statistics by position: every command, and files that lie about places.

use std::sync::LazyLock;

use dfm_core::{Dfm, DfmError, LoadOptions, ModelFileError, ModelInfo};
use dfm_tests::model_file::ModelFile;
use dfm_tests::models::flex;
use dfm_tests::pictures;
use dfm_tests::program::{Finished, Program, SMALL};
use safetensors::tensor::Dtype;

/// Six places in pictures of 150 × 100 pixels.
const BY_POSITION: [&str; 4] = ["--tile", "64", "--tile-statistics", "position"];

/// Twelve good pictures of one size, and two to judge.
fn program() -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    for seed in 0..12 {
        dfm.save(&format!("good/{seed:02}.png"), &pictures::good(seed, 150, 100));
    }
    dfm.save("new/a.png", &pictures::good(100, 150, 100));
    dfm.save("new/c.png", &pictures::defective(101, 150, 100));
    dfm
}

fn fit(dfm: &Program, model: &str, more: &[&str]) -> Finished {
    dfm.run(&[&["fit", "good", "-o", model], SMALL.as_slice(), &BY_POSITION, more].concat())
}

fn scores(dfm: &Program, model: &str) -> Vec<f64> {
    // One of the two is anomalous.
    dfm.run(&["predict", model, "new", "--format", "json"]).expect_code(1).scores()
}

#[test]
fn a_fit_by_position_is_judged_shown_and_described() {
    let dfm = program();
    let out = fit(&dfm, "places.dfm", &["--batch", "4"]).expect_code(0).out;
    assert!(out.contains("12 pictures at 6 places"), "{out}");
    let table = dfm.run(&["info", "places.dfm"]).expect_code(0).out;
    assert!(table.contains("statistics by position: 6 places in pictures of 150×100 pixels"), "{table}");
    assert_eq!(table.matches("varying in").count(), 1, "{table}");
    let info = dfm.run(&["info", "places.dfm", "--format", "json"]).expect_code(0).json().remove(0);
    assert_eq!(info["record"]["params"]["tile_statistics"]["position"]["width"], 150);
    assert_eq!(info["calibration"]["kind"], "leave-one-out");
    for (place, tap) in info["taps"].as_array().unwrap().iter().enumerate() {
        assert_eq!((&tap["tile"], &tap["layer"]), (&place.into(), &"layer1".into()));
    }
    let run = dfm.run(&["predict", "places.dfm", "new", "--format", "json", "--maps", "maps"]).expect_code(1);
    let judged = run.scores();
    assert!(judged[1] > judged[0], "{judged:?}");
    assert_eq!(run.json()[1]["label"], "anomalous");
    let overlay = image::open(dfm.path("maps/c.png-overlay.png")).unwrap();
    assert_eq!((overlay.width(), overlay.height()), (150, 100));
    let explained = dfm.run(&["explain", "places.dfm", "new", "--format", "json"]).expect_code(0).json();
    assert_eq!(explained[1]["score"].as_f64(), Some(judged[1]));
    assert!(explained[1]["layers"][0]["usual"].as_f64() > Some(0.0));
    // Other batches and threads.
    fit(&dfm, "again.dfm", &["--batch", "5", "--jobs", "1"]).expect_code(0);
    assert_eq!(scores(&dfm, "again.dfm"), judged);
}

#[test]
fn flags_of_a_fit_go_with_places() {
    let dfm = program();
    for more in [
        &["--calibrate", "split"][..],
        &["--threshold", "0.2"],
        &["--false-alarm", "0.1"],
        &["--val", "synthetic"],
        &["--val", "none"],
        &["--score", "mahalanobis"],
        &["--aggregate", "max"],
        &["--precision", "int8"],
        &["--slim", "--no-update"],
    ] {
        fit(&dfm, "model.dfm", more).expect_code(0);
        let judged = dfm.run(&["predict", "model.dfm", "new", "--format", "json"]).scores();
        assert!(judged[1] > judged[0], "{more:?}: {judged:?}");
    }
    let layers =
        ["--backbone", "resnet18", "--weights", "random", "--layer", "layer1,layer2", "--size", "64"];
    let run = dfm.run(&[&["fit", "good", "-o", "layers.dfm"], &layers[..], &BY_POSITION].concat());
    let out = run.expect_code(0).out;
    assert!(out.contains("layer2: 12 pictures at 6 places"), "{out}");
    let judged = scores(&dfm, "layers.dfm");
    assert!(judged[1] > judged[0], "{judged:?}");
    let table = dfm.run(&["info", "layers.dfm"]).expect_code(0).out;
    assert_eq!(table.matches("varying in").count(), 2, "{table}");
    fit(&dfm, "no.dfm", &["--calibrate", "jackknife+"])
        .expect_code(2)
        .expect_said(&["leave-one-out or split"]);
    fit(&dfm, "no.dfm", &["--score", "nll"]).expect_code(2).expect_said(&["fre or mahalanobis"]);
    let no_tiles = [&["fit", "good", "-o", "no.dfm"], SMALL.as_slice(), &BY_POSITION[2..]].concat();
    dfm.run(&no_tiles).expect_code(2).expect_said(&["--tile <PIXELS>"]);
}

#[test]
fn a_picture_of_another_size_costs_itself_alone() {
    let dfm = program();
    dfm.save("good/05a.png", &pictures::good(50, 72, 56));
    dfm.save("new/b.png", &pictures::good(51, 100, 150));
    let run = fit(&dfm, "places.dfm", &[]).expect_code(2);
    let run = run.expect_said(&["good/05a.png", "72×56", "expected 150×100", "leave it out, scale it"]);
    assert_eq!(run.err.matches("05a.png").count(), 1, "{}", run.err);
    assert!(run.out.contains("12 pictures at 6 places"), "{}", run.out);
    fit(&dfm, "places.dfm", &["--skip-bad"]).expect_code(0);
    let judge = |arguments: &[&str]| {
        dfm.run(arguments).expect_code(2).expect_said(&["new/b.png", "100×150", "expected 150×100"])
    };
    assert_eq!(
        judge(&["predict", "places.dfm", "new", "--format", "json"]).paths(),
        ["new/a.png", "new/c.png"]
    );
    assert_eq!(judge(&["explain", "places.dfm", "new", "--format", "json"]).json().len(), 2);
    judge(&["update", "places.dfm", "new", "-o", "more.dfm"]);
    let info = dfm.run(&["info", "more.dfm", "--format", "json"]).expect_code(0).json().remove(0);
    assert_eq!(info["record"]["picture_count"], 14);
    judge(&["drift", "places.dfm", "new"]);
}

#[test]
fn models_by_position_are_merged_updated_forgotten_audited_and_watched() {
    let dfm = program();
    fit(&dfm, "whole.dfm", &[]).expect_code(0);
    let expected = scores(&dfm, "whole.dfm");
    let near = |model: &str| {
        for (got, expected) in scores(&dfm, model).iter().zip(&expected) {
            // Directions and coordinates through `f32`, as files hold them.
            assert!((got / expected - 1.0).abs() < 1e-3, "{model}: {got} {expected}");
        }
    };
    std::fs::create_dir(dfm.path("more")).unwrap();
    for seed in 8..12 {
        let name = format!("{seed:02}.png");
        std::fs::rename(dfm.path("good").join(&name), dfm.path("more").join(&name)).unwrap();
    }
    fit(&dfm, "first.dfm", &[]).expect_code(0);
    dfm.run(&["update", "first.dfm", "more", "-o", "updated.dfm"]).expect_code(0);
    near("updated.dfm");
    let second = [&["fit", "more", "-o", "second.dfm"], SMALL.as_slice(), &BY_POSITION].concat();
    dfm.run(&second).expect_code(0);
    dfm.run(&["merge", "first.dfm", "second.dfm", "-o", "merged.dfm"]).expect_code(0);
    near("merged.dfm");
    dfm.save("bad/x.png", &pictures::defective(7, 150, 100));
    dfm.run(&["update", "updated.dfm", "bad"]).expect_code(0);
    let audit = dfm.run(&["audit", "updated.dfm", "--format", "json"]).expect_code(1).json().remove(0);
    assert_eq!((&audit["pictures"], &audit["worst"][0]["name"]), (&13.into(), &"x.png".into()));
    dfm.run(&["forget", "updated.dfm", "x.png"]).expect_code(0);
    near("updated.dfm");
    for seed in 200..208 {
        dfm.save(&format!("today/{seed}.png"), &pictures::good(seed, 150, 100));
    }
    let drift =
        dfm.run(&["drift", "updated.dfm", "today", "--format", "json"]).expect_code(0).json().remove(0);
    assert_eq!((&drift["pictures"], &drift["features"]), (&8.into(), &serde_json::json!([])));
    // Places of other pictures are other places.
    for seed in 0..3 {
        dfm.save(&format!("small/{seed}.png"), &pictures::good(seed, 150, 90));
    }
    let other = [&["fit", "small", "-o", "other.dfm"], SMALL.as_slice(), &BY_POSITION].concat();
    dfm.run(&other).expect_code(0);
    let merge = dfm.run(&["merge", "first.dfm", "other.dfm", "-o", "no.dfm"]);
    merge.expect_code(2).expect_said(&["parameters", "\"height\":90"]);
}

#[test]
fn a_data_set_is_evaluated_by_position() {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    dfm.save_good();
    dfm.save_dataset();
    let small = ["--tile", "40", "--tile-statistics", "position"];
    dfm.run(&[&["fit", "good", "-o", "model.dfm"], SMALL.as_slice(), &small].concat()).expect_code(0);
    let run = dfm.run(&["evaluate", "model.dfm", "data", "--format", "json"]).expect_code(0);
    let figures = run.json().remove(0);
    assert_eq!(figures["image"]["auroc"]["value"], 1.0, "{figures}");
}

#[test]
fn memory_is_shared_by_all_places() {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    for seed in 0..80 {
        dfm.save(&format!("good/{seed:02}.png"), &pictures::good(seed, 150, 100));
    }
    // A sixth of what one model of such rows takes.
    fit(&dfm, "no.dfm", &["--max-memory", "2MiB"]).expect_code(2).expect_said(&["2 MiB are allowed"]);
    let out = fit(&dfm, "tight.dfm", &["--max-memory", "12MiB", "--pca", "8"]).expect_code(0).out;
    assert!(out.contains("directions fitted into memory"), "{out}");
    fit(&dfm, "no.dfm", &["--max-memory", "12MiB", "--exact"]).expect_code(2).expect_said(&["12 MiB are"]);
}

/// A model of six places.
static MODEL: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let dfm = program();
    fit(&dfm, "model.dfm", &["--calibrate", "split"]).expect_code(0);
    std::fs::read(dfm.path("model.dfm")).unwrap()
});

fn model() -> ModelFile {
    ModelFile::open(&MODEL)
}

/// The one error that reading gives, whether for `dfm info` or to judge with.
fn refused(file: &ModelFile) -> ModelFileError {
    let bytes = file.close();
    let error = match Dfm::read(&mut bytes.as_slice(), LoadOptions::on(flex())) {
        Err(DfmError::Model(error)) => error,
        other => panic!("{other:?}"),
    };
    // What is wrong with numbers alone is no matter for `dfm info`.
    if let Err(told) = ModelInfo::read(&mut bytes.as_slice(), 1 << 30) {
        assert_eq!(told.to_string(), error.to_string());
    }
    error
}

#[test]
fn the_model_is_accepted_as_it_is() {
    let bytes = model().close();
    assert!(bytes == *MODEL, "taken apart and put together, it differs");
    Dfm::read(&mut bytes.as_slice(), LoadOptions::on(flex())).unwrap();
}

#[test]
fn pictures_of_more_places_than_there_are_statistics_are_refused() {
    for width in ["64", "250"] {
        let error = refused(&model().replace("\"width\":150", &format!("\"width\":{width}")));
        assert!(matches!(error, ModelFileError::Inconsistent { what: "record.taps", .. }), "{error}");
    }
}

#[test]
fn huge_counts_of_places_are_refused_before_memory_is_taken() {
    for (old, new, expected) in [
        ("\"width\":150", "\"width\":4294967295", "the limit is 10000"),
        ("\"side\":64,\"stride\":48", "\"side\":1,\"stride\":1", "the limit is 10000"),
        ("\"side\":64,\"stride\":48", "\"side\":4,\"stride\":4", "512 or fewer"),
    ] {
        let error = refused(&model().replace(old, new));
        assert!(matches!(error, ModelFileError::Content { part: "parameters", .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn places_without_tiles_are_refused() {
    let error = refused(&model().replace("\"tiling\":{\"side\":64,\"stride\":48},", ""));
    assert!(matches!(error, ModelFileError::Content { part: "parameters", .. }), "{error}");
}

#[test]
fn pictures_without_pixels_are_refused() {
    let error = refused(&model().replace("\"width\":150", "\"width\":0"));
    assert!(matches!(error, ModelFileError::Content { part: "parameters", .. }), "{error}");
}

#[test]
fn a_size_with_more_than_sides_is_refused() {
    let error = refused(&model().replace("\"width\":150", "\"depth\":3,\"width\":150"));
    assert!(matches!(error, ModelFileError::Header { .. }), "{error}");
}

#[test]
fn a_missing_tensor_of_a_place_is_named() {
    for missing in ["tile0.mean", "tile5.variances", "tile3.components", "tile4.coordinates", "usual_scores"]
    {
        let bytes = model().without(missing).close();
        let error = Dfm::read(&mut bytes.as_slice(), LoadOptions::on(flex())).unwrap_err();
        assert!(
            matches!(&error, DfmError::Model(ModelFileError::Tensor { tensor, .. }) if tensor == missing),
            "{error}"
        );
    }
}

#[test]
fn a_tensor_of_no_place_is_named() {
    for extra in ["tile6.mean", "tile00.mean", "mean", "tile0.layer1.mean", "layer1.mean"] {
        let error = refused(&model().with(extra, Dtype::F64, &[1], vec![0; 8]));
        assert!(matches!(&error, ModelFileError::Unknown { name, .. } if name == extra), "{error}");
    }
}

#[test]
fn usual_scores_that_are_none_are_refused() {
    let changed = [
        model().with_f64("usual_scores", |_, _| f64::NAN),
        model().with_f64("usual_scores", |place, usual| if place == 3 { -usual } else { usual }),
        model().with("usual_scores", Dtype::F64, &[5], vec![0; 40]),
        model().with("usual_scores", Dtype::F64, &[6, 1], vec![0; 48]),
    ];
    for file in changed {
        let error = refused(&file);
        assert!(
            matches!(&error, ModelFileError::Tensor { tensor, .. } if tensor == "usual_scores"),
            "{error}"
        );
    }
}

#[test]
fn the_self_test_covers_every_place() {
    let error = refused(&model().with("self_test.score", Dtype::F64, &[1], vec![0; 8]));
    assert!(
        matches!(&error, ModelFileError::Tensor { tensor, .. } if tensor == "self_test.score"),
        "{error}"
    );
    for place in 0..6 {
        let other = |index, score| if index == place { 1.001 * score } else { score };
        let error = refused(&model().with_f64("self_test.score", other));
        assert!(matches!(error, ModelFileError::SelfTest { quantity: "score", .. }), "{error}");
    }
    // What is usual at one place moves the scores of all.
    let error = refused(
        &model().with_f64("usual_scores", |place, usual| if place == 2 { 2.0 * usual } else { usual }),
    );
    assert!(matches!(error, ModelFileError::SelfTest { quantity: "score", .. }), "{error}");
}

#[test]
fn statistics_that_are_shared_have_no_places() {
    let position = "\"tile_statistics\":{\"position\":{\"width\":150,\"height\":100}},";
    let error = refused(&model().replace(position, ""));
    assert!(matches!(error, ModelFileError::Inconsistent { what: "record.taps", .. }), "{error}");
}
