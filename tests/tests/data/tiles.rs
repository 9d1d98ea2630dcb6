//! Large pictures in tiles: where those lie, how their maps are stitched (against SciPy), and
//! what a model of them says of whole pictures.

use std::sync::LazyLock;

use dfm_backbone::{CounterGenerator, Layer, Placement, PreprocessError, RegionError, TilingError};
use dfm_core::{
    AnomalyGrid, CalibrationKind, CalibrationParams, Dfm, DfmError, DriftParams, JudgeOptions, LoadOptions,
    Method, PictureSize, Piece, PreparedPicture, Preparer, Preprocessor, Region, RgbImage, SaveOptions,
    ThresholdEstimate, Tiling, UpdateOptions, Verdict,
};
use dfm_tests::golden::{self, Golden};
use dfm_tests::models::{fit_prepared, flex, small_weights};
use dfm_tests::pictures;
use dfm_tests::program::{Program, SMALL};
use dfm_tests::tolerance::assert_close;

static GOLDEN: LazyLock<Golden> = LazyLock::new(|| golden::tensors("geometry/geometry.safetensors"));
const TILING: Tiling = Tiling { side: 64, stride: 48 };

fn size(width: u32, height: u32) -> PictureSize {
    PictureSize { width, height }
}

fn plain() -> Preprocessor {
    Preprocessor::new(small_weights().header().input).unwrap()
}

#[test]
fn tiles_cover_a_picture_evenly_from_end_to_end() {
    let noise = CounterGenerator::new(8);
    let some = |index: u64, most: f32| 1 + (noise.unit_f32(index) * most) as u32;
    for case in 0..200 {
        let side = some(4 * case, 60.0);
        let tiling = Tiling { side, stride: some(4 * case + 1, 60.0).min(side) };
        let size = size(some(4 * case + 2, 90.0), some(4 * case + 3, 90.0));
        let tiles = tiling.tiles(None, size).unwrap();
        for (axis, length) in [size.width, size.height].into_iter().enumerate() {
            let mut starts: Vec<u32> = tiles.iter().map(|tile| tile.corner()[axis]).collect();
            starts.sort_unstable();
            starts.dedup();
            assert_eq!((starts[0], starts[starts.len() - 1] + side.min(length)), (0, length), "{tiling:?}");
            let steps: Vec<u32> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
            if let (Some(least), Some(most)) = (steps.iter().min(), steps.iter().max()) {
                assert!(*most <= tiling.stride && most - least <= 1, "{tiling:?} {size:?} {steps:?}");
                // With one tile fewer, the steps would be too long.
                assert!((steps.len() as u32 - 1) * tiling.stride < length - side, "{tiling:?} {size:?}");
            }
        }
        assert!(tiles.iter().all(|tile| {
            tile.size().width == side.min(size.width) && tile.size().height == side.min(size.height)
        }));
    }
}

#[test]
fn tiles_that_cannot_be_are_refused() {
    for (side, stride) in [(0, 0), (5, 0), (5, 6)] {
        let error = Tiling { side, stride }.tiles(None, size(20, 20)).unwrap_err();
        assert_eq!(error, TilingError::Stride { side, stride });
        let tiling = Some(Tiling { side, stride });
        let error = Method::published().with_tiling(tiling).with_calibration(None).check().unwrap_err();
        assert!(error.to_string().contains("stride"), "{error}");
    }
    let fine = Tiling { side: 1, stride: 1 };
    assert_eq!(fine.tiles(None, size(100, 100)).unwrap().len(), 10_000);
    assert!(matches!(fine.tiles(None, size(100, 101)), Err(TilingError::TooMany { got: 10_100, .. })));
    let far = fine.tiles(None, size(u32::MAX, u32::MAX)).unwrap_err();
    assert!(matches!(far, TilingError::TooMany { .. }), "{far}");
    let mask = Region::mask(size(3, 1), &[true, false, true]).unwrap();
    assert_eq!(TILING.tiles(Some(&mask), size(3, 1)), Err(TilingError::Mask));
    let calibration = None;
    let params = Method::published().with_tiling(Some(TILING)).with_calibration(calibration);
    assert!(params.clone().check().is_ok());
    let error = params.with_region(Some(mask)).check().unwrap_err();
    assert!(error.to_string().contains("mask"), "{error}");
    let empty = TILING.tiles(None, size(0, 9)).unwrap_err();
    assert_eq!(empty, TilingError::Region(RegionError::Empty));
    let preprocessor =
        plain().with_region(Some(Region::rectangle(0, 0, size(76, 60)).unwrap())).with_tiling(Some(TILING));
    let outside = preprocessor.prepare_tiles(&pictures::good(0, 72, 60)).err();
    // At once, though tiles of it lie in the picture.
    assert!(matches!(outside, Some(PreprocessError::Region { .. })), "{outside:?}");
}

