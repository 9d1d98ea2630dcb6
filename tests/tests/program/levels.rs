//! Pictures with 10, 12 and 16 bits in 16-bit files, and with floating-point numbers: which of their
//! values are black and white.

use std::fs;
use std::path::PathBuf;

use dfm_backbone::CounterGenerator;
use dfm_image::Rgb16Image;
use dfm_tests::pictures;
use dfm_tests::program::{Finished, Program, SMALL};
use image::{DynamicImage, GrayImage, ImageBuffer, Luma, Rgb, Rgba};

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_dfm-under-test"))
}

/// A picture with 16 bits a channel, whose values are those of one with 8 bits, `scaled`.
fn deep(picture: &image::RgbImage, scaled: impl Fn(u8) -> u16) -> DynamicImage {
    let (width, height) = picture.dimensions();
    Rgb16Image::from_fn(width, height, |x, y| Rgb(picture.get_pixel(x, y).0.map(&scaled))).into()
}

/// As a camera with 12 bits has it.
fn twelve(value: u8) -> u16 {
    16 * u16::from(value) + 7
}

fn save(dfm: &Program, name: &str, picture: &DynamicImage) -> PathBuf {
    let path = dfm.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    picture.save(&path).unwrap();
    path
}

fn save_good(dfm: &Program, scaled: impl Fn(u8) -> u16) {
    for seed in 0..12 {
        save(dfm, &format!("good/{seed:02}.png"), &deep(&pictures::good(seed, 72, 56), &scaled));
    }
}

fn fit(dfm: &Program, folder: &str, model: &str, flags: &[&str]) -> Finished {
    dfm.run(&[&["fit", folder, "-o", model], SMALL.as_slice(), flags].concat())
}

fn levels(dfm: &Program, model: &str) -> serde_json::Value {
    let info = dfm.run(&["info", model, "--format", "json"]).expect_code(0).json().remove(0);
    info["record"]["params"]["levels"].clone()
}

/// Grey floating-point numbers as a TIFF, which the `image` crate does not write.
fn float_tiff(width: u32, height: u32, value: impl Fn(u32, u32) -> f32) -> Vec<u8> {
    const SHORT: u16 = 3;
    const LONG: u16 = 4;
    let entries: [(u16, u16, u32); 9] = [
        (256, LONG, width),
        (257, LONG, height),
        (258, SHORT, 32),
        (259, SHORT, 1),
        (262, SHORT, 1),
        (273, LONG, 8),
        (277, SHORT, 1),
        (279, LONG, 4 * width * height),
        (339, SHORT, 3),
    ];
    let mut bytes = b"II\x2a\0".to_vec();
    bytes.extend((8 + 4 * width * height).to_le_bytes());
    for y in 0..height {
        (0..width).for_each(|x| bytes.extend(value(x, y).to_le_bytes()));
    }
    bytes.extend((entries.len() as u16).to_le_bytes());
    for (tag, kind, value) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes
}

/// A rough surface, from 0 to 1 with a mean of a half, and for a bad part a brighter square.
fn surface(seed: u64, is_bad: bool) -> impl Fn(u32, u32) -> f64 {
    const COARSE: u32 = 20;
    const SIDE: f64 = 8.0;
    let noise = CounterGenerator::new(seed);
    let normal = move |place: u64| {
        let sum: f32 = (0..6).map(|part| noise.unit_f32(6 * place + part)).sum();
        f64::from(sum - 3.0) * 2_f64.sqrt()
    };
    move |x, y| {
        let (across, down) = (f64::from(x) / SIDE, f64::from(y) / SIDE);
        let at = |dx: f64, dy: f64| {
            normal((down.floor() + dy) as u64 * u64::from(COARSE) + (across.floor() + dx) as u64)
        };
        let (right, below) = (across.fract(), down.fract());
        let above = at(0.0, 0.0) * (1.0 - right) + at(1.0, 0.0) * right;
        let under = at(0.0, 1.0) * (1.0 - right) + at(1.0, 1.0) * right;
        let fine = normal(1000 + u64::from(y) * 200 + u64::from(x));
        let square = is_bad && (60..85).contains(&x) && (60..85).contains(&y);
        let value = 0.5 + 0.12 * (above * (1.0 - below) + under * below) + 0.02 * fine;
        (value.clamp(0.0, 1.0) + if square { 0.35 } else { 0.0 }).clamp(0.0, 1.0)
    }
}

