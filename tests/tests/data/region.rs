//! Regions of interest: what lies outside changes nothing, and what lies inside shows where
//! it is.

use dfm_backbone::{CounterGenerator, InputContract, Layer, PreprocessError, RegionError, Resize};
use dfm_core::{
    Dfm, DfmError, JudgeOptions, LoadOptions, Method, PictureSize, Preprocessor, Region, RgbImage,
    SaveOptions,
};
use dfm_tests::models::{fit_prepared, flex, small_weights};
use dfm_tests::pictures;
use dfm_tests::program::{Program, SMALL};
use image::imageops;
use serde_json::{Value, json};

const SIZE: PictureSize = PictureSize { width: 120, height: 90 };

fn rectangle(left: u32, top: u32, width: u32, height: u32) -> Region {
    Region::rectangle(left, top, PictureSize { width, height }).unwrap()
}

/// The ellipse in the middle of a rectangle of pictures of [`SIZE`].
fn ellipse(left: u32, top: u32, width: u32, height: u32) -> Region {
    let along = |place: u32, start: u32, length: u32| {
        2.0 * (f64::from(place) + 0.5 - f64::from(start)) / f64::from(length) - 1.0
    };
    let inside: Vec<bool> = (0..SIZE.width * SIZE.height)
        .map(|place| (place % SIZE.width, place / SIZE.width))
        .map(|(x, y)| along(x, left, width).powi(2) + along(y, top, height).powi(2) <= 1.0)
        .collect();
    Region::mask(SIZE, &inside).unwrap()
}

fn regions() -> [Region; 2] {
    [rectangle(30, 10, 72, 64), ellipse(30, 10, 72, 64)]
}

fn fit(region: Option<Region>, resize: Resize) -> Dfm {
    let weights = small_weights();
    let input = InputContract { resize, ..weights.header().input };
    let params = Method::published().with_taps(vec![Layer::named("layer1").pooled(2)]).with_region(region);
    let params = params.check().unwrap();
    let extractor = params.extractor(weights.with_input(input), flex()).unwrap();
    let preprocessor = extractor.preprocessor();
    let good = (0..12).map(|seed| preprocessor.prepare(pictures::good(seed, SIZE.width, SIZE.height)));
    fit_prepared(&params, extractor, good.collect::<Result<Vec<_>, _>>().unwrap()).unwrap()
}

fn judged(model: &Dfm, picture: &RgbImage) -> (f64, Vec<f32>) {
    judged_at(model, picture, None)
}

fn judged_at(model: &Dfm, picture: &RgbImage, region: Option<Region>) -> (f64, Vec<f32>) {
    let options = JudgeOptions::default().with_map(true).with_region(region);
    let verdict = model.judge([picture], &options).unwrap().remove(0).unwrap();
    (verdict.score, verdict.map().expect("FRE has a map").values)
}

#[test]
fn a_mask_holds_its_pixels_and_no_other() {
    let noise = CounterGenerator::new(4);
    for (case, [width, height]) in [[1, 1], [7, 1], [1, 9], [13, 11], [40, 30]].into_iter().enumerate() {
        for share in [0.05, 0.5, 0.95, 1.0] {
            let pixel = |index: u64| noise.unit_f32(1000 * case as u64 + index) < share;
            let mut inside: Vec<bool> = (0..u64::from(width * height)).map(pixel).collect();
            inside[0] |= !inside.contains(&true);
            let region = Region::mask(PictureSize { width, height }, &inside).unwrap();
            let mut found = vec![false; inside.len()];
            for [y, from, to] in region.pieces() {
                assert!(from < to && to <= width && y < height, "{y} {from} {to}");
                found[(y * width + from) as usize..(y * width + to) as usize].fill(true);
            }
            assert!(found == inside, "{width}×{height} at {share}");
            let ([left, top], size) = (region.corner(), region.size());
            let sides = [left, top, left + size.width - 1, top + size.height - 1];
            let on = |x: u32, y: u32| inside[(y * width + x) as usize];
            assert!((0..height).any(|y| on(sides[0], y)) && (0..height).any(|y| on(sides[2], y)));
            assert!((0..width).any(|x| on(x, sides[1])) && (0..width).any(|x| on(x, sides[3])));
            let again: Region = serde_json::from_value(serde_json::to_value(&region).unwrap()).unwrap();
            assert_eq!(again, region);
        }
    }
}

