//! Decoding, orientation, resize and normalisation against PIL and torchvision,
//! and what becomes of files that are no pictures.

use std::io::Cursor;
use std::sync::LazyLock;

use dfm_backbone::{
    ChannelOrder, DecodeLimits, InputContract, PreprocessError, Preprocessor, Resampling, Resize,
    Transparency, decode, decode_with,
};
use dfm_tests::golden::{self, Golden};
use dfm_tests::pictures;
use image::{ImageFormat, RgbImage};

static GOLDEN: LazyLock<Golden> = LazyLock::new(|| golden::tensors("preprocess/preprocess.safetensors"));
/// The picture files that `make_kinds.py` writes, and the RGB bytes that they show.
static KINDS: LazyLock<Golden> = LazyLock::new(|| golden::tensors("preprocess/kinds.safetensors"));

/// Bytes as they are: RGB, no scaling.
fn raw_contract(width: usize, height: usize) -> InputContract {
    InputContract {
        height,
        width,
        channels: ChannelOrder::Rgb,
        scale: 1.0,
        mean: [0.0; 3],
        standard_deviation: [1.0; 3],
        resampling: Resampling::Bytes,
        resize: Resize::Stretch,
        transparency: Transparency::Ignored,
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
    let bytes = GOLDEN.u8(&format!("{file}.file")).1;
    decode_with(&bytes, &DecodeLimits::default(), Transparency::Ignored).expect(file)
}

/// Mean and largest difference, in steps of a byte, after the resize.
fn difference(file: &str, suffix: &str) -> (f64, f64) {
    let (shape, expected) = GOLDEN.u8(&format!("{file}.resized{suffix}"));
    let (height, width) = (shape[0], shape[1]);
    let preprocessor = Preprocessor::new(raw_contract(width, height)).expect("valid");
    let prepared = preprocessor.prepare(decoded(file)).expect(file);
    assert_eq!(prepared.pixels.len(), expected.len(), "{file}");
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
    assert_eq!(prepared.pixels.len(), expected.len());
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
    let hash = |file: &str| preprocessor.prepare(decoded(file)).unwrap().content_hash;
    assert_eq!(hash("png_rgb"), hash("bmp_rgb"));
    assert_eq!(hash("png_rgb"), hash("webp_rgb"));
    assert_ne!(hash("png_rgb"), hash("png_grey"));
    // The same bytes in another shape are another picture.
    let bytes = vec![7; 24];
    let hash = |width, height| {
        preprocessor.prepare(RgbImage::from_raw(width, height, bytes.clone()).unwrap()).unwrap().content_hash
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
    let limits = |max_bytes, max_pixels| DecodeLimits { max_bytes, max_pixels, ..DecodeLimits::default() };
    assert!(decode(&bytes, &limits(bytes.len() as u64, 1200)).is_ok());
    let error = decode(&bytes, &limits(bytes.len() as u64 - 1, 1200)).unwrap_err();
    assert!(matches!(error, PreprocessError::TooManyBytes { .. }), "{error}");
    let error = decode(&bytes, &limits(u64::MAX, 1199)).unwrap_err();
    assert!(matches!(error, PreprocessError::TooManyPixels { .. }), "{error}");
}

/// 16 bits a channel take twice the memory, and a progressive JPEG keeps all its
/// coefficients.
#[test]
fn a_limit_on_decoded_bytes_is_kept_whatever_the_kind() {
    let progressive = GOLDEN.u8("jpeg_progressive.file").1;
    // 53×37 pixels of three channels of 16 bits; 80×100 of 3 bytes and 3 coefficients.
    for (name, bytes, needed) in [
        ("png_rgb16", KINDS.u8("png_rgb16.file").1, 53 * 37 * 6),
        ("jpeg_progressive", progressive, 80 * 100 * (3 + 3 * 2)),
    ] {
        let limits = |max_decoded_bytes| DecodeLimits { max_decoded_bytes, ..DecodeLimits::default() };
        decode(&bytes, &limits(needed)).expect(name);
        let error = decode(&bytes, &limits(needed - 1)).unwrap_err();
        assert!(
            matches!(error, PreprocessError::TooManyDecodedBytes { got, .. } if got == needed),
            "{name}: {error}"
        );
    }
}

#[test]
fn headers_that_claim_too_many_pixels_are_refused_in_every_format() {
    let put = |bytes: &mut [u8], at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    let mut bmp = GOLDEN.u8("bmp_rgb.file").1;
    put(&mut bmp, 18, &60_000_u32.to_le_bytes());
    put(&mut bmp, 22, &60_000_u32.to_le_bytes());
    let mut tiff = KINDS.u8("tiff_rgb16.file").1;
    // Width, height and rows in a strip, in the directory behind 8 bytes of header:
    // entries of 12 bytes, here of a 32-bit value.
    for entry in [0, 1, 7] {
        put(&mut tiff, 10 + 12 * entry + 2, &[4, 0, 1, 0, 0, 0, 0xA0, 0x86, 1, 0]);
    }
    let mut jpeg = GOLDEN.u8("jpeg_444.file").1;
    let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).expect("a frame");
    put(&mut jpeg, frame + 5, &[0xFF; 4]);
    let mut webp = GOLDEN.u8("webp_rgb.file").1;
    assert_eq!(webp[20], 0x2F, "lossless");
    // 14 bits of width and of height, each less one: 16383 × 16383.
    let flags = webp[24];
    put(&mut webp, 21, &[0xFE, 0xBF, 0xFF, flags & 0xF0 | 0x0F]);
    for (name, bytes) in [("BMP", bmp), ("TIFF", tiff), ("JPEG", jpeg), ("WebP", webp)] {
        let error = decode(&bytes, &DecodeLimits::default()).unwrap_err();
        assert!(matches!(error, PreprocessError::TooManyPixels { .. }), "{name}: {error}");
    }
}

#[test]
fn rarer_kinds_of_pictures_show_the_same_bytes_as_in_pil() {
    let names = KINDS.names();
    let names: Vec<&str> = names.iter().filter_map(|name| name.strip_suffix(".rgb")).collect();
    assert_eq!(names.len(), 13, "{names:?}");
    for name in names {
        let bytes = KINDS.u8(&format!("{name}.file")).1;
        let picture = decode_with(&bytes, &DecodeLimits::default(), Transparency::Ignored).expect(name);
        let (shape, expected) = KINDS.u8(&format!("{name}.rgb"));
        let (width, height) = picture.dimensions();
        assert_eq!([height as usize, width as usize, 3], shape[..], "{name}");
        let differences: Vec<u8> =
            picture.as_raw().iter().zip(&expected).map(|(got, expected)| got.abs_diff(*expected)).collect();
        let mean = differences.iter().map(|value| f64::from(*value)).sum::<f64>() / differences.len() as f64;
        let largest = differences.into_iter().max().unwrap();
        // Decoders of lossy files differ in rounding and in how they enlarge the
        // chroma; here nothing is resized that would even it out.
        let allowed = if name.starts_with("lossy") { (0.5, 4) } else { (0.0, 0) };
        assert!(mean <= allowed.0 && largest <= allowed.1, "{name}: mean {mean}, largest {largest}");
    }
}

#[test]
fn a_picture_at_the_default_size_agrees_with_pil_to_one_step() {
    let picture = decode(&KINDS.u8("large.file").1, &DecodeLimits::default()).unwrap();
    assert_eq!(picture.dimensions(), (401, 299));
    let prepared = Preprocessor::new(raw_contract(256, 256)).unwrap().prepare(&picture).unwrap();
    let (shape, expected) = KINDS.u8("large.resized");
    assert_eq!((shape[..].to_vec(), prepared.pixels.len()), (vec![256, 256, 3], expected.len()));
    for (index, expected) in expected.iter().enumerate() {
        let got = prepared.pixels[index % 3 * 256 * 256 + index / 3];
        // Two resizers in fixed point round a half either way.
        assert!((got - f32::from(*expected)).abs() <= 1.0, "{index}: {got} {expected}");
    }
}

#[test]
fn floating_point_pictures_are_refused_by_kind_with_a_cure() {
    for name in ["refused_tiff_rgb_float", "refused_tiff_grey_float"] {
        let error = decode(&KINDS.u8(&format!("{name}.file")).1, &DecodeLimits::default()).unwrap_err();
        let PreprocessError::Unsupported { format: "TIFF", found } = &error else {
            panic!("{name}: {error}");
        };
        assert!(found.contains("32"), "{name}: {error}");
        assert!(error.to_string().contains("8 or 16 bits"), "{name}: {error}");
    }
}

/// Where the coded data of a JPEG begins, and where its end-of-image marker lies.
fn coded_data(jpeg: &[u8]) -> (usize, usize) {
    let scan = jpeg.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).expect("a scan");
    let header = usize::from(u16::from_be_bytes([jpeg[scan + 2], jpeg[scan + 3]]));
    (scan + 2 + header, jpeg.len() - 2)
}

