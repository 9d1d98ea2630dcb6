//! The whole program, as a user runs it.

use std::fs;

use dfm_backbone::{BackboneWeights, InputContract, Layer, ResNet};
use dfm_tests::pictures;
use dfm_tests::program::{Program, SMALL, files_below};
use dfm_tests::tolerance::assert_close;
use serde_json::Value;

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_dfm-under-test"))
}

#[test]
fn predict_exits_0_when_all_is_normal_and_1_when_something_is_not() {
    let dfm = program();
    dfm.fit_small();
    dfm.save("new/a.png", &pictures::good(3, 72, 56));
    dfm.run(&["predict", "model.dfm", "new"]).expect_code(0);
    dfm.save("new/b.png", &pictures::defective(50, 72, 56));
    let table = dfm.run(&["predict", "model.dfm", "new"]).expect_code(1).out;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[1].contains("normal") && lines[1].ends_with("a.png"), "{table}");
    assert!(lines[2].contains("anomalous") && lines[2].ends_with("b.png"), "{table}");
}

#[test]
fn a_broken_picture_is_reported_and_the_rest_is_judged() {
    let dfm = program();
    dfm.fit_small();
    dfm.save("new/a.png", &pictures::good(1, 72, 56));
    fs::write(dfm.path("new/b.png"), b"no picture").unwrap();
    dfm.save("new/c.png", &pictures::defective(2, 72, 56));
    // An error outranks what is anomalous.
    let run =
        dfm.run(&["predict", "model.dfm", "new", "--format", "json"]).expect_code(2).expect_said(&["b.png"]);
    assert_eq!(run.scores().len(), 2);
}

#[test]
fn fit_leaves_broken_pictures_out_and_says_so() {
    let dfm = program();
    dfm.save_good();
    fs::write(dfm.path("good/05.png"), b"no picture").unwrap();
    let fit =
        |more: &[&str]| dfm.run(&[&["fit", "good", "-o", "model.dfm"], SMALL.as_slice(), more].concat());
    let run = fit(&[]).expect_code(2).expect_said(&["05.png", "not a picture"]);
    assert!(run.out.contains("11 pictures"), "{}", run.out);
    dfm.run(&["info", "model.dfm"]).expect_code(0);
    fit(&["--skip-bad"]).expect_code(0).expect_said(&["05.png"]);
}

#[test]
fn predict_writes_one_json_line_a_picture() {
    let dfm = program();
    dfm.fit_small();
    dfm.save("new/grün/é.png", &pictures::good(7, 72, 56));
    dfm.save("new/z.jpg", &pictures::defective(8, 72, 56));
    let run = dfm.run(&["predict", "model.dfm", "new", "--format", "json"]).expect_code(1);
    let lines = run.json();
    assert_eq!(lines.len(), 2);
    for line in &lines {
        let number = |key: &str| line[key].as_f64().unwrap_or_else(|| panic!("{key}: {line}"));
        let normalized = number("normalized_score");
        assert!(normalized > 0.0 && normalized < 1.0);
        let label = if number("score") >= number("threshold") { "anomalous" } else { "normal" };
        assert_eq!(line["label"], label);
    }
    assert_eq!(run.paths(), ["new/grün/é.png", "new/z.jpg"]);
}

#[test]
fn predict_writes_csv() {
    let dfm = program();
    dfm.fit_small();
    let csv = dfm.run(&["predict", "model.dfm", "good/00.png", "--format", "csv"]).out;
    let lines: Vec<&str> = csv.lines().collect();
    let columns = "path,score,normalized_score,label,threshold,p_value,calibration,guarantee,pixel_threshold,\
                   regions,unusual_size,review_from,contradiction,heatmap,overlay,mask,raw_map";
    assert_eq!(lines[0], columns);
    assert!(lines[1].starts_with("good/00.png,"), "{csv}");
}

#[test]
fn files_folders_and_patterns_can_be_mixed() {
    let dfm = program();
    dfm.fit_small();
    let run =
        dfm.run(&["predict", "model.dfm", "good/0[0-2].png", "good/05.png", "good", "--format", "json"]);
    let paths = run.paths();
    assert_eq!(paths.len(), 3 + 1 + 12);
    assert_eq!(paths[..4], ["good/00.png", "good/01.png", "good/02.png", "good/05.png"]);
}

