//! Masks of every kind mean the same: of defects, of regions of interest, and of what is ignored.

use dfm_tests::pictures;
use dfm_tests::program::{Program, SMALL};
use image::{DynamicImage, ImageBuffer, Luma, RgbImage};

const SIZE: [u32; 2] = [72, 56];

/// A data set with one defect, and a model of its good pictures.
fn program() -> Program {
    let program = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    for seed in 0..8 {
        program.save(&format!("d/train/good/{seed}.png"), &pictures::good(seed, SIZE[0], SIZE[1]));
    }
    program.save("d/test/good/9.png", &pictures::good(9, SIZE[0], SIZE[1]));
    program.save("d/test/spot/0.png", &pictures::defective(0, SIZE[0], SIZE[1]));
    program.run(&[&["fit", "d/train/good", "-o", "m.dfm"], SMALL.as_slice()].concat()).expect_code(0);
    program
}

/// A mask of these values: `high` in a block, zero elsewhere.
fn save(program: &Program, name: &str, high: u16, bits: u8) {
    let value = |x: u32, y: u32| if (20..40).contains(&x) && (10..30).contains(&y) { high } else { 0 };
    let mask: DynamicImage = match bits {
        8 => ImageBuffer::from_fn(SIZE[0], SIZE[1], |x, y| Luma([value(x, y) as u8])).into(),
        _ => ImageBuffer::from_fn(SIZE[0], SIZE[1], |x, y| Luma([value(x, y)])).into(),
    };
    let path = program.path(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    mask.save(path).unwrap();
}

#[test]
fn ground_truth_of_every_depth_and_range_gives_the_same_figures() {
    let program = program();
    let evaluate = || program.run(&["evaluate", "m.dfm", "d", "--bootstrap", "0", "--format", "json"]);
    let mut figures = Vec::new();
    for (high, bits, is_small) in
        [(255, 8, false), (1, 8, true), (65535, 16, false), (255, 16, true), (1, 16, true)]
    {
        save(&program, "d/ground_truth/spot/0_mask.png", high, bits);
        let finished = evaluate().expect_code(0);
        let json = finished.json().remove(0);
        assert!(json["pixel_auroc"].is_number(), "{high} in {bits} bits: {}", finished.err);
        assert_eq!(json["mask_counts"]["read"], 1);
        assert_eq!(json["mask_counts"]["nonzero"], u8::from(is_small), "{high} in {bits} bits");
        figures.push(json["pixel_auroc"].clone());
        let told = program.run(&["evaluate", "m.dfm", "d", "--bootstrap", "0"]).out;
        assert_eq!(told.contains("every value but 0 is marked"), is_small, "{high} in {bits} bits: {told}");
    }
    assert!(figures.iter().all(|figure| *figure == figures[0]), "{figures:?}");

    // Soft edges: what is above half of the range counts, and that is told.
    let soft = RgbImage::from_fn(SIZE[0], SIZE[1], |x, y| {
        [if (20..40).contains(&x) && (10..30).contains(&y) { 200 } else { (x % 3) as u8 }; 3].into()
    });
    program.save("d/ground_truth/spot/0_mask.png", &soft);
    let json = evaluate().expect_code(0).json().remove(0);
    assert_eq!((&json["pixel_auroc"], &json["mask_counts"]["above_half"]), (&figures[0], &1.into()));

    // Inverted.
    let inverted = RgbImage::from_fn(SIZE[0], SIZE[1], |x, y| [if x + y > 12 { 255 } else { 0 }; 3].into());
    program.save("d/ground_truth/spot/0_mask.png", &inverted);
    let finished =
        evaluate().expect_code(0).expect_said(&["0_mask.png", "more than nine tenths", "inverted"]);
    assert_eq!(finished.json()[0]["mask_counts"]["mostly_marked"], 1);
}

#[test]
fn a_region_of_interest_takes_what_ground_truth_takes() {
    let program = program();
    let fit = |name: &str, flags: &[&str]| {
        let fixed = ["fit", "d/train/good", "-o", name];
        program.run(&[&fixed, flags, SMALL.as_slice()].concat())
    };
    let region = |name: &str| {
        let info = program.run(&["info", name, "--format", "json"]).expect_code(0).json().remove(0);
        info["record"]["params"]["region"].clone()
    };
    let mut regions = Vec::new();
    for (high, bits) in [(255, 8), (1, 8), (65535, 16), (255, 16), (1, 16)] {
        save(&program, "roi.png", high, bits);
        let finished = fit("roi.dfm", &["--roi", "roi.png"]).expect_code(0);
        assert_eq!(
            finished.err.contains("every value but 0 is inside"),
            high < 255 || (high, bits) == (255, 16)
        );
        regions.push(region("roi.dfm"));
    }
    assert!(regions.iter().all(|region| *region == regions[0]), "{regions:?}");

    let all = RgbImage::from_pixel(SIZE[0], SIZE[1], [255; 3].into());
    program.save("all.png", &all);
    fit("all.dfm", &["--roi", "all.png"]).expect_code(0).expect_said(&["all.png", "every pixel"]);
    fit("no.dfm", &["--roi", "nosuch.png"])
        .expect_code(2)
        .expect_said(&["--roi nosuch.png", "no file of that name"]);
    fit("no.dfm", &["--roi", "d"]).expect_code(2).expect_said(&["--roi d", "a folder"]);
}

#[test]
fn ignored_pixels_are_never_judged() {
    let program = program();
    // A large block, so that whole cells are ignored.
    save(&program, "ignore.png", 1, 8);
    let fit = |name: &str, flags: &[&str]| {
        let fixed = ["fit", "d/train/good", "-o", name];
        program.run(&[&fixed, flags, SMALL.as_slice()].concat())
    };
    let marked = |mut picture: RgbImage| {
        for x in 20..40 {
            (10..30).for_each(|y| picture.put_pixel(x, y, [250, 20, 240].into()));
        }
        picture
    };
    program.save("new/plain.png", &pictures::good(11, SIZE[0], SIZE[1]));
    program.save("new/spot.png", &marked(pictures::good(11, SIZE[0], SIZE[1])));
    let scores = |model: &str| program.run(&["predict", model, "new", "--format", "json"]).scores();
    let whole = scores("m.dfm");
    assert_ne!(whole[0], whole[1]);
    for flags in [&["--ignore", "ignore.png"][..], &["--ignore", "ignore.png", "--roi", "4,4,64,50"]] {
        fit("ignore.dfm", flags).expect_code(0);
        let found = scores("ignore.dfm");
        assert_eq!(found[0], found[1], "{flags:?}");
        let info = program.run(&["info", "ignore.dfm"]).out;
        assert!(info.contains("a mask of 72×56 pixels"), "{info}");
    }
    fit("no.dfm", &["--ignore", "nosuch.png"])
        .expect_code(2)
        .expect_said(&["--ignore nosuch.png", "no file"]);
    fit("no.dfm", &["--ignore", "ignore.png", "--roi", "4,4,640,50"])
        .expect_code(2)
        .expect_said(&["4,4,640,50", "72×56"]);
    let all = RgbImage::from_pixel(SIZE[0], SIZE[1], [255; 3].into());
    program.save("all.png", &all);
    fit("no.dfm", &["--ignore", "all.png"]).expect_code(2).expect_said(&["holds no pixel"]);
}
