//! Pictures whose aspect is not the network's: what it sees of them, and where in the
//! picture its cells lie, against PIL, NumPy and SciPy.

use std::sync::LazyLock;

use dfm_backbone::{ChannelOrder, InputContract, Layer, Preprocessor, Resampling, Resize, Transparency};
use dfm_core::{
    AnomalyGrid, AnomalyMap, Compat, Dfm, DfmError, JudgeOptions, LoadOptions, Method, PictureSize, RgbImage,
    SaveOptions,
};
use dfm_tests::golden::{self, Golden};
use dfm_tests::models::{fit_prepared, flex, small_weights};
use dfm_tests::pictures;
use dfm_tests::program::{Program, SMALL};

static GOLDEN: LazyLock<Golden> = LazyLock::new(|| golden::tensors("geometry/geometry.safetensors"));
/// The mean in `make_geometry.py`.
const MEAN: [f32; 3] = [124.0, 116.0, 104.0];

/// Bytes less their mean.
fn contract(height: usize, width: usize, resize: Resize) -> InputContract {
    InputContract {
        height,
        width,
        channels: ChannelOrder::Rgb,
        scale: 1.0,
        mean: MEAN,
        standard_deviation: [1.0; 3],
        resampling: Resampling::Bytes,
        resize,
        transparency: Transparency::Ignored,
    }
}

/// The name of a case, its picture, and its contract.
fn cases() -> Vec<(String, RgbImage, InputContract)> {
    let mut cases = Vec::new();
    for name in ["wide", "high", "square", "line", "dot", "strip"] {
        let (shape, bytes) = GOLDEN.u8(&format!("{name}.picture"));
        let picture = RgbImage::from_raw(shape[1] as u32, shape[0] as u32, bytes).expect(name);
        for [height, width] in [[32, 32], [24, 40]] {
            for resize in Resize::ALL {
                let case = format!("{name}.{height}x{width}.{resize}");
                cases.push((case, picture.clone(), contract(height, width, resize)));
            }
        }
    }
    cases
}

#[test]
fn what_the_network_sees_is_what_pil_and_numpy_make_of_it() {
    for (case, picture, contract) in cases() {
        let (shape, expected) = GOLDEN.u8(&format!("{case}.prepared"));
        assert_eq!(shape, [contract.height, contract.width, 3], "{case}");
        // Fixed point rounds after either side, so that PIL's is up to a step from what is exact,
        // and two of its kind are up to two from each other; but hardly ever.
        for (resampling, most) in [(Resampling::Bytes, 2.0), (Resampling::Floats, 1.01)] {
            let contract = InputContract { resampling, ..contract };
            let prepared = Preprocessor::new(contract).unwrap().prepare(&picture).unwrap();
            assert_eq!(prepared.pixels.len(), expected.len(), "{case}");
            let difference = |(index, expected): (usize, &u8)| {
                let (place, channel) = (index / 3, index % 3);
                let got = prepared.pixels[channel * contract.height * contract.width + place] + MEAN[channel];
                (got - f32::from(*expected)).abs()
            };
            let differences: Vec<f32> = expected.iter().enumerate().map(difference).collect();
            let mean = differences.iter().sum::<f32>() / differences.len() as f32;
            let largest = differences.into_iter().fold(0.0, f32::max);
            assert!(mean <= 0.4 && largest <= most, "{case} {resampling:?}: mean {mean}, largest {largest}");
        }
    }
}

#[test]
fn maps_lie_where_scipy_lays_them() {
    for (case, picture, contract) in cases() {
        let input = case.rsplit_once('.').expect("a case").0;
        let (cells, values) = GOLDEN.f32(&format!("{input}.grid"));
        let (shape, expected) = GOLDEN.f32(&format!("{case}.map"));
        let size = PictureSize { width: picture.width(), height: picture.height() };
        let grid = AnomalyGrid {
            placements: vec![Preprocessor::new(contract).unwrap().placement(size)],
            ..AnomalyGrid::new(cells[0], cells[1], values)
        };
        let map = grid.upsample(size);
        assert_eq!([map.height, map.width], shape[..], "{case}");
        for (index, (got, expected)) in map.values.iter().zip(&expected).enumerate() {
            // Weights and three sums in f32, of values up to 4.
            assert!((got - expected).abs() <= 4e-6, "{case} {index}: {got} {expected}");
        }
    }
}

