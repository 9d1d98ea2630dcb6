//! Networks of timm by name, against timm itself, with weights that `fixtures/backbone/make_families.py` and
//! this file make by the same rule.

use std::collections::BTreeMap;

use dfm_backbone::{
    Architecture, BackboneError, BackboneWeights, FeatureExtractor, ImportOptions, InputContract,
    InstructionSet, Layer, NetworkPrecision, PictureSize, Placement, PreparedPicture, WeightsError,
};
use dfm_tests::models::{flex, kernels};
use dfm_tests::tolerance::relative_l2_f32;
use dfm_tests::{devices, golden};
use serde_json::Value;

use crate::generated::{self, Tensor};
use crate::support::{features, import};

/// Two implementations differ by about 1e-6 relative; a wrong activation or norm is far above this.
const TOLERANCE: f64 = 1e-4;
/// The networks that run on wgpu, too, where software Vulkan takes minutes for all of them.
const ON_WGPU: [&str; 2] = ["mobilenetv2_100", "vit_tiny_patch16_224"];

/// What is known of a network of timm: windows of the features that are compared, and shapes of its tensors.
pub(crate) struct Described {
    taps: BTreeMap<String, usize>,
    pub(crate) tensors: BTreeMap<String, Vec<usize>>,
}

pub(crate) fn described() -> BTreeMap<String, Described> {
    let all: Value = serde_json::from_slice(&golden::bytes("backbone/families.json")).expect("a list");
    let number = |value: &Value| value.as_u64().expect("a number") as usize;
    let entries = |value: &Value| value.as_object().expect("names").clone();
    let dims = |dims: &Value| dims.as_array().expect("a shape").iter().map(number).collect();
    let one = |(name, value): (String, Value)| {
        let taps = entries(&value["taps"]).iter().map(|(tap, pool)| (tap.clone(), number(pool))).collect();
        let tensors = entries(&value["tensors"]).iter().map(|(name, it)| (name.clone(), dims(it))).collect();
        (name, Described { taps, tensors })
    };
    entries(&all).into_iter().map(one).collect()
}

/// A state dict of the network, as safetensors.
pub(crate) fn state_dict(name: &str, tensors: &BTreeMap<String, Vec<usize>>, prefix: &str) -> Vec<u8> {
    let made = tensors.iter().map(|(tensor, dims)| {
        let value = rule(name, tensor, dims);
        let stream = format!("{name}/{tensor}");
        let units = generated::units(&stream, dims.iter().product());
        let bytes = units.map(value).flat_map(f32::to_le_bytes).collect();
        (format!("{prefix}{tensor}"), Tensor { dims: dims.clone(), bytes })
    });
    safetensors::serialize(made.collect::<Vec<_>>(), None).expect("a serialized state dict")
}

/// How a value is made of a unit: the rule in `make_families.py`.
fn rule(network: &str, tensor: &str, dims: &[usize]) -> impl Fn(f32) -> f32 + use<> {
    let (shift, factor) = match tensor.rsplit('.').next().unwrap_or_default() {
        "running_var" => (1.0, 0.5),
        "running_mean" => (0.0, 0.3),
        "gamma" => (0.6, 0.3),
        "bias" => (0.0, 0.2),
        "weight" if dims.len() == 1 => (1.0, 0.5),
        "weight" => {
            let gain = if network.starts_with("efficientnet_b") { 6.0 } else { 4.0 };
            (0.0, (gain / dims[1..].iter().product::<usize>() as f64).sqrt() as f32)
        }
        _ => (0.0, 1.0),
    };
    move |unit| shift + factor * unit
}

pub(crate) fn weights(name: &str, bytes: &[u8], deepest: &str) -> Result<BackboneWeights, WeightsError> {
    let options = ImportOptions {
        architecture: Architecture::known(name),
        deepest: Layer::named(deepest),
        ..ImportOptions::default()
    };
    import(bytes, &options)
}

