//! Broken and hostile weights files: each is refused by name, and none runs code.

use std::collections::HashMap;

use dfm_backbone::{
    BackboneError, BackboneWeights, ImportOptions, InputError, Precision, ResNet, WeightsError,
};
use dfm_tests::golden;
use safetensors::SafeTensors;

use crate::generated::Tensor;
use crate::support::{fixture, import, import_tiny, tiny};

/// A small safetensors state dict whose tensors `edit` has changed.
fn edited(edit: impl FnOnce(&mut Vec<(String, Tensor)>)) -> Vec<u8> {
    let bytes = golden::bytes("backbone/tiny.safetensors");
    let parsed = SafeTensors::deserialize(&bytes).expect("the fixture");
    let mut tensors: Vec<_> = parsed
        .iter()
        // Counters are not `f32`; the importer does not need them.
        .filter(|(name, _)| !name.ends_with("num_batches_tracked"))
        .map(|(name, view)| {
            (name.to_owned(), Tensor { dims: view.shape().to_vec(), bytes: view.data().to_vec() })
        })
        .collect();
    tensors.sort_by(|(one, _), (other, _)| one.cmp(other));
    edit(&mut tensors);
    safetensors::serialize(tensors, None).expect("a serialized state dict")
}

fn position(tensors: &[(String, Tensor)], name: &str) -> usize {
    tensors.iter().position(|(other, _)| other == name).expect(name)
}

/// A file of our own format whose JSON header `edit` has changed.
fn own_with_header(edit: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let bytes = fixture("tiny-zip.pth", tiny()).to_bytes().expect("bytes");
    let (_, metadata) = SafeTensors::read_metadata(&bytes).expect("our own file");
    let json = &metadata.metadata().as_ref().expect("metadata")["dfm-weights"];
    let mut header = serde_json::from_str(json).expect("a JSON header");
    edit(&mut header);
    let parsed = SafeTensors::deserialize(&bytes).expect("our own file");
    let metadata = HashMap::from([("dfm-weights".to_owned(), header.to_string())]);
    safetensors::serialize(parsed.iter(), Some(metadata)).expect("a file")
}

#[test]
fn the_unedited_state_dict_is_sound() {
    import_tiny(&edited(|_| ())).expect("what the tests below break");
    BackboneWeights::from_bytes(&own_with_header(|_| ())).expect("what the tests below break");
}

#[test]
fn an_empty_file() {
    let error = import_tiny(&[]).expect_err("empty");
    assert!(matches!(&error, WeightsError::UnknownFormat { found } if found == "an empty file"), "{error}");
}

#[test]
fn a_text_file() {
    let error = import_tiny(b"<html>404 Not Found</html>").expect_err("no weights");
    assert!(matches!(error, WeightsError::UnknownFormat { .. }), "{error}");
}

#[test]
fn a_truncated_zip_checkpoint() {
    let bytes = golden::bytes("backbone/tiny-zip.pth");
    for length in [5, 100, bytes.len() / 2, bytes.len() - 30] {
        let error = import_tiny(&bytes[..length]).expect_err("truncated");
        assert!(matches!(error, WeightsError::Container { format: "PyTorch", .. }), "{length}: {error}");
    }
}

#[test]
fn a_truncated_legacy_checkpoint() {
    let bytes = golden::bytes("backbone/tiny-legacy.pth");
    for length in [5, 100, bytes.len() / 2, bytes.len() - 1] {
        let error = import_tiny(&bytes[..length]).expect_err("truncated");
        assert!(matches!(error, WeightsError::Container { format: "PyTorch", .. }), "{length}: {error}");
    }
}

/// The reader must not panic on a byte that is wrong, wherever it is.
#[test]
fn a_checkpoint_with_a_damaged_byte_is_an_error_or_other_weights() {
    let mut read = 0;
    for name in ["tiny-zip.pth", "tiny-legacy.pth", "tiny.safetensors", "tiny-norms.onnx", "tiny-caffe.onnx"]
    {
        let bytes = golden::bytes(&format!("backbone/{name}"));
        // Names and structure lie at the ends; a step between sees some of the rest.
        for place in (0..400).chain((400..bytes.len()).step_by(997)).chain(bytes.len() - 400..bytes.len()) {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0xa5;
            // Either is fine; a panic, an endless allocation or a network of other
            // shapes is not.
            let Ok(weights) = import_tiny(&damaged) else { continue };
            let shapes = tiny().convolutions(4);
            assert_eq!(weights.values().len(), 2 * shapes.len(), "{name} at {place}");
            for (values, shape) in weights.values().chunks(2).zip(&shapes) {
                let counts = (values[0].len(), values[1].len());
                assert_eq!(counts, (shape.weight_count(), shape.out_channels), "{name} at {place}");
            }
            read += 1;
        }
    }
    // Most bytes are weights, and another number there is another network's business.
    assert!(read > 100, "{read}: the loop above saw nothing but errors");
}

