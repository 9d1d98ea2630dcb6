//! What docs/inputs.md says and no other suite holds: its lists and limits are read off the page, so that page and
//! program cannot part. `kinds.rs`, `masks.rs`, `preprocess.rs` and, of the program, `folders.rs` and `levels.rs`
//! hold the rest.

use std::fs::{self, File};
use std::io::Cursor;

use dfm_data::EXTENSIONS;
use dfm_image::{DecodeLimits, PreprocessError, decode, page_count};
use dfm_tests::pictures;
use dfm_tests::program::{Program, SMALL};
use dfm_tests::tiff::{Page, tiff};
use image::{DynamicImage, ImageFormat, RgbImage};

const PAGE: &str = include_str!("../../../docs/inputs.md");

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_dfm-under-test"))
}

/// The row of a table of the page that begins so.
fn row(begin: &str) -> Vec<&'static str> {
    let line = PAGE.lines().find(|line| line.starts_with(&format!("| {begin}")));
    let line = line.unwrap_or_else(|| panic!("no row begins with '{begin}'"));
    line.split('|').map(str::trim).collect()
}

/// What stands in backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn encoded(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    DynamicImage::from(picture.clone()).write_to(&mut Cursor::new(&mut bytes), format).expect("a file");
    bytes
}

#[test]
fn every_extension_of_the_page_is_that_of_a_picture_in_any_case() {
    let mut listed = quoted(row("with the extension of a format that is read")[1]);
    listed.sort_unstable();
    assert_eq!(listed, EXTENSIONS);
    let dfm = program();
    dfm.fit_small();
    fs::create_dir(dfm.path("new")).unwrap();
    let png = encoded(&pictures::good(3, 72, 56), ImageFormat::Png);
    for extension in &listed {
        // The first bytes say which format it is, whatever its name.
        fs::write(dfm.path(&format!("new/{extension}.{}", extension.to_uppercase())), &png).unwrap();
    }
    let run = dfm.run(&["predict", "model.dfm", "new", "--format", "json"]);
    assert!(run.code < 2, "{}", run.err);
    assert_eq!(run.paths().len(), listed.len());
    // With such a name and damaged, or with no such bytes, it is an error of that picture alone.
    fs::write(dfm.path("new/bmp.BMP"), &png[..png.len() / 2]).unwrap();
    fs::write(dfm.path("new/tif.TIF"), b"text").unwrap();
    let run = dfm.run(&["predict", "model.dfm", "new", "--format", "json"]).expect_code(2);
    assert_eq!(run.paths().len(), listed.len() - 2);
    run.expect_said(&["bmp.BMP", "tif.TIF"]);
}

#[test]
fn every_format_that_the_page_calls_not_read_is_named_with_exit_code_2() {
    let start = "These formats are known and not read: ";
    let text = PAGE[PAGE.find(start).expect("the list") + start.len()..].split_once('.').unwrap().0;
    let text = text.replace('\n', " ").replace(" and camera raw such as DNG, CR2 or NEF", " camera raw");
    let mut named: Vec<&str> = text.split(", ").map(str::trim).collect();
    let samples = [
        ("HEIC", "heif"),
        ("AVIF", "avif"),
        ("JPEG XL", "jxl"),
        ("JPEG 2000", "jp2"),
        ("JPEG XR", "jxr"),
        ("JPEG-LS", "jls"),
        ("Photoshop", "psd"),
        ("GIMP", "xcf"),
        ("OpenEXR", "exr"),
        ("Radiance HDR", "hdr"),
        ("PFM", "pfm"),
        ("FITS", "fits"),
        ("DICOM", "dcm"),
        ("TGA", "tga"),
        ("PCX", "pcx"),
        ("SGI", "sgi"),
        ("DDS", "dds"),
        ("BPG", "bpg"),
        ("FLIF", "flif"),
        ("farbfeld", "ff"),
        ("camera raw", "dng"),
        ("camera raw", "cr2"),
        ("camera raw", "nef"),
    ];
    let dfm = program();
    dfm.fit_small();
    dfm.save("new/a.png", &pictures::good(3, 72, 56));
    for (number, (_, extension)) in samples.iter().enumerate() {
        fs::write(dfm.path(&format!("new/{number}.{}", extension.to_uppercase())), b"no magic").unwrap();
    }
    let run = dfm.run(&["predict", "model.dfm", "new", "--format", "json"]).expect_code(2);
    assert_eq!(run.paths().len(), 1);
    for (number, (format, extension)) in samples.iter().enumerate() {
        let said = format!("{number}.{}: {format}", extension.to_uppercase());
        assert!(run.err.contains(&said), "'{said}' in {}", run.err);
        named.retain(|name| name != format);
    }
    assert!(named.is_empty(), "the page names {named:?} too");
}

