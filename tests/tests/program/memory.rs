//! `dfm fit` within a stated memory: exact while it fits, compressed and said so beyond.

use dfm_tests::model_file::ModelFile;
use dfm_tests::pictures;
use dfm_tests::program::{Finished, Program, SMALL};
use serde_json::Value;

/// Rows of 1024 values: 2 MiB hold some 60 of them exactly, and some 45 directions of
/// more.
const TIGHT: [&str; 2] = ["--max-memory", "2MiB"];

fn program(count: u64) -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    for seed in 0..count {
        dfm.save(&format!("good/{seed:03}.png"), &pictures::good(seed, 72, 56));
    }
    dfm.save("new/good.png", &pictures::good(777, 72, 56));
    dfm.save("new/bad.png", &pictures::defective(778, 72, 56));
    dfm
}

fn fit(dfm: &Program, model: &str, more: &[&str]) -> Finished {
    // Details of fine maps would take most of so little memory.
    let coarse = ["--map", "coarse"];
    dfm.run(&[&["fit", "good", "-o", model], SMALL.as_slice(), &["--pca", "8"], &coarse, more].concat())
}

fn info(dfm: &Program, model: &str) -> Value {
    dfm.run(&["info", model, "--format", "json"]).expect_code(0).json().remove(0)
}

fn scores(dfm: &Program, model: &str) -> Vec<f64> {
    dfm.run(&["predict", model, "new", "--format", "json"]).scores()
}

#[test]
fn a_fit_beyond_its_memory_says_what_it_dropped_and_stays_near_the_exact_one() {
    let dfm = program(80);
    let run = fit(&dfm, "small.dfm", &TIGHT).expect_code(0);
    assert!(run.out.contains("directions fitted into memory"), "{}", run.out);
    assert!(run.out.contains("were not learnt and calibrate, because memory did not suffice"), "{}", run.out);
    assert!(run.out.contains("(split)"), "{}", run.out);
    fit(&dfm, "exact.dfm", &[]).expect_code(0);
    let (small, exact) = (info(&dfm, "small.dfm"), info(&dfm, "exact.dfm"));
    assert!(exact["record"]["taps"][0]["compression"].is_null());
    let compression = &small["record"]["taps"][0]["compression"];
    assert_eq!(small["record"]["taps"][0]["rank"], compression["limit"]);
    let dropped = compression["dropped_share"].as_f64().unwrap();
    assert!(dropped > 0.0 && dropped < 0.2, "{dropped}");
    let table = dfm.run(&["info", "small.dfm"]).expect_code(0);
    assert!(table.out.contains("compressed"), "{}", table.out);
    assert!(table.out.contains("were not learnt and calibrate"), "{}", table.out);
    let aside = small["record"]["set_aside"].as_u64().unwrap();
    assert_eq!(
        (&small["record"]["held_out"], &small["calibration"]["pictures"]),
        (&aside.into(), &aside.into())
    );
    assert_eq!((&small["version"], &exact["version"]), (&3.into(), &2.into()));
    assert!(exact["record"].get("set_aside").is_none());
    // Eight of the leading components are as good as right; what is dropped still counts
    // as residual, in the scores and in the threshold.
    for (small, exact) in scores(&dfm, "small.dfm").iter().zip(scores(&dfm, "exact.dfm")) {
        assert!((small / exact - 1.0).abs() < 0.1, "{small} against {exact}");
    }
    let threshold = |info: &Value| info["threshold"].as_f64().unwrap();
    assert!((threshold(&small) / threshold(&exact) - 1.0).abs() < 0.1);
    // Twice the same bytes.
    fit(&dfm, "again.dfm", &TIGHT).expect_code(0);
    let bytes = |model: &str| std::fs::read(dfm.path(model)).unwrap();
    assert_eq!(bytes("again.dfm"), bytes("small.dfm"));
}

#[test]
fn a_fit_that_sets_pictures_aside_says_that_its_maps_are_coarse() {
    let dfm = program(80);
    let fit = |model: &str, memory: &str| {
        let memory = ["--max-memory", memory];
        dfm.run(&[&["fit", "good", "-o", model], SMALL.as_slice(), &["--pca", "8"], &memory].concat())
    };
    fit("small.dfm", "3MiB").expect_code(0).expect_said(&["maps are coarse", "memory did not suffice"]);
    let small = info(&dfm, "small.dfm");
    assert_eq!((&small["map"], small["record"]["set_aside"].is_number()), (&"coarse".into(), true));
    let said = fit("large.dfm", "8MiB").expect_code(0).err;
    assert!(!said.contains("coarse"), "{said}");
    assert_eq!(info(&dfm, "large.dfm")["map"], "fine");
}

