//! `dfm sweep`: a grid whose every row is what a fit and an evaluation of its own would say.

use std::fs;

use dfm_tests::datasets::LAYOUTS;
use dfm_tests::program::Program;
use dfm_tests::tolerance::assert_close;
use image::{Rgb, RgbImage};
use serde_json::Value;

/// A network that runs in a moment.
const NETWORK: [&str; 6] = ["--backbone", "resnet18", "--weights", "random", "--size", "64"];

/// `mvtec`, with 6 pictures to learn and 7 to judge.
fn program() -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    (LAYOUTS[0].write)(&dfm);
    dfm
}

fn sweep(dfm: &Program, more: &[&str], code: i32) -> Value {
    let flags = [&["sweep", "mvtec", "--format", "json", "-q"], more].concat();
    dfm.run(&flags).expect_code(code).json().remove(0)
}

fn rows(sweep: &Value) -> &Vec<Value> {
    sweep["settings"].as_array().expect("settings")
}

fn text<'r>(row: &'r Value, name: &str) -> &'r str {
    row[name].as_str().unwrap_or_else(|| panic!("{name}: {row}"))
}

#[test]
fn every_row_is_a_fit_and_an_evaluation() {
    let dfm = program();
    let layers = ["--layer", "layer1,layer1+layer2", "--pool", "2,3,4,4+2"];
    let statistics = ["--pca", "0.9,2", "--score", "fre,nll,mahalanobis"];
    let grid = [&layers[..], &statistics].concat();
    let found = sweep(&dfm, &[&NETWORK[..], &grid].concat(), 0);
    assert_eq!((rows(&found).len(), &found["train"], &found["test"]), (48, &6.into(), &7.into()));
    // A likelihood of two components has a threshold; one of all that vary may have none.
    assert!(agreeing(&dfm, &found, &[]) >= 20);
}

#[test]
fn so_it_is_in_tiles_and_in_a_region() {
    let dfm = program();
    // Inside is a disc: cells of the finer pool count by themselves.
    let disc = RgbImage::from_fn(72, 56, |x, y| {
        let inside = (i64::from(x) - 38).pow(2) + (i64::from(y) - 26).pow(2) < 300;
        Rgb([if inside { 255 } else { 0 }; 3])
    });
    dfm.save("disc.png", &disc);
    let grid =
        ["--layer", "layer1,layer1+layer2", "--pool", "2,4", "--pca", "2", "--score", "fre,mahalanobis"];
    for (fixed, words) in [
        (&["--tile", "40", "--stride", "24"][..], "--tile 40 --stride 24"),
        (&["--tile", "40", "--roi", "4,3,66,50"], "--roi 4,3,66,50 --tile 40 --stride 30"),
        (&["--roi", "disc.png"], "--roi disc.png"),
    ] {
        let found = sweep(&dfm, &[&NETWORK[..], &grid, fixed].concat(), 0);
        assert_eq!(agreeing(&dfm, &found, fixed), 8, "{found}");
        let table = dfm.run(&[&["sweep", "mvtec", "-q"], &NETWORK[..], &grid, fixed].concat()).out;
        let first = table.lines().find(|line| line.starts_with("first: ")).expect("a line");
        assert!(first.ends_with(words), "{first}");
    }
}