fn refuses_to_run(name: &str) {
    let error = import_tiny(&golden::bytes(&format!("backbone/{name}"))).expect_err("code");
    assert!(matches!(error, WeightsError::Container { format: "PyTorch", .. }), "{error}");
    assert!(error.to_string().contains("conv1.weight") && error.to_string().contains("system"), "{error}");
    // What the pickle would have touched.
    assert!(!std::path::Path::new("a-weights-file-ran-this").exists());
}

#[test]
fn a_zip_checkpoint_that_would_run_code() {
    refuses_to_run("runs-code-zip.pth");
}

#[test]
fn a_legacy_checkpoint_that_would_run_code() {
    refuses_to_run("runs-code-legacy.pth");
}

#[test]
fn a_missing_tensor() {
    let name = "model.layer2.0.bn3.running_var";
    let bytes = edited(|tensors| drop(tensors.remove(position(tensors, name))));
    let error = import_tiny(&bytes).expect_err("missing");
    assert!(matches!(&error, WeightsError::Missing { tensor, .. } if tensor == name), "{error}");
}

#[test]
fn a_missing_stem() {
    let bytes = edited(|tensors| drop(tensors.remove(position(tensors, "model.conv1.weight"))));
    let error = import_tiny(&bytes).expect_err("missing");
    assert!(matches!(&error, WeightsError::Missing { tensor, .. } if tensor == "conv1.weight"), "{error}");
}

#[test]
fn an_unused_tensor() {
    for name in ["model.layer1.2.conv1.weight", "model.layer1.0.se.weight", "head.conv1.weight", "optimizer"]
    {
        let bytes = edited(|tensors| {
            tensors.push((name.to_owned(), Tensor { dims: vec![1], bytes: vec![0; 4] }));
        });
        let error = import_tiny(&bytes).expect_err("unused");
        assert!(matches!(&error, WeightsError::Unused { tensor, .. } if tensor == name), "{name}: {error}");
    }
}

#[test]
fn a_tensor_of_another_shape() {
    let name = "model.layer1.0.conv2.weight";
    let bytes = edited(|tensors| {
        let index = position(tensors, name);
        tensors[index].1.dims.reverse();
    });
    let error = import_tiny(&bytes).expect_err("another shape");
    assert!(matches!(&error, WeightsError::Shape { tensor, .. } if tensor == name), "{error}");
}

#[test]
fn weights_of_another_architecture() {
    let deeper = ResNet { depths: [2, 2, 1, 1], ..tiny() };
    let shallower = ResNet { depths: [1, 1, 1, 1], ..tiny() };
    let wider = ResNet { width: 8, ..tiny() };
    for name in ["tiny-zip.pth", "tiny-legacy.pth", "tiny.safetensors", "tiny-norms.onnx"] {
        let bytes = golden::bytes(&format!("backbone/{name}"));
        for architecture in [&deeper, &shallower, &wider] {
            let options =
                ImportOptions { architecture: Some(architecture.clone().into()), ..ImportOptions::default() };
            let error = import(&bytes, &options).expect_err("another architecture");
            let named = matches!(
                &error,
                WeightsError::Missing { .. }
                    | WeightsError::Unused { .. }
                    | WeightsError::Shape { .. }
                    | WeightsError::Count { .. }
            );
            assert!(named, "{name}: {error}");
        }
    }
}

/// The same convolutions with the stride and the pool elsewhere: names and shapes
/// do not show it, the graph does.
#[test]
fn an_onnx_graph_of_another_architecture() {
    let bytes = golden::bytes("backbone/tiny-caffe.onnx");
    let error = import_tiny(&bytes).expect_err("another architecture");
    assert!(matches!(&error, WeightsError::Graph { what, .. } if what.contains("pads")), "{error}");
}

#[test]
fn an_onnx_file_of_garbage() {
    for bytes in
        [&[0x08, 0x07][..], &[0x08, 0xff, 0xff, 0xff], &[0x08, 0x07, 0x3a, 0xff, 0xff, 0xff, 0xff, 0x7f]]
    {
        let error = import_tiny(bytes).expect_err("garbage");
        assert!(matches!(error, WeightsError::Container { format: "ONNX", .. }), "{error}");
    }
}