#[test]
fn twelve_bits_find_at_least_what_eight_find() {
    const SIDE: u32 = 144;
    let dfm = program();
    for seed in 0..38 {
        let is_bad = seed >= 30;
        let value = surface(seed, is_bad);
        let kind = if is_bad { "bad" } else { "good" };
        let eight = GrayImage::from_fn(SIDE, SIDE, |x, y| Luma([(255.0 * value(x, y)).round() as u8]));
        save(&dfm, &format!("{kind}8/{seed}.png"), &eight.into());
        for (name, white) in [("10", 1023.0), ("12", 4095.0), ("14", 16_383.0)] {
            let deep = ImageBuffer::from_fn(SIDE, SIDE, |x, y| Luma([(white * value(x, y)).round() as u16]));
            save(&dfm, &format!("{kind}{name}/{seed}.png"), &DynamicImage::ImageLuma16(deep));
        }
    }
    let found = ["8", "10", "12", "14"].map(|bits| {
        let [good, bad, model] = ["good", "bad", "model"].map(|name| format!("{name}{bits}"));
        dfm.run(&["fit", &good, "-o", &model]).expect_code(0);
        let run = dfm.run(&["predict", &model, &bad, "--format", "json"]).expect_code(1);
        run.json().iter().filter(|line| line["label"] == "anomalous").count()
    });
    assert!(found[0] >= 6, "{found:?}");
    assert!(found.iter().all(|deep| *deep >= found[0]), "{found:?}");
    assert_eq!(levels(&dfm, "model12"), "0..4095");
    assert_eq!(levels(&dfm, "model8"), serde_json::Value::Null);
}

#[test]
fn values_outside_of_the_levels_are_counted_and_said() {
    let dfm = program();
    save_good(&dfm, |value| 3000 + u16::from(value));
    fit(&dfm, "good", "model.dfm", &[]).expect_code(0);
    let found = levels(&dfm, "model.dfm");
    let (low, high) = found.as_str().unwrap().split_once("..").unwrap();
    let [low, high]: [f64; 2] = [low, high].map(|end| end.parse().unwrap());
    assert!((2800.0..3100.0).contains(&low) && (3200.0..3500.0).contains(&high), "{found}");
    save(&dfm, "new/0.png", &deep(&pictures::good(99, 72, 56), |value| 3000 + u16::from(value)));
    let run = dfm.run(&["predict", "model.dfm", "new", "--format", "json"]);
    assert_eq!(run.json()[0]["outside_levels"], 0.0);
    assert!(!run.err.contains("outside"), "{}", run.err);
    let mut brighter = deep(&pictures::good(99, 72, 56), |value| 3000 + u16::from(value)).into_rgb16();
    (0..72).for_each(|x| brighter.put_pixel(x, 3, Rgb([5000; 3])));
    save(&dfm, "new/1.png", &brighter.into());
    let run = dfm.run(&["predict", "model.dfm", "new", "--format", "json"]);
    let run = run.expect_said(&["1 picture has", "outside of the levels", "1.8 %"]);
    let share = run.json()[1]["outside_levels"].as_f64().unwrap();
    assert!((share - 1.0 / 56.0).abs() < 1e-12, "{share}");
    // A table has a column for it.
    let csv = dfm.run(&["predict", "model.dfm", "new", "--format", "csv"]);
    assert!(csv.out.lines().next().unwrap().ends_with("outside_levels"), "{}", csv.out);
    assert_eq!(csv.out.lines().count(), 3);
    for run in [dfm.run(&["drift", "model.dfm", "new"]), dfm.run(&["explain", "model.dfm", "new"])] {
        run.expect_said(&["outside of the levels"]);
    }
    fit(&dfm, "good", "narrow.dfm", &["--levels", "3000..3050"])
        .expect_code(0)
        .expect_said(&["12 pictures", "outside of the levels 3000..3050"]);
}