#[test]
fn maps_are_stitched_as_scipy_stitches_them() {
    for name in ["tiles", "small"] {
        let layout = GOLDEN.i64(&format!("{name}.layout")).1;
        let [width, height, side, stride] = layout[..] else { panic!("{layout:?}") };
        let (size, tiling) =
            (size(width as u32, height as u32), Tiling { side: side as u32, stride: stride as u32 });
        let tiles = tiling.tiles(None, size).unwrap();
        let corners: Vec<i64> =
            tiles.iter().flat_map(|tile| [tile.corner()[1], tile.corner()[0]]).map(i64::from).collect();
        assert_eq!(corners, GOLDEN.i64(&format!("{name}.corners")).1);
        let (shape, values) = GOLDEN.f32(&format!("{name}.grids"));
        let place = |tile: Region| plain().with_region(Some(tile)).placement(size);
        let placements = tiles.into_iter().map(place).collect();
        let grid = AnomalyGrid { height: shape[1], width: shape[2], values, placements };
        let map = grid.upsample(size);
        let (shape, expected) = GOLDEN.f32(&format!("{name}.map"));
        assert_eq!([map.height, map.width], shape[..]);
        for (index, (got, expected)) in map.values.iter().zip(&expected).enumerate() {
            // As of one grid, and a weighted mean in f32.
            assert!((got - expected).abs() <= 8e-6, "{name} {index}: {got} {expected}");
        }
    }
}

/// Where one tile ends and the next begins, nothing shows.
#[test]
fn a_seam_shows_nowhere() {
    let size = size(150, 100);
    let tiles = TILING.tiles(None, size).unwrap();
    let placements: Vec<Placement> =
        tiles.iter().map(|tile| plain().with_region(Some(tile.clone())).placement(size)).collect();
    let grid = |value: &dyn Fn(usize) -> f32| {
        let values = (0..tiles.len()).map(value).collect();
        AnomalyGrid { height: 1, width: 1, values, placements: placements.clone() }.upsample(size)
    };
    assert!(grid(&|_| 2.5).values.iter().all(|value| (value - 2.5).abs() < 1e-6));
    // Tiles of one and of nothing by turns: the steepest way from one to the next is even, over
    // the 21 pixels of an overlap.
    let map = grid(&|tile| (tile % 2) as f32);
    for (place, value) in map.values.iter().enumerate() {
        let beside = [(place % 150 < 149, 1), (place / 150 < 99, 150)];
        for (_, step) in beside.into_iter().filter(|(there, _)| *there) {
            assert!((map.values[place + step] - value).abs() <= 1.0 / 21.0 + 1e-5, "{place}");
        }
    }
}

fn large(seed: u64) -> RgbImage {
    pictures::good(seed, 150, 100)
}

fn fit(tiling: Option<Tiling>, seeds: impl IntoIterator<Item = u64>, quantile: f64) -> Dfm {
    let kind = CalibrationKind::Split;
    let estimate = ThresholdEstimate::Quantile;
    let calibration =
        CalibrationParams::default().with_quantile(quantile).with_estimate(estimate).with_kind(kind);
    let calibration = Some(calibration);
    let params = Method::published()
        .with_taps(vec![Layer::named("layer1").pooled(4)])
        .with_tiling(tiling)
        .with_calibration(calibration);
    let params = params.check().unwrap();
    let extractor = params.extractor(small_weights(), flex()).unwrap();
    params.fit(extractor, seeds.into_iter().map(large)).unwrap()
}

/// What [`fit`] gives, as a model that takes every tile for a picture.
fn fit_to_tiles(seeds: std::ops::Range<u64>) -> Dfm {
    let params = Method::published()
        .with_taps([Layer::named("layer1").pooled(4)])
        .with_calibration(CalibrationParams::from(CalibrationKind::Split))
        .check()
        .unwrap();
    let extractor = params.extractor(small_weights(), flex()).unwrap();
    let preprocessor = extractor.preprocessor().with_tiling(Some(TILING));
    let good: Vec<_> = seeds.flat_map(|seed| tiles(&preprocessor, &large(seed))).collect();
    fit_prepared(&params, extractor, good).unwrap()
}

/// The pieces of pictures, numbered by their seeds.
fn pieces_of(model: &Dfm, seeds: std::ops::Range<u64>) -> Vec<Piece> {
    let preparer = Preparer::for_fit(model.extractor());
    let pieces = seeds.flat_map(|seed| preparer.pieces(seed as usize, large(seed)).unwrap());
    pieces.collect::<Result<_, _>>().unwrap()
}

fn tiles(preprocessor: &Preprocessor, picture: &RgbImage) -> Vec<PreparedPicture> {
    preprocessor.prepare_tiles(picture).unwrap().collect::<Result<_, _>>().unwrap()
}