#[test]
fn a_truncated_onnx_file() {
    let bytes = golden::bytes("backbone/tiny-norms.onnx");
    let error = import_tiny(&bytes[..bytes.len() / 2]).expect_err("truncated");
    assert!(matches!(error, WeightsError::Container { format: "ONNX", .. }), "{error}");
}

#[test]
fn not_a_number_in_weights() {
    for (name, value) in [
        ("model.layer3.0.conv1.weight", f32::NAN),
        ("model.layer3.0.bn1.bias", f32::INFINITY),
        ("model.bn1.running_var", f32::NAN),
        // Its root would be no number.
        ("model.bn1.running_var", -1.0),
        // It would switch its channel off without a word.
        ("model.layer2.0.bn3.running_var", f32::INFINITY),
    ] {
        let bytes = edited(|tensors| {
            let index = position(tensors, name);
            tensors[index].1.bytes[..4].copy_from_slice(&value.to_le_bytes());
        });
        let error = import_tiny(&bytes).expect_err("not a number");
        let WeightsError::NotFinite { tensor, .. } = &error else { panic!("{name}: {error}") };
        // A variance is found in the file, the rest in the network, which has a name
        // of its own for the convolution.
        assert!(!name.ends_with("running_var") || tensor == name, "{name}: {error}");
    }
}

#[test]
fn weights_too_large_for_16_bits() {
    let bytes = edited(|tensors| {
        let index = position(tensors, "model.bn1.weight");
        tensors[index].1.bytes[..4].copy_from_slice(&1e9_f32.to_le_bytes());
    });
    let options = |precision| ImportOptions {
        architecture: Some(tiny().into()),
        precision: Some(precision),
        ..ImportOptions::default()
    };
    import(&bytes, &options(Precision::F32)).expect("large, but finite");
    let error = import(&bytes, &options(Precision::F16)).expect_err("beyond 65504");
    assert!(matches!(error, WeightsError::NotFinite { .. }), "{error}");
}

#[test]
fn a_header_length_of_2_to_the_63() {
    let mut bytes = fixture("tiny-zip.pth", tiny()).to_bytes().expect("bytes");
    bytes[..8].copy_from_slice(&(1_u64 << 63).to_le_bytes());
    for error in
        [BackboneWeights::from_bytes(&bytes), import_tiny(&bytes)].map(|result| result.expect_err("hostile"))
    {
        assert!(matches!(error, WeightsError::TooLarge { what: "safetensors header", .. }), "{error}");
    }
}

#[test]
fn a_truncated_file_of_our_own() {
    let bytes = fixture("tiny-zip.pth", tiny()).to_bytes().expect("bytes");
    for length in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        let error = BackboneWeights::from_bytes(&bytes[..length]).expect_err("truncated");
        assert!(matches!(error, WeightsError::Container { format: "safetensors", .. }), "{length}: {error}");
    }
}

#[test]
fn a_header_that_asks_for_terabytes() {
    let bytes = own_with_header(|header| header["architecture"]["depths"][0] = (1_u64 << 40).into());
    let error = BackboneWeights::from_bytes(&bytes).expect_err("hostile");
    let expected =
        matches!(&error, WeightsError::Backbone(BackboneError::Architecture { field: "depths", .. }));
    assert!(expected, "{error}");
}

#[test]
fn a_header_of_another_network() {
    let bytes = own_with_header(|header| header["architecture"]["width"] = 8.into());
    let error = BackboneWeights::from_bytes(&bytes).expect_err("another network");
    assert!(
        matches!(&error, WeightsError::Shape { tensor, .. } if tensor.starts_with("layer1.0")),
        "{error}"
    );
}

#[test]
fn a_header_that_says_too_little_or_too_much() {
    let without = own_with_header(|header| drop(header.as_object_mut().expect("an object").remove("input")));
    let with = own_with_header(|header| header["surprise"] = 1.into());
    let infinite = own_with_header(|header| header["input"]["scale"] = (-1).into());
    for bytes in [without, with] {
        let error = BackboneWeights::from_bytes(&bytes).expect_err("another header");
        assert!(matches!(error, WeightsError::Header { .. }), "{error}");
    }
    let error = BackboneWeights::from_bytes(&infinite).expect_err("a scale below zero");
    assert!(
        matches!(
            error,
            WeightsError::Backbone(BackboneError::Input(InputError::Field { field: "scale", .. }))
        ),
        "{error}"
    );
}
