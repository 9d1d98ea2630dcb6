//! Maps as numbers: arrays, masks, a table of regions, and the one rule that says what a region is.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use dfm_tests::pictures;
use dfm_tests::program::{Program, SMALL};
use serde_json::Value;

/// A method whose maps have values below 0.01.
const METHOD: [&str; 4] = ["--aggregate", "relative", "--map", "coarse"];

/// With a model, and pictures with a defect.
fn program() -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    dfm.save_good();
    dfm.run(&[&["fit", "good", "-o", "model.dfm"], METHOD.as_slice(), SMALL.as_slice()].concat())
        .expect_code(0);
    dfm.save("new/a.png", &pictures::defective(50, 72, 56));
    dfm.save("new/b.png", &pictures::good(51, 72, 56));
    dfm.save("new/c.png", &pictures::defective(52, 90, 40));
    dfm
}

fn judge(dfm: &Program, more: &[&str]) -> Vec<Value> {
    let run = dfm.run(&[&["predict", "model.dfm", "new", "--format", "json"], more].concat());
    assert!(run.code < 2, "{more:?}: {}", run.err);
    run.json()
}

fn areas(line: &Value) -> Vec<u64> {
    line["regions"].as_array().unwrap().iter().map(|region| region["area"].as_u64().unwrap()).collect()
}

/// Shape and values of a `.npy` file of `f32`.
fn array(dfm: &Program, path: &Value) -> (String, Vec<f32>) {
    let bytes = fs::read(dfm.path(path.as_str().expect("a path"))).unwrap();
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\0");
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..start]).unwrap();
    let shape = header.strip_prefix("{'descr': '<f4', 'fortran_order': False, 'shape': (").expect(header);
    assert!(start.is_multiple_of(64) && header.ends_with('\n'));
    let values = bytes[start..].chunks_exact(4).map(|value| f32::from_le_bytes(value.try_into().unwrap()));
    (shape.split_once(')').unwrap().0.to_owned(), values.collect())
}

#[test]
fn arrays_masks_regions_and_the_table_agree() {
    let dfm = program();
    let outputs = ["--raw-maps", "out", "--masks", "out", "--maps", "out", "--regions", "regions.csv"];
    let rules: [&[&str]; 5] = [
        &[],
        &["--pixel-threshold", "0.001"],
        &["--close", "9", "--pixel-threshold", "0.0012"],
        &["--min-area", "40", "--close", "3", "--pixel-threshold", "0.0012"],
        &["--min-area", "0.9", "--pixel-size", "0.1"],
    ];
    let mut seen = Vec::new();
    for rule in rules {
        let _ = fs::remove_file(dfm.path("regions.csv"));
        let lines = judge(&dfm, &[&outputs, rule].concat());
        let table = fs::read_to_string(dfm.path("regions.csv")).unwrap();
        let rows: Vec<Vec<String>> =
            table.lines().skip(1).map(|row| row.split(',').map(str::to_owned).collect()).collect();
        let mut expected = Vec::new();
        for (line, size) in lines.iter().zip(["56, 72", "56, 72", "40, 90"]) {
            let (shape, values) = array(&dfm, &line["raw_map"]);
            assert_eq!((shape.as_str(), line["path"].as_str()), (size, line["path"].as_str()));
            let threshold = line["pixel_threshold"].as_f64().unwrap();
            let reached = values.iter().filter(|value| f64::from(**value) >= threshold).count();
            let mask = image::open(dfm.path(line["mask"].as_str().unwrap())).unwrap();
            assert_eq!(mask.color(), image::ColorType::L8);
            let mask = mask.into_luma8();
            assert!(mask.pixels().all(|pixel| [0, 255].contains(&pixel.0[0])));
            let marked = mask.pixels().filter(|pixel| pixel.0[0] == 255).count();
            assert_eq!(areas(line).iter().sum::<u64>(), marked as u64, "{rule:?}");
            match rule {
                [] | ["--pixel-threshold", _] => assert_eq!(marked, reached),
                ["--close", ..] => assert!(marked >= reached),
                ["--min-area", "40", ..] => assert!(areas(line).iter().all(|area| *area >= 40)),
                // 0.9 mm² are 90 pixels of a hundredth.
                _ => assert!(areas(line).iter().all(|area| *area >= 90)),
            }
            for (number, region) in line["regions"].as_array().unwrap().iter().enumerate() {
                let area = region["area"].as_f64().unwrap();
                let mm2 = region["area_mm2"].as_f64();
                match rule.contains(&"--pixel-size") {
                    true => assert!((mm2.unwrap() - area / 100.0).abs() < 1e-9),
                    false => assert_eq!(mm2, None),
                }
                let of = |name: &str| region[name].to_string();
                expected.push([
                    line["path"].as_str().unwrap().to_owned(),
                    (number + 1).to_string(),
                    of("x"),
                    of("area"),
                ]);
            }
        }
        let found: Vec<[String; 4]> =
            rows.iter().map(|row| [&row[0], &row[4], &row[5], &row[9]].map(String::clone)).collect();
        assert_eq!(found, expected, "{rule:?}");
        seen.push(lines.iter().flat_map(areas).collect::<Vec<_>>());
    }
    assert!(seen[1] != seen[0] && seen[2] != seen[1], "{seen:?}");
}

