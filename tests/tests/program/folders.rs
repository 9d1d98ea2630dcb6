//! Which files of a folder are pictures, which of them are learnt, and what is said of the others.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use dfm_tests::pictures;
use dfm_tests::program::{Finished, Program, SMALL};
use dfm_tests::tiff::{Page, tiff};
use image::{DynamicImage, ImageFormat, RgbImage};

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_dfm-under-test"))
}

fn save_classes(dfm: &Program, good: &str, bad: &str) {
    for k in 0..6 {
        dfm.save(&format!("{good}/{k}.png"), &pictures::good(k, 72, 56));
    }
    for k in 0..3 {
        dfm.save(&format!("{bad}/{k}.png"), &pictures::defective(50 + k, 72, 56));
    }
}

fn fit(dfm: &Program, folder: &str, more: &[&str]) -> Finished {
    dfm.run(&[&["fit", folder, "-o", "model.dfm"], SMALL.as_slice(), more].concat())
}

/// The number of pictures that `model.dfm` has learnt.
fn learnt(dfm: &Program) -> u64 {
    let info = dfm.run(&["info", "model.dfm", "--format", "json"]).expect_code(0).json().remove(0);
    info["record"]["picture_count"].as_u64().unwrap()
}

#[test]
fn folders_that_say_defects_are_not_learnt_whatever_their_case() {
    for (good, bad) in
        [("OK", "NG"), ("Good", "Bad"), ("pass", "FAIL"), ("no_defect", "Defects"), ("Normal", "crack")]
    {
        let dfm = program();
        save_classes(&dfm, &format!("set/{good}"), &format!("set/{bad}"));
        fit(&dfm, "set", &[]).expect_code(0);
        assert_eq!(learnt(&dfm), 6, "{good} {bad}");
        let report = dfm.run(&["evaluate", "model.dfm", "set", "--bootstrap", "0", "--format", "json"]);
        let report = report.expect_code(0).json().remove(0);
        assert_eq!(
            (&report["classes"]["good"]["pictures"], &report["classes"][bad]["pictures"]),
            (&6.into(), &3.into())
        );
    }
}

#[test]
fn folders_further_down_are_chosen_by_their_names_and_named_with_their_counts() {
    let dfm = program();
    save_classes(&dfm, "up/images/good", "up/images/bad");
    fit(&dfm, "up", &[]).expect_code(0);
    assert_eq!(learnt(&dfm), 6);
    // The class folders of two days, and one of neither kind.
    save_classes(&dfm, "days/monday/OK", "days/monday/NG");
    save_classes(&dfm, "days/tuesday/OK", "days/tuesday/scratch");
    dfm.save("days/other/7.png", &pictures::good(70, 72, 56));
    let said =
        ["6 in ", "1 in other", "learnt together", "NG left out with 3 pictures", "scratch left out with 3"];
    fit(&dfm, "days", &[]).expect_code(0).expect_said(&said);
    assert_eq!(learnt(&dfm), 13);
    fit(&dfm, "days", &["--all-folders"]).expect_code(0).expect_said(&["3 in ", "learnt together"]);
    assert_eq!(learnt(&dfm), 19);
    // Whoever names a folder means it.
    fit(&dfm, "days/monday/NG", &[]).expect_code(0);
    assert_eq!(learnt(&dfm), 3);
    fs::create_dir_all(dfm.path("only")).unwrap();
    fs::rename(dfm.path("days/monday/NG"), dfm.path("only/NG")).unwrap();
    fit(&dfm, "only", &[]).expect_code(2).expect_said(&["found none", "NG left out with 3 pictures"]);
    dfm.run(&["update", "model.dfm", "only"]).expect_code(2).expect_said(&["NG left out"]);
    dfm.run(&["update", "model.dfm", "only", "--all-folders"]).expect_code(0);
}

