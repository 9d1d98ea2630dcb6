//! Decoding, orientation, resize and normalisation against PIL and torchvision,
//! and what becomes of files that are no pictures.

use std::io::Cursor;
use std::sync::LazyLock;

use dfm_backbone::preprocess::PreprocessError;
use dfm_backbone::{ChannelOrder, DecodeLimits, InputContract, Preprocessor, decode};
use dfm_tests::golden::{self, Golden};
use dfm_tests::pictures;
use image::{ImageFormat, RgbImage};

static GOLDEN: LazyLock<Golden> = LazyLock::new(|| golden::tensors("preprocess/preprocess.safetensors"));

/// Bytes as they are: RGB, no scaling.
fn raw_contract(width: usize, height: usize) -> InputContract {
    InputContract {
        height,
        width,
        channels: ChannelOrder::Rgb,
        scale: 1.0,
        mean: [0.0; 3],
        standard_deviation: [1.0; 3],
    }
}

fn files() -> Vec<String> {
    let names = GOLDEN.names();
    let files: Vec<String> =
        names.iter().filter_map(|name| Some(name.strip_suffix(".file")?.to_owned())).collect();
    assert_eq!(files.len(), 24, "{files:?}");
    files
}

fn decoded(file: &str) -> RgbImage {
    decode(&GOLDEN.u8(&format!("{file}.file")).1, &DecodeLimits::default()).expect(file)
}

/// Mean and largest difference, in steps of a byte, after the resize.
fn difference(file: &str, suffix: &str) -> (f64, f64) {
    let (shape, expected) = GOLDEN.u8(&format!("{file}.resized{suffix}"));
    let (height, width) = (shape[0], shape[1]);
    let preprocessor = Preprocessor::new(raw_contract(width, height)).expect("valid");
    let prepared = preprocessor.prepare(&decoded(file)).expect(file);
    let pixel = |index: usize| f64::from(prepared.pixels[index % 3 * width * height + index / 3]);
    let differences: Vec<f64> =
        expected.iter().enumerate().map(|(index, value)| (pixel(index) - f64::from(*value)).abs()).collect();
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    (mean, differences.into_iter().fold(0.0, f64::max))
}

#[test]
fn lossless_files_agree_with_pil_to_one_step() {
    for file in files().iter().filter(|file| !file.starts_with("jpeg")) {
        let (_, largest) = difference(file, "");
        // Two resizers in fixed point round a half either way.
        assert!(largest <= 1.0, "{file}: {largest}");
    }
}

#[test]
fn enlarged_pictures_agree_with_pil_to_one_step() {
    for file in ["png_rgb", "png_thin", "png_one_pixel"] {
        let (_, largest) = difference(file, "_up");
        assert!(largest <= 1.0, "{file}: {largest}");
    }
}

#[test]
fn jpeg_agrees_with_pil_as_closely_as_decoders_do() {
    for file in files().iter().filter(|file| file.starts_with("jpeg")) {
        let (mean, largest) = difference(file, "");
        // Decoders differ in the inverse cosine transform and in how they
        // enlarge the chroma; the resize evens that out.
        assert!(mean <= 0.5 && largest <= 4.0, "{file}: mean {mean}, largest {largest}");
    }
}

#[test]
fn every_exif_orientation_is_applied() {
    for orientation in 1..=8 {
        let file = format!("jpeg_exif{orientation}");
        let (width, height) = decoded(&file).dimensions();
        assert_eq!(
            [i64::from(width), i64::from(height)],
            GOLDEN.i64(&format!("{file}.size")).1[..],
            "{file}"
        );
        assert_eq!(width < height, orientation > 4, "{file}");
    }
}

#[test]
fn normalisation_is_that_of_torchvision() {
    let (shape, bytes) = GOLDEN.u8("normalised.picture");
    let picture = RgbImage::from_raw(shape[1] as u32, shape[0] as u32, bytes).expect("RGB");
    let contract = InputContract::imagenet().with_size(shape[0], shape[1]);
    let prepared = Preprocessor::new(contract).unwrap().prepare(&picture).unwrap();
    let (_, expected) = GOLDEN.f32("normalised.expected");
    for (actual, expected) in prepared.pixels.iter().zip(&expected) {
        // A few roundings of f32 on values of about one.
        assert!((actual - expected).abs() < 1e-6, "{actual} {expected}");
    }
}