#[test]
fn a_compressed_model_is_updated_merged_and_made_to_forget() {
    let dfm = program(80);
    fit(&dfm, "small.dfm", &TIGHT).expect_code(0);
    let limit = info(&dfm, "small.dfm")["record"]["taps"][0]["compression"]["limit"].clone();
    dfm.run(&["update", "small.dfm", "new"]).expect_code(0);
    dfm.run(&["forget", "small.dfm", "good/007.png"]).expect_code(0);
    let record = info(&dfm, "small.dfm")["record"].clone();
    assert_eq!((record["picture_count"].clone(), record["taps"][0]["rank"].clone()), (81.into(), limit));
    fit(&dfm, "exact.dfm", &[]).expect_code(0);
    // The other has learnt all that was set aside, so nothing is left that could tell a threshold. The order of
    // the models changes nothing.
    for [one, other] in [["exact.dfm", "small.dfm"], ["small.dfm", "exact.dfm"]] {
        dfm.run(&["merge", one, other, "-o", "both.dfm"]).expect_code(2).expect_said(&[
            "finding the threshold",
            "memory did not suffice",
            "--max-memory",
        ]);
    }
    for seed in 200..212 {
        dfm.save(&format!("more/{seed}.png"), &pictures::good(seed, 72, 56));
    }
    let fit = [&["fit", "more", "-o", "more.dfm"], SMALL.as_slice(), &["--pca", "8"]].concat();
    dfm.run(&fit).expect_code(0);
    dfm.run(&["merge", "more.dfm", "small.dfm", "-o", "both.dfm"]).expect_code(0);
    let both = info(&dfm, "both.dfm")["record"].clone();
    assert_eq!((&both["picture_count"], &both["set_aside"]), (&93.into(), &record["set_aside"]));
    // A picture that was set aside is forgotten by its name.
    let names = (0..80).map(|seed| format!("{seed:03}.png"));
    let less = names.into_iter().find(|name| {
        let less = format!("without-{name}.dfm");
        dfm.run(&["forget", "both.dfm", name, "-o", &less]).expect_code(0);
        info(&dfm, &less)["record"]["set_aside"] != both["set_aside"]
    });
    assert!(less.is_some(), "the names of pictures that were set aside are known");
}

/// What the exact model knows of pictures that both have is exact, whichever model comes first.
#[test]
fn an_exact_model_and_a_compressed_one_of_the_same_pictures_merge_in_both_orders() {
    let dfm = program(80);
    fit(&dfm, "small.dfm", &TIGHT).expect_code(0);
    fit(&dfm, "exact.dfm", &[]).expect_code(0);
    dfm.run(&["merge", "exact.dfm", "small.dfm", "-o", "one.dfm"]).expect_code(0);
    dfm.run(&["merge", "small.dfm", "exact.dfm", "-o", "other.dfm"]).expect_code(0);
    let [exact, one, other] = ["exact.dfm", "one.dfm", "other.dfm"].map(|model| info(&dfm, model));
    for merged in [&one, &other] {
        assert!(merged["record"]["taps"][0]["compression"].is_null(), "{merged}");
        assert_eq!(merged["record"]["picture_count"], 80);
    }
    assert_eq!(one["threshold"], exact["threshold"]);
    let of = |info: &Value| info["threshold"].as_f64().unwrap();
    assert!((of(&other) / of(&exact) - 1.0).abs() < 1e-4, "{} against {}", of(&other), of(&exact));
}

#[test]
fn few_pictures_that_were_set_aside_are_said_with_what_gives_more() {
    let dfm = program(80);
    let run = fit(&dfm, "small.dfm", &[&TIGHT[..], &["--tile", "40"]].concat()).expect_code(0);
    run.expect_said(&[
        "few pictures calibrate the threshold",
        "with more memory (--max-memory) more pictures calibrate",
    ]);
}

