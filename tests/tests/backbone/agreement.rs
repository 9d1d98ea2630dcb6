//! Features against PyTorch, on every device.

use dfm_backbone::{Architecture, ImportOptions, Layer};
use dfm_tests::tolerance::relative_l2_f32;
use dfm_tests::{devices, golden};

use crate::generated::{self, SIZE};
use crate::support::{self, features, fixture};

/// Two `f32` implementations of fifty convolutions differ by about 1e-6 relative;
/// a wrong stride, pad or norm is far above this.
const TOLERANCE: f64 = 1e-4;

/// A whole network of torchvision with generated weights, at each of its first
/// `layers` layers. Not on wgpu, where software Vulkan takes minutes for it: the
/// small network below runs there.
fn agrees_with_torchvision(name: &str, layers: usize) {
    let architecture = Architecture::known(name).expect("a known name");
    let deepest = Layer::ALL[layers - 1];
    let state = generated::state_dict(&architecture, deepest);
    let options = ImportOptions { architecture: Some(architecture), deepest, ..ImportOptions::default() };
    let weights = support::import(&state, &options).unwrap_or_else(|error| panic!("{name}: {error}"));
    drop(state);
    let golden = golden::tensors("backbone/torchvision.safetensors");
    let pixels = generated::input();
    for (device_name, device) in devices::available() {
        if device_name == "wgpu" {
            continue;
        }
        for tap in &Layer::ALL[..layers] {
            let (_, expected) = golden.f32(&format!("{name}.{tap}"));
            let pool = weights.header().architecture.feature_size(*tap, SIZE)[0].min(4);
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
        for tap in Layer::ALL {
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
            Layer::Layer1,
            Architecture { max_pool_padding: support::tiny_caffe().max_pool_padding, ..support::tiny() },
        ),
        (
            Layer::Layer2,
            Architecture { stride_placement: support::tiny_caffe().stride_placement, ..support::tiny() },
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
