//! Bytes of other people's making, to whatever reads them: what the fuzzer begins with, and
//! seeded changes of it, here without the fuzzer. `cargo xtask fuzz` goes on from there.
//!
//! With `DFM_WRITE_CORPUS` set, [`every_target_has_inputs_to_begin_with`] first writes those
//! of our own formats and of pictures; the others are made by `crates/dfm/fuzz/make_corpus.py`.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::PathBuf;

use dfm_backbone::{CounterGenerator, FeatureExtractor, Layer};
use dfm_core::{Dfm, FeatureRow, Keep, Method, SaveOptions};
use dfm_tests::pictures;
use dfm_tests::tiff::{Page, tiff};
use image::{DynamicImage, ImageFormat, RgbImage};
use sha2::{Digest, Sha256};

#[path = "../../../crates/dfm-data/fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "a library's own file")]
mod data_targets;
#[path = "../../../crates/dfm-image/fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "a library's own file")]
mod image_targets;
#[path = "../../../crates/dfm/fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "a library's own file")]
mod targets;

/// Its crate, its name, and what it does with bytes.
type Target = (&'static str, &'static str, fn(&[u8]) -> bool);

const TARGETS: &[Target] = &[
    ("dfm", "checkpoint", targets::checkpoint),
    ("dfm", "config", targets::config),
    ("dfm", "model", targets::model),
    ("dfm", "onnx", targets::onnx),
    ("dfm", "parts", targets::parts),
    ("dfm", "pickle", targets::pickle),
    ("dfm", "safetensors", targets::safetensors),
    ("dfm", "weights", targets::weights),
    ("dfm-data", "json_lines", data_targets::json_lines),
    ("dfm-data", "manifest_csv", data_targets::manifest_csv),
    ("dfm-data", "manifest_jsonl", data_targets::manifest_jsonl),
    ("dfm-image", "picture", image_targets::picture),
];

/// Changed inputs of each file: few, since the fuzzer itself gives millions.
const CHANGES: u64 = 60;

fn folder(package: &str, name: &str) -> PathBuf {
    let crates = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../crates");
    crates.join(package).join("fuzz/corpus").join(name)
}

/// The files of a corpus by name.
fn corpus(package: &str, name: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = folder(package, name);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap())
        })
        .collect()
}

/// One of many small changes: bits turned, bytes set to an end of their range, parts cut out,
/// doubled or cut off.
fn changed(bytes: &[u8], noise: &CounterGenerator, which: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let draw = |step: u64, below: usize| (noise.value(16 * which + step) % below.max(1) as u64) as usize;
    for step in 0..=draw(0, 3) as u64 {
        let (at, length) = (draw(3 * step + 1, bytes.len()), draw(3 * step + 2, 16));
        let end = (at + length).min(bytes.len());
        match draw(3 * step + 3, 6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << (length % 8),
            1 if at < bytes.len() => bytes[at] = [0, 0xFF, 0x7F, 0x80][length % 4],
            2 => drop(bytes.drain(at..end)),
            3 => bytes = [&bytes[..end], &bytes[at..]].concat(),
            4 => bytes.truncate(at),
            _ => bytes[at..end].fill(b'9'),
        }
    }
    bytes
}

#[test]
fn changed_bytes_are_refused_or_read_and_nothing_panics() {
    let mut refused = 0;
    for (package, name, target) in TARGETS {
        for (file, bytes) in corpus(package, name) {
            let noise = CounterGenerator::for_name(1, &format!("{name} {file}"));
            refused += (0..CHANGES).filter(|which| !target(&changed(&bytes, &noise, *which))).count();
        }
        assert!(
            !target(&[]) || matches!(*name, "checkpoint" | "config" | "json_lines" | "manifest_jsonl"),
            "{name}"
        );
    }
    assert!(refused > 1000, "changes that nobody minds change nothing: {refused}");
}

#[test]
fn every_target_has_inputs_to_begin_with() {
    if std::env::var_os("DFM_WRITE_CORPUS").is_some() {
        write();
    }
    for (package, name, target) in TARGETS {
        let files = corpus(package, name);
        let accepted = files.values().filter(|bytes| target(bytes)).count();
        assert!(accepted > 0, "{package}: {name}: none of {:?} is read", files.keys());
        let bytes: usize = files.values().map(Vec::len).sum();
        assert!(bytes < 100_000, "{package}: {name}: {bytes} bytes, and a clone should stay quick");
    }
}

#[test]
fn pictures_to_begin_with_are_what_they_are_called() {
    let limits = dfm_image::DecodeLimits::default();
    for (file, bytes) in corpus("dfm-image", "picture") {
        let extension = file.rsplit('.').next().unwrap();
        assert!(dfm_data::EXTENSIONS.contains(&extension), "{file}");
        let size = dfm_image::decode(&bytes, &limits).unwrap().dimensions();
        // The one with an orientation lies on its side.
        assert_eq!(size, if file == "turned.jpeg" { (11, 17) } else { (17, 11) }, "{file}");
    }
}