#[test]
fn cells_have_the_shape_of_the_grid_and_in_tiles_one_for_each() {
    let dfm = program();
    let lines = judge(&dfm, &["--raw-maps", "raw", "--grid"]);
    assert!(lines[0]["raw_map"].as_str().unwrap().ends_with("a.png-grid.npy"));
    let (shape, values) = array(&dfm, &lines[0]["raw_map"]);
    let sides: Vec<usize> = shape.split(", ").map(|side| side.parse().unwrap()).collect();
    assert_eq!((sides.len(), sides.iter().product()), (2, values.len()));
    // The cells of four pixels that a pool makes, and in a fine map the positions of the layer's output.
    assert_eq!(sides, [4, 4]);
    let fit = ["fit", "good", "-o", "model.dfm"];
    dfm.run(&[&fit, SMALL.as_slice()].concat()).expect_code(0);
    let (shape, _) = array(&dfm, &judge(&dfm, &["--raw-maps", "fine", "--grid"])[0]["raw_map"]);
    assert_eq!(shape, "16, 16");
    let info = dfm.run(&["info", "model.dfm"]).expect_code(0).out;
    assert!(info.lines().any(|line| line.split_whitespace().eq(["maps", "fine"])), "{info}");
    dfm.run(&[&fit, SMALL.as_slice(), &["--tile", "48"]].concat()).expect_code(0);
    let (shape, values) = array(&dfm, &judge(&dfm, &["--raw-maps", "tiles", "--grid"])[0]["raw_map"]);
    let sides: Vec<usize> = shape.split(", ").map(|side| side.parse().unwrap()).collect();
    assert_eq!((sides.len(), sides.iter().product()), (3, values.len()));
    assert_eq!(sides[1..], [16, 16]);
    assert!(sides[0] > 1, "{shape}");
    dfm.run(&["predict", "model.dfm", "new", "--grid"]).expect_code(2).expect_said(&["--raw-maps"]);
}

/// Every file below `folder`, by its path there, except the mark.
fn files_below(dfm: &Program, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![dfm.path(folder)]);
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    found.insert(
                        path.strip_prefix(dfm.path(folder)).unwrap().to_owned(),
                        fs::read(&path).unwrap(),
                    );
                }
            }
        }
    }
    found
}