#[test]
fn the_threshold_can_be_moved() {
    let dfm = program();
    dfm.fit_small();
    let judge = |threshold: &str| dfm.run(&["predict", "model.dfm", "good/00.png", "--threshold", threshold]);
    judge("1e12").expect_code(0);
    judge("-1").expect_code(1);
    judge("-1e-7").expect_code(1);
    judge("nan").expect_code(2).expect_said(&["threshold"]);
    judge("-q").expect_code(2).expect_said(&["'-q'", "--threshold", "expected a finite number"]);
}

#[test]
fn maps_have_the_size_of_their_picture_and_never_overwrite_each_other() {
    let dfm = program();
    dfm.fit_small();
    for name in ["new/a/x.png", "new/b/x.png", "new/b/x.bmp"] {
        dfm.save(name, &pictures::defective(5, 90, 41));
    }
    dfm.run(&["predict", "model.dfm", "new", "--maps", "maps"]).expect_code(1);
    let maps = files_below(&dfm.path("maps"));
    assert_eq!(maps.len(), 6 + 1, "{maps:?}");
    for map in maps.into_iter().filter(|map| !map.ends_with("dfm-legend.png")) {
        assert_eq!(image::open(&map).unwrap().into_rgb8().dimensions(), (90, 41), "{}", map.display());
    }
}

#[test]
fn neither_threads_nor_jobs_nor_batch_change_a_score() {
    let dfm = program();
    dfm.fit_small();
    let scores = |more: &[&str]| {
        dfm.run(&[&["predict", "model.dfm", "good", "--format", "json"], more].concat()).scores()
    };
    let expected = scores(&[]);
    for more in [&["--threads", "1"][..], &["--threads", "3", "--jobs", "1"], &["--jobs", "7"]] {
        assert_eq!(scores(more), expected, "{more:?}");
    }
    dfm.run(&[&["fit", "good", "-o", "model.dfm", "--batch", "5"], SMALL.as_slice()].concat()).expect_code(0);
    for (actual, expected) in scores(&[]).into_iter().zip(expected) {
        // Another batch, the same sums in f32.
        assert_close("score", actual, expected, 2e-5);
    }
}

#[test]
fn the_same_pictures_give_the_same_model_bytes() {
    let dfm = program();
    dfm.fit_small();
    let first = fs::read(dfm.path("model.dfm")).unwrap();
    dfm.run(&[&["fit", "good", "-o", "again.dfm"], SMALL.as_slice()].concat()).expect_code(0);
    assert!(first == fs::read(dfm.path("again.dfm")).unwrap());
}

#[test]
fn a_model_can_be_lean_and_slim() {
    let dfm = program();
    dfm.fit_small();
    let fit =
        |more: &[&str]| dfm.run(&[&["fit", "good", "-o", "other.dfm"], SMALL.as_slice(), more].concat());
    let size = |name: &str| fs::metadata(dfm.path(name)).unwrap().len();
    fit(&["--no-update"]).expect_code(0);
    assert!(size("other.dfm") < size("model.dfm"));
    assert_eq!(dfm.run(&["info", "other.dfm", "--format", "json"]).json()[0]["updatable"], false);
    fit(&["--slim"]).expect_code(0);
    assert!(size("other.dfm") < size("model.dfm"));
}

