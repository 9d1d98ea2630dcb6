//! Several pictures of one part, and one verdict: `fit --part`, `predict`, `evaluate` and `info`.

use std::fs;

use dfm_tests::pictures;
use dfm_tests::program::{Program, SMALL};
use dfm_tests::tolerance::assert_close;
use serde_json::Value;

const PATTERN: &str = "(?<part>.+)_(?<view>top|side)";

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_dfm-under-test"))
}

/// A picture of a view of part `part`. The two views look different.
fn view(part: u64, view: &str, is_good: bool) -> image::RgbImage {
    let (seed, width, height) = if view == "top" { (part, 72, 56) } else { (1000 + part, 56, 72) };
    if is_good { pictures::good(seed, width, height) } else { pictures::defective(seed, width, height) }
}

/// Both views of a part as `{name}_top.png` and `{name}_side.png`; `bad` is the view with a defect.
fn save(dfm: &Program, name: &str, part: u64, bad: &str) {
    for side in ["top", "side"] {
        dfm.save(&format!("{name}_{side}.png"), &view(part, side, side != bad));
    }
}

/// `good/00_top.png` and `good/00_side.png` to `good/19_…`.
fn save_good(dfm: &Program) {
    (0..20).for_each(|part| save(dfm, &format!("good/{part:02}"), part, ""));
}

fn fit(dfm: &Program, more: &[&str], code: i32) -> dfm_tests::program::Finished {
    let flags = ["fit", "good", "-o", "part", "--part", PATTERN];
    dfm.run(&[&flags, &SMALL[..], more].concat()).expect_code(code)
}

/// What `predict` says of each part.
fn judged(dfm: &Program, code: i32, more: &[&str]) -> Vec<Value> {
    dfm.run(&[&["predict", "part", "new", "--format", "json"], more].concat()).expect_code(code).json()
}

