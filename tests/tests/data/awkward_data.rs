//! `dfm evaluate`, its report and `dfm compare` on data sets that lack something or hold what
//! cannot be used: a clear message, and every figure that still has a meaning.

use std::fs;

use dfm_tests::datasets::{LAYOUTS, mask};
use dfm_tests::pictures;
use dfm_tests::program::{Finished, Program, SMALL};
use serde_json::Value;

/// `mvtec`: 4 good pictures and 3 with a square to judge; `model.dfm` fits its 6 good ones.
fn program() -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    (LAYOUTS[0].write)(&dfm);
    dfm.run(&[&["fit", "mvtec", "-o", "model.dfm", "-q"], SMALL.as_slice()].concat()).expect_code(0);
    dfm
}

/// What is printed, the figures, and the page.
fn evaluated(dfm: &Program, code: i32) -> (Finished, Value, String) {
    let run = dfm.run(&["evaluate", "model.dfm", "mvtec", "--report", "run", "--bootstrap", "100"]);
    let run = run.expect_code(code);
    let read = |name: &str| fs::read_to_string(dfm.path(&format!("run/{name}"))).expect("a file");
    (run, serde_json::from_str(&read("metrics.json")).expect("JSON"), read("index.html"))
}

fn has(figures: &Value, pointer: &str) -> bool {
    figures.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}")).is_object()
}

#[test]
fn a_mask_that_is_missing_or_cannot_be_used_costs_its_picture_s_pixels_alone() {
    let dfm = program();
    let (_, whole, _) = evaluated(&dfm, 0);
    let path = dfm.path("mvtec/ground_truth/square/1_mask.png");
    let small = image::imageops::crop_imm(&mask(255), 0, 0, 60, 56).to_image();
    let broken: [(&dyn Fn(), i32, &str, &str); 3] = [
        (
            &|| fs::remove_file(&path).expect("gone"),
            0,
            "(1 without mask)",
            "1 picture with a defect but without",
        ),
        (
            &|| drop(dfm.save("mvtec/ground_truth/square/1_mask.png", &small)),
            2,
            "72×56 pixels as its picture, found 60×56",
            "1 picture with a mask that cannot be used",
        ),
        (
            &|| fs::write(&path, b"junk").expect("written"),
            2,
            "1_mask.png: not a picture",
            "1 picture with a mask",
        ),
    ];
    for (breaks, code, said, noted) in broken {
        breaks();
        let (run, figures, page) = evaluated(&dfm, code);
        assert!(run.out.contains(noted) && page.contains(noted), "{noted}: {}", run.out);
        run.expect_said(&[said]);
        assert_eq!(figures["image"], whole["image"]);
        assert_ne!(figures["pixel"], whole["pixel"]);
        assert!(has(&figures, "/pixel/auroc") && has(&figures, "/pixel/aupro_30"));
        let lost = ["without_mask", "unusable_masks"].map(|name| figures[name].as_u64());
        assert_eq!(lost, if code == 0 { [Some(1), Some(0)] } else { [Some(0), Some(1)] });
        // The other run has that mask: the same pictures, but not the same pixels.
        dfm.run(&["evaluate", "model.dfm", "mvtec", "-o", "less", "-q", "--bootstrap", "0"])
            .expect_code(code);
        dfm.save("mvtec/ground_truth/square/1_mask.png", &mask(255));
        evaluated(&dfm, 0);
        dfm.run(&["compare", "run", "less"])
            .expect_code(2)
            .expect_said(&["square/1.png", "the masks differ"]);
    }
}