#[test]
fn an_evaluation_knows_good_pictures_by_every_usual_name_and_says_when_there_are_none() {
    let dfm = program();
    dfm.fit_small();
    save_classes(&dfm, "ev/Test/OK", "ev/Test/NG");
    save_classes(&dfm, "ev/Train/Good", "unused/bad");
    let evaluate = |root: &str, more: &[&str]| {
        dfm.run(&[&["evaluate", "model.dfm", root, "--bootstrap", "0", "--format", "json"], more].concat())
    };
    let report = evaluate("ev", &[]).expect_code(0).json().remove(0);
    assert_eq!(report["classes"]["good"]["pictures"], 6);
    assert_eq!(report["image_auroc"], 1.0);
    fs::remove_dir_all(dfm.path("ev/Test/OK")).unwrap();
    evaluate("ev", &[]).expect_code(0).expect_said(&["no good pictures", "counts as a defect", "AUROC"]);
    // Without a threshold nothing is left that could be measured.
    fit(&dfm, "good", &["--val", "none"]).expect_code(0);
    evaluate("ev", &[]).expect_code(2).expect_said(&["nothing can be measured"]);
}

#[test]
fn a_flat_folder_of_pictures_to_train_is_learnt() {
    let dfm = program();
    save_classes(&dfm, "set/train", "set/test/bad");
    fit(&dfm, "set", &[]).expect_code(0).expect_said(&["its pictures are taken for good"]);
    assert_eq!(learnt(&dfm), 6);
}

#[test]
fn a_picture_is_known_by_its_name_or_its_first_bytes() {
    let dfm = program();
    dfm.fit_small();
    let bytes = |format| {
        let mut bytes = Vec::new();
        let picture = DynamicImage::from(pictures::defective(3, 72, 56));
        picture.write_to(&mut std::io::Cursor::new(&mut bytes), format).unwrap();
        bytes
    };
    fs::create_dir(dfm.path("new")).unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(dfm.path(&format!("new/{name}")), bytes).unwrap();
    for name in ["a.jfif", "b.JPE", "c.jfi", "d", "e.dat"] {
        put(name, &bytes(ImageFormat::Jpeg));
    }
    put("f.gif", &bytes(ImageFormat::Gif));
    put("g.pgm", &bytes(ImageFormat::Pnm));
    put("h.qoi", &bytes(ImageFormat::Qoi));
    put("notes.txt", b"BM is no picture here");
    put("drawing.svg", b"<svg/>");
    let judged = || dfm.run(&["predict", "model.dfm", "new", "--format", "json"]);
    let run = judged().expect_code(1).expect_said(&["drawing.svg left out"]);
    assert_eq!(run.paths().len(), 8, "{:?}", run.paths());
    // By bytes, by name, and a name that hides a small copy.
    put("i.heic", b"\0\0\0\x18ftypheic\0\0\0\0");
    put("j", b"\0\0\0\x0cjP  \r\n\x87\n");
    put("k.psd", b"8BPS");
    put("l.tga", b"no magic");
    put("m.dng", &tiff(&[Page::new(&pictures::good(1, 8, 8)).of_kind(1)]));
    let run = judged().expect_code(2);
    assert_eq!(run.paths().len(), 8);
    run.expect_said(&["i.heic: HEIC", "j: JPEG 2000", "k.psd: Photoshop", "l.tga: TGA", "m.dng: camera raw"]);
    // Many are counted.
    (0..9).for_each(|k| put(&format!("many{k}.heic"), b""));
    let run = judged().expect_code(2).expect_said(&["5 more pictures of HEIC, 10 in all"]);
    assert_eq!(run.err.matches("HEIC pictures are not read").count(), 5, "{}", run.err);
    // A fit tells the same, and a folder with nothing else says what there is.
    fs::create_dir(dfm.path("phone")).unwrap();
    fs::write(dfm.path("phone/1.heic"), b"").unwrap();
    fit(&dfm, "phone", &[]).expect_code(2).expect_said(&["found none", "1 of HEIC, which is not read"]);
    fs::copy(dfm.path("phone/1.heic"), dfm.path("good/1.heic")).unwrap();
    fit(&dfm, "good", &[]).expect_code(2).expect_said(&["1.heic: HEIC"]);
    fit(&dfm, "good", &["--skip-bad"]).expect_code(0);
}