#[test]
fn a_part_is_anomalous_if_any_view_is_and_the_view_that_decides_is_named() {
    let dfm = program();
    save_good(&dfm);
    let fitted = fit(&dfm, &["--false-alarm", "0.1"], 0);
    assert!(fitted.out.contains("20 with the views side, top"), "{}", fitted.out);
    assert!(fitted.out.contains("for a false-alarm rate of 0.1 of parts"), "{}", fitted.out);
    save(&dfm, "new/a", 100, "");
    assert_eq!(judged(&dfm, 0, &[])[0]["label"], "normal");
    save(&dfm, "new/b", 101, "top");
    save(&dfm, "new/c", 102, "side");
    let lines = judged(&dfm, 1, &[]);
    let said: Vec<_> = lines.iter().map(|line| (&line["part"], &line["label"])).collect();
    let expected = [("new/a", "normal"), ("new/b", "anomalous"), ("new/c", "anomalous")];
    assert_eq!(said.len(), 3);
    for ((part, label), expected) in said.iter().zip(expected) {
        assert_eq!((part.as_str().unwrap(), label.as_str().unwrap()), expected);
    }
    assert_eq!((&lines[1]["view"], &lines[2]["view"]), (&"top".into(), &"side".into()));
    // The same from a list of paths; a picture without a name is of no part.
    fs::write(dfm.path("list.txt"), "new/b_top.png\nnew/b_side.png\n").unwrap();
    let listed =
        dfm.run(&["predict", "part", "--list", "list.txt", "--format", "json"]).expect_code(1).json();
    assert_eq!((listed.len(), &listed[0]["part"], &listed[0]["view"]), (1, &lines[1]["part"], &"top".into()));
    let score = |line: &Value| line["score"].as_f64().unwrap();
    // Another batch rounds otherwise, in f32.
    assert!((score(&listed[0]) / score(&lines[1]) - 1.0).abs() < 1e-6);
    dfm.run(&["predict", "part", "new", "-"]).expect_code(2).expect_said(&["a picture without a name"]);
    // Each view's score is that of its own model, and the part's is the largest on the common scale.
    let info = dfm.run(&["info", "part", "--format", "json"]).expect_code(0).json().remove(0);
    assert_eq!(
        (&info["parts"], &info["held_out"], &info["false_alarm"]),
        (&20.into(), &20.into(), &0.1.into())
    );
    for line in &lines {
        let views = line["views"].as_array().unwrap();
        let mut largest = f64::MIN;
        for (own, of) in views.iter().zip(info["views"].as_array().unwrap()) {
            assert_eq!(own["view"], of["view"]);
            let model = format!("part/{}.dfm", own["view"].as_str().unwrap());
            let alone = ["predict", model.as_str(), own["path"].as_str().unwrap(), "--format", "json"];
            let alone = dfm.run(&alone).json().remove(0);
            let number = |value: &Value| value.as_f64().unwrap();
            // The batch changes the rounding.
            assert_close("score", number(&own["score"]), number(&alone["score"]), 1e-5);
            assert_eq!(own["p_value"], alone["p_value"]);
            let scaled = (number(&own["score"]) - number(&of["median"])) / number(&of["reach"]);
            assert!((scaled - number(&own["scaled"])).abs() <= 1e-9 * scaled.abs().max(1.0));
            largest = largest.max(number(&own["scaled"]));
        }
        assert_eq!(line["score"].as_f64().unwrap(), largest);
        let is_anomalous = line["label"] == "anomalous";
        assert_eq!(is_anomalous, line["p_value"].as_f64().unwrap() <= 0.1);
        assert_eq!(is_anomalous, line["score"].as_f64() >= line["threshold"].as_f64());
    }
    // A table and a spreadsheet say the same.
    let table = dfm.run(&["predict", "part", "new"]).expect_code(1).out;
    assert!(table.lines().next().unwrap().ends_with("part"), "{table}");
    assert!(table.lines().nth(2).unwrap().contains("anomalous") && table.contains("new/b"), "{table}");
    let csv = dfm.run(&["predict", "part", "new", "--format", "csv"]).expect_code(1).out;
    let heading: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    assert_eq!(heading[8..13], ["view", "side_path", "side_score", "side_scaled", "side_p_value"]);
    assert_eq!(csv.lines().count(), 4);
    // A threshold of a call.
    assert_eq!(judged(&dfm, 0, &["--threshold", "1e9"])[1]["label"], "normal");
    let few = dfm.run(&["predict", "part", "new", "--false-alarm", "0.001"]).expect_code(2);
    few.expect_said(&["takes 999 good parts to calibrate with or more, got 20"]);
}

#[test]
fn a_missing_view_is_an_error_of_that_part_alone() {
    let dfm = program();
    save_good(&dfm);
    fit(&dfm, &[], 0);
    save(&dfm, "new/a", 100, "");
    save(&dfm, "new/b", 101, "top");
    fs::remove_file(dfm.path("new/b_side.png")).unwrap();
    let run = dfm.run(&["predict", "part", "new", "--format", "json"]).expect_code(2);
    assert_eq!(run.json().len(), 1);
    run.expect_said(&["new/b", "view side is missing"]);
    // A picture that cannot be read costs its part as well.
    fs::write(dfm.path("new/b_side.png"), b"no picture").unwrap();
    let run = dfm.run(&["predict", "part", "new", "--format", "json"]).expect_code(2);
    assert_eq!(run.json().len(), 1);
    run.expect_said(&["b_side.png", "view side cannot be judged"]);
    fs::remove_file(dfm.path("new/b_side.png")).unwrap();
    fs::remove_file(dfm.path("new/b_top.png")).unwrap();
    // What matches nothing, an unknown view, and a view that is there twice.
    dfm.save("new/other.png", &view(1, "top", true));
    dfm.run(&["predict", "part", "new"])
        .expect_code(2)
        .expect_said(&["other.png", "does not match the pattern"]);
    fs::rename(dfm.path("new/other.png"), dfm.path("new/a_left.png")).unwrap();
    let pattern = "(?<part>.+)_(?<view>top|side|left)";
    let run = dfm.run(&["predict", "part", "new", "--part", pattern, "--format", "json"]).expect_code(2);
    assert_eq!(run.json().len(), 1, "a part whose views are there is judged");
    run.expect_said(&["view 'left': the model has the views side, top"]);
    fs::rename(dfm.path("new/a_left.png"), dfm.path("new/a_top.jpg.png")).unwrap();
    fs::rename(dfm.path("new/a_top.jpg.png"), dfm.path("new/a_top.jpg")).unwrap();
    let run = dfm.run(&["predict", "part", "new", "--format", "json"]).expect_code(2);
    assert_eq!(run.json().len(), 0);
    run.expect_said(&["two pictures show view top"]);
}

