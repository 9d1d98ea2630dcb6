//! Resizing in floating point, against torch's antialiased resize of tensors, and what a model
//! remembers of it.

use dfm::{Learner, Network};
use dfm_backbone::{
    BackboneWeights, ChannelOrder, FeatureExtractor, InputContract, Layer, PreparedPicture, Preprocessor,
    Resampling, Resize, RgbImage,
};
use dfm_tests::golden;
use dfm_tests::models::flex;
use dfm_tests::pictures;
use dfm_tests::program::{Program, SMALL};
use dfm_tests::tolerance::relative_l2_f32;

const CASES: [&str; 6] = ["down", "half", "slightly", "up", "across", "line"];

/// A picture of `make_resize.py`, and torch's resize of it, `[H, W, 3]`.
fn case(name: &str) -> (RgbImage, [usize; 2], Vec<f32>) {
    let golden = golden::tensors("resize/resize.safetensors");
    let (shape, bytes) = golden.u8(&format!("{name}.picture"));
    let picture = RgbImage::from_raw(shape[1] as u32, shape[0] as u32, bytes).expect(name);
    let (shape, expected) = golden.f32(&format!("{name}.expected"));
    (picture, [shape[0], shape[1]], expected)
}

fn input(resampling: Resampling, [height, width]: [usize; 2], input: InputContract) -> InputContract {
    InputContract { resampling, resize: Resize::Stretch, ..input.with_size(height, width) }
}

#[test]
fn floats_are_resized_as_torch_resizes_tensors() {
    let raw = InputContract {
        channels: ChannelOrder::Rgb,
        scale: 1.0,
        mean: [0.0; 3],
        standard_deviation: [1.0; 3],
        ..InputContract::imagenet()
    };
    for name in CASES {
        let (picture, size, expected) = case(name);
        let largest = [Resampling::Floats, Resampling::Bytes].map(|resampling| {
            let preprocessor = Preprocessor::new(input(resampling, size, raw)).unwrap();
            let planes = preprocessor.prepare(&picture).unwrap().pixels;
            let pixels = size[0] * size[1];
            let got = (0..3 * pixels).map(|index| planes[index % 3 * pixels + index / 3]);
            got.zip(&expected).map(|(got, expected)| (got - expected).abs()).fold(0.0, f32::max)
        });
        println!("{name}: {largest:?} of 255");
        // torch's own weights have the rounding of `f32`.
        assert!(largest[0] < 2e-3, "{name}: {largest:?}");
        assert!(largest[1] > 0.4, "{name}: {largest:?}");
    }
}

/// With weights that agree with ONNX Runtime to 1e-4, as another suite shows.
#[test]
fn features_are_those_of_torchs_resize() {
    let features = |extractor: &FeatureExtractor, picture: &PreparedPicture| {
        extractor.extract(&[picture]).unwrap().try_into_vec_as::<f32>().unwrap()
    };
    let extractor = |resampling, size| {
        let weights = BackboneWeights::embedded().unwrap();
        let contract = input(resampling, size, weights.header().input);
        let taps = [Layer::Layer2.pooled(4), Layer::Layer3.pooled(4)];
        FeatureExtractor::new(weights.with_input(contract), &taps, flex()).unwrap()
    };
    for name in ["down", "half", "slightly"] {
        let (picture, size, expected) = case(name);
        let floats = extractor(Resampling::Floats, size);
        let InputContract { scale, mean, standard_deviation, channels, .. } = floats.weights().header().input;
        let own = floats.preprocessor().prepare(&picture).unwrap();
        let pixels = (0..3).flat_map(|channel| {
            let source = if channels == ChannelOrder::Bgr { 2 - channel } else { channel };
            let value =
                move |pixel: &[f32]| (pixel[source] * scale - mean[channel]) / standard_deviation[channel];
            expected.chunks_exact(3).map(value)
        });
        let torch = features(&floats, &PreparedPicture { pixels: pixels.collect(), ..own.clone() });
        let distance = relative_l2_f32(&features(&floats, &own), &torch);
        let bytes = extractor(Resampling::Bytes, size);
        let rounded =
            relative_l2_f32(&features(&bytes, &bytes.preprocessor().prepare(&picture).unwrap()), &torch);
        println!("{name}: features differ by {distance:.1e}, resized in bytes by {rounded:.1e}");
        assert!(distance < 2e-4, "{name}: {distance}");
        assert!(rounded > 5e-4, "{name}: {rounded}");
    }
}