#[test]
fn info_tells_what_fit_was_told() {
    let dfm = program();
    dfm.save_good();
    let arguments =
        ["fit", "good", "-o", "m.dfm", "--pca", "3", "--score", "nll", "--pool", "2", "--seed", "9"];
    dfm.run(&[&arguments, SMALL.as_slice()].concat()).expect_code(0);
    let info = dfm.run(&["info", "m.dfm", "--format", "json"]).expect_code(0).json().remove(0);
    assert_eq!(info["taps"][0]["components"], 3);
    assert_eq!(info["record"]["params"]["score"], "nll");
    assert_eq!(info["record"]["params"]["taps"][0]["pool"], 2);
    assert_eq!(info["record"]["picture_count"], 12);
    assert_eq!(info["source"], "random, seed 9");
    assert_eq!(info["total_bytes"], fs::metadata(dfm.path("m.dfm")).unwrap().len());
    let table = dfm.run(&["info", "m.dfm"]).expect_code(0).out;
    assert!(table.contains("resnet18 up to layer1, pool 2"), "{table}");
    let several = ["fit", "good", "-o", "m.dfm", "--pca", "3", "--layer", "layer2,layer1", "--pool", "4,2"];
    let said = dfm.run(&[&several, &SMALL[..4]].concat()).expect_code(0).out;
    assert!(said.contains("layer1: 12 pictures, 3 components") && said.contains("layer2: 12"), "{said}");
    let info = dfm.run(&["info", "m.dfm", "--format", "json"]).expect_code(0).json().remove(0);
    assert_eq!((&info["taps"][0]["layer"], &info["taps"][1]["layer"]), (&"layer1".into(), &"layer2".into()));
    assert_eq!((&info["taps"][0]["pool"], &info["taps"][1]["pool"]), (&2.into(), &4.into()));
    let table = dfm.run(&["info", "m.dfm"]).expect_code(0).out;
    assert!(table.contains("up to layer1, pool 2 and layer2, pool 4"), "{table}");
}

#[test]
fn evaluate_measures_a_data_set() {
    let dfm = program();
    dfm.fit_small();
    dfm.save_dataset();
    let report =
        dfm.run(&["evaluate", "model.dfm", "data", "--format", "json"]).expect_code(0).json().remove(0);
    assert_eq!(report["image_auroc"], 1.0);
    assert!(report["pixel_auroc"].as_f64().unwrap() > 0.9, "{report}");
    assert_eq!(report["pictures"], 8);
    assert_eq!(report["classes"]["square"]["called_anomalous"], 4);
    assert!(report["threshold"].is_f64() && report["best_f1"]["f1"].is_f64());
    let pixels = &report["pixel_confusion"];
    let count = |name: &str| pixels[name].as_u64().unwrap_or_else(|| panic!("{name} in {report}"));
    let (found, missed) = (count("true_positives"), count("false_negatives"));
    let others = count("false_positives") + count("true_negatives");
    assert!(found > missed && found + missed + others == 8 * 72 * 56, "{report}");
    let table = dfm.run(&["evaluate", "model.dfm", "data", "--threads", "1"]).expect_code(0).out;
    assert!(table.contains("image AUROC") && table.contains("square"), "{table}");
    assert!(table.contains("of those with defects found"), "{table}");
}

#[test]
fn evaluate_counts_what_it_could_not_use() {
    let dfm = program();
    dfm.fit_small();
    dfm.save_dataset();
    fs::remove_file(dfm.path("data/ground_truth/square/0_mask.png")).unwrap();
    fs::write(dfm.path("data/test/good/1.png"), b"no picture").unwrap();
    dfm.save("data/ground_truth/square/1_mask.png", &pictures::good(1, 10, 10));
    let run = dfm.run(&["evaluate", "model.dfm", "data", "--format", "json"]).expect_code(2);
    let report = run.json().remove(0);
    assert_eq!((report["pictures"].clone(), report["errors"].clone()), (7.into(), 2.into()));
    assert_eq!(report["without_mask"], 1);
    run.expect_said(&["1_mask.png", "72×56"]);
}

#[test]
fn features_are_rows_with_the_names_of_their_pictures() {
    let dfm = program();
    dfm.fit_small();
    dfm.run(&["features", "good", "-o", "a.safetensors", "--model", "model.dfm"]).expect_code(0);
    let same = ["features", "good", "-o", "b.safetensors", "--resize", "mirror", "--resampling", "floats"];
    dfm.run(&[&same, SMALL.as_slice()].concat()).expect_code(0);
    let bytes = fs::read(dfm.path("a.safetensors")).unwrap();
    assert!(bytes == fs::read(dfm.path("b.safetensors")).unwrap(), "the model's network is another");
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let entry = &metadata.metadata().as_ref().unwrap()["dfm-features"];
    let description: Value = serde_json::from_str(entry).unwrap();
    assert_eq!(description["paths"][11].as_str().unwrap().replace('\\', "/"), "good/11.png");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    // resnet18's layer1 at 64 pixels is 64×16×16, pooled by 4.
    assert_eq!(tensors.tensor("features").unwrap().shape(), [12, 64 * 4 * 4]);
}

