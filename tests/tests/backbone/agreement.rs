//! Features against PyTorch, on every device.

use dfm_backbone::{BackboneWeights, FeatureExtractor, ImportOptions, Layer, ResNet};
use dfm_tests::tolerance::relative_l2_f32;
use dfm_tests::{devices, golden, pictures};

use crate::generated::{self, SIZE};
use crate::support::{self, features, fixture};

/// Two `f32` implementations of fifty convolutions differ by about 1e-6 relative;
/// a wrong stride, pad or norm is far above this.
const TOLERANCE: f64 = 1e-4;

/// A network of torchvision with generated weights, to its first `layers` layers.
fn torchvision(name: &str, layers: usize) -> BackboneWeights {
    let resnet = ResNet::known(name).expect("a known name");
    let deepest = Layer::RESNET[layers - 1];
    let state = generated::state_dict(&resnet, deepest);
    let options = ImportOptions { architecture: Some(resnet.into()), deepest, ..ImportOptions::default() };
    support::import(&state, &options).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A whole network of torchvision at each of its first `layers` layers. On wgpu, where
/// software Vulkan takes minutes for the others, resnet18 and the small network below.
fn agrees_with_torchvision(name: &str, layers: usize) {
    let weights = torchvision(name, layers);
    let golden = golden::tensors("backbone/torchvision.safetensors");
    let pixels = generated::input();
    for (device_name, device) in devices::available() {
        if device_name == "wgpu" && name != "resnet18" {
            println!("{name} on wgpu: not run: software Vulkan takes minutes for it; resnet18 runs there");
            continue;
        }
        for tap in &Layer::RESNET[..layers] {
            let (_, expected) = golden.f32(&format!("{name}.{tap}"));
            let pool = weights.header().architecture.feature_size(*tap, SIZE).expect("a layer")[0].min(4);
            let got = features(&weights, *tap, pool, &pixels, SIZE, &device);
            let distance = relative_l2_f32(&got, &expected);
            println!("{name} {tap} on {device_name}: relative L2 {distance:.1e}");
            assert!(distance < TOLERANCE, "{name} {tap} on {device_name}: {distance}");
        }
    }
}

#[test]
fn resnet18_agrees_with_torchvision() {
    agrees_with_torchvision("resnet18", 4);
}

/// The network on what it is for: pictures in colour, of the usual size and an odd
/// one. Not on wgpu, where software Vulkan takes minutes for 256 pixels.
#[test]
fn resnet18_agrees_with_torchvision_on_pictures() {
    let weights = torchvision("resnet18", 4);
    let golden = golden::tensors("backbone/torchvision-pictures.safetensors");
    let mut compared = 0;
    for (device_name, device) in devices::available() {
        if device_name == "wgpu" {
            println!("resnet18 on pictures on wgpu: not run: software Vulkan takes minutes for 256 pixels");
            continue;
        }
        for (height, width) in [(256, 256), (233, 317)] {
            let input = weights.header().input.with_size(height, width);
            for tap in [Layer::named("layer2"), Layer::named("layer3"), Layer::named("layer4")] {
                let extractor =
                    FeatureExtractor::new(weights.clone().with_input(input), &[tap.pooled(4)], &device);
                let extractor = extractor.expect("an extractor");
                let picture = pictures::generated(height as u32, width as u32);
                let prepared = extractor.preprocessor().prepare(&picture).expect("a prepared picture");
                let got = extractor.extract(&[prepared]).expect("features");
                let got = got.try_into_vec_as::<f32>().expect("features on the host");
                let (_, expected) = golden.f32(&format!("resnet18.{tap}.{height}x{width}"));
                let distance = relative_l2_f32(&got, &expected);
                println!("resnet18 {tap}, {height}×{width} on {device_name}: relative L2 {distance:.1e}");
                assert!(distance < TOLERANCE, "{tap}, {height}×{width} on {device_name}: {distance}");
                compared += 1;
            }
        }
    }
    assert!(compared >= 6, "only {compared} were compared");
}

#[test]
fn resnet50_agrees_with_torchvision() {
    agrees_with_torchvision("resnet50", 4);
}

#[test]
fn wide_resnet50_2_agrees_with_torchvision() {
    agrees_with_torchvision("wide_resnet50_2", 3);
}

#[test]
fn resnext50_32x4d_agrees_with_torchvision() {
    agrees_with_torchvision("resnext50_32x4d", 3);
}

/// Every cell of every layer, unpooled: with groups, the stride on the first 1×1
/// and the pool padded at its end only.
#[test]
fn a_small_network_agrees_with_pytorch_on_every_device() {
    let weights = fixture("tiny-caffe.onnx", support::tiny_caffe());
    let golden = golden::tensors("backbone/tiny-expected.safetensors");
    let pixels = generated::input();
    for (device_name, device) in devices::available() {
        for tap in Layer::RESNET {
            let (_, expected) = golden.f32(&format!("tiny_caffe.{tap}"));
            let got = features(&weights, tap, 1, &pixels, SIZE, &device);
            let distance = relative_l2_f32(&got, &expected);
            println!("tiny_caffe {tap} on {device_name}: relative L2 {distance:.1e}");
            assert!(distance < TOLERANCE, "{tap} on {device_name}: {distance}");
        }
    }
}

/// The two differ in stride and padding alone, so this test would see either.
#[test]
fn stride_and_padding_change_the_features() {
    let (_, device) = devices::available().remove(0);
    let weights = fixture("tiny-zip.pth", support::tiny());
    let pixels = generated::input();
    let golden = golden::tensors("backbone/tiny-expected.safetensors");
    for (tap, architecture) in [
        (
            Layer::named("layer1"),
            ResNet { max_pool_padding: support::tiny_caffe().max_pool_padding, ..support::tiny() },
        ),
        (
            Layer::named("layer2"),
            ResNet { stride_placement: support::tiny_caffe().stride_placement, ..support::tiny() },
        ),
    ] {
        let (_, expected) = golden.f32(&format!("tiny.{tap}"));
        let right = features(&weights, tap, 1, &pixels, SIZE, &device);
        assert!(relative_l2_f32(&right, &expected) < TOLERANCE);
        let wrong = fixture("tiny-zip.pth", architecture);
        let wrong = features(&wrong, tap, 1, &pixels, SIZE, &device);
        assert!(relative_l2_f32(&wrong, &expected) > 100.0 * TOLERANCE, "{tap}");
    }
}