#[test]
fn a_picture_of_the_networks_aspect_is_the_same_in_every_way() {
    for (width, height) in [(50, 30), (40, 24), (200, 120)] {
        let picture = pictures::good(1, width, height);
        let size = PictureSize { width, height };
        let prepared = |resize| {
            let contract = contract(24, 40, resize);
            let preprocessor = Preprocessor::new(contract).unwrap();
            (preprocessor.prepare(&picture).unwrap().pixels, preprocessor.placement(size))
        };
        for resize in Resize::ALL {
            assert!(prepared(resize) == prepared(Resize::Stretch), "{width}×{height} {resize}");
        }
    }
}

/// However a picture is turned round, so is what the network sees of it.
#[test]
fn pictures_lie_in_the_middle() {
    let picture = pictures::generated(30, 70);
    let mut turned = picture.clone();
    image::imageops::rotate180_in_place(&mut turned);
    for resize in Resize::ALL {
        // 40 × 17 of 40 × 25 pixels: four rows above and four below.
        let preprocessor = Preprocessor::new(contract(25, 40, resize)).unwrap();
        let pixels = preprocessor.prepare(&picture).unwrap().pixels;
        let mut expected = preprocessor.prepare(&turned).unwrap().pixels;
        expected.chunks_mut(25 * 40).for_each(<[f32]>::reverse);
        for (got, expected) in pixels.iter().zip(&expected) {
            // Fixed point rounds a half one way.
            assert!((got - expected).abs() <= 1.0, "{resize}: {got} {expected}");
        }
    }
}

const SIZE: PictureSize = PictureSize { width: 176, height: 64 };

fn fit(resize: Resize) -> Dfm {
    let weights = small_weights();
    let input = InputContract { resize, ..weights.header().input };
    let params = Method::published().with_taps(vec![Layer::named("layer1").pooled(2)]).check().unwrap();
    let extractor = params.extractor(weights.with_input(input), flex()).unwrap();
    let preprocessor = extractor.preprocessor();
    let good = (0..12).map(|seed| preprocessor.prepare(pictures::good(seed, SIZE.width, SIZE.height)));
    fit_prepared(&params, extractor, good.collect::<Result<Vec<_>, _>>().unwrap()).unwrap()
}

/// A good part with a square of 16 pixels around `(x, y)`.
fn with_defect(x: u32, y: u32) -> RgbImage {
    let mut picture = pictures::good(77, SIZE.width, SIZE.height);
    for across in x - 8..x + 8 {
        (y - 8..y + 8).for_each(|down| picture.put_pixel(across, down, [250, 20, 240].into()));
    }
    picture
}

fn map_of(model: &Dfm, picture: &RgbImage) -> AnomalyMap {
    let picture = model.preprocessor().prepare(picture).unwrap();
    let prediction = model.predict(&[picture], &JudgeOptions::default().with_map(true)).unwrap().remove(0);
    prediction.grid.expect("FRE has a map").upsample(SIZE)
}

/// Where a map is highest: the middle of all pixels that are.
fn peak(map: &AnomalyMap) -> [f64; 2] {
    let highest = map.values.iter().copied().fold(0.0, f32::max);
    let places = (0..map.values.len()).filter(|place| map.values[*place] == highest);
    let places: Vec<[f64; 2]> =
        places.map(|place| [(place % map.width) as f64, (place / map.width) as f64]).collect();
    let mean = |axis: usize| places.iter().map(|place| place[axis]).sum::<f64>() / places.len() as f64;
    [mean(0), mean(1)]
}