#[test]
fn features_of_several_layers_are_those_of_each() {
    let dfm = program();
    dfm.save_good();
    let rows = |layer: &str, pool: &str, file: &str| {
        let network = ["--backbone", "resnet18", "--weights", "random", "--size", "64"];
        let tapped = ["features", "good/00.png", "-o", file, "--layer", layer, "--pool", pool];
        dfm.run(&[&tapped[..], &network].concat()).expect_code(0);
        let bytes = fs::read(dfm.path(file)).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        tensors.tensor("features").unwrap().data().to_vec()
    };
    let together = rows("layer3,layer1", "2,4", "both.safetensors");
    assert!(
        together == [rows("layer1", "4", "a.safetensors"), rows("layer3", "2", "b.safetensors")].concat()
    );
    let bytes = fs::read(dfm.path("both.safetensors")).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let entry = &metadata.metadata().as_ref().unwrap()["dfm-features"];
    let description: Value = serde_json::from_str(entry).unwrap();
    assert_eq!((&description["layer"], &description["pool"]), (&"layer3".into(), &2.into()));
    let first = serde_json::json!({"channels": 64, "height": 4, "width": 4});
    assert_eq!(description["taps"][0]["feature_shape"], first);
    let refused = |more: &[&str], words: &str| {
        dfm.run(&[more, &SMALL[..4]].concat()).expect_code(2).expect_said(&[words]);
    };
    refused(&["features", "good", "-o", "c", "--layer", "layer1,layer1"], "each once");
    refused(&["features", "good", "-o", "c", "--layer", "layer1,layer2", "--pool", "1,2,3"], "--pool");
    let likelihood = ["fit", "good", "-o", "c", "--layer", "layer1,layer2", "--score", "nll"];
    refused(&likelihood, "several layers");
}

#[test]
fn devices_are_listed_and_unknown_ones_refused() {
    let dfm = program();
    let devices = dfm.run(&["devices", "--format", "json"]).expect_code(0).json();
    assert!(
        devices.iter().any(|device| device["name"] == "cpu" && device["available"] == true),
        "{devices:?}"
    );
    dfm.fit_small();
    let on = |device: &str| dfm.run(&["predict", "model.dfm", "good/00.png", "--device", device]);
    on("flex").expect_code(0);
    on("tpu").expect_code(2).expect_said(&["unknown device 'tpu'", "cpu"]);
    on("wgpu:99").expect_code(2).expect_said(&["wgpu:99"]);
}