#[test]
fn a_rectangle_is_seen_as_a_picture_of_its_own() {
    let picture = pictures::generated(90, 120);
    let cut = imageops::crop_imm(&picture, 30, 10, 72, 64).to_image();
    for resize in Resize::ALL {
        let plain = Preprocessor::new(InputContract { resize, ..InputContract::imagenet() }).unwrap();
        let region = plain.clone().with_region(Some(rectangle(30, 10, 72, 64)));
        let (expected, got) = (plain.prepare(&cut).unwrap(), region.prepare(&picture).unwrap());
        assert!(got.pixels == expected.pixels, "{resize}");
        assert_eq!((got.original, got.content_hash), (SIZE, plain.prepare(&picture).unwrap().content_hash));
    }
}

#[test]
fn what_lies_outside_changes_nothing_and_is_not_judged() {
    for region in regions() {
        for resize in Resize::ALL {
            let model = fit(Some(region.clone()), resize);
            let picture = pictures::good(50, SIZE.width, SIZE.height);
            let mut changed = RgbImage::from_pixel(SIZE.width, SIZE.height, [9, 250, 40].into());
            for [y, from, to] in region.pieces() {
                (from..to).for_each(|x| changed.put_pixel(x, y, *picture.get_pixel(x, y)));
            }
            let expected = judged(&model, &picture);
            assert!(judged(&model, &changed) == expected, "{region} {resize}");
            for (place, value) in expected.1.iter().enumerate() {
                let (x, y) = (place as u32 % SIZE.width, place as u32 / SIZE.width);
                assert!(*value == 0.0 || region.holds(x, y), "{region} {resize}: {value} at {x}, {y}");
            }
        }
    }
}

#[test]
fn a_defect_inside_shows_where_it_is() {
    for region in regions() {
        for resize in Resize::ALL {
            let model = fit(Some(region.clone()), resize);
            for (x, y) in [(56, 36), (66, 42), (76, 50)] {
                let mut picture = pictures::good(60, SIZE.width, SIZE.height);
                for across in x - 6..x + 6 {
                    (y - 6..y + 6).for_each(|down| picture.put_pixel(across, down, [250, 20, 240].into()));
                }
                let (_, map) = judged(&model, &picture);
                let highest = (0..map.len()).max_by(|a, b| map[*a].total_cmp(&map[*b])).unwrap() as u32;
                let [across, down] = [highest % SIZE.width, highest / SIZE.width];
                // The defect, and a cell of at most 9 pixels around it.
                let near = across.abs_diff(x) <= 15 && down.abs_diff(y) <= 15;
                assert!(near, "{region} {resize}: {across}, {down} for {x}, {y}");
            }
        }
    }
}

#[test]
fn cells_outside_of_a_mask_are_no_part_of_the_score() {
    let model = fit(Some(ellipse(30, 10, 72, 64)), Resize::Stretch);
    let picture = model.preprocessor().prepare(pictures::defective(3, SIZE.width, SIZE.height)).unwrap();
    let prediction = model.predict(&[picture], &JudgeOptions::default().with_map(true)).unwrap().remove(0);
    let grid = prediction.grid.unwrap();
    assert_eq!((grid.height, grid.width), (8, 8));
    // The corner cells of a circle in a square of 8 × 8 cells: their nearest point is
    // 3 √2 = 4.24 of 4 cells away from the middle.
    for corner in [0, 7, 56, 63] {
        assert_eq!(grid.values[corner], 0.0);
    }
    assert_eq!(grid.values.iter().filter(|cell| **cell > 0.0).count(), 60);
}