#[test]
fn new_models_resize_in_floats_and_say_so() {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    dfm.save_good();
    let fit = |model: &str, flags: &[&str]| {
        dfm.run(&[&["fit", "good", "-o", model], SMALL.as_slice(), flags].concat()).expect_code(0);
    };
    let input = |model: &str| {
        dfm.run(&["info", model, "--format", "json"]).expect_code(0).json().remove(0)["input"].clone()
    };
    fit("floats.dfm", &[]);
    assert_eq!(input("floats.dfm")["resampling"], "floats");
    assert!(dfm.run(&["info", "floats.dfm"]).out.contains("in floats"));
    fit("bytes.dfm", &["--resampling", "bytes"]);
    // As in models that are older than the field.
    assert_eq!(input("bytes.dfm").get("resampling"), None);
    let run = dfm.run(&["merge", "bytes.dfm", "floats.dfm", "-o", "both.dfm"]).expect_code(2);
    run.expect_said(&["resampling", "expected bytes, got floats"]);
    dfm.save("new/0.png", &pictures::good(77, 72, 56));
    let [floats, bytes] = ["floats.dfm", "bytes.dfm"]
        .map(|model| dfm.run(&["predict", model, "new", "--format", "json"]).scores()[0]);
    assert!(floats != bytes && (floats / bytes - 1.0).abs() < 0.5, "{floats} {bytes}");
    // A sweep looks at pictures as a fit does.
    dfm.save_dataset();
    let small =
        ["--backbone", "resnet18", "--weights", "random", "--size", "64", "--layer", "layer1", "--pool", "4"];
    for seed in 0..6 {
        dfm.save(&format!("data/train/good/{seed}.png"), &pictures::good(seed, 72, 56));
    }
    fit_and_sweep(&dfm, &small);
}

/// The figure of a sweep is that of the fit and the evaluation that it stands for.
fn fit_and_sweep(dfm: &Program, small: &[&str]) {
    for resampling in ["floats", "bytes"] {
        let flags = [small, &["--resampling", resampling, "--format", "json"]].concat();
        let swept = dfm.run(&[&["sweep", "data"], flags.as_slice()].concat()).expect_code(0).json().remove(0);
        let model = format!("{resampling}-data.dfm");
        let flags = [small, &["--resampling", resampling]].concat();
        // A sweep has coarse maps.
        dfm.run(&[&["fit", "data", "-o", &model, "--map", "coarse"], flags.as_slice()].concat())
            .expect_code(0);
        let run = dfm.run(&["evaluate", &model, "data", "--bootstrap", "0", "--format", "json"]);
        assert_eq!(swept["settings"][0]["pixel_auroc"], run.json()[0]["pixel_auroc"], "{resampling}");
    }
}

#[test]
fn the_library_resizes_as_the_program_does() {
    let good: dfm::Pictures =
        (0..6_u64).map(|seed| (seed.to_string(), pictures::good(seed, 72, 56))).collect();
    let network = || {
        Network::default()
            .with_backbone(Some("resnet18".to_owned()))
            .with_weights(Some("random".to_owned()))
            .with_size(Some([64, 64]))
    };
    let resampling = |learner: Learner| {
        let model = learner.fit(&good, &dfm::Silent).unwrap();
        model.extractor().weights().header().input.resampling
    };
    let method = dfm::Method::default();
    let usual = network().with_resampling(method.usual_resampling());
    assert_eq!(resampling(Learner::new(method).with_network(usual)), Resampling::Floats);
    assert_eq!(resampling(Learner::published().with_network(network())), Resampling::Bytes);
    // anomalib has floats, whatever the weights say.
    assert_eq!(resampling(Learner::anomalib().with_network(network())), Resampling::Floats);
}
