//! Data sets as they lie on disk: every layout, and what is wrong with some.

use std::fs;

use dfm_tests::datasets::{DEFECTS, GOOD, LAYOUTS, TRAIN, mask, write};
use dfm_tests::pictures;
use dfm_tests::program::{Finished, Program, SMALL};
use serde_json::Value;

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_dfm-under-test"))
}

fn fit(dfm: &Program, root: &str, more: &[&str]) -> Finished {
    dfm.run(&[&["fit", root, "-o", "model.dfm"], SMALL.as_slice(), more].concat())
}

fn evaluate(dfm: &Program, root: &str, more: &[&str]) -> Finished {
    let common = ["evaluate", "model.dfm", root, "--format", "json", "--bootstrap", "100"];
    dfm.run(&[&common, more].concat())
}

/// A program with a model and one data set, by the name of its layout.
fn with(name: &str) -> Program {
    let dfm = program();
    let layout = LAYOUTS.iter().find(|layout| layout.name == name).expect("a layout");
    (layout.write)(&dfm);
    fit(&dfm, layout.root, &[]).expect_code(0);
    dfm
}

#[test]
fn every_layout_is_recognised_learnt_and_judged() {
    let mut figures = Vec::new();
    for layout in &LAYOUTS {
        let dfm = program();
        (layout.write)(&dfm);
        let counts = format!("{TRAIN} to learn");
        fit(&dfm, layout.root, &[]).expect_code(0).expect_said(&[&counts, layout.defect]);
        let model = dfm.run(&["info", "model.dfm", "--format", "json"]).json().remove(0);
        assert_eq!(model["record"]["picture_count"], TRAIN, "{}", layout.root);
        let recognised = evaluate(&dfm, layout.root, &[]).expect_code(0);
        let counts = format!("{DEFECTS} {}, {GOOD} good", layout.defect);
        let turned = format!("{GOOD} good, {DEFECTS} {}", layout.defect);
        assert!(recognised.err.contains(&counts) || recognised.err.contains(&turned), "{}", recognised.err);
        let named = evaluate(&dfm, layout.root, &["--layout", layout.name]).expect_code(0);
        let (report, again) = (recognised.json().remove(0), named.json().remove(0));
        for report in [&report, &again] {
            assert_eq!(report["classes"]["good"]["pictures"], GOOD, "{}", layout.root);
            assert_eq!(report["classes"][layout.defect]["pictures"], DEFECTS, "{}", layout.root);
            assert_eq!(report["without_mask"], 0, "{}", layout.root);
        }
        // MPDD lies exactly as MVTec AD does.
        let shown = if layout.name == "mpdd" { "mvtec" } else { layout.name };
        assert_eq!(report["settings"]["layout"], shown);
        assert_eq!(report["image"], again["image"]);
        assert_eq!(report["pixel"], again["pixel"]);
        figures.push((layout.root, report["pixel_auroc"].as_f64().expect("masks were found")));
    }
    // The same pictures and masks, however they lie: the seeds of VisA and the lists are others.
    for (root, figure) in &figures {
        assert!((figure - figures[0].1).abs() < 0.02, "{root}: {figures:?}");
    }
    for (root, figure) in &figures[1..4] {
        assert_eq!(*figure, figures[0].1, "{root}");
    }
}

#[test]
fn quiet_runs_say_nothing_of_what_was_recognised() {
    let dfm = with("mvtec");
    assert!(evaluate(&dfm, "mvtec", &["-q"]).expect_code(0).err.is_empty());
}

#[test]
fn a_folder_of_classes_is_learnt_by_its_good_ones_alone() {
    let dfm = program();
    for k in 0..6 {
        dfm.save(&format!("parts/ok/{k}.png"), &pictures::good(k, 72, 56));
        dfm.save(&format!("parts/torn/{k}.png"), &pictures::defective(k, 72, 56));
    }
    dfm.save("parts/loose.png", &pictures::good(50, 72, 56));
    fit(&dfm, "parts", &[]).expect_code(0).expect_said(&["6 to learn", "no split", "1 picture directly in"]);
    let model = dfm.run(&["info", "model.dfm", "--format", "json"]).json().remove(0);
    assert_eq!(model["record"]["picture_count"], 6);
    let report = evaluate(&dfm, "parts", &[]).expect_code(0).json().remove(0);
    assert_eq!((&report["classes"]["good"]["pictures"], &report["without_mask"]), (&6.into(), &6.into()));
    assert!(report["image_auroc"].is_f64() && report["pixel_auroc"].is_null());
    // Pictures without classes can be learnt, not judged.
    let run = evaluate(&dfm, "parts/ok", &[]).expect_code(2);
    run.expect_said(&["expected pictures to judge and their classes", "--layout"]);
}