#[test]
fn every_family_agrees_with_timm() {
    let expected = golden::tensors("backbone/families.safetensors");
    let mut compared = 0;
    for (name, Described { taps, tensors }) in described() {
        let deepest = taps.keys().max_by_key(|tap| Layer::named(tap)).expect("a tap");
        let weights = weights(&name, &state_dict(&name, &tensors, ""), deepest).expect(&name);
        for (tap, pool) in &taps {
            for (height, width) in [(64, 96), (75, 75), (100, 100), (80, 80), (56, 84), (70, 70)] {
                let key = format!("{name}.{tap}.{height}x{width}");
                if !expected.names().contains(&key) {
                    continue;
                }
                let (_, expected) = expected.f32(&key);
                let pixels: Vec<f32> = generated::units("input", 3 * height * width).collect();
                for (device_name, device) in devices::available() {
                    if device_name == "wgpu" && !ON_WGPU.contains(&name.as_str()) {
                        continue;
                    }
                    let got = features(&weights, Layer::named(tap), *pool, &pixels, [height, width], &device);
                    let distance = relative_l2_f32(&got, &expected);
                    println!("{key} on {device_name}: relative L2 {distance:.1e}");
                    assert!(distance < TOLERANCE, "{key} on {device_name}: {distance}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared >= 43, "only {compared} were compared");
}

#[test]
fn every_known_network_can_be_built_and_tapped() {
    for name in Architecture::names() {
        let architecture = Architecture::known(name).expect(name);
        let graph = architecture.graph().expect(name);
        let (last, node) = graph.taps().last().expect("a tap");
        let input = architecture.usual_input();
        input.check().expect(name);
        let shape = graph.shapes([input.height, input.width]).expect(name)[node.index()];
        assert!(shape.channels() >= 160 && shape.sides[0] >= 7, "{name} {last}: {shape:?}");
        // The form in a file says the same.
        let written = serde_json::to_string(&architecture).unwrap();
        assert_eq!(serde_json::from_str::<Architecture>(&written).unwrap(), architecture, "{name}");
        assert!(written.len() < 200_000, "{name}: {} bytes", written.len());
        // Names of layers are ordered as the network is, but for two names of one node.
        let taps: Vec<_> = graph.taps().map(|(name, node)| (node, Layer::named(name))).collect();
        let rises = |pair: &[(dfm_backbone::NodeId, Layer)]| {
            let [(one, first), (other, second)] = pair else { return true };
            one == other || first < second
        };
        assert!(taps.windows(2).all(rises), "{name}: {taps:?}");
    }
}

#[test]
fn weights_of_a_graph_are_written_and_read_unchanged() {
    let name = "vit_tiny_patch16_224";
    let tensors = &described()[name].tensors;
    let imported = weights(name, &state_dict(name, tensors, "model."), "blocks.1").expect("weights");
    assert_eq!(imported.header().deepest, Layer::named("blocks.1"));
    let bytes = imported.to_bytes().unwrap();
    let read = BackboneWeights::from_bytes(&bytes).unwrap();
    assert_eq!((&read, read.sha256()), (&imported, imported.sha256()));
    assert_eq!(read.to_bytes().unwrap(), bytes);
    // Our own file is taken for the network of its name, and cut off like any other.
    let again = weights(name, &bytes, "blocks.0").expect("weights of our own format");
    assert_eq!(again, imported.truncate(Layer::named("blocks.0")).unwrap());
    let names: Vec<String> = again.graph().parameters().into_iter().map(|it| it.name).collect();
    assert!(names.contains(&"blocks.0.mlp.fc2.bias".to_owned()), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("blocks.1")), "{names:?}");
}

/// Positions come at whatever grid a file has.
#[test]
fn the_file_decides_the_grid_of_positions() {
    let name = "vit_tiny_patch16_224";
    let mut tensors = described()[name].tensors.clone();
    tensors.insert("pos_embed".to_owned(), vec![1, 1 + 5 * 5, 192]);
    let bytes = state_dict(name, &tensors, "");
    let of_file = weights(name, &bytes, "blocks.0").expect("weights");
    let positions = of_file.graph().parameters().into_iter().find(|it| it.suffix == "positions").unwrap();
    assert_eq!(positions.dims, [26, 192]);
    assert_ne!(Some(&of_file.header().architecture), Architecture::known(name).as_ref());
    // The same weights in our own format are of the same network.
    let own = weights(name, &of_file.to_bytes().unwrap(), "blocks.0").expect("weights of our own format");
    assert_eq!(own, of_file);
    // At 80×80 pixels, positions are those of the file; at another size they are interpolated.
    for side in [80, 96] {
        let pixels: Vec<f32> = generated::units("input", 3 * side * side).collect();
        let got = features(&of_file, Layer::named("blocks.0"), 1, &pixels, [side; 2], &flex());
        assert!(got.iter().all(|value| value.is_finite()));
    }
    // What fits no square grid is not of this network.
    tensors.insert("pos_embed".to_owned(), vec![1, 24, 192]);
    let error = weights(name, &state_dict(name, &tensors, ""), "blocks.0").expect_err("24 positions");
    assert!(matches!(&error, WeightsError::Shape { tensor, .. } if tensor == "pos_embed"), "{error}");
}

#[test]
fn a_tensor_too_few_or_too_many_is_named() {
    let name = "convnextv2_atto";
    let complete = described().remove(name).unwrap().tensors;
    type Edit<'e> = &'e dyn Fn(&mut BTreeMap<String, Vec<usize>>);
    let refused = |edit: Edit<'_>, deepest: &str| {
        let mut tensors = complete.clone();
        edit(&mut tensors);
        weights(name, &state_dict(name, &tensors, ""), deepest)
    };
    let grn = "stages.1.blocks.0.mlp.grn.weight";
    let error = refused(&|tensors| drop(tensors.remove(grn)), "stages.1").expect_err("missing");
    assert!(matches!(&error, WeightsError::Missing { tensor, .. } if tensor == grn), "{error}");
    // Behind the tap nothing is needed, and what is there is known.
    refused(&|tensors| drop(tensors.remove(grn)), "stages.0").expect("weights up to the first stage");
    let more = |tensors: &mut BTreeMap<String, Vec<usize>>| {
        tensors.insert("stages.0.blocks.0.attention.weight".to_owned(), vec![3]);
    };
    let error = refused(&more, "stages.0").expect_err("left over");
    assert!(matches!(&error, WeightsError::Unused { tensor, .. } if tensor.contains("attention")), "{error}");
    let narrow = |tensors: &mut BTreeMap<String, Vec<usize>>| {
        tensors.insert("stem.0.weight".to_owned(), vec![20, 3, 4, 4]);
    };
    let error = refused(&narrow, "stages.0").expect_err("another shape");
    assert!(matches!(&error, WeightsError::Shape { tensor, .. } if tensor == "stem.0.weight"), "{error}");
}

#[test]
fn patches_that_leave_a_part_out_are_refused() {
    for (name, layer, side) in
        [("vit_small_patch14_dinov2", "blocks.0", 224), ("convnext_atto", "stages.0", 64)]
    {
        let architecture = Architecture::known(name).unwrap();
        let build = |side: usize| {
            let input = InputContract::imagenet().with_size(side, side);
            let layer = Layer::named(layer);
            let weights = BackboneWeights::random(architecture.clone(), layer, input, 0).unwrap();
            FeatureExtractor::new(weights, &[layer.pooled(1)], flex()).map(|_| ())
        };
        build(side).expect("a multiple of the patch");
        let error = build(side + 2).expect_err("no multiple");
        assert!(matches!(error, BackboneError::Patches { .. }), "{error}");
    }
}

/// Both engines sum in `f32`, in other orders.
#[test]
fn our_own_kernels_run_every_family_and_nothing_changes_a_bit() {
    let cases = [
        // Inside a stage, too.
        ("resnet18", "layer1.0", [64, 48]),
        ("mobilenetv2_050", "blocks.3", [64, 96]),
        ("mobilenetv3_small_100", "blocks.4", [75, 75]),
        ("tf_efficientnet_lite0", "blocks.3", [75, 64]),
        ("convnextv2_atto", "stages.2", [64, 96]),
        ("vit_tiny_patch16_224", "blocks.2", [64, 96]),
        ("vit_small_patch14_reg4_dinov2", "blocks.1", [70, 56]),
    ];
    for (name, layer, size) in cases {
        let layer = Layer::named(layer);
        let weights = random(name, layer, size);
        let build =
            |compute| FeatureExtractor::new(weights.clone(), &[layer.pooled(1)], compute).expect(name);
        let pictures: Vec<PreparedPicture> =
            (0..3).map(|seed| picture(&format!("input {seed}"), size)).collect();
        let run = |extractor: &FeatureExtractor, pictures: &[PreparedPicture]| {
            extractor.extract(pictures).expect(name).try_into_vec_as::<f32>().expect("values on the host")
        };
        let by_burn = build(flex());
        assert!(!by_burn.has_kernels() && by_burn.unsupported_by_kernels().is_none(), "{name}");
        let expected = run(&by_burn, &pictures);
        for instructions in InstructionSet::available() {
            let own = build(kernels(instructions));
            assert!(own.has_kernels() && own.unsupported_by_kernels().is_none(), "{name}");
            assert_eq!(own.precision(), NetworkPrecision::F32);
            let together = run(&own, &pictures);
            let distance = relative_l2_f32(&together, &expected);
            println!("{name} {layer} on {instructions}: relative L2 {distance:.1e} to flex");
            assert!(distance < 2e-5, "{name} {layer} on {instructions}: {distance}");
            let alone: Vec<f32> =
                pictures.iter().flat_map(|picture| run(&own, std::slice::from_ref(picture))).collect();
            assert!(alone == together, "{name} on {instructions}: the batch changes bits");
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
                assert!(pool.install(|| run(&own, &pictures)) == together, "{name}: {threads} threads");
            }
        }
    }
}

fn random(name: &str, layer: Layer, [height, width]: [usize; 2]) -> BackboneWeights {
    let input = InputContract::imagenet().with_size(height, width);
    BackboneWeights::random(Architecture::known(name).expect(name), layer, input, 0).expect(name)
}

fn picture(stream: &str, [height, width]: [usize; 2]) -> PreparedPicture {
    PreparedPicture {
        pixels: generated::units(stream, 3 * height * width).collect(),
        original: PictureSize { width: width as u32, height: height as u32 },
        placement: Placement::WHOLE,
        content_hash: None,
        outside: None,
    }
}

#[test]
fn what_int8_does_not_know_is_named() {
    let layer = Layer::named("blocks.1");
    let extractor = FeatureExtractor::new(
        random("mobilenetv2_100", layer, [64, 64]),
        &[layer.pooled(1)],
        kernels(InstructionSet::best()),
    );
    let extractor = extractor.expect("in f32 our kernels run it");
    let ranges = extractor.measure_ranges(&[picture("input", [64, 64])]).expect("ranges");
    match extractor.into_int8(ranges) {
        Err(BackboneError::Int8Network { architecture, unsupported }) => {
            assert_eq!(architecture, "mobilenetv2_100");
            assert_eq!((unsupported.node.as_str(), unsupported.operation), ("conv_stem", "convolution"));
        }
        other => panic!("{other:?}"),
    }
}

/// The official files of DINOv2 with registers name them otherwise, and hold the position of the class token.
#[test]
fn an_official_file_with_registers_is_that_of_timm() {
    let name = "vit_small_patch14_reg4_dinov2";
    let mut tensors = described().remove(name).unwrap().tensors;
    let timm = weights(name, &state_dict(name, &tensors, ""), "blocks.0").expect("timm's names");
    let width = 384;
    let [1, cells, 384] = tensors["pos_embed"][..] else { panic!("{:?}", tensors["pos_embed"]) };
    let floats = |values: Vec<f32>| values.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>();
    let of = |tensor: &str, count: usize| -> Vec<f32> {
        generated::units(&format!("{name}/{tensor}"), count).collect()
    };
    let (class, positions) = (of("cls_token", width), of("pos_embed", cells * width));
    // In the file, the class token and its position add up to the token of timm. These halves do so exactly.
    let half: Vec<f32> = class.iter().map(|value| value / 2.0).collect();
    for tensor in ["cls_token", "reg_token", "pos_embed"] {
        tensors.remove(tensor);
    }
    let official = |prefix: &str, count: usize| {
        let parsed = state_dict(name, &tensors, prefix);
        let parsed = safetensors::SafeTensors::deserialize(&parsed).expect("a file");
        let mut all: Vec<(String, Tensor)> = parsed
            .iter()
            .map(|(name, view)| {
                let tensor = Tensor { dims: view.shape().to_vec(), bytes: view.data().to_vec() };
                (name.to_owned(), tensor)
            })
            .collect();
        let mut push = |tensor: &str, dims: &[usize], values: Vec<f32>| {
            all.push((format!("{prefix}{tensor}"), Tensor { dims: dims.to_vec(), bytes: floats(values) }));
        };
        push("cls_token", &[1, 1, width], half.clone());
        push("register_tokens", &[1, 4, width], of("reg_token", 4 * width));
        push("mask_token", &[1, width], vec![0.0; width]);
        let rows = [half.clone(), positions.clone()].concat();
        push("pos_embed", &[1, count, width], rows[..count * width].to_vec());
        weights(name, &safetensors::serialize(all, None).expect("a file"), "blocks.0")
    };
    for prefix in ["", "teacher.backbone."] {
        let got = official(prefix, 1 + cells).expect("the official names");
        assert_eq!(got.values(), timm.values());
    }
    // One cell too few fits no square.
    let error = official("", cells).expect_err("a position is missing");
    assert!(matches!(&error, WeightsError::Shape { tensor, .. } if tensor == "pos_embed"), "{error}");
}