#[test]
fn an_evaluation_writes_the_files_that_a_prediction_writes() {
    let dfm = program();
    dfm.save_dataset();
    let outputs = |name: &str| {
        ["--maps", "--raw-maps", "--masks"]
            .iter()
            .flat_map(|flag| [(*flag).to_owned(), format!("{name}{flag}")])
            .chain(["--regions".to_owned(), format!("{name}.csv"), "--close".to_owned(), "2".to_owned()])
            .collect::<Vec<_>>()
    };
    let run = |arguments: &[&str], name: &str| {
        let outputs = outputs(name);
        let outputs = outputs.iter().map(String::as_str);
        dfm.run(&arguments.iter().copied().chain(outputs).collect::<Vec<_>>())
    };
    run(&["predict", "model.dfm", "data/test"], "one").expect_code(1);
    let evaluate = ["evaluate", "model.dfm", "data", "--bootstrap", "0", "--output", "run"];
    run(&evaluate, "two").expect_code(0);
    for flag in ["--maps", "--raw-maps", "--masks"] {
        let files = files_below(&dfm, &format!("two{flag}"));
        assert!(files.len() > 8, "{flag}: {:?}", files.keys());
        assert!(files == files_below(&dfm, &format!("one{flag}")), "{flag}");
    }
    let table = |name: &str| fs::read_to_string(dfm.path(&format!("{name}.csv"))).unwrap();
    assert!(table("two").contains("\ntest/square/0.png,anomalous,"), "{}", table("two"));
    assert_eq!(table("two").replace("\ntest/", "\ndata/test/"), table("one").replace('\\', "/"));
    // Each line of the predictions tells its files.
    let lines = fs::read_to_string(dfm.path("run/predictions.jsonl")).unwrap();
    for line in lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        for field in ["heatmap", "overlay", "mask", "raw_map"] {
            let path = line[field].as_str().unwrap_or_else(|| panic!("no {field} in {line}"));
            assert!(dfm.path(path).is_file(), "{path}");
        }
    }
    // A second run with the same results writes nothing new; one with others leaves what is there.
    let before = files_below(&dfm, "two--masks");
    run(&evaluate, "two").expect_code(0);
    assert!(files_below(&dfm, "two--masks") == before);
    let other = ["evaluate", "model.dfm", "data", "--masks", "two--masks", "--pixel-threshold", "1e-9"];
    dfm.run(&other).expect_code(0);
    let after = files_below(&dfm, "two--masks");
    assert!(before.iter().all(|(path, bytes)| after[path] == *bytes));
    assert_eq!(after.len(), 2 * before.len() - 1, "{:?}", after.keys());
    // Cells too; and refusals come before any file.
    dfm.run(&["evaluate", "model.dfm", "data", "--raw-maps", "cells", "--grid"]).expect_code(0);
    assert!(files_below(&dfm, "cells").keys().any(|path| path.ends_with("square/0.png-grid.npy")));
    dfm.run(&["evaluate", "model.dfm", "data", "--grid"]).expect_code(2).expect_said(&["--raw-maps"]);
    let nll = ["fit", "good", "-o", "nll.dfm", "--score", "nll", "--pca", "3"];
    dfm.run(&[&nll, SMALL.as_slice()].concat()).expect_code(0);
    for flag in ["--maps", "--raw-maps", "--masks", "--regions"] {
        let run = dfm.run(&["evaluate", "nll.dfm", "data", flag, "none"]).expect_code(2);
        run.expect_said(&[&format!("{flag}: this model's score has no map")]);
        assert!(!dfm.path("none").exists());
    }
}