#[test]
fn what_is_made_of_pictures_is_left_out_and_counted() {
    let dfm = program();
    dfm.save_good();
    for name in [
        "00_mask.png",
        "01-heatmap.png",
        "02_thumb.png",
        "02.png-overlay.png",
        "dfm-legend.png",
        "masks/03.png",
        "__MACOSX/x.png",
        "@eaDir/y.png",
        ".hidden.png",
        "._04.png",
        "lone_mask.png",
    ] {
        dfm.save(&format!("good/{name}"), &RgbImage::new(72, 56));
    }
    fs::write(dfm.path("good/Thumbs.db"), b"junk").unwrap();
    let said = [
        "5 files left out",
        "masks left out with 1 picture",
        "__MACOSX left out",
        "@eaDir left out",
        "hidden",
    ];
    fit(&dfm, "good", &[]).expect_code(0).expect_said(&said);
    // A mask of no picture may be a picture of a mask.
    assert_eq!(learnt(&dfm), 13);
    let judged = dfm.run(&["predict", "model.dfm", "good", "--format", "json"]).expect_said(&said);
    assert_eq!(judged.paths().len(), 13);
}

#[test]
fn pages_of_a_tiff_are_pictures_of_their_own() {
    let dfm = program();
    dfm.fit_small();
    let black = RgbImage::new(72, 56);
    let file = tiff(&[Page::new(&pictures::good(0, 72, 56)), Page::new(&black)]);
    fs::create_dir(dfm.path("new")).unwrap();
    fs::write(dfm.path("new/two.tif"), &file).unwrap();
    let judged = |paths: &[&str]| dfm.run(&[&["predict", "model.dfm", "--format", "json"], paths].concat());
    let both = judged(&["new"]).expect_code(1);
    assert_eq!(both.paths(), ["new/two.tif#1", "new/two.tif#2"]);
    assert_eq!(judged(&["new/two.tif"]).scores(), both.scores());
    assert_eq!(judged(&["new/two.tif#2"]).scores(), both.scores()[1..]);
    assert_eq!(judged(&["good/00.png"]).scores(), both.scores()[..1]);
    judged(&["new/two.tif#3"]).expect_code(2).expect_said(&["two.tif#3"]);
    // Their maps have names of their own.
    judged(&["new", "--maps", "maps"]).expect_code(1);
    assert!(dfm.path("maps/two.tif#2-heatmap.png").is_file());
    // A page is learnt and forgotten by its name.
    fs::copy(dfm.path("new/two.tif"), dfm.path("good/two.tif")).unwrap();
    fit(&dfm, "good", &[]).expect_code(0);
    assert_eq!(learnt(&dfm), 14);
    dfm.run(&["forget", "model.dfm", "good/two.tif#2"]).expect_code(0);
    assert_eq!(learnt(&dfm), 13);
}

fn piped(dfm: &Program, arguments: &[&str], input: &[u8]) -> Finished {
    let mut command = dfm.command();
    let child =
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program runs");
    // It may end before it reads everything.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    Finished::new(arguments, child.wait_with_output().expect("an end"))
}

