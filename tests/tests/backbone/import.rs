//! Weights files of every format give the same network.

use dfm_backbone::{
    Architecture, BackboneWeights, ChannelOrder, Checksum, ImportOptions, InputContract, Layer, Precision,
    WeightsError, WeightsFile, WeightsHeader, catalogue,
};
use dfm_tests::golden;
use dfm_tests::tolerance::relative_l2_f32;
use sha2::{Digest, Sha256};

use crate::support::{fixture, import, import_tiny, numbers, tiny, tiny_caffe};

/// The zip pickle is compared with PyTorch in `agreement`; the others with it.
#[test]
fn every_format_gives_the_same_weights() {
    let expected = fixture("tiny-zip.pth", tiny());
    for name in ["tiny-legacy.pth", "tiny.safetensors", "tiny-norms.onnx"] {
        let got = fixture(name, tiny());
        assert_eq!(got.values(), expected.values(), "{name}");
    }
}

/// Folded in Python, from the same numbers, but on the other small network.
#[test]
fn an_onnx_file_with_folded_norms_is_read() {
    let weights = fixture("tiny-caffe.onnx", tiny_caffe());
    assert!(numbers(&weights).iter().any(|value| *value != 0.0));
    assert_eq!(weights.values().len(), 2 * tiny_caffe().convolutions(4).len());
}

#[test]
fn layers_after_the_deepest_are_not_needed() {
    for name in ["tiny-zip.pth", "tiny-legacy.pth", "tiny.safetensors", "tiny-norms.onnx"] {
        let bytes = golden::bytes(&format!("backbone/{name}"));
        let deepest = Layer::named("layer2");
        let options =
            ImportOptions { architecture: Some(tiny().into()), deepest, ..ImportOptions::default() };
        let got = import(&bytes, &options).expect(name);
        let whole = fixture(name, tiny());
        assert_eq!(got.values(), &whole.values()[..got.values().len()]);
        assert_eq!(got, whole.truncate(deepest).expect("weights up to layer4"));
    }
}

#[test]
fn what_was_imported_says_where_from() {
    let bytes = golden::bytes("backbone/tiny-zip.pth");
    let options = ImportOptions {
        architecture: Some(tiny().into()),
        license: Some("CC0-1.0".to_owned()),
        source: Some("make_backbone.py".to_owned()),
        input: Some(InputContract::caffe()),
        ..ImportOptions::default()
    };
    let weights = import(&bytes, &options).expect("the fixture");
    let WeightsHeader { license, source, input, source_sha256, .. } = weights.header();
    assert_eq!((license.as_str(), source.as_str()), ("CC0-1.0", "make_backbone.py"));
    assert_eq!(*input, InputContract::caffe());
    let expected: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(source_sha256.as_ref(), Some(&expected));
}

#[test]
fn an_import_must_know_its_architecture() {
    let bytes = golden::bytes("backbone/tiny-zip.pth");
    let error = import(&bytes, &ImportOptions::default()).expect_err("no architecture");
    assert!(
        matches!(&error, WeightsError::ArchitectureNeeded { known } if known.contains("resnet18")),
        "{error}"
    );
}

#[test]
fn our_own_format_reads_back_as_it_was_written() {
    for precision in [Precision::F32, Precision::F16] {
        let bytes = golden::bytes("backbone/tiny-zip.pth");
        let options = ImportOptions {
            architecture: Some(tiny().into()),
            precision: Some(precision),
            ..ImportOptions::default()
        };
        let weights = import(&bytes, &options).expect("the fixture");
        let file = weights.to_bytes().expect("bytes");
        assert_eq!(BackboneWeights::from_bytes(&file).expect("what was written"), weights);
        assert_eq!(import(&file, &ImportOptions::default()).expect("what was written"), weights);
        assert_eq!(weights.to_bytes().expect("bytes"), file, "the same weights give other bytes");
        let [exact, got] = [fixture("tiny-zip.pth", tiny()), weights].map(|one| numbers(&one));
        // Half a unit in the last of eleven bits.
        let limit = if precision == Precision::F16 { 0.5_f64.powi(11) } else { 0.0 };
        assert!(relative_l2_f32(&got, &exact) <= limit);
    }
}