const SOUND_JPEGS: [&str; 4] = ["jpeg_444", "jpeg_420", "jpeg_grey", "jpeg_progressive"];

/// The JPEG `name` with its coded data changed by `change`.
fn jpeg_with(name: &str, change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let whole = GOLDEN.u8(&format!("{name}.file")).1;
    let (start, end) = coded_data(&whole);
    let mut coded = whole[start..end].to_vec();
    change(&mut coded);
    [&whole[..start], &coded, &whole[end..]].concat()
}

fn assert_damaged(name: &str, what: &str, bytes: &[u8]) {
    match decode(bytes, &DecodeLimits::default()) {
        Err(PreprocessError::Decode { format: "JPEG", .. }) => {}
        Err(error) => panic!("{name} {what}: {error}"),
        Ok(_) => panic!("{name} {what}: passed as a sound picture"),
    }
}

#[test]
fn a_jpeg_whose_coded_data_is_overwritten_is_refused() {
    for name in &SOUND_JPEGS[..3] {
        for filler in [0x00, 0xAA] {
            for share in [1, 2] {
                let bytes = jpeg_with(name, |coded| {
                    let from = coded.len() * share / 3;
                    coded[from..].fill(filler);
                });
                assert_damaged(name, &format!("filled with {filler:#x} from {share}/3"), &bytes);
            }
        }
    }
}