/// Checks that every row says what a fit and an evaluation do, told the same and what is `fixed`;
/// how many have figures.
fn agreeing(dfm: &Program, found: &Value, fixed: &[&str]) -> usize {
    for row in rows(found) {
        let settings = ["layer", "pool", "pca", "score"];
        let flags: Vec<String> = settings
            .iter()
            .flat_map(|name| [format!("--{name}"), text(row, name).replace('+', ",")])
            .collect();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        // The figures of a sweep are those of coarse maps.
        let coarse = ["--map", "coarse"];
        let fit = dfm.run(&[&["fit", "mvtec", "-o", "m.dfm"], &NETWORK[..], &flags, fixed, &coarse].concat());
        if let Some(reason) = row["reason"].as_str() {
            // In the same words.
            fit.expect_code(2).expect_said(&[reason]);
            continue;
        }
        fit.expect_code(0);
        let evaluate = ["evaluate", "m.dfm", "mvtec", "--bootstrap", "0", "--format", "json"];
        let alone = dfm.run(&evaluate).expect_code(0).json().remove(0);
        let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value}: {row}"));
        assert_close(&format!("{row}"), number(&row["image_auroc"]), number(&alone["image_auroc"]), 1e-12);
        match text(row, "score") {
            "nll" => assert!(row["pixel_auroc"].is_null() && row["aupro"].is_null(), "{row}"),
            _ => {
                // Pools of pools round apart from pools by 1e-7: some pixels change their bin.
                assert_close("pixels", number(&row["pixel_auroc"]), number(&alone["pixel_auroc"]), 1e-4);
                assert_close(
                    "AUPRO",
                    number(&row["aupro"]),
                    number(&alone["pixel"]["aupro_30"]["value"]),
                    1e-4,
                );
            }
        }
        let info = dfm.run(&["info", "m.dfm", "--format", "json"]).expect_code(0).json().remove(0);
        let taps = info["taps"].as_array().expect("taps");
        let components: f64 = taps.iter().map(|tap| number(&tap["components"])).sum();
        assert_eq!(number(&row["components"]), components, "{row}");
        // The fit's model knows its six pictures by name.
        let bytes = fs::metadata(dfm.path("m.dfm")).expect("a model").len() as f64;
        assert!((number(&row["model_bytes"]) - bytes).abs() < 2000.0, "{row}: {bytes}");
        assert!(number(&row["feature_seconds"]) > 0.0 && number(&row["fit_seconds"]) > 0.0);
    }
    rows(found).iter().filter(|row| row["reason"].is_null()).count()
}

#[test]
fn the_best_comes_first_and_what_has_no_figure_last() {
    let dfm = program();
    let grid = ["--layer", "layer1,layer2", "--pca", "1,2", "--score", "fre,nll", "--pool", "4,99"];
    for (by, figure) in [("image-auroc", "image_auroc"), ("pixel-auroc", "pixel_auroc"), ("aupro", "aupro")] {
        let found = sweep(&dfm, &[&NETWORK[..], &grid, &["--rank-by", by]].concat(), 0);
        assert_eq!(text(&found, "rank_by"), by);
        let figures: Vec<Option<f64>> = rows(&found).iter().map(|row| row[figure].as_f64()).collect();
        assert!(figures.windows(2).all(|pair| pair[0] >= pair[1]), "{by}: {figures:?}");
        for (place, row) in rows(&found).iter().enumerate() {
            let rank = row[figure].as_f64().map(|_| place as u64 + 1);
            assert_eq!(row["rank"].as_u64(), rank, "{row}");
        }
        let reasons: Vec<bool> = rows(&found).iter().map(|row| row["reason"].is_string()).collect();
        assert_eq!(reasons, [[false; 8], [true; 8]].concat());
    }
}