#[test]
fn bench_measures_and_checks() {
    let dfm = program();
    let arguments = ["bench", "--arch", "resnet18", "--layer", "layer2", "--size", "64x48", "--rounds", "2"];
    let run = dfm.run(&[&arguments[..], &["--batch", "2", "--format", "json"]].concat()).expect_code(0);
    let line = run.json().remove(0);
    assert_eq!(line["size"], serde_json::json!([64, 48]));
    for figure in ["min_ms", "median_ms", "gflops"] {
        assert!(line[figure].as_f64().is_some_and(|value| value > 0.0), "{figure}: {line}");
    }
    assert!(line["relative_l2"].as_f64().is_some_and(|distance| distance < 2e-5), "{line}");
    assert_eq!(line["engine"], "kernels");
    // A transformer, on both engines.
    let transformer = ["bench", "--arch", "vit_tiny_patch16_224", "--layer", "blocks.1", "--size", "64"];
    for (device, engine, words) in [("cpu", "kernels", "by our own kernels"), ("flex", "burn", "by Burn")] {
        let arguments = [&transformer[..], &["--rounds", "1", "--device", device]].concat();
        let line = dfm.run(&[&arguments[..], &["--format", "json"]].concat()).expect_code(0).json().remove(0);
        assert_eq!(line["engine"], engine, "{line}");
        let text = dfm.run(&arguments).expect_code(0).out;
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn completions_weights_and_help_are_printed() {
    let dfm = program();
    for (shell, word) in [
        ("bash", "_dfm()"),
        ("elvish", "edit:completion"),
        ("fish", "complete -c dfm"),
        ("powershell", "Register-ArgumentCompleter"),
        ("zsh", "#compdef dfm"),
    ] {
        assert!(dfm.run(&["completions", shell]).expect_code(0).out.contains(word), "{shell}");
    }
    dfm.run(&["completions", "cmd"]).expect_code(2).expect_said(&["bash"]);
    assert!(dfm.run(&["weights", "list"]).expect_code(0).out.contains("wide_resnet50_2"));
    let notices = dfm.run(&["weights", "notices"]).expect_code(0).out;
    for holder in ["Yahoo", "Sector Labs"] {
        // Twice: in our line, and in the licence's own copyright.
        assert!(notices.matches(holder).count() >= 2, "{holder}: {notices}");
    }
    assert!(notices.contains("THIS SOFTWARE IS PROVIDED"), "{notices}");
    assert!(dfm.run(&["--help"]).expect_code(0).out.contains("predict"));
    dfm.run(&["fit"]).expect_code(2);
}

#[test]
fn weights_of_our_own_format_name_their_network() {
    let dfm = program();
    dfm.save_good();
    // No known name.
    let architecture = ResNet { name: "mine".to_owned(), ..ResNet::known("resnet18").unwrap() };
    let input = InputContract::imagenet().with_size(64, 64);
    let weights = BackboneWeights::random(architecture, Layer::named("layer1"), input, 1).unwrap();
    fs::write(dfm.path("mine.safetensors"), weights.to_bytes().unwrap()).unwrap();
    let fit = |more: &[&str]| {
        let common = ["fit", "good", "-o", "m.dfm", "--weights", "mine.safetensors", "--layer", "layer1"];
        dfm.run(&[&common, more].concat())
    };
    fit(&[]).expect_code(0);
    let info = dfm.run(&["info", "m.dfm"]).expect_code(0);
    assert!(info.out.contains("mine"), "{}", info.out);
    fit(&["--backbone", "resnet34"])
        .expect_code(2)
        .expect_said(&["these weights are for 'mine', not for 'resnet34'", "ask for 'mine'"]);
    fit(&["--backbone", "mine"])
        .expect_code(2)
        .expect_said(&["expected one of", "weights of our own format name their network themselves"]);
    let other = dfm_tests::golden::path("backbone/tiny.safetensors");
    let run = dfm.run(&["fit", "good", "-o", "m.dfm", "--weights", other.to_str().unwrap()]);
    run.expect_code(2).expect_said(&["--backbone"]);
}

#[test]
fn devices_that_cannot_be_used_are_refused_with_what_to_do() {
    let dfm = program();
    dfm.fit_small();
    let predict = |device: &str| dfm.run(&["predict", "model.dfm", "good/00.png", "--device", device]);
    predict("tpu").expect_code(2).expect_said(&["unknown device 'tpu'", "wgpu:N"]);
    if !cfg!(feature = "wgpu") {
        predict("wgpu").expect_code(2).expect_said(&["not compiled in", "--features wgpu"]);
    } else {
        predict("wgpu:999").expect_code(2).expect_said(&["'wgpu:999' has no adapter"]);
    }
}

#[test]
fn scores_and_aggregations_are_recorded_and_what_does_not_go_together_is_refused() {
    let dfm = program();
    dfm.save_good();
    let fit =
        |more: &[&str]| dfm.run(&[&["fit", "good", "-o", "model.dfm"], SMALL.as_slice(), more].concat());
    for (flags, shown) in [
        (&["--aggregate", "top:25%"][..], "fre, top:25% of the cells"),
        (&["--score", "mahalanobis"], "mahalanobis"),
        (&["--compat", "anomalib", "--pca", "0.99"], "fre as anomalib's"),
    ] {
        fit(flags).expect_code(0);
        assert!(dfm.run(&["info", "model.dfm"]).expect_code(0).out.contains(shown), "{flags:?}");
        let maps = ["predict", "model.dfm", "good", "--maps", "maps", "--format", "json"];
        let run = dfm.run(&maps);
        assert!(run.code < 2 && run.scores().len() == 12, "{run:?}");
    }
    fit(&["--score", "nll", "--aggregate", "max"]).expect_code(2).expect_said(&["aggregation", "fre"]);
    fit(&["--score", "nll", "--compat", "anomalib"]).expect_code(2).expect_said(&["score", "TypeError"]);
    fit(&["--aggregate", "top:0%"]).expect_code(2).expect_said(&["top:P%"]);
}