#[test]
fn bgr_turns_the_channels_round() {
    let picture = RgbImage::from_pixel(2, 2, [10, 20, 30].into());
    let contract = InputContract { mean: [1.0, 2.0, 3.0], ..raw_contract(2, 2) };
    let contract = InputContract { channels: ChannelOrder::Bgr, ..contract };
    let prepared = Preprocessor::new(contract).unwrap().prepare(&picture).unwrap();
    let planes: Vec<f32> = prepared.pixels.chunks(4).map(|plane| plane[0]).collect();
    assert_eq!(planes, [29.0, 18.0, 7.0]);
}

#[test]
fn the_content_hash_follows_the_pixels_and_not_the_file() {
    let preprocessor = Preprocessor::new(raw_contract(8, 8)).unwrap();
    let hash = |file: &str| preprocessor.prepare(&decoded(file)).unwrap().content_hash;
    assert_eq!(hash("png_rgb"), hash("bmp_rgb"));
    assert_eq!(hash("png_rgb"), hash("webp_rgb"));
    assert_ne!(hash("png_rgb"), hash("png_grey"));
    // The same bytes in another shape are another picture.
    let bytes = vec![7; 24];
    let hash = |width, height| {
        preprocessor.prepare(&RgbImage::from_raw(width, height, bytes.clone()).unwrap()).unwrap().content_hash
    };
    assert_ne!(hash(2, 4), hash(4, 2));
}

fn png() -> Vec<u8> {
    let mut bytes = Vec::new();
    pictures::good(0, 40, 30).write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).expect("PNG");
    bytes
}

#[test]
fn an_empty_file_is_refused() {
    let error = decode(&[], &DecodeLimits::default()).unwrap_err();
    assert!(
        matches!(&error, PreprocessError::UnknownFormat { found } if found == "an empty file"),
        "{error}"
    );
}

#[test]
fn text_is_refused() {
    let error = decode(b"This is no picture at all.", &DecodeLimits::default()).unwrap_err();
    assert!(matches!(error, PreprocessError::UnknownFormat { .. }), "{error}");
}

#[test]
fn truncated_files_are_refused_wherever_they_end() {
    for file in ["png_rgb", "jpeg_444", "bmp_rgb", "tiff_rgb", "webp_rgb"] {
        let (_, bytes) = GOLDEN.u8(&format!("{file}.file"));
        for share in [1, 3, 5, 7] {
            let cut = &bytes[..bytes.len() * share / 10];
            let result = decode(cut, &DecodeLimits::default());
            // A JPEG that ends early still shows its upper part to some decoders;
            // ours must not pass it as whole.
            assert!(result.is_err(), "{file}: {share} tenths were taken for a whole picture");
        }
    }
}

#[test]
fn a_png_header_of_100_000_by_100_000_pixels_is_refused_before_decoding() {
    let mut bytes = png();
    bytes[16..20].copy_from_slice(&100_000_u32.to_be_bytes());
    bytes[20..24].copy_from_slice(&100_000_u32.to_be_bytes());
    let checksum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    let error = decode(&bytes, &DecodeLimits::default()).unwrap_err();
    assert!(
        matches!(error, PreprocessError::TooManyPixels { width: 100_000, height: 100_000, .. }),
        "{error}"
    );
}

#[test]
fn limits_on_bytes_and_pixels_are_kept() {
    let bytes = png();
    let limits = |max_bytes, max_pixels| DecodeLimits { max_bytes, max_pixels };
    assert!(decode(&bytes, &limits(bytes.len() as u64, 1200)).is_ok());
    let error = decode(&bytes, &limits(bytes.len() as u64 - 1, 1200)).unwrap_err();
    assert!(matches!(error, PreprocessError::TooManyBytes { .. }), "{error}");
    let error = decode(&bytes, &limits(u64::MAX, 1199)).unwrap_err();
    assert!(matches!(error, PreprocessError::TooManyPixels { .. }), "{error}");
}

/// The checksum of a PNG chunk (ISO 3309), for headers made by hand.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 },
        )
    })
}