#[test]
fn everything_that_the_page_calls_a_by_product_is_left_out_counted_and_not_said_if_quiet() {
    let dfm = program();
    dfm.fit_small();
    let mut count = 0;
    dfm.save("new/x.png", &pictures::good(3, 72, 56));
    for stem in quoted(row("named as something made")[1]).into_iter().filter(|name| name.starts_with("x_")) {
        dfm.save(&format!("new/{stem}.png"), &RgbImage::new(72, 56));
        count += 1;
    }
    assert_eq!(count, 5);
    let folders = quoted(row("in a folder called")[1]);
    for folder in &folders {
        dfm.save(&format!("new/{folder}/y.png"), &RgbImage::new(72, 56));
    }
    assert_eq!(folders.len(), 8);
    for extension in quoted(row("a drawing or an icon")[1]) {
        fs::write(dfm.path(&format!("new/z.{extension}")), b"drawn").unwrap();
    }
    dfm.save("new/.hidden.png", &RgbImage::new(72, 56));
    fs::write(dfm.path("new/read.me"), b"anything else").unwrap();
    let run = dfm.run(&["predict", "model.dfm", "new", "--format", "json"]);
    assert!(run.code < 2, "{}", run.err);
    assert_eq!(run.paths(), ["new/x.png"]);
    for folder in folders {
        assert!(run.err.contains(&format!("{folder} left out")), "{folder}: {}", run.err);
    }
    assert!(run.err.contains("left out"), "{}", run.err);
    let quiet = dfm.run(&["predict", "model.dfm", "new", "-q"]);
    assert_eq!((quiet.code, quiet.err.as_str()), (run.code, ""));
}

#[test]
fn a_file_with_several_pages_is_refused_where_one_picture_is_expected() {
    let dfm = program();
    dfm.save_dataset();
    dfm.fit_small();
    let picture = pictures::good(3, 72, 56);
    let two = tiff(&[Page::new(&picture), Page::new(&picture)]);
    fs::write(dfm.path("two.tif"), &two).unwrap();
    let said = ["two.tif", "2"];
    // A mask of a region, a mask of a defect, and a row of a list.
    dfm.run(&["predict", "model.dfm", "data", "--roi", "two.tif"]).expect_code(2).expect_said(&said);
    let fit = ["fit", "good", "-o", "other.dfm", "--ignore", "two.tif"];
    dfm.run(&[&fit, SMALL.as_slice()].concat()).expect_code(2).expect_said(&said);
    let list =
        "path,label,mask\ndata/test/good/0.png,good,\ndata/test/square/0.png,square,two.tif\ntwo.tif,good,\n";
    fs::write(dfm.path("list.csv"), list).unwrap();
    let run = dfm.run(&["evaluate", "model.dfm", "list.csv", "--format", "json"]).expect_code(2);
    let evaluation = run.json().remove(0);
    assert_eq!((&evaluation["pictures"], &evaluation["unusable_masks"]), (&2.into(), &1.into()));
    let lines = run.err.lines().filter(|line| line.contains("two.tif") && line.contains("2 pictures"));
    assert_eq!(lines.count(), 2, "{}", run.err);
}