#[test]
fn a_mask_that_is_a_rectangle_is_that_rectangle() {
    let inside: Vec<bool> = (0..SIZE.width * SIZE.height)
        .map(|place| (place % SIZE.width, place / SIZE.width))
        .map(|(x, y)| (30..102).contains(&x) && (10..74).contains(&y))
        .collect();
    let mask = Region::mask(SIZE, &inside).unwrap();
    let rectangle = rectangle(30, 10, 72, 64);
    assert_eq!(mask.pieces().collect::<Vec<_>>(), rectangle.pieces().collect::<Vec<_>>());
    let picture = pictures::defective(8, SIZE.width, SIZE.height);
    let of = |region| judged(&fit(Some(region), Resize::Stretch), &picture);
    assert!(of(mask) == of(rectangle));
}

#[test]
fn the_model_keeps_its_region() {
    let picture = pictures::defective(8, SIZE.width, SIZE.height);
    for region in regions() {
        let model = fit(Some(region.clone()), Resize::Mirror);
        let mut file = Vec::new();
        model.write(&mut file, &SaveOptions { slim: false }).unwrap();
        let read = Dfm::read(&mut file.as_slice(), LoadOptions::on(flex())).unwrap();
        assert_eq!(read.record().params.method.region, Some(region.clone()));
        assert!(judged(&read, &picture) == judged(&model, &picture), "{region}");
        let other = fit(None, Resize::Mirror).merge(&model).unwrap_err();
        assert!(matches!(other, DfmError::DifferentModels { what: "parameters", .. }), "{other}");
        assert!(other.to_string().len() < 2000, "runs of a mask tell nobody anything: {other}");
    }
}

#[test]
fn a_rectangle_moves_with_the_part_and_a_mask_does_not() {
    let good = pictures::defective(9, SIZE.width, SIZE.height);
    let mut moved = RgbImage::new(SIZE.width + 40, SIZE.height + 30);
    imageops::replace(&mut moved, &good, 25, 17);
    let model = fit(Some(rectangle(30, 10, 72, 64)), Resize::Stretch);
    let (score, map) = judged(&model, &good);
    let (moved_score, moved_map) = judged_at(&model, &moved, Some(rectangle(55, 27, 72, 64)));
    assert_eq!(moved_score, score);
    for (place, value) in map.iter().enumerate() {
        let (x, y) = (place as u32 % SIZE.width, place as u32 / SIZE.width);
        let got = moved_map[((y + 17) * moved.width() + x + 25) as usize];
        // Places between cells, in f64, from other ends.
        assert!((got - value).abs() <= 1e-5 * score as f32, "{x}, {y}: {got} {value}");
    }
    let at = |region| JudgeOptions::default().with_region(Some(region));
    let error = model.judging(&at(ellipse(30, 10, 72, 64))).unwrap_err();
    assert!(matches!(error, DfmError::OtherCells { .. }), "{error}");
    // A call leaves the model as it is.
    assert_eq!(model.record().params.method.region, Some(rectangle(30, 10, 72, 64)));
    assert_eq!(judged(&model, &good), (score, map));
    let masked = fit(Some(ellipse(30, 10, 72, 64)), Resize::Stretch);
    assert!(masked.judging(&at(rectangle(0, 0, SIZE.width, SIZE.height))).is_err());
    masked.judging(&at(ellipse(20, 20, 72, 64))).unwrap();
}

#[test]
fn pictures_that_a_region_is_not_of_are_refused() {
    let prepare = |region: Region, width, height| {
        let plain = Preprocessor::new(InputContract::imagenet()).unwrap();
        plain.with_region(Some(region)).prepare(pictures::good(0, width, height))
    };
    assert!(prepare(rectangle(30, 10, 72, 64), 102, 74).is_ok());
    for (width, height) in [(101, 74), (102, 73)] {
        let error = prepare(rectangle(30, 10, 72, 64), width, height).unwrap_err();
        assert!(matches!(error, PreprocessError::Region { .. }), "{error}");
    }
    assert!(prepare(ellipse(30, 10, 72, 64), 120, 90).is_ok());
    assert!(prepare(ellipse(30, 10, 72, 64), 121, 90).is_err());
}