#[test]
fn at_the_fit_incomplete_parts_are_left_out_and_said() {
    let dfm = program();
    save_good(&dfm);
    fs::remove_file(dfm.path("good/03_side.png")).unwrap();
    let run = fit(&dfm, &[], 2).expect_said(&["good/03", "view side is missing", "19 parts with all views"]);
    assert!(run.out.contains("19 with the views"), "{}", run.out);
    // Something is there now, and stays.
    let before = fs::read(dfm.path("part/parts.json")).unwrap();
    fit(&dfm, &["--pca", "2"], 2).expect_said(&["expected an empty folder or nothing there"]);
    assert!(before == fs::read(dfm.path("part/parts.json")).unwrap());
    fs::remove_dir_all(dfm.path("part")).unwrap();
    fit(&dfm, &["--skip-bad"], 0);
    // A typing error in one name makes a view of its own; it is named with its count.
    fs::rename(dfm.path("good/04_side.png"), dfm.path("good/04_sid.png")).unwrap();
    let flags = ["fit", "good", "-o", "other", "--part", r"(?<part>\d+)_(?<view>[a-z]+)"];
    let run = dfm.run(&[&flags, &SMALL[..]].concat()).expect_code(2);
    run.expect_said(&["1 of view sid", "expected at least 2 parts with all views, found 0"]);
    assert!(!dfm.path("other").exists());
}

#[test]
fn a_split_of_parts_holds_whole_parts_out() {
    let dfm = program();
    save_good(&dfm);
    fit(&dfm, &["--calibrate", "split", "--false-alarm", "0.2"], 0);
    let info = dfm.run(&["info", "part", "--format", "json"]).expect_code(0).json().remove(0);
    assert_eq!((&info["parts"], &info["held_out"]), (&15.into(), &5.into()));
    assert_eq!((&info["calibration"], &info["guarantee"]), (&"split".into(), &"P(p_value <= a) <= a".into()));
    for view in info["views"].as_array().unwrap() {
        assert_eq!(view["model"]["record"]["picture_count"], 15);
    }
    save(&dfm, "new/b", 101, "top");
    assert_eq!(judged(&dfm, 1, &[])[0]["label"], "anomalous");
    fs::remove_dir_all(dfm.path("part")).unwrap();
    fit(&dfm, &["--calibrate", "split", "--false-alarm", "0.1"], 2)
        .expect_said(&["takes 9 good parts to calibrate with or more, got 5"]);
    fit(&dfm, &["--calibrate", "jackknife+"], 2).expect_said(&["leave-one-out or split for parts"]);
    assert!(!dfm.path("part").exists());
}