#[test]
fn pictures_come_from_lists_and_from_standard_input() {
    let dfm = program();
    dfm.save_good();
    dfm.save("odd/a b[1].png", &pictures::good(40, 72, 56));
    let names: Vec<String> = (0..12).map(|k| format!("good/{k:02}.png")).collect();
    fs::write(dfm.path("list.txt"), names.join("\r\n")).unwrap();
    let with_list = ["fit", "--list", "list.txt", "-o", "model.dfm"];
    dfm.run(&[&with_list, SMALL.as_slice()].concat()).expect_code(0);
    assert_eq!(learnt(&dfm), 12);
    let judge = |more: &[&str], input: &[u8]| {
        piped(&dfm, &[&["predict", "model.dfm", "--format", "json"], more].concat(), input)
    };
    let expected = dfm.run(&["predict", "model.dfm", "good/03.png", "--format", "json"]).scores();
    let run = judge(&["--list", "-"], b"good/03.png\0odd/a b[1].png\0gone.png\0");
    let run = run.expect_code(2).expect_said(&["gone.png: the list names it"]);
    assert_eq!(
        (run.paths(), run.scores()[0]),
        (vec!["good/03.png".to_owned(), "odd/a b[1].png".to_owned()], expected[0])
    );
    judge(&["--list", "-"], b"\n").expect_code(2).expect_said(&["--list -", "found none"]);
    judge(&["--list", "nowhere.txt"], b"").expect_code(2).expect_said(&["--list nowhere.txt"]);
    // One picture's bytes.
    let run = judge(&["-"], &fs::read(dfm.path("good/03.png")).unwrap());
    assert_eq!((run.paths(), run.scores()), (vec!["-".to_owned()], expected.clone()));
    let run = judge(&["good/03.png", "-"], &fs::read(dfm.path("odd/a b[1].png")).unwrap());
    assert_eq!(run.paths(), ["good/03.png", "-"]);
    judge(&["-"], b"junk").expect_code(2).expect_said(&["-: not a picture"]);
    judge(&["-", "--list", "-"], b"").expect_code(2).expect_said(&["standard input can be given once"]);
    let pages = tiff(&[Page::new(&pictures::good(3, 72, 56)), Page::new(&RgbImage::new(72, 56))]);
    assert_eq!(judge(&["-"], &pages).expect_code(1).paths(), ["-#1", "-#2"]);
}

#[test]
fn hidden_colours_change_no_verdict_and_older_models_keep_theirs() {
    let dfm = program();
    dfm.fit_small();
    let shown = pictures::good(3, 72, 56);
    let save = |name: &str, hidden: u8| {
        let picture = image::RgbaImage::from_fn(72, 56, |x, y| {
            let [red, green, blue] = shown.get_pixel(x, y).0;
            image::Rgba(if x < 40 { [red, green, blue, 255] } else { [hidden, hidden, hidden, 0] })
        });
        picture.save(dfm.path(name)).unwrap();
    };
    save("black.png", 0);
    save("white.png", 255);
    let scores = || dfm.run(&["predict", "model.dfm", "black.png", "white.png", "--format", "json"]).scores();
    let both = scores();
    assert_eq!(both[0], both[1]);
    let info = dfm.run(&["info", "model.dfm", "--format", "json"]).expect_code(0).json().remove(0);
    assert_eq!(info["input"]["transparency"], "background");
    // A model that was written before either was recorded.
    let before = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/dfm/fuzz/corpus/model/usual.dfm");
    let run = dfm.run(&["predict", before, "black.png", "white.png", "--format", "json"]);
    let scores = run.scores();
    assert!(scores.len() == 2 && scores[0] != scores[1], "{scores:?}");
    assert!(run.json()[0]["unusual_size"].is_null());
}

#[test]
fn pictures_of_another_resolution_are_counted() {
    let dfm = program();
    dfm.fit_small();
    let sizes = || {
        dfm.run(&["info", "model.dfm", "--format", "json"]).expect_code(0).json()[0]["record"]["sizes"]
            .clone()
    };
    assert_eq!(sizes(), serde_json::json!({"smallest": [72, 56], "largest": [72, 56]}));
    dfm.save("new/near.png", &pictures::good(3, 90, 70));
    dfm.save("new/tall.png", &pictures::good(3, 72, 90));
    dfm.save("new/small.png", &pictures::good(3, 40, 31));
    let judged = || dfm.run(&["predict", "model.dfm", "new", "--format", "json"]);
    let run = judged().expect_said(&["2 pictures have a size far from those of the fit, 72×56 pixels"]);
    let far: Vec<bool> = run.json().iter().map(|line| line["unusual_size"].as_bool().unwrap()).collect();
    assert_eq!(far, [false, true, true]);
    // What is learnt later is usual too.
    dfm.run(&["update", "model.dfm", "new"]).expect_code(0);
    assert_eq!(sizes(), serde_json::json!({"smallest": [40, 31], "largest": [90, 90]}));
    assert!(judged().json().iter().all(|line| line["unusual_size"] == false));
    dfm.run(&["forget", "model.dfm", "good/00.png"]).expect_code(0);
    assert_eq!(sizes()["largest"], serde_json::json!([90, 90]));
}