#[test]
fn several_data_sets_are_not_one() {
    let dfm = program();
    for layout in LAYOUTS.iter().filter(|layout| ["mvtec", "btad"].contains(&layout.name)) {
        (layout.write)(&dfm);
    }
    for root in [".", "./"] {
        fit(&dfm, root, &[]).expect_code(2).expect_said(&["found 2: btad, mvtec", "name one"]);
    }
    evaluate_without_model(&dfm, "nowhere").expect_said(&["found nothing of that name"]);
    fit(&dfm, "mvtec", &["--layout", "visa"]).expect_code(2).expect_said(&["split_csv/1cls.csv"]);
    fit(&dfm, "mvtec", &["--layout", "ksdd2"]).expect_code(2).expect_said(&["NAME_GT.png"]);
    fs::rename(dfm.path("mvtec/train/good"), dfm.path("mvtec/train/odd")).unwrap();
    fit(&dfm, "mvtec", &["--layout", "btad"]).expect_code(2).expect_said(&[
        "as BTAD",
        "found none",
        "--layout",
    ]);
}

fn evaluate_without_model(dfm: &Program, root: &str) -> Finished {
    dfm.run(&["evaluate", "model.dfm", root]).expect_code(2)
}

#[test]
fn pictures_that_are_learnt_and_judged_are_named() {
    let dfm = with("mvtec");
    fs::copy(dfm.path("mvtec/train/good/3.png"), dfm.path("mvtec/test/good/twin.png")).unwrap();
    let run = evaluate(&dfm, "mvtec", &[]).expect_code(0);
    let said = run.err.replace('\\', "/");
    assert!(said.contains("test/good/twin.png: the same file as mvtec/train/good/3.png"), "{said}");
    assert_eq!(said.matches("the same file").count(), 1, "{said}");
}

#[test]
fn what_has_no_label_or_no_picture_is_said() {
    let dfm = with("mvtec");
    dfm.save("mvtec/test/loose.png", &pictures::good(50, 72, 56));
    dfm.save("mvtec/ground_truth/square/9_mask.png", &mask(255));
    dfm.save("mvtec/train/odd/0.png", &pictures::good(51, 72, 56));
    fs::remove_file(dfm.path("mvtec/ground_truth/square/0_mask.png")).unwrap();
    let run = evaluate(&dfm, "mvtec", &[]).expect_code(0);
    assert_eq!(run.json()[0]["without_mask"], 1);
    run.expect_said(&["1 picture directly in", "1 mask of no picture", "1 without mask", "odd"]);
    let dfm = with("mvtec-ad2");
    evaluate(&dfm, "ad2", &[]).expect_code(0).expect_said(&["test_private has no labels", "1 set aside"]);
    let dfm = with("ksdd2");
    fs::remove_file(dfm.path("ksdd2/test/0_GT.png")).unwrap();
    let run = evaluate(&dfm, "ksdd2", &[]).expect_code(2).expect_said(&["0_GT.png", "no label for"]);
    assert_eq!(run.json()[0]["pictures"], GOOD + DEFECTS - 1);
    run.expect_said(&["1 picture in train shows a defect"]);
}