/// A BigTIFF of one page, grey with eight bits.
fn big_tiff(width: u16, height: u16) -> Vec<u8> {
    let samples: Vec<u8> = (0..usize::from(width) * usize::from(height)).map(|at| at as u8).collect();
    let at = (16 + samples.len()) as u64;
    let mut file = [b"II+\0\x08\0\0\0".as_slice(), &at.to_le_bytes(), &samples].concat();
    let entries: [(u16, u64); 8] = [
        (256, u64::from(width)),
        (257, u64::from(height)),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 16),
        (277, 1),
        (279, samples.len() as u64),
    ];
    file.extend((entries.len() as u64).to_le_bytes());
    for (tag, value) in entries {
        file.extend(tag.to_le_bytes());
        // Numbers of eight bytes.
        file.extend(16_u16.to_le_bytes());
        file.extend(1_u64.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 8]);
    file
}

#[test]
fn a_big_tiff_and_every_pnm_are_read() {
    let limits = DecodeLimits::default();
    let picture = decode(&big_tiff(7, 5), &limits).expect("a BigTIFF");
    assert_eq!((picture.dimensions(), picture.get_pixel(3, 2).0), ((7, 5), [17; 3]));
    // The largest value of the header is white, as text and in binary.
    for (file, expected) in [
        (&b"P1 2 1 0 1"[..], [255, 0]),
        (b"P4 2 1\n\x40", [255, 0]),
        (b"P2 2 1 15 0 15", [0, 255]),
        (b"P5 2 1 15\n\x00\x0f", [0, 255]),
        (b"P3 2 1 15 0 0 0 15 15 15", [0, 255]),
        (b"P6 2 1 15\n\0\0\0\x0f\x0f\x0f", [0, 255]),
        (b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nTUPLTYPE GRAYSCALE\nENDHDR\n\x00\xff", [0, 255]),
    ] {
        let picture = decode(file, &limits).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        assert_eq!([0, 1].map(|x| picture.get_pixel(x, 0).0), expected.map(|value| [value; 3]), "{file:?}");
    }
}

#[test]
fn a_gamma_changes_nothing() {
    let picture = pictures::good(6, 30, 22);
    let png = encoded(&picture, ImageFormat::Png);
    // gAMA of 1.0, with its checksum.
    let chunk = [&[0, 0, 0, 4][..], b"gAMA", &100_000_u32.to_be_bytes(), &[0x31, 0xE8, 0x96, 0x5F]].concat();
    let with = [&png[..33], &chunk, &png[33..]].concat();
    assert_eq!(decode(&with, &DecodeLimits::default()).expect("a picture"), picture);
}

#[test]
fn the_limits_are_those_of_the_page_and_are_kept_before_memory_is_taken() {
    let limit = |name: &str| row(name)[2].to_owned();
    let DecodeLimits { max_bytes, max_pixels, max_decoded_bytes } = DecodeLimits::default();
    assert_eq!(limit("bytes of a file"), format!("{} MiB", max_bytes >> 20));
    assert_eq!(limit("pixels |"), format!("{} million", max_pixels / 1_000_000));
    assert_eq!(limit("bytes of decoded pixels"), format!("{} GiB", max_decoded_bytes >> 30));
    assert_eq!(limit("directories of a TIFF"), "10 000");
    // One directory too many.
    let page = || Page::new(&RgbImage::new(1, 1));
    let pages = |count: usize| tiff(&(0..count).map(|_| page()).collect::<Vec<_>>());
    assert_eq!(page_count(Cursor::new(pages(10_000))).unwrap(), 10_000);
    assert!(page_count(Cursor::new(pages(10_001))).is_err());

    let dfm = program();
    dfm.fit_small();
    dfm.save("new/a.png", &pictures::good(3, 72, 56));
    // A file that is larger than any that is read: a hole on the disk.
    let png = encoded(&pictures::good(3, 72, 56), ImageFormat::Png);
    fs::write(dfm.path("new/b.png"), &png).unwrap();
    File::options().write(true).open(dfm.path("new/b.png")).unwrap().set_len(max_bytes + 1).unwrap();
    // Headers of a few bytes that claim 16 001 × 16 000 pixels.
    fs::write(dfm.path("new/c.pgm"), b"P5 16001 16000 255\n").unwrap();
    fs::write(
        dfm.path("new/d.qoi"),
        [b"qoif".as_slice(), &[0, 0, 0x3E, 0x81, 0, 0, 0x3E, 0x80, 3, 0]].concat(),
    )
    .unwrap();
    // The screen of a GIF, in a file that is whole.
    let mut gif = encoded(&RgbImage::new(4, 4), ImageFormat::Gif);
    gif[6..10].fill(0xFF);
    fs::write(dfm.path("new/e.gif"), gif).unwrap();
    // Few pixels, and too many bytes: 200 million of 16 bits in three channels.
    fs::write(dfm.path("new/f.ppm"), b"P6 20000 10000 65535\n").unwrap();
    let run = dfm.run(&["predict", "model.dfm", "new", "--format", "json"]).expect_code(2);
    assert_eq!(run.paths(), ["new/a.png"]);
    for (name, said) in [
        ("b.png", "536870912"),
        ("c.pgm", "256000000"),
        ("d.qoi", "256000000"),
        ("e.gif", "256000000"),
        ("f.ppm", "1073741824"),
    ] {
        let line =
            run.err.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{name}: {}", run.err));
        assert!(line.contains(said), "{line}");
    }
    let claimed = decode(b"P5 16001 16000 255\n", &DecodeLimits::default()).unwrap_err();
    assert!(matches!(claimed, PreprocessError::TooManyPixels { .. }), "{claimed}");
}

#[test]
fn a_mask_with_floating_point_numbers_is_refused() {
    let dfm = program();
    dfm.fit_small();
    dfm.save_dataset();
    let entries: [(u16, u16, u32); 9] = [
        (256, 4, 72),
        (257, 4, 56),
        (258, 3, 32),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (279, 4, 4 * 72 * 56),
        (339, 3, 3),
    ];
    let mut mask = b"II\x2a\0".to_vec();
    mask.extend((8 + 4 * 72 * 56_u32).to_le_bytes());
    mask.extend([1.0_f32; 72 * 56].iter().flat_map(|value| value.to_le_bytes()));
    mask.extend((entries.len() as u16).to_le_bytes());
    for (tag, kind, value) in entries {
        mask.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        mask.extend([1_u32.to_le_bytes(), value.to_le_bytes()].concat());
    }
    mask.extend([0; 4]);
    fs::remove_file(dfm.path("data/ground_truth/square/0_mask.png")).unwrap();
    fs::write(dfm.path("data/ground_truth/square/0_mask.tif"), &mask).unwrap();
    let run = dfm.run(&["evaluate", "model.dfm", "data", "--format", "json"]).expect_code(2);
    assert_eq!(run.json()[0]["unusable_masks"], 1);
    run.expect_said(&["0_mask.tif", "floating-point"]);
    fs::write(dfm.path("roi.tif"), &mask).unwrap();
    let fit = ["fit", "good", "-o", "other.dfm", "--roi", "roi.tif"];
    dfm.run(&[&fit, SMALL.as_slice()].concat()).expect_code(2).expect_said(&["roi.tif", "floating-point"]);
}

#[test]
fn a_mask_and_tiles_are_refused_with_the_reason_and_a_rectangle_is_taken() {
    let dfm = program();
    dfm.save_good();
    let mask = RgbImage::from_fn(72, 56, |x, _| [if x < 20 { 255 } else { 0 }; 3].into());
    dfm.save("mask.png", &mask);
    let fit = |more: &[&str]| {
        let flags = ["fit", "good", "-o", "model.dfm", "--tile", "32"];
        dfm.run(&[&flags, SMALL.as_slice(), more].concat())
    };
    for flag in ["--ignore", "--roi"] {
        let run = fit(&[flag, "mask.png"]).expect_code(2);
        run.expect_said(&["tiles are compared with one another", "--roi X,Y,W,H"]);
        assert!(!dfm.path("model.dfm").exists());
    }
    fit(&["--roi", "4,4,60,48"]).expect_code(0);
    // Nor does a model of tiles take a mask later.
    for more in [&["--roi", "mask.png"][..], &["--roi", "4,4,60,48", "--ignore", "mask.png"]] {
        dfm.run(&[&["predict", "model.dfm", "good"], more].concat()).expect_code(2).expect_said(&["--roi"]);
    }
}