#[test]
fn what_is_no_region_is_refused() {
    let size = |width, height| PictureSize { width, height };
    assert_eq!(Region::rectangle(0, 0, size(0, 5)), Err(RegionError::Empty));
    assert!(matches!(Region::rectangle(u32::MAX, 0, size(1, 1)), Err(RegionError::TooFar { .. })));
    assert_eq!(Region::mask(size(3, 2), &[false; 6]), Err(RegionError::Empty));
    assert_eq!(Region::mask(size(0, 0), &[]), Err(RegionError::Empty));
    assert!(matches!(Region::mask(size(3, 2), &[true; 5]), Err(RegionError::Record { .. })));
    let chequered: Vec<bool> = (0..400 * 400).map(|place| (place + place / 400) % 2 == 0).collect();
    let error = Region::mask(size(400, 400), &chequered).unwrap_err();
    assert!(matches!(error, RegionError::TooIntricate { .. }), "{error}");
    // In a crop of a wide picture, what lies at its left is not seen.
    let mut inside = vec![false; 200 * 20];
    (0..20).for_each(|y| inside[200 * y] = true);
    inside[199] = true;
    let params = Method::published()
        .with_taps(vec![Layer::named("layer1").pooled(4)])
        .with_region(Some(Region::mask(size(200, 20), &inside).unwrap()));
    let weights = small_weights();
    let input = InputContract { resize: Resize::Crop, ..weights.header().input };
    let error = params.check().unwrap().extractor(weights.with_input(input), flex()).unwrap_err();
    assert!(error.to_string().contains("no cell"), "{error}");
}

#[test]
fn records_that_contradict_themselves_are_refused() {
    let sound = serde_json::to_value(ellipse(30, 10, 72, 64)).unwrap();
    assert!(serde_json::from_value::<Region>(sound.clone()).is_ok());
    let changes: [(&[&str], Value); 9] = [
        (&["width"], json!(71)),
        (&["height"], json!(0)),
        (&["x"], json!(u32::MAX)),
        (&["y"], json!(80)),
        (&["more"], json!(1)),
        (&["mask", "picture_width"], json!(119)),
        (&["mask", "picture_height"], json!(u32::MAX)),
        (&["mask", "sha256"], json!("00")),
        (&["mask", "runs"], json!([0, 72 * 64 - 1])),
    ];
    for (path, value) in changes {
        let mut record = sound.clone();
        let place = path[..path.len() - 1].iter().fold(&mut record, |place, name| &mut place[*name]);
        place[path[path.len() - 1]] = value;
        assert!(serde_json::from_value::<Region>(record).is_err(), "{path:?}");
    }
}

#[test]
fn the_program_keeps_to_a_region() {
    let program = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    program.save_good();
    program.save("small/a.png", &pictures::good(1, 40, 30));
    program.save("small/b.png", &pictures::good(2, 72, 56));
    let mask = RgbImage::from_fn(72, 56, |x, y| [if x > 20 && y > 15 { 255 } else { 0 }; 3].into());
    program.save("mask.png", &mask);
    let fit = |name: &str, roi: &str| {
        program.run(&[&["fit", "good", "-o", name, "--roi", roi], SMALL.as_slice()].concat())
    };
    fit("box.dfm", "10,5,50,40").expect_code(0);
    fit("mask.dfm", "mask.png").expect_code(0);
    assert!(program.run(&["info", "box.dfm"]).out.contains("10,5,50,40"));
    assert!(program.run(&["info", "mask.dfm"]).out.contains("a mask of 72×56 pixels, SHA-256"));
    let predict = |arguments: &[&str]| {
        program.run(&[&["predict", "--format", "json", "--maps", "maps"], arguments].concat())
    };
    // One picture that the region is not of does not stop the others.
    let some =
        predict(&["box.dfm", "small"]).expect_code(2).expect_said(&["small/a.png", "10,5,50,40", "40×30"]);
    assert_eq!(some.scores().len(), 1);
    let own = predict(&["box.dfm", "small/b.png"]).scores();
    assert_eq!(predict(&["box.dfm", "small/b.png", "--roi", "10,5,50,40"]).scores(), own);
    assert_ne!(predict(&["box.dfm", "small/b.png", "--roi", "12,5,50,40"]).scores(), own);
    predict(&["box.dfm", "good", "--roi", "mask.png"])
        .expect_code(2)
        .expect_said(&["--roi mask.png", "cells"]);
    fit("no.dfm", "10,5,500,40").expect_code(2).expect_said(&["10,5,500,40"]);
    fit("no.dfm", "10,5").expect_code(2).expect_said(&["--roi 10,5", "X,Y,W,H"]);
}

