//! What the fuzzer gives parsers that come with Burn. Each function says whether the bytes were
//! accepted; it must neither panic nor take long, whatever they are.

use std::sync::LazyLock;

use dfm_backbone::{
    BackboneWeights, Block, Compute, FeatureExtractor, ImportOptions, InputContract, Layer, MaxPoolPadding,
    ResNet, StridePlacement, WeightsFile,
};
use dfm_core::{CheckpointLayout, Dfm, FeatureRow, LoadOptions, ModelInfo};
use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

/// The most bytes of tensors that a model may declare here.
const MAX_BYTES: u64 = 4 << 20;

/// The smallest network that there can be, up to its first layer.
pub fn speck() -> ResNet {
    ResNet {
        name: "speck".to_owned(),
        block: Block::Basic,
        depths: [1; 4],
        stem_width: 2,
        width: 2,
        groups: 1,
        width_per_group: 64,
        stride_placement: StridePlacement::SpatialConvolution,
        max_pool_padding: MaxPoolPadding::Symmetric,
    }
}

/// Its weights, for pictures of 64 × 64 pixels.
pub fn speck_weights() -> BackboneWeights {
    let input = InputContract::imagenet().with_size(64, 64);
    BackboneWeights::random(speck(), Layer::named("layer1"), input, 1)
        .expect("weights of the smallest network")
}

/// Where models run.
pub fn device() -> Compute {
    dfm_core::device::parse("flex").expect("flex is compiled in")
}

/// The layout of a checkpoint for the extractor of [`speck_weights`].
pub fn layout() -> CheckpointLayout {
    let taps = [Layer::named("layer1").pooled(4)];
    let extractor = FeatureExtractor::new(speck_weights(), &taps, device()).expect("an extractor");
    CheckpointLayout::of(&extractor)
}

/// Reads a model, first as it is, then with the right digest, which a fuzzer would never guess.
pub fn model(bytes: &[u8]) -> bool {
    let bytes = with_its_digest(bytes).unwrap_or_else(|| bytes.to_vec());
    let mut accepted = false;
    for fit_statistic in [false, true] {
        let options = LoadOptions { fit_statistic, max_bytes: MAX_BYTES, ..LoadOptions::on(device()) };
        let model = Dfm::read(&mut bytes.as_slice(), options);
        accepted = model.is_ok();
        // A model that can judge can also be described.
        let told = ModelInfo::read(&mut bytes.as_slice(), MAX_BYTES);
        assert!(told.is_ok() || model.is_err(), "{:?}", told.err());
    }
    accepted
}

/// Reads the checkpoint of a fit: as it is, and behind a right header, with a whole record before or
/// behind it.
pub fn checkpoint(bytes: &[u8]) -> bool {
    static LAYOUT: LazyLock<CheckpointLayout> = LazyLock::new(layout);
    let columns = (LAYOUT.record_len() - 3 * 32) / 4;
    let row = FeatureRow { content_hash: [1; 32], values: vec![0.5; columns] };
    let (header, whole) = (LAYOUT.header(), LAYOUT.record(&[2; 32], &row));
    let mut accepted = false;
    for parts in [&[bytes][..], &[header, bytes], &[header, &whole, bytes], &[header, bytes, &whole]] {
        let given = parts.concat();
        if let Ok(content) = LAYOUT.read(&mut given.as_slice()) {
            let read = LAYOUT.offset(content.files.len()) + content.torn;
            assert_eq!(read, given.len() as u64);
            accepted = true;
        }
    }
    accepted
}

/// Reads weights in our own format, which name their network themselves.
pub fn weights(bytes: &[u8]) -> bool {
    let Ok(weights) = BackboneWeights::from_bytes(bytes) else { return false };
    // Weights that were read can be written, and are the same when they are read again.
    let again = weights.to_bytes().expect("weights are written");
    assert!(BackboneWeights::from_bytes(&again).is_ok_and(|again| again == weights));
    true
}