fn write() {
    let put = |package: &str, name: &str, file: &str, bytes: Vec<u8>| {
        let folder = folder(package, name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(file), bytes).unwrap();
    };
    for (file, bytes) in encoded() {
        put("dfm-image", "picture", file, bytes);
    }
    put("dfm", "parts", "pattern.json", parts("null", "\"(?<part>.+)_(?<view>top|side)\""));
    put("dfm", "parts", "list.json", parts("\"0.125\"", "null"));
    let weights = targets::speck_weights();
    put("dfm", "weights", "speck.safetensors", weights.to_bytes().unwrap());
    let taps = [Layer::named("layer1").pooled(4)];
    let extractor = FeatureExtractor::new(weights.clone(), &taps, targets::device()).unwrap();
    let columns = extractor.row_len();
    let layout = targets::layout();
    let mut bytes = layout.header().to_vec();
    for place in 0..3 {
        let row = FeatureRow { content_hash: [place; 32], values: vec![f32::from(place); columns] };
        bytes.extend(layout.record(&[place; 32], &row));
    }
    put("dfm", "checkpoint", "three.part", bytes.clone());
    bytes.truncate(bytes.len() - 7);
    put("dfm", "checkpoint", "torn.part", bytes);
    put("dfm", "checkpoint", "none.part", layout.header().to_vec());
    for (file, method, slim) in [
        ("published.dfm", Method::published(), false),
        ("usual.dfm", Method::default(), false),
        ("likelihood.dfm", Method::published().with_score(dfm_core::ScoreKind::Nll), false),
    ] {
        let params = method.with_taps(taps.to_vec()).with_keep(Keep::Components(2)).check().unwrap();
        let extractor = params.extractor(weights.clone(), targets::device()).unwrap();
        let good: Vec<RgbImage> = (0..4).map(|seed| pictures::good(seed, 40, 32)).collect();
        let model: Dfm = params.fit(extractor, good).unwrap();
        let mut bytes = Vec::new();
        model.write(&mut bytes, &SaveOptions { slim }).unwrap();
        put("dfm", "model", file, bytes);
    }
}

/// A file of parts with this rate of false alarms and this pattern.
fn parts(false_alarm: &str, pattern: &str) -> Vec<u8> {
    let digest = "ab".repeat(32);
    let view = |name: &str| {
        format!("{{\"view\":\"{name}\",\"digest\":\"{digest}\",\"median\":\"1.5\",\"reach\":\"0.25\"}}")
    };
    let held_out: Vec<String> = (0..16).map(|part| format!("\"{}.5\"", part % 5)).collect();
    let text = |sha256: &str| {
        format!(
            "{{\"format\":\"dfm-parts\",\"version\":1,\"program\":\"dfm 0.1.0\",\"sha256\":\"{sha256}\",\"pattern\":{pattern},\
             \"parts\":16,\"calibration\":{{\"kind\":\"leave-one-out\",\"quantile\":\"0.99\",\"false_alarm\":{false_alarm},\
             \"threshold\":null}},\"views\":[{},{}],\"held_out\":[{}]}}",
            view("side"),
            view("top"),
            held_out.join(",")
        )
    };
    let hash: String = Sha256::digest(text("")).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}\n", text(&hash)).into_bytes()
}

/// One small picture in every format and in several kinds of pixels.
fn encoded() -> Vec<(&'static str, Vec<u8>)> {
    let picture: RgbImage = pictures::defective(1, 17, 11);
    let colour = DynamicImage::from(picture);
    let written = |picture: &DynamicImage, format: ImageFormat| {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let jpeg = written(&colour, ImageFormat::Jpeg);
    // Orientation 6, as TIFF in an APP1 segment behind the start of the picture.
    let exif = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let turned = [&jpeg[..2], exif, &jpeg[2..]].concat();
    vec![
        ("colour.png", written(&colour, ImageFormat::Png)),
        ("grey16.png", written(&DynamicImage::from(colour.to_luma16()), ImageFormat::Png)),
        ("alpha.png", written(&DynamicImage::from(colour.to_rgba8()), ImageFormat::Png)),
        ("colour.bmp", written(&colour, ImageFormat::Bmp)),
        ("colour.tiff", written(&colour, ImageFormat::Tiff)),
        ("grey.tiff", written(&DynamicImage::from(colour.to_luma8()), ImageFormat::Tiff)),
        ("colour.gif", written(&colour, ImageFormat::Gif)),
        ("colour.ppm", written(&colour, ImageFormat::Pnm)),
        ("colour.qoi", written(&colour, ImageFormat::Qoi)),
        ("two.tif", tiff(&[Page::new(&colour.to_rgb8()).of_kind(1), Page::new(&colour.to_rgb8())])),
        ("colour.webp", written(&colour, ImageFormat::WebP)),
        ("grey.jpeg", written(&DynamicImage::from(colour.to_luma8()), ImageFormat::Jpeg)),
        ("turned.jpeg", turned),
        ("colour.jpeg", jpeg),
    ]
}