#[test]
fn a_list_names_parts_and_views() {
    let dfm = program();
    let mut list = "path,label,split,part,view\n".to_owned();
    for part in 0..26 {
        let (split, bad) = if part < 20 { ("train", "") } else { ("test", ["", "top"][part as usize % 2]) };
        for side in ["top", "side"] {
            let name = format!("shots/{}.png", 2 * part + u64::from(side == "top"));
            dfm.save(&name, &view(part, side, side != bad));
            let label = if side == bad { "scratch" } else { "good" };
            list += &format!("{name},{label},{split},{part},{side}\n");
        }
    }
    fs::write(dfm.path("list.csv"), &list).unwrap();
    dfm.run(&[&["fit", "list.csv", "-o", "part"], &SMALL[..]].concat()).expect_code(0);
    let found = dfm.run(&["evaluate", "part", "list.csv", "--format", "json", "--output", "run"]);
    let found = found.expect_code(0).json().remove(0);
    assert_eq!((&found["parts"], &found["unjudged"]), (&6.into(), &0.into()));
    assert_eq!(found["part_auroc"], 1.0);
    assert_eq!(found["classes"]["scratch"]["parts"], 3);
    assert_eq!(found["confusion"]["true_positives"], 3);
    assert_eq!((&found["views"][1]["view"], &found["views"][1]["found"]), (&"top".into(), &3.into()));
    let lines = fs::read_to_string(dfm.path("run/predictions.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 6);
    dfm.run(&["compare", "run", "run", "--bootstrap", "100"]).expect_code(0);
    let table = dfm.run(&["evaluate", "part", "list.csv"]).expect_code(0).out;
    assert!(table.contains("3 defective parts found, 0 missed"), "{table}");
    // No pattern is known, so names alone join nothing.
    dfm.run(&["predict", "part", "shots"]).expect_code(2).expect_said(&["fitted to a list of parts"]);
    let listed = dfm.run(&["predict", "part", "list.csv", "--format", "json"]).expect_code(1).json();
    assert_eq!(listed.len(), 26);
    // Usual models do not learn or judge several views as one.
    for flags in [
        &["update", "part/top.dfm", "list.csv"][..],
        &["evaluate", "part/top.dfm", "list.csv"],
        &["sweep", "list.csv", "--pool", "2,4"],
    ] {
        dfm.run(flags).expect_code(2).expect_said(&["expected pictures of one view"]);
    }
    // A row without its part is named.
    fs::write(dfm.path("list.csv"), list + "shots/0.png,good,test,,\n").unwrap();
    let run = dfm.run(&["evaluate", "part", "list.csv"]).expect_code(2);
    run.expect_said(&["gives other pictures a part and a view"]);
}

#[test]
fn a_folder_for_each_class_is_evaluated_part_by_part() {
    let dfm = program();
    (0..20).for_each(|part| save(&dfm, &format!("data/train/good/{part:02}"), part, ""));
    (20..24).for_each(|part| save(&dfm, &format!("data/test/good/{part}"), part, ""));
    (0..3).for_each(|part| save(&dfm, &format!("data/test/square/{part}"), 50 + part, "side"));
    let flags = ["fit", "data", "-o", "part", "--part", PATTERN];
    dfm.run(&[&flags, &SMALL[..]].concat()).expect_code(0);
    let found = dfm.run(&["evaluate", "part", "data", "--format", "json"]).expect_code(0).json().remove(0);
    assert_eq!((&found["parts"], &found["classes"]["good"]["parts"]), (&7.into(), &4.into()));
    assert_eq!((&found["part_auroc"], &found["views"][0]["found"]), (&1.0.into(), &3.into()));
    fs::remove_file(dfm.path("data/test/square/1_top.png")).unwrap();
    let run = dfm.run(&["evaluate", "part", "data", "--format", "json"]).expect_code(2);
    assert_eq!((&run.json()[0]["parts"], &run.json()[0]["unjudged"]), (&6.into(), &1.into()));
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let dfm = program();
    save_good(&dfm);
    fit(&dfm, &[], 0);
    save(&dfm, "new/a", 100, "");
    for (flags, words) in [
        (&["predict", "part", "new", "--roi", "1,1,20,20"][..], "--roi: a model of parts does not take it"),
        (
            &["predict", "part", "new", "--pixel-threshold", "2", "--masks", "maps"],
            "--pixel-threshold: a model of parts does not take it",
        ),
        (&["predict", "part", "new", "--explain"], "--explain: a model of parts does not take it"),
        (&["evaluate", "part", "new", "--review", "1..2"], "--review: a model of parts does not take it"),
        (&["merge", "part", "part", "-o", "both.dfm"], "expected a model of pictures, found one of parts"),
        (&["update", "part", "new"], "found one of parts with the views side, top"),
        (&["audit", "part"], "found one of parts"),
        (&["explain", "part", "new/a_top.png"], "side.dfm"),
        (&["predict", "part/top.dfm", "new", "--part", PATTERN], "--part: expected a model of parts"),
        (&["fit-all", "good", "-o", "models", "--part", PATTERN], "--part: products are not fitted as parts"),
        (&["fit", "good", "-o", "p", "--part", PATTERN, "--val", "synthetic"], "no synthetic defects"),
        (&["fit", "good", "-o", "p", "--part", PATTERN, "--val", "none"], "held-out scores"),
        (&["fit", "good", "-o", "p", "--part", "(?<part>.+)_top"], "found no group view"),
        (
            &["fit", "good", "-o", "p", "--part", "(?<part>.+)_(?<view>top)"],
            "expected parts with 2 to 64 views",
        ),
    ] {
        dfm.run(flags).expect_code(2).expect_said(&[words]);
    }
    assert!(!dfm.path("p").exists() && !dfm.path("maps").exists());
    // Each view is a usual model.
    assert!(dfm.run(&["predict", "part/top.dfm", "new/a_top.png", "--maps", "maps"]).code < 2);
}

#[test]
fn maps_masks_numbers_and_regions_of_each_view_are_those_of_its_own_model() {
    let dfm = program();
    save_good(&dfm);
    fit(&dfm, &["--false-alarm", "0.1"], 0);
    save(&dfm, "new/a", 100, "");
    save(&dfm, "new/b", 101, "top");
    let outputs = |name: &str| {
        let flags = ["--maps", "--raw-maps", "--masks"];
        let folders = flags.map(|flag| [flag.to_owned(), format!("{name}{flag}")]);
        let table = ["--regions".to_owned(), format!("{name}.csv"), "--close".to_owned(), "1".to_owned()];
        folders.into_iter().flatten().chain(table).collect::<Vec<_>>()
    };
    let flags = outputs("all");
    let lines = judged(&dfm, 1, &flags.iter().map(String::as_str).collect::<Vec<_>>());
    let mut rows = 0;
    for line in &lines {
        for own in line["views"].as_array().unwrap() {
            let view = own["view"].as_str().unwrap();
            let flags = outputs(view);
            let model = format!("part/{view}.dfm");
            let alone = ["predict", model.as_str(), own["path"].as_str().unwrap(), "--format", "json"];
            let flags = flags.iter().map(String::as_str);
            let alone = dfm.run(&alone.into_iter().chain(flags).collect::<Vec<_>>());
            let alone = alone.json().remove(0);
            let count = |line: &Value| line["regions"].as_array().unwrap().len();
            assert_eq!(count(own), count(&alone));
            assert_eq!(own["pixel_threshold"], alone["pixel_threshold"]);
            rows += count(own);
            // The batch changes the rounding of values, so only masks have the same bytes.
            for (field, flag) in [("heatmap", "--maps"), ("overlay", "--maps"), ("mask", "--masks")] {
                let [one, other] = [own, &alone].map(|line| line[field].as_str().unwrap().to_owned());
                assert!(one.starts_with(&format!("all{flag}")) && one.contains(view), "{one}");
                let [one, other] = [one, other].map(|path| image::open(dfm.path(&path)).unwrap());
                assert_eq!((one.width(), one.height()), (other.width(), other.height()));
                assert!(field != "mask" || one == other, "{field} of {own}");
            }
            assert!(dfm.path(own["raw_map"].as_str().unwrap()).is_file());
            assert!(dfm.path(&format!("all--maps/{view}/dfm-legend.png")).is_file());
        }
    }
    assert!(rows > 0);
    let table = fs::read_to_string(dfm.path("all.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + rows, "{table}");
    assert!(table.lines().skip(1).any(|row| row.contains("b_top.png,anomalous,")), "{table}");
    // Files of maps are no pictures of parts.
    for _ in 0..2 {
        assert_eq!(judged(&dfm, 1, &["--maps", "new/maps"]).len(), 2);
    }
    // Without maps nothing can be written, and that is said before anything is.
    let flags = ["fit", "good", "-o", "nll", "--part", PATTERN, "--score", "nll", "--pca", "3"];
    dfm.run(&[&flags, &SMALL[..]].concat()).expect_code(0);
    for flag in ["--maps", "--raw-maps", "--masks", "--regions"] {
        let run = dfm.run(&["predict", "nll", "new", flag, "none"]).expect_code(2);
        run.expect_said(&[&format!("{flag}: this model's score has no map")]);
        assert!(!dfm.path("none").exists());
    }
}

#[test]
fn an_evaluation_of_parts_leaves_maps_and_a_page_with_an_entry_for_each_part() {
    let dfm = program();
    (0..20).for_each(|part| save(&dfm, &format!("data/train/good/{part:02}"), part, ""));
    (20..23).for_each(|part| save(&dfm, &format!("data/test/good/{part}"), part, ""));
    (0..2).for_each(|part| save(&dfm, &format!("data/test/square/{part}"), 50 + part, "side"));
    dfm.save(
        "data/ground_truth/square/0_side_mask.png",
        &image::RgbImage::from_fn(56, 72, |x, y| {
            [if (21..35).contains(&x) && (29..43).contains(&y) { 255 } else { 0 }; 3].into()
        }),
    );
    let flags = ["fit", "data", "-o", "part", "--part", PATTERN];
    dfm.run(&[&flags, &SMALL[..]].concat()).expect_code(0);
    let evaluate = ["evaluate", "part", "data", "--report", "page", "--masks", "masks", "--regions", "r.csv"];
    dfm.run(&evaluate).expect_code(0);
    let page = fs::read_to_string(dfm.path("page/index.html")).unwrap();
    assert_eq!(page.matches("<li data-score=").count(), 5);
    for (caption, count) in [("side: picture", 5), ("top: picture", 5), ("top: map", 5), ("side: mask", 5)] {
        assert_eq!(page.matches(&format!("<figcaption>{caption}</figcaption>")).count(), count, "{caption}");
    }
    // Each view has its picture and its map; one has a mask.
    let shown = |what: &str| page.matches(&format!("alt=\"{what} of ")).count();
    assert_eq!((shown("side: picture"), shown("top: map"), shown("side: mask")), (5, 5, 1));
    assert!(page.contains("test/square/0</bdi>") && page.contains("view side decides"), "{page}");
    assert!(page.contains("whatever is counted here as pictures is counted in parts"));
    assert!(dfm.path("page/roc.svg").is_file() && dfm.path("page/metrics.json").is_file());
    let lines = fs::read_to_string(dfm.path("page/predictions.jsonl")).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 5);
    for line in &lines {
        for view in line["views"].as_array().unwrap() {
            assert!(dfm.path(view["mask"].as_str().unwrap()).is_file());
        }
    }
    let rows: usize = lines
        .iter()
        .flat_map(|line| line["views"].as_array().unwrap())
        .map(|view| view["regions"].as_array().unwrap().len())
        .sum();
    assert_eq!(fs::read_to_string(dfm.path("r.csv")).unwrap().lines().count(), 1 + rows);
    // A verdict that the regions of a view contradict is said, in the table, in JSON and on the page.
    let said = "parts called normal, though the map reaches the pixel threshold";
    let high = ["evaluate", "part", "data", "--threshold", "1e9", "--report", "high"];
    assert!(dfm.run(&high).expect_code(0).out.contains(said));
    assert!(fs::read_to_string(dfm.path("high/index.html")).unwrap().contains(said));
    let json = dfm.run(&["evaluate", "part", "data", "--threshold", "1e9", "--format", "json"]).json();
    assert!(json[0]["contradictions"]["normal_with_regions"].as_u64().unwrap() >= 2, "{}", json[0]);
    let judged = ["predict", "part", "data/test/square", "--threshold", "1e9"];
    let judged = dfm.run(&judged).expect_code(0).expect_said(&[said]);
    assert!(judged.out.contains("normal ("), "{}", judged.out);
    // Nothing is written into a folder in which something else must stay.
    fs::create_dir_all(dfm.path("mine")).unwrap();
    fs::write(dfm.path("mine/index.html"), "<p>mine").unwrap();
    dfm.run(&["evaluate", "part", "data", "--report", "mine"]).expect_code(2).expect_said(&["index.html"]);
    assert_eq!(fs::read_to_string(dfm.path("mine/index.html")).unwrap(), "<p>mine");
}

#[test]
fn a_model_of_parts_that_was_changed_is_refused() {
    let dfm = program();
    save_good(&dfm);
    fit(&dfm, &[], 0);
    save(&dfm, "new/a", 100, "");
    let read = |name: &str| fs::read(dfm.path(name)).unwrap();
    let (record, top) = (read("part/parts.json"), read("part/top.dfm"));
    let said = |words: &str| {
        for command in [&["predict", "part", "new"][..], &["info", "part"]] {
            dfm.run(command).expect_code(2).expect_said(&[words]);
        }
    };
    // Every byte of the record counts.
    for place in (0..record.len()).step_by(7) {
        let mut damaged = record.clone();
        damaged[place] ^= 1;
        fs::write(dfm.path("part/parts.json"), damaged).unwrap();
        dfm.run(&["info", "part"]).expect_code(2).expect_said(&["parts.json"]);
    }
    fs::write(dfm.path("part/parts.json"), &record).unwrap();
    // A view that was updated is not the one that the threshold is of.
    dfm.save("more/x.png", &view(200, "top", true));
    dfm.run(&["update", "part/top.dfm", "more"]).expect_code(0);
    said("expected the model of view top that the parts were calibrated with");
    fs::write(dfm.path("part/top.dfm"), &top).unwrap();
    dfm.run(&["predict", "part", "new"]).expect_code(0);
    fs::remove_file(dfm.path("part/side.dfm")).unwrap();
    said("side.dfm");
}

#[test]
fn the_model_does_not_depend_on_the_order_or_the_threads_and_may_be_small() {
    let dfm = program();
    save_good(&dfm);
    fit(&dfm, &["--threads", "1"], 0);
    let before: Vec<Vec<u8>> = ["parts.json", "top.dfm", "side.dfm"]
        .map(|name| fs::read(dfm.path(&format!("part/{name}"))).unwrap())
        .into();
    fs::remove_dir_all(dfm.path("part")).unwrap();
    fit(&dfm, &["--threads", "2", "--jobs", "3"], 0);
    for (name, before) in ["parts.json", "top.dfm", "side.dfm"].iter().zip(before) {
        assert!(before == fs::read(dfm.path(&format!("part/{name}"))).unwrap(), "{name}");
    }
    fs::remove_dir_all(dfm.path("part")).unwrap();
    fit(&dfm, &["--no-update", "--slim"], 0);
    let info = dfm.run(&["info", "part", "--format", "json"]).expect_code(0).json().remove(0);
    assert_eq!(info["views"][0]["model"]["updatable"], false);
    assert_eq!(info["held_out"], 20);
    save(&dfm, "new/b", 101, "top");
    assert_eq!(judged(&dfm, 1, &[])[0]["label"], "anomalous");
    assert_eq!(fs::read_dir(dfm.path("part")).unwrap().count(), 3, "something is left behind");
}

/// It is ended in the second view; what was learnt of the first is not lost.
#[cfg(unix)]
#[test]
fn an_interrupted_fit_goes_on_from_what_it_learnt_of_every_view() {
    let dfm = program();
    for part in 0..30 {
        for side in ["side", "top"] {
            dfm.save(&format!("good/{part:02}_{side}.png"), &pictures::good(part, 320, 320));
        }
    }
    let flags =
        ["fit", "good", "-o", "part/", "--part", PATTERN, "--weights", "random", "--backbone", "resnet18"];
    let flags = [&flags[..], &["--batch", "1", "--threads", "1"]].concat();
    let mut child = dfm.command().args(&flags).spawn().unwrap();
    let size = |view: &str| {
        dfm.path(&format!("part-{view}.partial")).metadata().map_or(0, |metadata| metadata.len())
    };
    let begun = std::time::Instant::now();
    let mut first = 0;
    while first == 0 || size("top") <= first {
        assert!(begun.elapsed().as_secs() < 120, "no checkpoint");
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be interrupted");
        if first == 0 {
            first = size("top");
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(size("side") > 0 && !dfm.path("part").exists());
    dfm.run(&flags).expect_code(2).expect_said(&["--resume goes on with it"]);
    let resumed = dfm.run(&[&flags[..], &["--resume"]].concat()).expect_code(0);
    resumed.expect_said(&["part-side.partial: 30 pictures are learnt already"]);
    assert_eq!((size("side"), size("top")), (0, 0));
    dfm.run(&["info", "part"]).expect_code(0);
}