#[test]
fn a_defect_shows_where_it_is_in_every_way() {
    for resize in Resize::ALL {
        let model = fit(resize);
        let scale = match resize {
            // A cell is 8 × 8 of 64 × 64 pixels.
            Resize::Stretch => [176.0 / 64.0, 1.0],
            Resize::Mirror | Resize::Letterbox => [176.0 / 64.0; 2],
            Resize::Crop => [1.0; 2],
        };
        for (x, y) in [(20, 12), (72, 44), (88, 32), (104, 20), (150, 50)] {
            let map = map_of(&model, &with_defect(x, y));
            if resize == Resize::Crop {
                // The network sees the middle 64 of 176 pixels: 56 to 119.
                let unseen = |x: &usize| !(56..120).contains(x);
                let all = (0..map.values.len()).filter(|place| unseen(&(place % map.width)));
                assert!(all.into_iter().all(|place| map.values[place] == 0.0), "{x}, {y}");
                if !(64..112).contains(&x) {
                    continue;
                }
            }
            let [across, down] = peak(&map);
            // The defect and a cell around it.
            let near =
                |got: f64, expected: u32, scale: f64| (got - f64::from(expected)).abs() <= 8.0 * scale + 1.0;
            assert!(
                near(across, x, scale[0]) && near(down, y, scale[1]),
                "{resize}: highest at {across}, {down}, expected {x}, {y}"
            );
        }
    }
}

#[test]
fn a_model_keeps_the_way_and_models_of_two_ways_do_not_merge() {
    let pictures = [with_defect(72, 44), pictures::good(5, SIZE.width, SIZE.height)];
    let mut maps = Vec::new();
    for resize in Resize::ALL {
        let model = fit(resize);
        let mut file = Vec::new();
        model.write(&mut file, &SaveOptions { slim: false }).unwrap();
        let read = Dfm::read(&mut file.as_slice(), LoadOptions::on(flex())).unwrap();
        assert_eq!(read.extractor().weights().header().input.resize, resize);
        let of = |model: &Dfm| pictures.each_ref().map(|picture| map_of(model, picture).values);
        let expected = of(&model);
        assert!(of(&read) == expected, "{resize}");
        assert!(!maps.contains(&expected), "{resize} is no way of its own");
        maps.push(expected);
    }
    let error = fit(Resize::Mirror).merge(&fit(Resize::Crop)).unwrap_err();
    assert!(matches!(error, DfmError::DifferentModels { what: "backbone weights", .. }), "{error}");
}

#[test]
fn anomalib_can_only_stretch() {
    let params = Method::published()
        .with_taps(vec![Layer::named("layer1").pooled(4)])
        .with_compat(Some(Compat::Anomalib));
    let weights = small_weights();
    let input = InputContract { resize: Resize::Mirror, ..weights.header().input };
    let error = params.check().unwrap().extractor(weights.with_input(input), flex()).unwrap_err();
    assert!(matches!(error, DfmError::Parameter { name: "resize", .. }), "{error}");
}

#[test]
fn the_program_takes_a_way_and_predicts_in_the_same() {
    let program = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    program.save_good();
    let fit = |name: &str, more: &[&str]| {
        program.run(&[&["fit", "good", "-o", name], SMALL.as_slice(), more].concat())
    };
    fit("stretch.dfm", &["--resize", "stretch"]).expect_code(0);
    fit("mirror.dfm", &[]).expect_code(0);
    assert!(program.run(&["info", "stretch.dfm"]).expect_code(0).out.contains("64×64 pixels, stretch"));
    assert!(program.run(&["info", "mirror.dfm"]).expect_code(0).out.contains("64×64 pixels, mirror"));
    let scores = |model: &str| {
        program.run(&["predict", model, "good", "--format", "json", "--maps", "maps"]).expect_code(0).scores()
    };
    assert_ne!(scores("stretch.dfm"), scores("mirror.dfm"));
    fit("no.dfm", &["--resize", "squeeze"]).expect_code(2).expect_said(&["squeeze", "letterbox"]);
    fit("no.dfm", &["--resize", "crop", "--compat", "anomalib"]).expect_code(2).expect_said(&["stretch"]);
}