#[test]
fn a_rectangle_is_for_pictures_of_the_size_of_the_fit_and_keeps_its_own() {
    let program = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    program.save_good();
    let picture = pictures::good(3, 72, 56);
    program.save("new/same.png", &picture);
    program.save("new/twice.png", &imageops::resize(&picture, 144, 112, imageops::FilterType::Triangle));
    program.run(&[&["fit", "good", "-o", "plain.dfm"], SMALL.as_slice()].concat()).expect_code(0);
    program
        .run(&[&["fit", "good", "-o", "box.dfm", "--roi", "10,5,50,40"], SMALL.as_slice()].concat())
        .expect_code(0);
    assert!(program.run(&["info", "box.dfm"]).out.contains("10,5,50,40 in pictures of 72×56 pixels"));
    let predict = |more: &[&str]| program.run(&[&["predict", "--format", "json"], more].concat());
    let some = predict(&["box.dfm", "new"]).expect_code(2).expect_said(&["twice.png", "144×112", "72×56"]);
    assert_eq!(some.paths(), ["new/same.png"]);
    predict(&["box.dfm", "new/same.png", "--roi", "12,5,50,40"]);
    for (roi, words) in [
        ("12,5,25,20", ["50×40", "12,5,25,20"]),
        ("12,5,40,40", ["50×40", "12,5,40,40"]),
        ("30,5,50,40", ["30,5,50,40", "72×56"]),
    ] {
        let refused = predict(&["box.dfm", "new/same.png", "--roi", roi]).expect_code(2).expect_said(&words);
        assert!(refused.out.is_empty(), "{roi}: {}", refused.out);
    }
    predict(&["plain.dfm", "new/same.png", "--roi", "10,5,50,40"])
        .expect_code(2)
        .expect_said(&["whole pictures", "10,5,50,40"]);
}

#[test]
fn a_rectangle_of_an_earlier_model_fits_every_picture_that_holds_it() {
    let record = json!({ "x": 3, "y": 4, "width": 5, "height": 6 });
    let region: Region = serde_json::from_value(record.clone()).unwrap();
    assert_eq!((region.picture_size(), serde_json::to_value(&region).unwrap()), (None, record));
    let bound = region.for_pictures_of(SIZE).unwrap();
    let again: Region = serde_json::from_value(serde_json::to_value(&bound).unwrap()).unwrap();
    assert_eq!((again.picture_size(), again.is_mask()), (Some(SIZE), false));
    assert_eq!(again, bound);
    let error = rectangle(100, 0, 30, 30).for_pictures_of(SIZE).unwrap_err();
    assert!(matches!(error, RegionError::Beside { .. }) && error.to_string().contains("120×90"), "{error}");
    let mut twice = serde_json::to_value(ellipse(30, 10, 72, 64)).unwrap();
    twice["picture"] = json!({ "width": 120, "height": 90 });
    assert!(serde_json::from_value::<Region>(twice).is_err());
}