#[test]
fn pictures_of_other_bits_are_refused_or_told() {
    let dfm = program();
    save_good(&dfm, twelve);
    fit(&dfm, "good", "deep.dfm", &[]).expect_code(0);
    let eight = dfm.save("eight/0.png", &pictures::good(50, 72, 56));
    let words = ["expected a picture with 16 bits a channel", "found 8 bits a channel"];
    dfm.run(&["predict", "deep.dfm", "eight"]).expect_code(2).expect_said(&words);
    dfm.run(&["update", "deep.dfm", "eight", "-o", "more.dfm"]).expect_code(2).expect_said(&words);
    // A picture among others of the fit: named, and left out.
    fs::copy(&eight, dfm.path("good/eight.png")).unwrap();
    fit(&dfm, "good", "mixed.dfm", &[]).expect_code(2).expect_said(&["eight.png", "--levels full"]);
    fit(&dfm, "good", "full.dfm", &["--levels", "full"]).expect_code(0);
    assert_eq!(levels(&dfm, "full.dfm"), "full");
    // It is among those that were learnt.
    dfm.run(&["predict", "full.dfm", "eight"]).expect_code(0);
    // A model without levels takes the high bytes, as ever, and says so.
    for seed in 0..12 {
        dfm.save(&format!("good8/{seed:02}.png"), &pictures::good(seed, 72, 56));
    }
    fit(&dfm, "good8", "eight.dfm", &[]).expect_code(0);
    assert_eq!(levels(&dfm, "eight.dfm"), serde_json::Value::Null);
    save(&dfm, "new/deep.png", &deep(&pictures::good(50, 72, 56), |value| 256 * u16::from(value)));
    let run = dfm.run(&["predict", "eight.dfm", "new", "--format", "json"]);
    let run = run.expect_said(&["1 picture has 16 bits", "no levels"]);
    let same = dfm.run(&["predict", "eight.dfm", "eight", "--format", "json"]);
    assert_eq!(run.scores(), same.scores());
    assert_eq!(run.json()[0].get("outside_levels"), None);
}

#[test]
fn models_of_other_levels_are_not_merged_and_those_of_the_same_are() {
    let dfm = program();
    save_good(&dfm, twelve);
    let range = |range| [["--levels", range]].concat();
    fit(&dfm, "good", "one.dfm", &range("0..4095")).expect_code(0);
    fit(&dfm, "good", "other.dfm", &range("0..5000")).expect_code(0);
    let run = dfm.run(&["merge", "one.dfm", "other.dfm", "-o", "both.dfm"]).expect_code(2);
    run.expect_said(&["levels", "0..4095", "0..5000"]);
    for seed in 12..16 {
        save(&dfm, &format!("more/{seed}.png"), &deep(&pictures::good(seed, 72, 56), twelve));
    }
    fit(&dfm, "more", "more.dfm", &range("0..4095")).expect_code(0);
    dfm.run(&["merge", "one.dfm", "more.dfm", "-o", "both.dfm"]).expect_code(0);
    dfm.run(&["update", "one.dfm", "more", "-o", "updated.dfm"]).expect_code(0);
    save(&dfm, "new/0.png", &deep(&pictures::defective(50, 72, 56), twelve));
    let scores = ["both.dfm", "updated.dfm"].map(|model| {
        assert_eq!(levels(&dfm, model), "0..4095");
        dfm.run(&["predict", model, "new", "--format", "json"]).expect_code(1).scores()[0]
    });
    assert!((scores[0] / scores[1] - 1.0).abs() < 1e-4, "{scores:?}");
    // A picture is known by its values.
    dfm.run(&["forget", "updated.dfm", "more/12.png", "-o", "fewer.dfm"]).expect_code(0);
}

#[test]
fn floating_point_pictures_need_a_range() {
    let dfm = program();
    fs::create_dir_all(dfm.path("good")).unwrap();
    let value = |seed: u64| {
        let picture = pictures::good(seed, 72, 56);
        move |x: u32, y: u32| f32::from(picture.get_pixel(x, y).0[0]) / 100.0 - 1.0
    };
    for seed in 0..12 {
        fs::write(dfm.path(&format!("good/{seed:02}.tif")), float_tiff(72, 56, value(seed))).unwrap();
        dfm.save(&format!("good8/{seed:02}.png"), &grey(&pictures::good(seed, 72, 56)));
    }
    let refused = fit(&dfm, "good", "model.dfm", &[]).expect_code(2);
    refused.expect_said(&["00.tif", "floating-point", "--levels LOW..HIGH"]);
    assert!(!dfm.path("model.dfm").exists());
    fit(&dfm, "good", "model.dfm", &["--levels", "-1..1.55"]).expect_code(0);
    // The same pictures in bytes have the same features, but for rounding.
    fit(&dfm, "good8", "eight.dfm", &[]).expect_code(0);
    fs::create_dir(dfm.path("new")).unwrap();
    fs::write(dfm.path("new/0.tif"), float_tiff(72, 56, value(70))).unwrap();
    dfm.save("new8/0.png", &grey(&pictures::good(70, 72, 56)));
    let [float, eight] = [("model.dfm", "new"), ("eight.dfm", "new8")]
        .map(|(model, folder)| dfm.run(&["predict", model, folder, "--format", "json"]).scores()[0]);
    assert!((float / eight - 1.0).abs() < 1e-3, "{float} {eight}");
    let broken = |x, y| if (x, y) == (5, 9) { f32::NAN } else { 0.5 };
    fs::write(dfm.path("new/nan.tif"), float_tiff(72, 56, broken)).unwrap();
    let run = dfm.run(&["predict", "model.dfm", "new", "--format", "json"]).expect_code(2);
    assert_eq!(run.expect_said(&["nan.tif", "NaN", "column 5 of row 9"]).scores().len(), 1);
    // A model of bytes has no levels for them.
    let words = ["floating-point", "--levels LOW..HIGH"];
    dfm.run(&["predict", "eight.dfm", "new/0.tif"]).expect_code(2).expect_said(&words);
}