fn judged(model: &Dfm, picture: &RgbImage) -> Verdict {
    model.judge([picture], &JudgeOptions::default().with_map(true)).unwrap().remove(0).unwrap()
}

#[test]
fn the_worst_tile_is_the_picture_and_a_defect_shows_where_it_is() {
    let (model, of_tiles) = (fit(Some(TILING), 0..12, 0.99), fit_to_tiles(0..12));
    assert_eq!(model.record().picture_count, 12 * 6);
    for (x, y) in [(12, 12), (75, 50), (56, 90), (140, 30)] {
        let mut picture = large(40);
        for across in x - 5..x + 5 {
            (y - 5..y + 5).for_each(|down| picture.put_pixel(across, down, [250, 20, 240].into()));
        }
        let prediction = judged(&model, &picture);
        let parts = tiles(&model.preprocessor(), &picture);
        let scores = of_tiles.predict(&parts, &JudgeOptions::default()).unwrap();
        let worst = scores.iter().map(|tile| tile.score).fold(0.0, f64::max);
        assert_eq!(prediction.score, worst);
        let grid = prediction.grid.unwrap();
        // The cells are rounded to f32.
        assert_close("the grid", model.record().params.method.aggregation.of(&grid), worst, 1e-6);
        let map = grid.upsample(size(150, 100)).values;
        let highest = (0..map.len()).max_by(|a, b| map[*a].total_cmp(&map[*b])).unwrap() as u32;
        let [across, down] = [highest % 150, highest / 150];
        // The defect, and a cell of 16 pixels around it.
        assert!(across.abs_diff(x) <= 21 && down.abs_diff(y) <= 21, "{across}, {down} for {x}, {y}");
    }
}

/// A verdict on a picture that was prepared without its tiles would mean nothing.
#[test]
fn a_picture_in_one_piece_is_refused_by_a_model_of_tiles() {
    let (model, whole) = (fit(Some(TILING), 0..8, 0.99), fit(None, 0..8, 0.99));
    let refused = model.preprocessor().prepare(large(9)).unwrap_err();
    assert!(matches!(refused, PreprocessError::WholePicture { .. }), "{refused}");
    let prepared = whole.preprocessor().prepare(large(9)).unwrap();
    let refused = model.predict(std::slice::from_ref(&prepared), &JudgeOptions::default()).unwrap_err();
    assert!(matches!(refused, DfmError::Tiles { expected: true }), "{refused}");
    let mut judging = model.judging(&JudgeOptions::default()).unwrap();
    let refused = judging.push(vec![Piece::whole(0, prepared)]).remove(0).1.unwrap_err();
    assert!(matches!(refused, DfmError::Tiles { expected: true }), "{refused}");
    let mut judging = whole.judging(&JudgeOptions::default()).unwrap();
    let refused = judging.push(pieces_of(&model, 9..10)).remove(0).1.unwrap_err();
    assert!(matches!(refused, DfmError::Tiles { expected: false }), "{refused}");
}

#[test]
fn pictures_no_larger_than_a_tile_are_judged_as_without_tiles() {
    let (in_tiles, whole) = (fit(Some(Tiling { side: 150, stride: 100 }), 0..8, 0.99), fit(None, 0..8, 0.99));
    assert_eq!(in_tiles.calibration(), whole.calibration());
    let got = judged(&in_tiles, &large(30));
    let expected = judged(&whole, &large(30));
    assert_eq!(got.score, expected.score);
    assert!(
        got.grid.unwrap().upsample(size(150, 100)) == expected.grid.unwrap().upsample(size(150, 100)),
        "maps differ"
    );
}

#[test]
fn the_threshold_is_one_of_pictures() {
    let model = fit(Some(TILING), 0..32, 0.5);
    let threshold = model.calibration().unwrap().threshold();
    let scores = (100..160).map(|seed| judged(&model, &large(seed)).score);
    let share = scores.filter(|score| *score >= threshold).count();
    // Half of sixty, give or take what the median of eight is off by. By the median of all
    // tiles, of which a picture has six, all but one would be called.
    assert!((6..=54).contains(&share), "{share}");
}

#[test]
fn tiles_of_a_picture_come_and_go_together() {
    let model = fit(Some(TILING), 0..8, 0.99);
    let hash = dfm_core::content_hash(&large(3));
    let hashes = model.fit_statistics().unwrap().1;
    assert_eq!(hashes.iter().filter(|other| **other == hash).count(), 6);
    let again = pieces_of(&model, 2..4);
    let same = model.update_each(again, UpdateOptions::default(), |_| Ok(())).unwrap();
    assert_eq!(same.record().picture_count, 48);
    let less = same.forget(&[hash]).unwrap();
    let expected = fit(Some(TILING), (0..8).filter(|seed| *seed != 3), 0.99);
    assert_eq!(less.record().picture_count, 42);
    let score = |model: &Dfm| judged(model, &large(50)).score;
    // Directions through f32, as what is merged and forgotten always is.
    assert_close("without one", score(&less), score(&expected), 1e-3);
    let more = pieces_of(&less, 3..4);
    let more = less.update_each(more, UpdateOptions::default(), |_| Ok(())).unwrap();
    assert_eq!(more.record().picture_count, 48);
}