/// Figures of defects count only pictures that were not learnt.
#[test]
fn synthetic_defects_are_put_on_pictures_that_were_set_aside() {
    let dfm = program(80);
    fit(&dfm, "small.dfm", &[&TIGHT[..], &["--val", "synthetic", "--no-update"]].concat()).expect_code(0);
    let record = info(&dfm, "small.dfm")["record"].clone();
    let count = |value: &Value| value.as_u64().unwrap();
    let (good, aside) = (count(&record["validation"]["good"]), count(&record["set_aside"]));
    // A quarter of all would be twenty, of which those are left that were set aside.
    assert!((1..=aside.min(20)).contains(&good), "{good} of {aside}");
    assert_eq!(record["validation"]["defective"], good);
}

#[test]
fn too_little_memory_is_an_error_with_what_it_takes() {
    let dfm = program(80);
    fit(&dfm, "none.dfm", &["--max-memory", "512KiB"])
        .expect_code(2)
        .expect_said(&["needs at least 1 MiB", "allow more memory"]);
    fit(&dfm, "none.dfm", &[&TIGHT[..], &["--exact"]].concat())
        .expect_code(2)
        .expect_said(&["1024 values", "2 MiB are allowed"]);
    fit(&dfm, "none.dfm", &["--max-memory", "plenty"]).expect_code(2).expect_said(&["512MiB"]);
    fit(&dfm, "none.dfm", &[&TIGHT[..], &["--calibrate", "jackknife+", "--aggregate", "sum"]].concat())
        .expect_code(2)
        .expect_said(&["jackknife+ calibration", "--max-memory allows more", "--calibrate split"]);
    assert!(!dfm.path("none.dfm").exists());
    fit(&dfm, "max.dfm", &[&TIGHT[..], &["--aggregate", "max"]].concat()).expect_code(0);
    assert!(info(&dfm, "max.dfm")["cell_threshold"].as_f64().unwrap() > 0.0);
    fit(&dfm, "given.dfm", &[&TIGHT[..], &["--aggregate", "max", "--threshold", "9"]].concat())
        .expect_code(0);
    assert!(info(&dfm, "given.dfm")["record"].get("set_aside").is_none(), "nothing is to be found");
}

#[test]
fn a_compressed_model_whose_books_do_not_fit_is_refused() {
    let dfm = program(80);
    fit(&dfm, "small.dfm", &TIGHT).expect_code(0);
    let bytes = std::fs::read(dfm.path("small.dfm")).unwrap();
    let limit = &info(&dfm, "small.dfm")["record"]["taps"][0]["compression"]["limit"];
    let bad = ModelFile::open(&bytes).replace(&format!("\"limit\":{limit}"), "\"limit\":0");
    std::fs::write(dfm.path("bad.dfm"), bad.close()).unwrap();
    dfm.run(&["audit", "bad.dfm"]).expect_code(2).expect_said(&["bad.dfm", "compression"]);
    // Judging reads nothing of what was compressed.
    dfm.run(&["predict", "bad.dfm", "new"]).expect_code(1);
}

#[test]
fn a_compressed_model_of_an_earlier_version_says_that_its_threshold_is_far_too_low() {
    let dfm = program(80);
    fit(&dfm, "small.dfm", &[&TIGHT[..], &["--no-update"]].concat()).expect_code(0);
    let record = info(&dfm, "small.dfm")["record"].clone();
    let of = |name: &str| record[name].as_u64().expect("a count");
    // As earlier versions wrote it: nothing set aside.
    let old = ModelFile::open(&std::fs::read(dfm.path("small.dfm")).unwrap())
        .replace(&format!(",\"set_aside\":{}", of("set_aside")), "")
        .replace(&format!("\"held_out\":{}", of("held_out")), "\"held_out\":0")
        .replace("\"version\":3", "\"version\":2");
    std::fs::write(dfm.path("old.dfm"), old.close()).unwrap();
    let said = |model: &str, more: &[&str]| {
        let run = dfm.run(&[&["predict", model, "new"], more].concat());
        assert!(run.code < 2, "{}", run.err);
        run.err.contains("far too low")
    };
    assert!(said("old.dfm", &[]) && !said("old.dfm", &["--threshold", "9"]));
    assert!(!said("small.dfm", &[]));
    dfm.save_dataset();
    assert!(dfm.run(&["evaluate", "old.dfm", "data"]).expect_code(0).err.contains("far too low"));
}