fn grey(picture: &image::RgbImage) -> image::RgbImage {
    image::RgbImage::from_fn(picture.width(), picture.height(), |x, y| Rgb([picture.get_pixel(x, y).0[0]; 3]))
}

#[test]
fn synthetic_defects_keep_the_bits_of_the_pictures() {
    let dfm = program();
    save_good(&dfm, twelve);
    fit(&dfm, "good", "model.dfm", &["--val", "synthetic"]).expect_code(0);
    dfm.run(&["synthesise", "good", "-o", "made"]).expect_code(0);
    let made =
        image::open(fs::read_dir(dfm.path("made/test/synthetic")).unwrap().next().unwrap().unwrap().path());
    let DynamicImage::ImageRgb16(made) = made.unwrap() else { panic!("16 bits became 8") };
    let low_bits = made.as_raw().iter().filter(|value| **value % 16 == 7).count();
    assert!(low_bits * 2 > made.as_raw().len(), "what is no defect keeps its values");
    let run = fit(&dfm, "made/train/good", "again.dfm", &[]).expect_code(0);
    drop(run);
    dfm.run(&["evaluate", "model.dfm", "made", "--format", "json", "--report", "page"]).expect_code(0);
}

#[test]
fn a_sweep_takes_the_levels_of_what_it_learns() {
    let dfm = program();
    for seed in 0..12 {
        save(&dfm, &format!("data/train/good/{seed}.png"), &deep(&pictures::good(seed, 72, 56), twelve));
    }
    for seed in 20..24 {
        save(&dfm, &format!("data/test/good/{seed}.png"), &deep(&pictures::good(seed, 72, 56), twelve));
        save(
            &dfm,
            &format!("data/test/square/{seed}.png"),
            &deep(&pictures::defective(seed, 72, 56), twelve),
        );
    }
    let arguments = ["sweep", "data", "--backbone", "resnet18", "--weights", "random", "--size", "64"];
    let sweep = |levels: &[&str]| {
        let arguments =
            [arguments.as_slice(), &["--layer", "layer1", "--pool", "4", "--format", "json"], levels]
                .concat();
        dfm.run(&arguments).expect_code(0).json().remove(0)["settings"][0]["image_auroc"].clone()
    };
    let stated = sweep(&["--levels", "0..4095"]);
    assert_eq!(sweep(&[]), stated);
    assert_eq!(stated, 1.0);
}

#[test]
fn what_is_transparent_is_the_same_whatever_it_hides() {
    let dfm = program();
    for hidden in [0, u16::MAX] {
        for seed in 0..12 {
            let picture = pictures::good(seed, 72, 56);
            let cut = ImageBuffer::from_fn(72, 56, |x, y| {
                let [red, green, blue] = picture.get_pixel(x, y).0.map(twelve);
                Rgba(if x < 20 { [hidden, hidden, hidden, 0] } else { [red, green, blue, u16::MAX] })
            });
            save(&dfm, &format!("good{hidden}/{seed:02}.png"), &DynamicImage::ImageRgba16(cut));
        }
        fit(&dfm, &format!("good{hidden}"), &format!("{hidden}.dfm"), &[]).expect_code(0);
        assert_eq!(levels(&dfm, &format!("{hidden}.dfm")), "0..4095");
    }
    let run = |hidden: u16| dfm.run(&["predict", "0.dfm", &format!("good{hidden}"), "--format", "json"]);
    let [none, white] = [run(0), run(u16::MAX)];
    assert_eq!(none.scores(), white.scores());
    assert_eq!(white.json()[0]["outside_levels"], 0.0);
}

