//! Networks that ONNX files describe, against ONNX Runtime. `fixtures/backbone/make_onnx.py` made the files and what
//! is expected.

use dfm_backbone::{
    Architecture, BackboneError, BackboneWeights, GraphError, ImportOptions, InputContract, Layer,
    Normalisation, WeightsError, WeightsFile,
};
use dfm_tests::tolerance::relative_l2_f32;
use dfm_tests::{devices, golden};

use crate::generated;
use crate::support::features;

const TOLERANCE: f64 = 1e-4;

fn file(name: &str) -> WeightsFile {
    WeightsFile::new(golden::bytes(&format!("backbone/onnx/{name}.onnx")))
}

fn import(name: &str, layer: &str, size: Option<[usize; 2]>) -> Result<BackboneWeights, WeightsError> {
    let options = ImportOptions { deepest: Layer::named(layer), size, ..ImportOptions::default() };
    file(name).import(&options)
}

#[test]
fn every_network_agrees_with_onnx_runtime() {
    let expected = golden::tensors("backbone/onnx/expected.safetensors");
    let mut compared = 0;
    for key in expected.names() {
        let [name, layer, size] = key.split('|').collect::<Vec<_>>()[..] else { panic!("{key}") };
        let (height, width) = size.split_once('x').expect("a size");
        let size = [height, width].map(|side| side.parse::<usize>().expect("a side"));
        let (shape, values) = expected.f32(&key);
        let weights = import(name, layer, Some(size)).unwrap_or_else(|error| panic!("{key}: {error}"));
        let layer = Layer::named(layer);
        let architecture = &weights.header().architecture;
        assert_eq!(architecture.channels(layer).expect("a layer"), shape[0], "{key}");
        let pixels: Vec<f32> = generated::units("input", 3 * size[0] * size[1]).collect();
        for (device_name, device) in devices::available() {
            if device_name == "wgpu" {
                continue;
            }
            let got = features(&weights, layer, 1, &pixels, size, &device);
            let distance = relative_l2_f32(&got, &values);
            println!("{key} on {device_name}: relative L2 {distance:.1e}");
            assert!(distance < TOLERANCE, "{key} on {device_name}: {distance}");
            compared += 1;
        }
    }
    assert!(compared >= 80, "only {compared} were compared");
}

/// What the exporters write becomes the few operations that the network has, and no more.
#[test]
fn a_network_has_no_node_too_many() {
    let count = |name: &str, operation: &str| {
        let nodes = file(name).nodes(None).expect(name).nodes;
        nodes.iter().filter(|node| node.operation == operation).count()
    };
    for exporter in ["script", "dynamo"] {
        let resnet = format!("resnet-{exporter}");
        assert_eq!([count(&resnet, "convolution"), count(&resnet, "add")], [13, 4], "{resnet}");
        for name in ["vit", "dinov2"].map(|name| format!("{name}-{exporter}")) {
            // Two blocks: queries, keys and values in one product, layer scales folded.
            assert_eq!(count(&name, "linear"), 8, "{name}");
            assert_eq!([count(&name, "attention"), count(&name, "layer_norm")], [2, 5], "{name}");
            assert_eq!([count(&name, "positions"), count(&name, "scale")], [1, 0], "{name}");
        }
        assert_eq!(count(&format!("mobilenetv3-{exporter}"), "hard_sigmoid"), 0);
    }
    let weights = import("decomposed", "sum2", Some([32, 48])).expect("the fixture");
    let count = |operation: &str| {
        weights.graph().nodes().iter().filter(|node| node.operation().name() == operation).count()
    };
    assert_eq!([count("linear"), count("layer_norm"), count("concatenate")], [4, 2, 0]);
}

#[test]
fn a_network_is_good_for_the_size_that_it_was_read_for() {
    let weights = import("resnet-script", "features", Some([64, 96])).expect("the fixture");
    let other = weights.clone().with_input(weights.header().input.with_size(96, 64));
    let error = other.feature_shape(Layer::named("features").pooled(1)).expect_err("another size");
    let expected = GraphError::OtherSize { expected: [64, 96], got: [96, 64] };
    assert!(matches!(&error, BackboneError::Graph { cause, .. } if **cause == expected), "{error}");
    // Without a size, that of the file or 224.
    let usual = import("resnet-script", "features", None).expect("the fixture").header().input;
    assert_eq!([usual.height, usual.width], [224, 224]);
    let fixed = import("vit-dynamo", "layer_norm_4", None).expect("the fixture").header().input;
    assert_eq!([fixed.height, fixed.width], [42, 56]);
    let error = import("vit-script", "features", Some([56, 56])).expect_err("positions of another grid");
    assert!(matches!(&error, WeightsError::FixedSize { expected: [42, 56], got: [56, 56] }), "{error}");
    let nodes = file("vit-script").nodes(None).expect("the fixture");
    assert!(nodes.fixed && nodes.refused.is_empty() && nodes.size == [42, 56]);
    assert!(nodes.nodes.iter().any(|node| node.are_tokens && node.channels == 24 && node.sides == [3, 4]));
}

#[test]
fn what_was_read_is_written_and_read_unchanged() {
    for (name, layer) in
        [("dinov2-script", "features"), ("nhwc", "pooled"), ("mobilenetv3-dynamo", "add_121")]
    {
        let weights = import(name, layer, None).expect(name);
        let written = weights.to_bytes().expect("bytes");
        let read = BackboneWeights::from_bytes(&written).expect("what was written");
        assert_eq!((&read, read.sha256()), (&weights, weights.sha256()));
        // A model that leaves its weights out has the description, and takes the file for it.
        let header = weights.header();
        let options = ImportOptions {
            architecture: Some(header.architecture.clone()),
            deepest: header.deepest,
            input: Some(header.input),
            ..ImportOptions::default()
        };
        assert_eq!(file(name).import(&options).expect("the same file"), weights);
        let error = file("convnext-script").import(&options).expect_err("another file");
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn a_network_that_normalises_pictures_gets_them_plain() {
    let inside = import("nhwc", "pooled", None).expect("the fixture").header().input;
    assert_eq!(inside.normalisation(), Normalisation::UNIT);
    let outside = import("resnet-script", "features", None).expect("the fixture").header().input;
    assert_eq!(outside, InputContract::imagenet().with_size(224, 224));
}

#[test]
fn a_layer_that_is_not_there_is_told_with_what_there_is() {
    let error = import("resnet-script", "layer2", None).expect_err("no such layer");
    let text = error.to_string();
    assert!(text.contains("'layer2'") && text.contains("Relu"), "{text}");
    // The value between a convolution and the batch norm that is folded into it is nowhere.
    let names: Vec<String> =
        file("nhwc").nodes(None).expect("the fixture").nodes.into_iter().map(|node| node.name).collect();
    assert!(!names.contains(&"c1".to_owned()) && names.contains(&"a1".to_owned()), "{names:?}");
    assert!(import("nhwc", "c1", None).is_err() && import("nhwc", "a1", None).is_ok());
}

/// With a known network's name, an ONNX file gives numbers alone, as before.
#[test]
fn a_known_network_still_takes_its_numbers_from_onnx() {
    let options = ImportOptions { architecture: Architecture::known("resnet18"), ..ImportOptions::default() };
    let error = file("resnet-script").import(&options).expect_err("a narrow network");
    assert!(matches!(error, WeightsError::Count { expected: 20, got: 13 }), "{error}");
}