/// An end-of-image marker alone does not make a cut file whole, wherever it is
/// cut: also in the last row of blocks, of which nothing follows.
#[test]
fn a_jpeg_that_is_cut_and_ended_again_is_refused() {
    for name in &SOUND_JPEGS[..3] {
        for share in [0, 1, 2, 5, 8, 9] {
            let bytes = jpeg_with(name, |coded| coded.truncate(coded.len() * share / 10));
            assert_damaged(name, &format!("cut at {share}/10"), &bytes);
        }
        let bytes = jpeg_with(name, |coded| coded.truncate(coded.len() - 12));
        assert_damaged(name, "cut by 12 bytes", &bytes);
    }
}

#[test]
fn a_progressive_jpeg_that_lacks_scans_is_refused() {
    let whole = GOLDEN.u8("jpeg_progressive.file").1;
    let scans: Vec<usize> =
        whole.windows(2).enumerate().filter(|(_, pair)| *pair == [0xFF, 0xDA]).map(|(at, _)| at).collect();
    assert!(scans.len() > 5, "{scans:?}");
    for (count, scan) in scans.iter().enumerate().skip(1) {
        let bytes = [&whole[..*scan], &[0xFF, 0xD9]].concat();
        let error = decode(&bytes, &DecodeLimits::default()).expect_err("scans are missing");
        assert!(error.to_string().contains("scans are missing"), "{count}: {error}");
    }
    // In the middle of the file, where the pieces still parse.
    let cut = [&whole[..whole.len() / 3], &[0xFF, 0xD9]].concat();
    assert_damaged("jpeg_progressive", "cut at a third", &cut);
}

#[test]
fn what_decoders_skip_is_no_damage() {
    for name in SOUND_JPEGS {
        let expected = decoded(name);
        let whole = GOLDEN.u8(&format!("{name}.file")).1;
        let table = whole.windows(2).position(|pair| pair == [0xFF, 0xDB]).expect("a table");
        let with = |at: usize, more: &[u8]| [&whole[..at], more, &whole[at..]].concat();
        for (what, bytes) in [
            ("a stray byte before a segment", with(table, &[0x55])),
            ("fill bytes before a marker", with(table, &[0xFF; 3])),
            ("fill bytes before the end", with(whole.len() - 2, &[0xFF; 5])),
            ("a few bytes of padding", with(whole.len() - 2, &[0x55; 8])),
            ("bytes behind the end", with(whole.len(), b"\xFF\xD8 and a second picture")),
        ] {
            let got = decode(&bytes, &DecodeLimits::default())
                .unwrap_or_else(|error| panic!("{name}, {what}: {error}"));
            assert!(got == expected, "{name}: {what} changed the picture");
        }
    }
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