#[test]
fn the_model_keeps_its_tiles_and_says_what_it_cannot() {
    let model = fit(Some(TILING), 0..8, 0.99);
    let mut file = Vec::new();
    model.write(&mut file, &SaveOptions { slim: false }).unwrap();
    let read = Dfm::read(&mut file.as_slice(), LoadOptions::on(flex())).unwrap();
    assert_eq!(read.record().params.method.tiling, Some(TILING));
    assert!(judged(&read, &large(9)) == judged(&model, &large(9)), "read models judge otherwise");
    let error = read.drift_of_scores(&[1.0], DriftParams::default().check().unwrap()).unwrap_err();
    assert!(matches!(error, DfmError::Parameter { name: "tiling", .. }), "{error}");
    let error = read.audit().unwrap_err();
    assert!(matches!(error, DfmError::Parameter { name: "tiling", .. }), "{error}");
    let one_by_one = Method::published()
        .with_tiling(TILING)
        .with_calibration(CalibrationParams::from(CalibrationKind::LeaveOneOut));
    let error = one_by_one.check().unwrap_err();
    assert!(matches!(error, DfmError::Parameter { name: "calibration", .. }), "{error}");
    let error = fit(None, 0..8, 0.99).merge(&read).unwrap_err();
    assert!(matches!(error, DfmError::DifferentModels { what: "parameters", .. }), "{error}");
}

#[test]
fn the_program_judges_pictures_by_their_tiles() {
    let program = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    for seed in 0..6 {
        program.save(&format!("good/{seed}.png"), &large(seed));
    }
    program.save("new/a.png", &large(20));
    std::fs::write(program.path("new/b.png"), b"no picture").unwrap();
    program.save("new/c.png", &pictures::defective(21, 150, 100));
    let fit = |name: &str, more: &[&str]| {
        program.run(&[&["fit", "good", "-o", name], SMALL.as_slice(), more].concat())
    };
    let out = fit("tiles.dfm", &["--tile", "64", "--stride", "48", "--batch", "4"]).expect_code(0).out;
    assert!(out.contains("36 tiles"), "{out}");
    assert!(program.run(&["info", "tiles.dfm"]).out.contains("64×64 pixels, up to 48"));
    // A stride of three quarters is 48: the same model.
    fit("default.dfm", &["--tile", "64", "--calibrate", "split", "--batch", "4"]).expect_code(0);
    let bytes = |name: &str| std::fs::read(program.path(name)).unwrap();
    assert_eq!(bytes("default.dfm"), bytes("tiles.dfm"));
    let run = |more: &[&str]| {
        let arguments = ["predict", "tiles.dfm", "new", "--format", "json"];
        program.run(&[arguments.as_slice(), more].concat()).expect_code(2).expect_said(&["new/b.png"])
    };
    let judged = run(&["--maps", "maps"]);
    assert_eq!(judged.paths(), ["new/a.png", "new/c.png"]);
    assert!(judged.scores()[1] > judged.scores()[0]);
    let overlay = image::open(program.path("maps/c.png-overlay.png")).unwrap();
    assert_eq!((overlay.width(), overlay.height()), (150, 100));
    // However many threads prepare tiles.
    assert_eq!(run(&["--jobs", "1"]).scores(), judged.scores());
    // A picture that is too small for the region leaves nothing of itself to the next.
    fit("part.dfm", &["--tile", "64", "--stride", "48", "--roi", "0,0,150,100"]).expect_code(0);
    program.save("mixed/0.png", &pictures::defective(22, 120, 100));
    program.save("mixed/1.png", &large(20));
    let alone = program.run(&["predict", "part.dfm", "mixed/1.png", "--format", "json"]).scores();
    let mixed = program.run(&["predict", "part.dfm", "mixed", "--format", "json"]).expect_code(2);
    assert_eq!(mixed.scores(), alone);
    mixed.expect_said(&["mixed/0.png", "0,0,150,100"]);
    fit("no.dfm", &["--tile", "64", "--stride", "65"]).expect_code(2).expect_said(&["every 65"]);
    fit("no.dfm", &["--tile", "64", "--calibrate", "leave-one-out"]).expect_code(2).expect_said(&["split"]);
    fit("no.dfm", &["--stride", "65"]).expect_code(2).expect_said(&["--tile"]);
    let drift = program.run(&["drift", "tiles.dfm", "good"]);
    drift.expect_code(2).expect_said(&["without --tile"]);
}
