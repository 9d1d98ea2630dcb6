//! `dfm synthesise`: a data set with defects from good pictures, written whole or not at all.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use dfm_tests::pictures;
use dfm_tests::program::{Program, SMALL, files_below};
use image::{DynamicImage, RgbImage};

fn program() -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    dfm.save_good();
    dfm
}

fn names(dfm: &Program, folder: &str) -> Vec<String> {
    let root = dfm.path(folder);
    let below = |path: &Path| path.strip_prefix(&root).unwrap().display().to_string().replace('\\', "/");
    files_below(&root).iter().map(|path| below(path)).collect()
}

fn open(dfm: &Program, name: &str) -> DynamicImage {
    image::open(dfm.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn good_pictures_are_copied_and_defective_ones_differ_where_their_masks_say() {
    let dfm = program();
    // Copies of one picture stay together, and a grey one is written grey.
    fs::copy(dfm.path("good/03.png"), dfm.path("good/copy.png")).unwrap();
    let run = dfm.run(&["synthesise", "good", "-o", "made", "--per-picture", "3"]).expect_code(0);
    assert_eq!(names(&dfm, "made").iter().filter(|name| name.contains("good/")).count(), 13);
    for name in names(&dfm, "made").iter().filter(|name| name.contains("good/")) {
        let file = name.rsplit('/').next().unwrap();
        let [copy, good] = [format!("made/{name}"), format!("good/{file}")].map(|path| dfm.path(&path));
        assert_eq!(fs::read(copy).unwrap(), fs::read(good).unwrap(), "{name}");
    }
    let held_out = names(&dfm, "made/test/good");
    let both = held_out.iter().filter(|name| ["03.png", "copy.png"].contains(&name.as_str())).count();
    assert!(both == 0 || both == 2, "{held_out:?}");
    let defective = names(&dfm, "made/test/synthetic");
    // A quarter of twelve different pictures, three times each.
    assert_eq!(defective.len(), 9);
    assert_eq!(run.out.lines().last().unwrap().matches(char::is_numeric).count(), 3, "{}", run.out);
    for name in defective {
        let stem = name.strip_suffix(".png").unwrap();
        let good = format!("good/{}.png", &stem[..stem.len() - "-png-1".len()]);
        let mask = open(&dfm, &format!("made/ground_truth/synthetic/{stem}_mask.png"));
        let DynamicImage::ImageLuma8(mask) = mask else { panic!("{stem}: the mask has colours") };
        let [good, made] = [good, format!("made/test/synthetic/{name}")].map(|name| open(&dfm, &name));
        let (good, made) = (good.into_rgb8(), made.into_rgb8());
        assert_eq!(good.dimensions(), made.dimensions());
        assert_eq!(good.dimensions(), mask.dimensions());
        for ((x, y, mask), made) in mask.enumerate_pixels().zip(made.pixels()) {
            assert!([0, 255].contains(&mask.0[0]));
            assert_eq!(mask.0[0] == 255, good.get_pixel(x, y) != made, "{name} at {x}, {y}");
        }
    }
    // The data set is one that is read.
    dfm.run(&[&["fit", "made", "-o", "m.dfm"], SMALL.as_slice()].concat())
        .expect_code(0)
        .expect_said(&["as MVTec AD", "9 synthetic"]);
    let evaluated = dfm.run(&["evaluate", "m.dfm", "made", "--format", "json", "--bootstrap", "0"]);
    assert!(evaluated.expect_code(0).json()[0]["pixel"]["auroc"]["value"].as_f64().unwrap() > 0.5);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
    let dfm = program();
    let mut seen = HashSet::new();
    for (folder, more) in [
        ("one", &["--seed", "4"][..]),
        ("two", &["--seed", "4", "--jobs", "1"]),
        ("other", &["--seed", "5"]),
        ("more", &["--seed", "4", "--per-picture", "2"]),
    ] {
        dfm.run(&[&["synthesise", "good", "-o", folder], more].concat()).expect_code(0);
        let files = names(&dfm, folder);
        seen.insert((
            files.clone(),
            files.iter().map(|name| fs::read(dfm.path(folder).join(name)).unwrap()).collect::<Vec<_>>(),
        ));
        // The first copy does not depend on how many there are.
        for name in names(&dfm, "one/test/synthetic") {
            let [one, this] =
                ["one", folder].map(|folder| dfm.path(folder).join("test/synthetic").join(&name));
            assert_eq!(
                fs::read(one).unwrap() == fs::read(this).unwrap(),
                folder != "other",
                "{folder} {name}"
            );
        }
    }
    assert_eq!(seen.len(), 3);
}

#[test]
fn folders_inside_and_names_that_differ_in_their_extension_keep_apart() {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    for seed in 0..4 {
        dfm.save(&format!("set/train/good/a/x{seed}.png"), &pictures::good(seed, 40, 30));
        dfm.save(&format!("set/train/good/a/x{seed}.bmp"), &pictures::good(10 + seed, 40, 30));
        let grey = image::imageops::grayscale(&pictures::good(20 + seed, 40, 30));
        let path = dfm.path(&format!("set/train/good/b/x{seed}.png"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        grey.save(path).unwrap();
    }
    dfm.run(&["synthesise", "set", "-o", "deep/made", "--per-picture", "4"]).expect_code(0);
    let (good, made) = (names(&dfm, "deep/made/test/good"), names(&dfm, "deep/made/test/synthetic"));
    assert_eq!((good.len(), made.len()), (3, 12));
    for name in &made {
        let picture = open(&dfm, &format!("deep/made/test/synthetic/{name}"));
        assert_eq!(matches!(picture, DynamicImage::ImageLuma8(_)), name.starts_with("b/"), "{name}");
        let mask =
            format!("deep/made/ground_truth/synthetic/{}_mask.png", name.strip_suffix(".png").unwrap());
        assert!(dfm.path(&mask).exists(), "{mask}");
    }
    let fit = [&["fit", "deep/made", "-o", "m.dfm"], SMALL.as_slice()].concat();
    let said = dfm.run(&fit).expect_code(0);
    assert!(!said.err.contains("without mask"), "{}", said.err);
}

#[test]
fn defects_keep_to_the_region() {
    let dfm = program();
    dfm.run(&["synthesise", "good", "-o", "made", "--roi", "10,5,30,40", "--per-picture", "5"])
        .expect_code(0);
    let masks = names(&dfm, "made/ground_truth/synthetic");
    assert_eq!(masks.len(), 15);
    for name in masks {
        let mask = open(&dfm, &format!("made/ground_truth/synthetic/{name}")).into_luma8();
        let outside = |x: u32, y: u32| !(10..40).contains(&x) || !(5..45).contains(&y);
        assert!(mask.enumerate_pixels().all(|(x, y, level)| level.0[0] == 0 || !outside(x, y)), "{name}");
    }
    let beyond = dfm.run(&["synthesise", "good", "-o", "none", "--roi", "10,5,300,40"]).expect_code(2);
    beyond.expect_said(&["good/", "72×56", "no picture could be given a defect"]);
    assert!(!dfm.path("none").exists());
}

#[test]
fn nothing_is_written_over_and_nothing_by_halves() {
    let dfm = program();
    let refused = |output: &str| dfm.run(&["synthesise", "good", "-o", output]).expect_code(2);
    refused("good").expect_said(&["good", "expected an empty folder", "something in it"]);
    assert_eq!(files_below(&dfm.path("good")).len(), 12);
    for inside in ["good/new", "good/deep/new"] {
        refused(inside).expect_said(&[inside, "among the good pictures"]);
    }
    assert_eq!(fs::read_dir(dfm.path("good")).unwrap().count(), 12);
    fs::write(dfm.path("file"), "text").unwrap();
    refused("file").expect_said(&["file", "no folder"]);
    assert_eq!(fs::read_to_string(dfm.path("file")).unwrap(), "text");
    // An empty one is taken.
    fs::create_dir(dfm.path("empty")).unwrap();
    dfm.run(&["synthesise", "good", "-o", "empty"]).expect_code(0);
    assert_eq!(names(&dfm, "empty").len(), 12 + 3 + 3);
    for bad in
        [&["synthesise", "nowhere", "-o", "out"][..], &["synthesise", "good", "-o", "out", "--seed", "x"]]
    {
        dfm.run(bad).expect_code(2);
    }
    // Too few pictures to hold some out.
    for seed in 0..2 {
        dfm.save(&format!("two/{seed}.png"), &pictures::good(seed, 40, 30));
    }
    dfm.run(&["synthesise", "two", "-o", "out"]).expect_code(2).expect_said(&["two", "3", "2"]);
    assert!(!dfm.path("out").exists());
    // Nothing hidden is left either.
    let hidden = fs::read_dir(dfm.path(""))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".dfm-"));
    assert_eq!(hidden.count(), 0);
}

#[test]
fn a_picture_that_cannot_be_read_costs_itself_alone() {
    let dfm = program();
    fs::write(dfm.path("good/broken.png"), b"no picture").unwrap();
    dfm.save("good/plain.png", &RgbImage::from_pixel(30, 30, [255; 3].into()));
    let run = dfm.run(&["synthesise", "good", "-o", "made"]).expect_code(2);
    run.expect_said(&["broken.png"]);
    let all = names(&dfm, "made");
    assert!(all.iter().all(|name| !name.contains("broken")), "{all:?}");
    assert_eq!(all.len(), 13 + 4 + 4);
}