#[test]
fn our_own_format_is_not_taken_for_another_network() {
    let file = fixture("tiny-zip.pth", tiny()).to_bytes().expect("bytes");
    let options = ImportOptions { architecture: Architecture::known("resnet18"), ..ImportOptions::default() };
    let error = import(&file, &options).expect_err("another architecture");
    assert!(
        matches!(&error, WeightsError::OtherArchitecture { expected, got } if expected == "resnet18" && got == "tiny"),
        "{error}"
    );
    // This network has the same name, but is another.
    let mut other = tiny();
    other.stride_placement = tiny_caffe().stride_placement;
    let options = ImportOptions { architecture: Some(other.into()), ..ImportOptions::default() };
    let error = import(&file, &options).expect_err("another description");
    assert!(matches!(error, WeightsError::Header { .. }), "{error}");
}

#[test]
fn what_is_asked_of_our_own_format_takes_the_place_of_what_it_says() {
    let file = fixture("tiny-zip.pth", tiny()).to_bytes().expect("bytes");
    let options = ImportOptions {
        deepest: Layer::named("layer2"),
        precision: Some(Precision::F16),
        license: Some("CC0-1.0".to_owned()),
        source: Some("here".to_owned()),
        input: Some(InputContract::caffe()),
        ..ImportOptions::default()
    };
    let weights = import(&file, &options).expect("our own file");
    let header = weights.header();
    assert_eq!((header.deepest, header.precision), (Layer::named("layer2"), Precision::F16));
    assert_eq!((header.license.as_str(), header.source.as_str()), ("CC0-1.0", "here"));
    assert_eq!(header.input, InputContract::caffe());
    assert_eq!(header.source_sha256, fixture("tiny-zip.pth", tiny()).header().source_sha256);
    let rounded = ImportOptions {
        architecture: Some(tiny().into()),
        deepest: Layer::named("layer2"),
        precision: Some(Precision::F16),
        ..ImportOptions::default()
    };
    let rounded = import(&golden::bytes("backbone/tiny-zip.pth"), &rounded).expect("the fixture");
    assert_eq!(weights.values(), rounded.values());
}

#[test]
fn a_file_that_must_have_a_checksum_is_read_only_if_it_has() {
    let bytes = golden::bytes("backbone/tiny-zip.pth");
    let expected: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let with = |checksum| ImportOptions {
        architecture: Some(tiny().into()),
        checksum: Some(checksum),
        ..ImportOptions::default()
    };
    let whole = expected.leak();
    import(&bytes, &with(Checksum::Sha256(whole))).expect("the file that was meant");
    import(&bytes, &with(Checksum::Prefix8(&whole[..8]))).expect("the file that was meant");
    let error = import(&bytes, &with(Checksum::Prefix8("00000000"))).expect_err("another file");
    assert!(matches!(&error, WeightsError::Checksum { got, .. } if got == whole), "{error}");
}