/// Imports weights from safetensors.
pub fn safetensors(bytes: &[u8]) -> bool {
    import(bytes)
}

/// Imports weights from PyTorch's formats.
pub fn pickle(bytes: &[u8]) -> bool {
    import(bytes)
}

/// Imports weights from ONNX: those of a known network, and the network that the graph itself describes.
pub fn onnx(bytes: &[u8]) -> bool {
    import(bytes) | network(bytes)
}

fn network(bytes: &[u8]) -> bool {
    let file = WeightsFile::new(bytes.to_vec());
    let Ok(nodes) = file.nodes(Some([32, 32])).or_else(|_| file.nodes(None)) else { return false };
    let Some(last) = nodes.nodes.last() else { return false };
    let deepest = last.name.parse().expect("the name of a layer");
    let options = ImportOptions { deepest, size: Some(nodes.size), ..ImportOptions::default() };
    // Numbers that are not finite are refused here.
    let Ok(weights) = file.import(&options) else { return false };
    let written = weights.to_bytes().expect("weights are written");
    assert!(BackboneWeights::from_bytes(&written).is_ok_and(|read| read == weights));
    true
}

/// Reads what joins the views of parts: as it is, then with the right hash, which a fuzzer would never guess.
pub fn parts(bytes: &[u8]) -> bool {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let read = |bytes: &[u8]| {
        std::fs::write(folder.path().join(dfm::parts::PARTS), bytes).expect("a file in the scratch folder");
        dfm::parts::check_record(folder.path()).is_ok()
    };
    read(bytes) || with_its_hash(bytes).is_some_and(|bytes| read(&bytes))
}

/// Reads a file of flags as every command would.
pub fn config(bytes: &[u8]) -> bool {
    // Two tests may read one input each at the same time.
    let file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a scratch file");
    std::fs::write(file.path(), bytes).expect("text in the scratch file");
    dfm_cli::check_config(file.path()).is_ok()
}

fn import(bytes: &[u8]) -> bool {
    let options = ImportOptions {
        architecture: Some(speck().into()),
        deepest: Layer::named("layer1"),
        ..ImportOptions::default()
    };
    let Ok(weights) = WeightsFile::new(bytes.to_vec()).import(&options) else { return false };
    assert_eq!(weights.values().len(), 6);
    true
}

/// The file of parts with the hash of its text in place of the one that it has; `None` if it has no hash.
fn with_its_hash(bytes: &[u8]) -> Option<Vec<u8>> {
    const FIELD: &[u8] = br#""sha256":""#;
    let from = bytes.windows(FIELD.len()).position(|window| window == FIELD)? + FIELD.len();
    let to = from + bytes[from..].iter().position(|byte| *byte == b'"')?;
    let text = [&bytes[..from], &bytes[to..]].concat();
    let hash = Sha256::digest(text.strip_suffix(b"\n").unwrap_or(&text));
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Some([&bytes[..from], hash.as_bytes(), &bytes[to..]].concat())
}

/// The model file with the digest of its content in place of the one that it has, as
/// docs/model-format.md describes it; `None` if the file has no digest.
fn with_its_digest(bytes: &[u8]) -> Option<Vec<u8>> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).ok()?;
    let json = metadata.metadata().as_ref()?.get("dfm")?;
    let parsed: serde_json::Value = serde_json::from_str(json).ok()?;
    let given = parsed["digest"].as_str().filter(|digest| digest.len() == 64)?;
    let tensors = SafeTensors::deserialize(bytes).ok()?;
    let mut views = tensors.tensors();
    views.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut hasher = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(json.replacen(given, "", 1).as_bytes());
    for (name, view) in &views {
        part(name.as_bytes());
        part(format!("{:?}{:?}", view.dtype(), view.shape()).as_bytes());
        part(view.data());
    }
    let fitting: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let place = bytes.windows(64).position(|window| window == given.as_bytes())?;
    let mut bytes = bytes.to_vec();
    bytes[place..place + 64].copy_from_slice(fitting.as_bytes());
    Some(bytes)
}
