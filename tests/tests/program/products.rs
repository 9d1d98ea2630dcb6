//! `dfm fit-all` and `dfm evaluate-all`: each row is a fit and an evaluation of its own.

use std::fs;

use dfm_tests::datasets::LAYOUTS;
use dfm_tests::pictures;
use dfm_tests::program::{Finished, Program, SMALL};
use serde_json::Value;

/// `root/data`, a data set; `root/plain`, a folder of good pictures; `root/empty`, neither.
fn program() -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    (LAYOUTS[0].write)(&dfm);
    fs::create_dir_all(dfm.path("root/empty")).unwrap();
    fs::rename(dfm.path("mvtec"), dfm.path("root/data")).unwrap();
    for seed in 0..6 {
        dfm.save(&format!("root/plain/{seed}.png"), &pictures::good(50 + seed, 72, 56));
    }
    dfm
}

fn fit_all(dfm: &Program, more: &[&str], code: i32) -> (Vec<Value>, Finished) {
    let flags = [&["fit-all", "root", "-o", "models", "--format", "json"], &SMALL[..], more].concat();
    let finished = dfm.run(&flags).expect_code(code);
    let rows = finished.json()[0]["products"].as_array().expect("rows").clone();
    (rows, finished)
}

fn statuses(rows: &[Value]) -> Vec<(&str, &str)> {
    rows.iter().map(|row| (row["product"].as_str().unwrap(), row["status"].as_str().unwrap())).collect()
}

#[test]
fn each_product_has_the_model_of_its_own_fit_and_what_failed_is_named() {
    let dfm = program();
    let (rows, finished) = fit_all(&dfm, &[], 2);
    assert_eq!(statuses(&rows), [("data", "fitted"), ("empty", "failed"), ("plain", "fitted")]);
    assert!(rows[1]["reason"].as_str().unwrap().contains("found none"), "{}", rows[1]);
    finished.expect_said(&["empty", "1 of 3 products have no model"]);
    for name in ["data", "plain"] {
        let (folder, own) = (format!("root/{name}"), format!("{name}-own.dfm"));
        dfm.run(&[&["fit", folder.as_str(), "-o", own.as_str()], &SMALL[..]].concat()).expect_code(0);
        let made = fs::read(dfm.path(&format!("models/{name}.dfm"))).unwrap();
        assert!(made == fs::read(dfm.path(&own)).unwrap(), "{name} is another model");
    }
    let table = dfm.run(&[&["fit-all", "root", "-o", "models"], &SMALL[..]].concat()).expect_code(2);
    let heading = table.out.lines().next().unwrap();
    assert_eq!(
        heading.split_whitespace().collect::<Vec<_>>(),
        ["product", "pictures", "left", "out", "threshold", "calibrate", "seconds", "status"]
    );
    assert_eq!(table.out.matches("kept: same pictures and settings").count(), 2, "{}", table.out);
}

#[test]
fn a_model_is_kept_until_its_pictures_or_settings_change() {
    let dfm = program();
    fs::remove_dir(dfm.path("root/empty")).unwrap();
    fit_all(&dfm, &[], 0);
    let bytes = |name: &str| fs::read(dfm.path(&format!("models/{name}.dfm"))).unwrap();
    let before = [bytes("data"), bytes("plain")];
    assert_eq!(statuses(&fit_all(&dfm, &[], 0).0), [("data", "kept"), ("plain", "kept")]);
    // Same name, same length of the list, another picture.
    dfm.save("root/plain/0.png", &pictures::good(77, 72, 56));
    let (rows, finished) = fit_all(&dfm, &[], 0);
    assert_eq!(statuses(&rows), [("data", "kept"), ("plain", "fitted")]);
    finished.expect_said(&["plain.dfm: was made of other pictures"]);
    assert!(before[0] == bytes("data") && before[1] != bytes("plain"));
    let (rows, finished) = fit_all(&dfm, &["--pca", "2"], 0);
    assert_eq!(statuses(&rows), [("data", "fitted"), ("plain", "fitted")]);
    finished.expect_said(&["data.dfm: was made of other settings"]);
    // Neither the threads nor the batch is a setting of the model.
    let (rows, _) = fit_all(&dfm, &["--pca", "2", "--threads", "1", "--batch", "3"], 0);
    assert_eq!(statuses(&rows), [("data", "kept"), ("plain", "kept")]);
}

#[test]
fn a_picture_that_cannot_be_used_decides_the_exit_code_of_every_run() {
    let dfm = program();
    fs::remove_dir(dfm.path("root/empty")).unwrap();
    fs::write(dfm.path("root/plain/broken.png"), b"no picture").unwrap();
    for status in ["fitted", "kept"] {
        let (rows, _) = fit_all(&dfm, &[], 2);
        assert_eq!((rows[1]["status"].as_str(), &rows[1]["errors"]), (Some(status), &1.into()));
    }
    fit_all(&dfm, &["--skip-bad"], 0);
}