#[test]
fn what_cannot_be_is_a_row_that_says_why() {
    let dfm = program();
    let said = |more: &[&str], code: i32, words: &[&str]| {
        let found = sweep(&dfm, more, code);
        let reasons: Vec<&str> = rows(&found).iter().filter_map(|row| row["reason"].as_str()).collect();
        assert!(!reasons.is_empty(), "{found}");
        for word in words {
            assert!(reasons.iter().any(|reason| reason.contains(word)), "{word}: {reasons:?}");
        }
        (rows(&found).len(), reasons.len())
    };
    let with = |more: &[&'static str]| [&NETWORK[..], more].concat();
    assert_eq!(said(&with(&["--layer", "layer4", "--pool", "1,64"]), 0, &["64"]), (2, 1));
    let scores =
        with(&["--layer", "layer1+layer2", "--pca", "2", "--score", "fre,nll", "--aggregate", "sum,max"]);
    assert_eq!(said(&scores, 0, &["no geometric mean of likelihoods"]), (3, 1));
    assert_eq!(said(&with(&["--layer", "layer1", "--pca", "2,100"]), 0, &["100"]), (2, 1));
    let joined = with(&["--layer", "layer1,layer1+layer2", "--pool", "4,2+4"]);
    assert!(said(&joined, 0, &["pool: expected one for all layers or one for each of 1, got 2"]).1 >= 1);
    // The embedded network ends at layer3; one file is not there at all.
    let layers = ["--layer", "layer4,layer1", "--size", "64"];
    assert_eq!(said(&layers, 0, &["layer4"]), (2, 1));
    let networks =
        ["--backbone", "resnet18", "--weights", "random,none.pth", "--size", "64", "--layer", "layer1"];
    assert_eq!(said(&networks, 0, &["none.pth"]), (2, 1));
    // Nothing at all is a failure, of memory too.
    assert_eq!(said(&with(&["--pool", "99"]), 2, &["99"]), (1, 1));
    let memory = with(&["--layer", "layer1", "--max-memory", "32KiB"]);
    assert_eq!(said(&memory, 2, &["13 pictures", "--max-memory", "53.2 kB", "32.8 kB"]), (1, 1));
    let tiles = with(&["--layer", "layer1", "--max-memory", "64KiB", "--tile", "40"]);
    assert_eq!(said(&tiles, 2, &["18 tiles of 3 of 13 pictures", "larger tiles", "65.5 kB"]), (1, 1));
    // Unreadable flags are no row.
    for (flags, words) in [
        (&["--tile", "40", "--stride", "41"][..], "every 41"),
        (&["--stride", "40"], "--tile"),
        (&["--roi", "none.png"], "none.png"),
    ] {
        dfm.run(&[&["sweep", "mvtec"], flags].concat()).expect_code(2).expect_said(&[words]);
    }
}

#[test]
fn a_table_says_what_it_is_worth_and_a_file_may_hold_the_grid() {
    let dfm = program();
    let flags = ["--layer", "layer1,layer2", "--pca", "0.9,2", "--pool", "4,99"];
    let table = dfm.run(&[&["sweep", "mvtec"], &NETWORK[..], &flags].concat()).expect_code(0).out;
    for word in [
        "image AUROC",
        "ms/picture",
        "cannot be: resnet18 (random) --layer layer1 --pool 99",
        "first: --layer",
    ] {
        assert!(table.contains(word), "{word}: {table}");
    }
    let end = table.lines().last().expect("a line");
    assert!(end.contains("ranked by the labels of the test pictures"), "{table}");
    for help in [&["sweep", "--help"][..], &["help"]] {
        assert!(dfm.run(help).expect_code(0).out.contains("selection on the test set"), "{help:?}");
    }
    fs::write(
        dfm.path("dfm.toml"),
        "[sweep]\ndataset = \"mvtec\"\nbackbone = [\"resnet18\"]\nweights = \"random\"\nsize = 64\n\
         layer = [\"layer1\", \"layer2\"]\npca = [0.9, 2]\npool = [4, 99]\n",
    )
    .unwrap();
    let again = dfm.run(&["sweep"]).expect_code(0);
    // Times differ, and with them the widths of columns.
    let words = |text: &str| -> Vec<String> {
        let kept = text.lines().map(|line| line.split_whitespace().take(10).collect::<Vec<_>>().join(" "));
        kept.collect()
    };
    assert_eq!(words(&again.out), words(&table));
    again.expect_said(&["flags from dfm.toml [sweep]: dataset, backbone"]);
    fs::remove_dir_all(dfm.path("mvtec/train")).unwrap();
    dfm.run(&["sweep"]).expect_code(2).expect_said(&["mvtec", "good"]);
    dfm.run(&["sweep", "mvtec", "--no-config", "--backbone", "a,b", "--weights", "a,b,c"])
        .expect_code(2)
        .expect_said(&["--backbone", "each of 3, got 2"]);
}

#[test]
fn what_cannot_be_read_is_said_once_and_the_rest_is_swept() {
    let dfm = program();
    fs::write(dfm.path("mvtec/train/good/0.png"), b"no picture").unwrap();
    fs::write(dfm.path("mvtec/ground_truth/square/0_mask.png"), b"no mask").unwrap();
    let grid = ["--layer", "layer1,layer2", "--pca", "1,2", "--format", "json"];
    let networks = ["--backbone", "resnet18,resnet34", "--weights", "random", "--size", "64"];
    let run = dfm.run(&[&["sweep", "mvtec", "-q"], &networks[..], &grid].concat()).expect_code(2);
    for name in ["good/0.png", "0_mask.png"] {
        let name = name.replace('/', std::path::MAIN_SEPARATOR_STR);
        assert_eq!(run.err.matches(&name).count(), 1, "{name}: {}", run.err);
    }
    let found = run.json().remove(0);
    assert_eq!(rows(&found).len(), 8);
    assert!(rows(&found).iter().all(|row| row["pixel_auroc"].is_f64()), "{found}");
}
