//! What the program must reach on real photographs, by the program itself.
//!
//! The pictures may be used but not passed on, so they are not part of the
//! project: `DFM_TEST_DATA` names a folder that holds `magnetic_tile`, with
//! `train/good`, `test/<kind>` and `ground_truth/<kind>` inside. Without it
//! these tests say so and check nothing.
#![allow(clippy::print_stdout, reason = "a suite")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use dfm_tests::devices;
use dfm_tests::tolerance::assert_close;
use serde_json::Value;

/// Where the pictures are, if they are here.
///
/// # Panics
///
/// If the variable is set and the folder is not what it should be.
fn magnetic_tile() -> Option<PathBuf> {
    let Some(root) = std::env::var_os("DFM_TEST_DATA").map(PathBuf::from) else {
        println!("acceptance: not run: DFM_TEST_DATA names no folder with magnetic_tile");
        return None;
    };
    let candidates = [root.join("magnetic_tile"), root.join("data/magnetic_tile")];
    let found = candidates.iter().find(|candidate| candidate.join("train/good").is_dir());
    Some(found.unwrap_or_else(|| panic!("{}: holds no magnetic_tile/train/good", root.display())).clone())
}

fn dfm(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_dfm-under-test"))
        .args(arguments)
        .output()
        .expect("the program runs");
    let code = output.status.code().expect("an exit code");
    assert!(code < 2, "dfm {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    (code, String::from_utf8(output.stdout).expect("UTF-8"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// A folder that lives as long as the test program.
static SCRATCH: LazyLock<tempfile::TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("a scratch folder"));

/// Image and pixel AUROC on the tiles of a fit with these flags.
fn figures(data: &Path, name: &str, more: &[&str]) -> [f64; 2] {
    let model = SCRATCH.path().join(name);
    dfm(&[&["fit", text(&data.join("train/good")), "-o", text(&model)], more].concat());
    let (_, report) = dfm(&["evaluate", text(&model), text(data), "--format", "json"]);
    let report: Value = serde_json::from_str(&report).expect("one JSON object");
    let figures = ["image_auroc", "pixel_auroc"].map(|name| report[name].as_f64().expect(name));
    println!("{more:?}: image AUROC {:.4}, pixel AUROC {:.4}", figures[0], figures[1]);
    figures
}

#[test]
fn default_settings_reach_the_stated_figures_on_magnetic_tiles() {
    let Some(data) = magnetic_tile() else { return };
    let [image, pixel] = figures(&data, "tiles.dfm", &[]);
    // What docs/accuracy.md promises of them.
    assert!(image >= 0.960 && pixel >= 0.940, "image AUROC {image}, pixel AUROC {pixel}");
}

#[test]
fn shares_of_the_norm_reach_the_stated_figures_on_magnetic_tiles() {
    let Some(data) = magnetic_tile() else { return };
    let [image, pixel] = figures(&data, "relative.dfm", &["--aggregate", "relative"]);
    // The best of the settings on these tiles, though not on other data sets.
    assert!(image >= 0.972 && pixel >= 0.944, "image AUROC {image}, pixel AUROC {pixel}");
}

#[test]
fn the_method_as_published_reaches_what_others_measure_on_magnetic_tiles() {
    let Some(data) = magnetic_tile() else { return };
    let published = ["--layer", "layer3", "--resize", "stretch", "--aggregate", "sum"];
    let [image, pixel] = figures(&data, "published.dfm", &published);
    // An independent run of the method gives 0.968 and 0.9335 on this split.
    assert!(image >= 0.965 && pixel >= 0.930, "image AUROC {image}, pixel AUROC {pixel}");
}

#[test]
fn int8_costs_at_most_what_is_promised_on_magnetic_tiles() {
    let Some(data) = magnetic_tile() else { return };
    for layers in ["layer3", "layer2,layer3"] {
        let [exact, int8] = ["f32", "int8"].map(|precision| {
            let flags = ["--layer", layers, "--precision", precision];
            figures(&data, &format!("tiles-{precision}.dfm"), &flags)
        });
        for (exact, int8) in exact.into_iter().zip(int8) {
            // The limit below which int8 is offered: see docs/benchmarks.md.
            assert!(exact - int8 <= 0.003, "{layers}: {exact} in f32, {int8} in int8");
        }
    }
}

#[test]
fn a_dozen_magnetic_tiles_score_the_same_on_every_device() {
    let Some(data) = magnetic_tile() else { return };
    let folder = SCRATCH.path().join("few");
    for (part, kind, count) in [
        ("train", "good", 24),
        ("test", "good", 3),
        ("test", "blowhole", 3),
        ("test", "break", 3),
        ("test", "crack", 3),
    ] {
        let mut files: Vec<PathBuf> = std::fs::read_dir(data.join(part).join(kind))
            .expect(kind)
            .map(|entry| entry.expect(kind).path())
            .collect();
        files.sort();
        assert!(files.len() >= count, "{part}/{kind} holds {} pictures", files.len());
        std::fs::create_dir_all(folder.join(part)).expect("a folder");
        for file in &files[..count] {
            let name = format!("{kind}-{}", file.file_name().expect("a name").to_string_lossy());
            std::fs::copy(file, folder.join(part).join(name)).expect("a copy");
        }
    }
    let (train, test) = (folder.join("train"), folder.join("test"));
    let names: Vec<String> = devices::available().into_iter().map(|(name, _)| name).collect();
    let model = |fitted_on: &str| folder.join(format!("{fitted_on}.dfm"));
    for name in &names {
        // Small pictures: a software GPU takes minutes for what a real one does at once.
        let small = ["--size", "96", "--pool", "2", "--device", name];
        dfm(&[&["fit", text(&train), "-o", text(&model(name))], &small[..]].concat());
    }
    let scores = |fitted_on: &str, device: &str| -> Vec<f64> {
        let model = model(fitted_on);
        let arguments = ["predict", text(&model), text(&test), "--format", "json", "--device", device];
        let (_, lines) = dfm(&arguments);
        let score = |line: &str| {
            serde_json::from_str::<Value>(line).expect("JSON")["score"].as_f64().expect("a score")
        };
        lines.lines().map(score).collect()
    };
    let expected = scores("flex", "flex");
    for fitted_on in &names {
        for device in &names {
            let scores = scores(fitted_on, device);
            assert_eq!((scores.len(), expected.len()), (12, 12), "fitted on {fitted_on}, judged on {device}");
            for (actual, expected) in scores.into_iter().zip(&expected) {
                // f32 on both sides; they differ by about 1e-6.
                assert_close(&format!("fitted on {fitted_on}, judged on {device}"), actual, *expected, 1e-4);
            }
        }
    }
}