#[test]
fn a_model_that_something_else_made_or_changed_stays() {
    let dfm = program();
    fs::remove_dir(dfm.path("root/empty")).unwrap();
    fs::create_dir(dfm.path("models")).unwrap();
    fs::write(dfm.path("models/data.dfm"), b"mine").unwrap();
    let (rows, finished) = fit_all(&dfm, &[], 2);
    assert_eq!(statuses(&rows), [("data", "failed"), ("plain", "fitted")]);
    finished.expect_said(&["something else made or changed"]);
    assert_eq!(fs::read(dfm.path("models/data.dfm")).unwrap(), b"mine");
    dfm.save("more/0.png", &pictures::good(90, 72, 56));
    dfm.run(&["update", "models/plain.dfm", "more"]).expect_code(0);
    let updated = fs::read(dfm.path("models/plain.dfm")).unwrap();
    assert_eq!(statuses(&fit_all(&dfm, &[], 2).0)[1], ("plain", "failed"));
    assert!(updated == fs::read(dfm.path("models/plain.dfm")).unwrap(), "an update is lost");
}

#[test]
fn one_data_set_is_no_folder_of_products() {
    let dfm = program();
    for root in ["root/data", "root/plain"] {
        let refused = dfm.run(&[&["fit-all", root, "-o", "models"], &SMALL[..]].concat()).expect_code(2);
        refused.expect_said(&["expected a folder with a sub-folder for each product"]);
    }
    assert!(!dfm.path("models").exists());
}

#[test]
fn folders_of_defects_are_never_learnt_as_products() {
    let dfm = program();
    fs::remove_dir(dfm.path("root/empty")).unwrap();
    fs::remove_dir_all(dfm.path("root/data")).unwrap();
    dfm.save("root/Defects/0.png", &pictures::defective(1, 72, 56));
    dfm.save("root/Defects/1.png", &pictures::defective(2, 72, 56));
    dfm.save("root/plain/NG/0.png", &pictures::defective(3, 72, 56));
    let (rows, finished) = fit_all(&dfm, &[], 2);
    assert_eq!(statuses(&rows), [("Defects", "failed"), ("plain", "fitted")]);
    assert_eq!(rows[1]["pictures"], 6);
    finished.expect_said(&["its name says that it holds defects"]);
    let (rows, _) = fit_all(&dfm, &["--all-folders"], 0);
    assert_eq!(statuses(&rows), [("Defects", "fitted"), ("plain", "fitted")]);
    assert_eq!(rows[1]["pictures"], 7);
    // Beside a folder that says good, it is one data set.
    fs::rename(dfm.path("root/plain"), dfm.path("root/OK")).unwrap();
    let refused = dfm.run(&[&["fit-all", "root", "-o", "others"], &SMALL[..]].concat()).expect_code(2);
    refused.expect_said(&["found one data set"]);
}

#[test]
fn models_inside_the_root_are_no_product() {
    let dfm = program();
    fs::remove_dir(dfm.path("root/empty")).unwrap();
    for _ in 0..2 {
        let flags = [&["fit-all", "root", "-o", "root/models", "--format", "json"], &SMALL[..]].concat();
        let rows = dfm.run(&flags).expect_code(0).json()[0]["products"].as_array().unwrap().len();
        assert_eq!(rows, 2);
    }
}