#[test]
fn without_any_mask_the_pictures_have_their_figures_and_pixels_say_why_not() {
    let dfm = program();
    fs::remove_dir_all(dfm.path("mvtec/ground_truth")).expect("no masks");
    let (run, figures, page) = evaluated(&dfm, 0);
    assert!(has(&figures, "/image/auroc") && !has(&figures, "/pixel/auroc"));
    // Good pixels have their share of false alarms, and there is no other.
    let line = run.out.lines().find(|line| line.starts_with("on pixels")).expect("a line");
    assert!(line.ends_with("of the others called anomalous") && !line.contains("defects"), "{line}");
    for said in [
        "regions: no meaning: no mask that marks a defect",
        "pixels: no meaning: no mask that marks a defect",
        "3 pictures with a defect but without a mask",
        "No pixel is marked in a mask, so that F1 has no meaning.",
    ] {
        assert!(page.contains(said), "{said}");
    }
    // A score without maps is another reason.
    let flags = ["--score", "nll", "--pca", "2"];
    let fit = [&["fit", "mvtec", "-o", "model.dfm", "-q"], SMALL.as_slice(), &flags].concat();
    dfm.run(&fit).expect_code(0);
    let (_, _, page) = evaluated(&dfm, 0);
    assert!(page.contains("regions: no meaning: this score has no map"));
    assert!(!page.contains("map-colours") && !page.contains("Pixels at the pixel threshold"));
}

#[test]
fn a_set_of_one_kind_or_of_one_picture_has_the_figures_that_it_can() {
    let dfm = program();
    let keep = |folder: &str, count: usize| {
        for k in count..4 {
            let _ = fs::remove_file(dfm.path(&format!("mvtec/test/{folder}/{k}.png")));
        }
    };
    let without_intervals = |run: &Finished| {
        assert!(run.out.contains("intervals          none: they take two good"), "{}", run.out);
        let compared = dfm.run(&["compare", "run", "run", "--bootstrap", "100"]).expect_code(0).out;
        assert!(compared.contains("intervals  none: they take two good"), "{compared}");
    };
    // One good picture beside the defects: figures, of which nothing can be drawn.
    keep("good", 1);
    let (run, figures, _) = evaluated(&dfm, 0);
    assert!(has(&figures, "/image/auroc") && figures["image"]["auroc"]["low"].is_null());
    without_intervals(&run);
    // No good picture: recall is left of pictures, and pixels have good ones beside the defects.
    fs::remove_dir_all(dfm.path("mvtec/test/good")).expect("no good pictures");
    for count in [3, 1] {
        keep("square", count);
        let (run, figures, page) = evaluated(&dfm, 0);
        assert!(
            !has(&figures, "/image/auroc") && has(&figures, "/image/f1") && has(&figures, "/pixel/auroc")
        );
        assert_eq!(figures["pictures"], count);
        assert!(run.out.contains("no good pictures: figures that take both kinds have no meaning"));
        without_intervals(&run);
        for said in [
            "pictures: no meaning: no good picture",
            "<dt>AUPIMO</dt><dd class=\"without\">no meaning: no good",
        ] {
            assert!(page.contains(said), "{said}");
        }
    }
    // Good pictures alone, then one.
    fs::remove_dir_all(dfm.path("mvtec/test/square")).expect("no defects");
    for count in [2, 1] {
        (0..count).for_each(|k| {
            drop(dfm.save(&format!("mvtec/test/good/{k}.png"), &pictures::good(20 + k, 72, 56)))
        });
        keep("good", count as usize);
        let (run, figures, page) = evaluated(&dfm, 0);
        assert!(
            !has(&figures, "/image/auroc") && !has(&figures, "/image/f1") && !has(&figures, "/pixel/auroc")
        );
        assert_eq!(figures["pictures"], count);
        assert!(has(&figures, "/confusion") && has(&figures, "/pixel_confusion"));
        assert!(run.out.contains("no pictures with defects: figures that take both kinds have no meaning"));
        without_intervals(&run);
        // The slider's table says so too.
        assert!(page.contains("data-without=\"no meaning: no picture with a defect\">no meaning"));
    }
    fs::remove_file(dfm.path("mvtec/test/good/0.png")).expect("nothing is left");
    let nothing = dfm.run(&["evaluate", "model.dfm", "mvtec", "--report", "none"]).expect_code(2);
    nothing.expect_said(&["good: expected pictures", "expected pictures to judge and their classes"]);
}