#[test]
fn lists_with_faults_name_the_line_or_the_file() {
    let dfm = with("mvtec");
    let run = |name: &str, text: &str| {
        write(&dfm.path(name), text);
        evaluate(&dfm, name, &[]).expect_code(2)
    };
    run("a.csv", "file,label\nx,good\n").expect_said(&["expected columns path, label", "found file, label"]);
    run("b.csv", "path,label\nmvtec/test/good/0.png,good\n\"a,b\n").expect_said(&["b.csv", "line: 3"]);
    run("c.jsonl", "{\"label\": 3}\n").expect_said(&["c.jsonl, line 1", "expected an object with path"]);
    run("d.txt", "mvtec/test/good/0.png\n").expect_said(&["with the extension .csv or .jsonl"]);
    run("e.csv", "path,label\n").expect_said(&["expected pictures to judge"]);
    let some = "path,label,split\nmvtec/test/good/0.png,normal,\nmvtec/test/square/0.png,1,test\n\
                gone.png,good,test\nmvtec/test/good/1.png,,test\nmvtec/test/good/2.png,0,sometimes\n";
    let finished =
        run("f.csv", some).expect_said(&["gone.png: the list names it", "no label", "'sometimes'"]);
    let report = finished.json().remove(0);
    assert_eq!((&report["pictures"], &report["errors"]), (&2.into(), &3.into()));
    assert_eq!(report["classes"]["defect"]["pictures"], 1);
}

#[test]
fn missing_classes_leave_every_other_figure() {
    let dfm = with("mvtec");
    let table = |root: &str| dfm.run(&["evaluate", "model.dfm", root]).expect_code(0).out;
    let json = |root: &str| evaluate(&dfm, root, &[]).expect_code(0).json().remove(0);
    write(&dfm.path("good.csv"), "path,label\nmvtec/test/good/0.png,good\nmvtec/test/good/1.png,good\n");
    let report = json("good.csv");
    assert!(report["image_auroc"].is_null() && report["pixel_auroc"].is_null());
    assert!(report["confusion"]["true_negatives"].is_u64());
    assert!(table("good.csv").contains("no pictures with defects"));
    write(
        &dfm.path("bad.csv"),
        "path,label,mask\nmvtec/test/square/0.png,x,mvtec/ground_truth/square/0_mask.png\n",
    );
    let report = json("bad.csv");
    assert!(report["image_auroc"].is_null() && report["image"]["f1"]["value"].is_f64(), "{report}");
    assert!(report["pixel_auroc"].as_f64().is_some_and(|figure| figure > 0.5), "{report}");
    assert!(table("bad.csv").contains("no good pictures"));
    // A mask that marks nothing, though the class says otherwise.
    dfm.save("mvtec/ground_truth/square/0_mask.png", &mask(0));
    let run = evaluate(&dfm, "mvtec", &[]).expect_code(0).expect_said(&["its mask marks nothing"]);
    assert!(run.json()[0]["pixel_auroc"].is_f64());
}

#[test]
fn an_evaluation_leaves_figures_curves_and_a_line_a_picture() {
    let dfm = with("mvtec");
    let printed = evaluate(&dfm, "mvtec", &["--output", "runs/one"]).expect_code(0).json().remove(0);
    let metrics = fs::read_to_string(dfm.path("runs/one/metrics.json")).unwrap();
    let mut metrics: Value = serde_json::from_str(&metrics).unwrap();
    let curves = metrics.as_object_mut().unwrap().remove("curves").unwrap();
    assert_eq!(metrics, printed);
    assert_eq!(curves["image_roc"][0]["threshold"], Value::Null);
    for curve in ["image_roc", "image_precision_recall", "pixel_roc", "pixel_pro"] {
        assert!(curves[curve].as_array().unwrap().len() > 2, "{curve}");
    }
    let lines = fs::read_to_string(dfm.path("runs/one/predictions.jsonl")).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len() as u64, GOOD + DEFECTS);
    assert_eq!(lines[0]["path"], "test/good/0.png");
    let last = lines.last().unwrap();
    assert!(last["p_value"].as_f64().is_some_and(|p_value| p_value <= lines[0]["p_value"].as_f64().unwrap()));
    assert_eq!((&last["class"], &last["anomalous"]), (&"square".into(), &true.into()));
    assert_eq!(last["masks"], serde_json::json!(["ground_truth/square/2_mask.png"]));
    assert_eq!((&last["pixels"]["anomalous_pixels"], &last["pixels"]["regions"]), (&196.into(), &1.into()));
    assert!(last["pixels"]["auroc"].is_f64() && lines[0]["pixels"].is_null());
}