/// The checkpoint is one that a fit of this product left when it was ended.
#[cfg(unix)]
#[test]
fn a_fit_that_was_interrupted_goes_on_from_its_checkpoint() {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    for seed in 0..40 {
        dfm.save(&format!("root/one/{seed:02}.png"), &pictures::good(seed, 320, 320));
    }
    let flags = ["fit-all", "root", "-o", "models", "--weights", "random", "--backbone", "resnet18"];
    let flags = [&flags[..], &["--batch", "1", "--threads", "1", "--format", "json"]].concat();
    let mut child = dfm.command().args(&flags).spawn().unwrap();
    let partial = dfm.path("models/one.dfm.partial");
    let size = || partial.metadata().map_or(0, |metadata| metadata.len());
    let begun = std::time::Instant::now();
    let mut first = 0;
    while first == 0 || size() < first + 1 {
        assert!(begun.elapsed().as_secs() < 120, "no checkpoint");
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be interrupted");
        if first == 0 {
            first = size();
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(partial.exists());
    let finished = dfm.run(&flags).expect_code(0);
    assert_eq!(finished.json()[0]["products"][0]["status"], "resumed");
    finished.expect_said(&["learnt already"]);
    assert!(!partial.exists());
    let own = [&["fit", "root/one", "-o", "own.dfm"], &flags[4..10]].concat();
    dfm.run(&own).expect_code(0);
    let read = |name: &str| fs::read(dfm.path(name)).unwrap();
    assert!(read("own.dfm") == read("models/one.dfm"), "an interrupted fit gives another model");
}

#[test]
fn each_row_of_evaluate_all_is_an_evaluation_and_the_mean_and_the_worst_are_theirs() {
    let dfm = program();
    fs::remove_dir(dfm.path("root/empty")).unwrap();
    fs::remove_dir_all(dfm.path("root/plain")).unwrap();
    (LAYOUTS[1].write)(&dfm);
    fs::rename(dfm.path("mpdd"), dfm.path("root/other")).unwrap();
    fit_all(&dfm, &[], 0);
    let flags = ["evaluate-all", "models", "root", "--output", "run", "--bootstrap", "0"];
    let found = dfm.run(&[&flags[..], &["--format", "json"]].concat()).expect_code(0).json().remove(0);
    let rows = found["products"].as_array().unwrap();
    assert_eq!((rows.len(), &found["failed"]), (2, &0.into()));
    let mut sum = 0.0;
    for row in rows {
        let name = row["product"].as_str().unwrap();
        let (model, data) = (format!("models/{name}.dfm"), format!("root/{name}"));
        let flags = ["evaluate", model.as_str(), data.as_str(), "--bootstrap", "0", "--format", "json"];
        let own = dfm.run(&flags).expect_code(0).json().remove(0);
        for figure in ["image_auroc", "pixel_auroc", "threshold"] {
            assert_eq!(row[figure], own[figure], "{name}: {figure}");
        }
        assert_eq!(row["found"], own["confusion"]["true_positives"]);
        assert_eq!(row["rejected"], own["confusion"]["false_positives"]);
        assert_eq!((&row["defects"], &row["good"]), (&3.into(), &4.into()));
        sum += own["pixel_auroc"].as_f64().unwrap();
        assert!(dfm.path(&format!("run/{name}/predictions.jsonl")).is_file());
    }
    assert!((found["mean"]["pixel_auroc"].as_f64().unwrap() - sum / 2.0).abs() < 1e-12);
    let least = rows.iter().map(|row| row["pixel_auroc"].as_f64().unwrap()).fold(f64::MAX, f64::min);
    assert_eq!(found["worst"]["pixel_auroc"]["value"].as_f64().unwrap(), least);
    let written: Value = serde_json::from_slice(&fs::read(dfm.path("run/products.json")).unwrap()).unwrap();
    assert_eq!(written["mean"], found["mean"]);
    let table = dfm.run(&flags).expect_code(0).out;
    for word in ["data", "other", "mean", "worst", "worst product", " of 3", " of 4"] {
        assert!(table.contains(word), "{word}: {table}");
    }
}

#[test]
fn a_product_without_a_model_and_a_model_without_a_product_are_named() {
    let dfm = program();
    fs::remove_dir(dfm.path("root/empty")).unwrap();
    fit_all(&dfm, &[], 0);
    fs::rename(dfm.path("models/plain.dfm"), dfm.path("models/gone.dfm")).unwrap();
    let flags = ["evaluate-all", "models", "root", "--bootstrap", "0", "--format", "json"];
    let finished = dfm.run(&flags).expect_code(2);
    let found = finished.json().remove(0);
    assert_eq!(found["failed"], 2);
    let names: Vec<_> =
        found["products"].as_array().unwrap().iter().map(|row| (&row["product"], &row["reason"])).collect();
    assert_eq!(names[0], (&"data".into(), &Value::Null));
    for (name, place) in [("plain", 1), ("gone", 2)] {
        assert_eq!(names[place].0, name);
        assert!(names[place].1.is_string());
    }
    finished.expect_said(&["the model of this product", "the data set of this model", "2 of 3 products"]);
}

#[test]
fn a_model_of_parts_among_the_models_is_called_one() {
    let dfm = program();
    for (seed, view) in (0..6).flat_map(|part| [(part, "top"), (100 + part, "side")]) {
        dfm.save(&format!("pairs/{}_{view}.png", seed % 100), &pictures::good(seed, 72, 56));
    }
    fs::create_dir(dfm.path("models")).unwrap();
    let fit = ["fit", "pairs", "-o", "models/data", "--part", "(?<part>.+)_(?<view>top|side)"];
    dfm.run(&[&fit, &SMALL[..]].concat()).expect_code(0);
    let finished = dfm.run(&["evaluate-all", "models", "root", "--format", "json"]).expect_code(2);
    let row = &finished.json()[0]["products"][0];
    let reason = row["reason"].as_str().unwrap();
    assert_eq!(row["product"], "data");
    assert!(reason.contains("found one of parts with the views side, top"), "{reason}");
}