#[test]
fn what_is_odd_about_folders_and_files_is_said() {
    let dfm = program();
    fs::create_dir_all(dfm.path("mvtec/test/dent")).expect("an empty class");
    dfm.save("mvtec/test/hole/0.png", &pictures::defective(70, 72, 56));
    fs::write(dfm.path("mvtec/test/good/8.png"), b"").expect("an empty file");
    let levels = |x: u32, y: u32| image::Luma([30_000 + 997 * ((3 * x + y) as u16 % 31)]);
    let deep = image::ImageBuffer::<image::Luma<u16>, _>::from_fn(72, 56, levels);
    deep.save(dfm.path("mvtec/test/good/9.png")).expect("a picture of 16 bits");
    // Nothing says which pictures these masks are of.
    dfm.save("mvtec/ground_truth/hale/0_mask.png", &mask(255));
    dfm.save("mvtec/ground_truth/good/0_mask.png", &mask(255));
    dfm.save("mvtec/ground_truth/square/1_mask.png", &mask(0));
    let (run, figures, page) = evaluated(&dfm, 2);
    let separator = std::path::MAIN_SEPARATOR;
    run.expect_said(&[
        "dent: expected pictures",
        "8.png: not a picture",
        "found an empty file",
        "1 hole (1 without mask)",
        "1 mask of no picture, as",
        "hale",
        &format!("1 mask in mvtec{separator}ground_truth{separator}good of good pictures: left out"),
        "1.png: its mask marks nothing, though it is of class square",
    ]);
    assert_eq!((&figures["pictures"], &figures["errors"]), (&9.into(), &2.into()));
    assert!(figures["classes"]["hole"]["image_auroc"].is_f64());
    assert!(figures["classes"]["hole"]["pixel_auroc"].is_null());
    assert!(page.contains("test/good/9.png") && !page.contains("test/good/8.png"));
    // Only what is to judge: that is enough for an evaluation, and for nothing that learns.
    fs::remove_dir_all(dfm.path("mvtec/train")).expect("nothing to learn");
    evaluated(&dfm, 2).0.expect_said(&["0 to learn"]);
    for command in [&["fit", "mvtec", "-o", "no.dfm"][..], &["sweep", "mvtec"]] {
        dfm.run(command).expect_code(2).expect_said(&["expected good pictures to learn from"]);
    }
}

#[cfg(unix)]
#[test]
fn names_are_shown_and_never_obeyed() {
    let dfm = program();
    let class = "it's \"<b>\" \u{1b}[31m\n\u{202e}漢字 ünï";
    fs::rename(dfm.path("mvtec/test/square"), dfm.path("mvtec/test").join(class)).expect("renamed");
    fs::rename(dfm.path("mvtec/ground_truth/square"), dfm.path("mvtec/ground_truth").join(class))
        .expect("too");
    let picture = "<img src=x onerror=alert(1)> 'q\"";
    dfm.save(&format!("mvtec/test/{class}/{picture}.png"), &pictures::defective(71, 72, 56));
    dfm.save(&format!("mvtec/ground_truth/{class}/{picture}_mask.png"), &mask(0));
    let (run, figures, page) = evaluated(&dfm, 0);
    for text in [&run.out, &run.err] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
        assert!(text.contains("it's \"<b>\" \\u{1b}[31m\\u{a}\\u{202e}漢字 ünï"), "{text}");
    }
    assert_eq!(figures["classes"][class]["pictures"], 4);
    assert!(!page.contains("<img src=x") && !page.contains("<b>\""));
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt; &#39;q&quot;.png"));
    let same = dfm.run(&["compare", "run", "run", "--bootstrap", "100", "--format", "json"]).expect_code(0);
    assert_eq!(same.json()[0]["pictures"], 8);
}