#[test]
fn a_model_keeps_the_rule_of_its_fit_and_a_call_goes_before_it() {
    let dfm = program();
    dfm.save_dataset();
    let usual = judge(&dfm, &["--masks", "usual"]);
    let fit = |more: &[&str]| {
        dfm.run(&[&["fit", "good", "-o", "model.dfm"], METHOD.as_slice(), SMALL.as_slice(), more].concat())
    };
    let plain = fs::read(dfm.path("model.dfm")).unwrap();
    fit(&[]).expect_code(0);
    assert!(fs::read(dfm.path("model.dfm")).unwrap() == plain);
    let rule = ["--pixel-threshold", "1e-9", "--min-area", "7", "--close", "2", "--pixel-size", "0.5"];
    fit(&rule).expect_code(0);
    let info = dfm.run(&["info", "model.dfm"]).expect_code(0).out;
    // 7 mm² are 28 pixels of a quarter.
    for words in ["gaps of up to 2 pixels closed", "of 28 pixels or more", "a pixel is 0.5 mm wide"] {
        assert!(info.contains(words), "{info}");
    }
    let kept = judge(&dfm, &["--masks", "kept"]);
    assert_eq!(kept[0]["pixel_threshold"], 1e-9);
    assert_eq!(areas(&kept[0]), [72 * 56]);
    let asked = judge(
        &dfm,
        &["--pixel-threshold", &usual[0]["pixel_threshold"].to_string(), "--min-area", "0", "--close", "0"],
    );
    assert_eq!(asked.iter().map(areas).collect::<Vec<_>>(), usual.iter().map(areas).collect::<Vec<_>>());
    // Evaluations see the same.
    let evaluate = |more: &[&str]| {
        let run = dfm.run(
            &[&["evaluate", "model.dfm", "data", "-o", "run", "--bootstrap", "0", "--format", "json"], more]
                .concat(),
        );
        let evaluation = run.expect_code(0).json().remove(0);
        let text = fs::read_to_string(dfm.path("run/predictions.jsonl")).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (evaluation, lines)
    };
    let (evaluation, lines) = evaluate(&[]);
    assert_eq!((&evaluation["pixel_threshold"], &evaluation["min_area"]), (&1e-9.into(), &28.into()));
    assert_eq!(evaluation["pixel_confusion"]["false_negatives"], 0);
    assert!(lines.iter().all(|line| areas(line) == [72 * 56]));
    let (evaluation, lines) = evaluate(&["--min-area", "100000000"]);
    assert!(lines.iter().all(|line| areas(line).is_empty()));
    assert_eq!(evaluation["pixel_confusion"]["true_positives"], 0);
    // Models of other rules are of other methods.
    dfm.run(&["merge", "model.dfm", "model.dfm", "-o", "both.dfm"]).expect_code(0);
    fs::write(dfm.path("plain.dfm"), plain).unwrap();
    dfm.run(&["merge", "model.dfm", "plain.dfm", "-o", "x.dfm"]).expect_code(2).expect_said(&["regions"]);
}

#[test]
fn what_has_no_map_or_no_threshold_is_refused_before_anything_is_written() {
    let dfm = program();
    let fit =
        |name: &str, more: &[&str]| dfm.run(&[&["fit", "good", "-o", name], SMALL.as_slice(), more].concat());
    fit("nll.dfm", &["--score", "nll", "--pca", "3"]).expect_code(0);
    fit("given.dfm", &["--threshold", "5"]).expect_code(0);
    fit("x.dfm", &["--score", "nll", "--pca", "3", "--close", "2"]).expect_code(2).expect_said(&["no map"]);
    for (model, more, words) in [
        ("nll.dfm", &["--raw-maps", "out"][..], "--raw-maps"),
        ("nll.dfm", &["--masks", "out"], "--masks"),
        ("nll.dfm", &["--regions", "out"], "--regions"),
        ("nll.dfm", &["--min-area", "3"], "no"),
        ("given.dfm", &["--masks", "out"], "--pixel-threshold"),
        ("given.dfm", &["--regions", "out"], "--pixel-threshold"),
        ("given.dfm", &["--close", "2"], "pixel threshold"),
        ("model.dfm", &["--pixel-threshold", "0"], "above 0"),
    ] {
        dfm.run(&[&["predict", model, "new"], more].concat()).expect_code(2).expect_said(&[words]);
        assert!(!dfm.path("out").exists(), "{model} {more:?}");
    }
    let run = dfm.run(&["predict", "given.dfm", "new", "--masks", "out", "--pixel-threshold", "0.1"]);
    assert!(run.code < 2, "{}", run.err);
    // A table takes no other file's place.
    fs::write(dfm.path("mine.csv"), "a,b\n1,2\n").unwrap();
    let run = dfm.run(&["predict", "model.dfm", "new", "--regions", "mine.csv"]);
    run.expect_code(2).expect_said(&["mine.csv", "expected a table of regions or nothing there"]);
    assert_eq!(fs::read_to_string(dfm.path("mine.csv")).unwrap(), "a,b\n1,2\n");
}