/// By the published recipe of each: torchvision's documentation, and the deploy
/// description of the Caffe network.
#[test]
fn input_contracts_are_the_published_ones() {
    const IMAGENET: [[f32; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];
    const HALF: [[f32; 3]; 2] = [[0.5; 3]; 2];
    const CLIP: [[f32; 3]; 2] =
        [[0.481_454_66, 0.457_827_5, 0.408_210_73], [0.268_629_54, 0.261_302_6, 0.275_777_1]];
    // timm's default configurations have these for networks other than ResNets.
    let published = [
        ("mobilenetv2_100", 224, IMAGENET),
        ("mobilenetv3_large_100", 224, IMAGENET),
        ("efficientnet_b0", 224, IMAGENET),
        ("tf_efficientnet_lite0", 224, HALF),
        ("tf_efficientnet_lite2", 260, HALF),
        ("convnext_tiny", 224, IMAGENET),
        ("convnextv2_atto", 224, IMAGENET),
        ("vit_tiny_patch16_224", 224, HALF),
        ("deit3_small_patch16_224", 224, IMAGENET),
        ("vit_small_patch14_dinov2", 518, IMAGENET),
        ("vit_base_patch32_clip_224", 224, CLIP),
    ];
    let resnets = Architecture::names().iter().filter(|name| name.contains("resn"));
    let resnets: Vec<_> = resnets.map(|name| (*name, 256, IMAGENET)).collect();
    assert!(resnets.len() >= 9, "{resnets:?}");
    for (name, side, normalisation) in published.into_iter().chain(resnets) {
        let usual = Architecture::known(name).expect(name).usual_input();
        assert_eq!((usual.height, usual.width), (side, side), "{name}");
        let got = (usual.channels, usual.scale, [usual.mean, usual.standard_deviation]);
        let expected = match name {
            "resnet50_1by2" => (ChannelOrder::Bgr, 1.0, [[104.0, 117.0, 123.0], [1.0; 3]]),
            _ => (ChannelOrder::Rgb, 1.0 / 255.0, normalisation),
        };
        assert_eq!(got, expected, "{name}");
    }
    for entry in catalogue() {
        let architecture = Architecture::known(entry.name).expect(entry.name);
        assert_eq!(entry.input, architecture.usual_input(), "{}", entry.name);
    }
}

#[test]
fn random_weights_depend_on_their_seed_alone() {
    let random = |seed| {
        BackboneWeights::random(tiny(), Layer::named("layer4"), InputContract::imagenet(), seed)
            .expect("random weights")
    };
    assert_eq!(random(1).sha256(), random(1).sha256());
    assert_ne!(random(1).sha256(), random(2).sha256());
    // A value so that they stay the same from release to release.
    assert_eq!(random(1).values()[0][..2], FIRST_RANDOM);
    let shallow = BackboneWeights::random(tiny(), Layer::named("layer1"), InputContract::imagenet(), 1);
    let deep = random(1).truncate(Layer::named("layer1")).expect("weights up to layer4");
    assert_eq!(shallow.expect("random weights"), deep);
}

/// `√(6 / 147) · u` of the stream `for_name(1, "stem")`, computed in Python.
const FIRST_RANDOM: [f32; 2] = [0.130_424_6, 0.033_626_515];

/// A header length may begin with the bytes of a pickle: 0x80 and a version.
#[test]
fn safetensors_whose_length_begins_like_a_pickle_are_safetensors() {
    let bytes = golden::bytes("backbone/tiny.safetensors");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
    // JSON may be padded with spaces: up to the next length of 0x..0480.
    let padded = (length & !0xffff) + 0x1_0480;
    let mut longer = padded.to_le_bytes().to_vec();
    longer.extend_from_slice(&bytes[8..8 + length as usize]);
    longer.resize(8 + padded as usize, b' ');
    longer.extend_from_slice(&bytes[8 + length as usize..]);
    assert_eq!(longer[..2], [0x80, 0x04]);
    import_tiny(&longer).expect("the same weights");
}

/// A checkpoint, and another of the same size and structure with other numbers.
fn two_checkpoints() -> [Vec<u8>; 2] {
    let sound = golden::bytes("backbone/tiny-legacy.pth");
    let mut other = sound.clone();
    // Inside the numbers, which lie at the end: the exponent of one.
    let middle = sound.len() * 3 / 4 / 4 * 4;
    other[middle..middle + 4].iter_mut().for_each(|byte| *byte ^= 1);
    let [first, second] = [&sound, &other].map(|bytes| import_tiny(bytes).expect("weights"));
    assert_ne!(first.values(), second.values());
    [sound, other]
}

/// Whoever exchanges a file between its check and its use must not slip past the check.
#[test]
fn what_was_hashed_is_what_is_parsed() {
    let [sound, other] = two_checkpoints();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.pth");
    std::fs::write(&path, &sound).unwrap();
    let file = WeightsFile::read(&path).unwrap();
    std::fs::write(&path, other).unwrap();
    let options = ImportOptions { architecture: Some(tiny().into()), ..ImportOptions::default() };
    let weights = file.import(&options).expect("the file as it was read");
    assert_eq!(weights, import_tiny(&sound).expect("weights"));
    assert_eq!(weights.file_sha256(), Some(file.sha256()));
}