#[test]
fn a_model_learns_and_judges_pictures_of_its_own_depth_alone() {
    let dfm = program();
    save_good(&dfm, twelve);
    fit(&dfm, "good", "deep.dfm", &[]).expect_code(0);
    for seed in 0..12 {
        dfm.save(&format!("good8/{seed:02}.png"), &pictures::good(seed, 72, 56));
    }
    fit(&dfm, "good8", "eight.dfm", &[]).expect_code(0);
    fs::create_dir_all(dfm.path("float")).unwrap();
    fs::write(dfm.path("float/0.tif"), float_tiff(72, 56, |x, y| (x + y) as f32 / 128.0)).unwrap();
    save(&dfm, "more/0.png", &deep(&pictures::good(50, 72, 56), twelve));
    let words = ["0.tif", "expected a picture with 16 bits a channel", "found floating-point numbers"];
    dfm.run(&["predict", "deep.dfm", "float"]).expect_code(2).expect_said(&words);
    dfm.run(&["update", "deep.dfm", "float", "-o", "other.dfm"]).expect_code(2).expect_said(&words);
    let words = ["0.png", "expected a picture with 8 bits a channel", "found 16 bits a channel"];
    dfm.run(&["update", "eight.dfm", "more", "-o", "other.dfm"]).expect_code(2).expect_said(&words);
    assert!(!dfm.path("other.dfm").exists());
    // The depth stays known after an update.
    dfm.run(&["update", "deep.dfm", "more"]).expect_code(0);
    dfm.run(&["predict", "deep.dfm", "float"]).expect_code(2);
    let info = |model: &str| dfm.run(&["info", model, "--format", "json"]).json().remove(0);
    assert_eq!(info("deep.dfm")["record"]["depth"], "16-bit");
    assert!(info("eight.dfm")["record"].get("depth").is_none());
}

#[test]
fn pictures_that_lie_outside_of_the_levels_everywhere_are_told_with_their_values() {
    let dfm = program();
    save_good(&dfm, |value| 3000 + u16::from(value));
    let run = fit(&dfm, "good", "model.dfm", &["--levels", "0..1000"]).expect_code(2);
    let said =
        ["all values of the 12 pictures lie outside of the levels 0..1000", "from 30", "--levels LOW..HIGH"];
    run.expect_said(&said);
}

/// The largest value that a PNM file states is white with `full`, so such a file is judged as the same picture
/// whose values fill 16 bits.
#[test]
fn the_largest_value_of_a_pnm_file_is_white_with_full_levels() {
    let dfm = program();
    for seed in 0..12 {
        let picture = pictures::good(seed, 72, 56);
        let values = || picture.pixels().map(|pixel| twelve(pixel.0[0]));
        for (folder, white, factor) in [("good", 4095_u16, 1), ("scaled", 65_535, 16)] {
            let mut bytes = format!("P5\n# a camera\n72 56\n{white}\n").into_bytes();
            bytes.extend(values().flat_map(|value| (factor * value + (factor * value / 4096)).to_be_bytes()));
            fs::create_dir_all(dfm.path(folder)).unwrap();
            fs::write(dfm.path(&format!("{folder}/{seed:02}.pgm")), bytes).unwrap();
        }
    }
    fit(&dfm, "good", "full.dfm", &["--levels", "full"]).expect_code(0);
    let run = |folder: &str| dfm.run(&["predict", "full.dfm", folder, "--format", "json"]).expect_code(0);
    for (score, scaled) in run("good").scores().into_iter().zip(run("scaled").scores()) {
        assert!((score / scaled - 1.0).abs() < 1e-2, "{score} against {scaled}");
    }
    // Levels in the values of the file would make every pixel white: an error that says so.
    let refused = fit(&dfm, "good", "range.dfm", &["--levels", "0..4095"]).expect_code(2);
    refused.expect_said(&["outside of the levels 0..4095"]);
}

#[test]
fn levels_that_a_foreign_picture_widened_are_told_with_those_of_the_others() {
    let dfm = program();
    for seed in 0..110 {
        let picture = deep(&pictures::good(seed, 72, 56), |value| 3000 + u16::from(value));
        save(&dfm, &format!("good/{seed:03}.png"), &picture);
    }
    let white = Rgb16Image::from_fn(72, 56, |x, _| Rgb([if x < 36 { 0 } else { 60_000 }; 3]));
    save(&dfm, "good/white.png", &white.into());
    let run = fit(&dfm, "good", "model.dfm", &[]).expect_code(0);
    assert!(run.out.contains("foreign to the others and not learnt: white.png"), "{}", run.out);
    let found = levels(&dfm, "model.dfm");
    assert_eq!(found, "0..65535");
    let run = run.expect_said(&["the levels 0..65535 were taken from all pictures", "left out as foreign"]);
    let without = run.err.split("without those the levels are ").nth(1).unwrap().split(':').next().unwrap();
    // The cure: those levels, stated.
    let run = fit(&dfm, "good", "narrow.dfm", &["--levels", without]).expect_code(0);
    assert_eq!(levels(&dfm, "narrow.dfm"), without);
    assert!(!run.err.contains("were taken from all pictures"), "{}", run.err);
}
