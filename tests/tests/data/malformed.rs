//! One test for each way in which input can be wrong: a clear error, exit code 2,
//! no panic, nothing half written.

use std::fs;
use std::io::Cursor;
use std::process::Command;

use dfm_tests::pictures;
use dfm_tests::program::{Finished, Program, SMALL, files_below};
use image::ImageFormat;

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_dfm-under-test"))
}

fn fit(dfm: &Program, folder: &str, more: &[&str]) -> Finished {
    dfm.run(&[&["fit", folder, "-o", "model.dfm"], SMALL.as_slice(), more].concat())
}

fn png() -> Vec<u8> {
    let mut bytes = Vec::new();
    pictures::good(0, 40, 30).write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).expect("PNG");
    bytes
}

/// Judges one file beside a good one; only the good one gets a verdict.
fn judge_beside_good(name: &str, bytes: &[u8]) -> Finished {
    let dfm = program();
    dfm.fit_small();
    fs::create_dir(dfm.path("new")).unwrap();
    fs::write(dfm.path("new").join(name), bytes).unwrap();
    dfm.save("new/zz.png", &pictures::good(1, 72, 56));
    let run = dfm.run(&["predict", "model.dfm", "new", "--format", "json"]).expect_code(2);
    assert_eq!(run.scores().len(), 1, "{}", run.out);
    run.expect_said(&[name])
}

/// What becomes of a changed model file.
fn read_changed(change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Finished {
    let dfm = program();
    dfm.fit_small();
    let bytes = fs::read(dfm.path("model.dfm")).unwrap();
    fs::write(dfm.path("changed.dfm"), change(bytes)).unwrap();
    dfm.run(&["info", "changed.dfm"]).expect_code(2);
    dfm.run(&["predict", "changed.dfm", "good/00.png"]).expect_code(2).expect_said(&["changed.dfm"])
}

#[test]
fn an_empty_folder() {
    let dfm = program();
    fs::create_dir(dfm.path("empty")).unwrap();
    fit(&dfm, "empty", &[]).expect_code(2).expect_said(&["empty", "found none"]);
    assert!(!dfm.path("model.dfm").exists());
}

#[test]
fn a_folder_that_is_not_there() {
    let dfm = program();
    fit(&dfm, "nowhere", &[]).expect_code(2).expect_said(&["nowhere"]);
    dfm.fit_small();
    dfm.run(&["predict", "model.dfm", "nowhere/*.png"]).expect_code(2).expect_said(&["nowhere"]);
}

#[test]
fn an_empty_file_called_png() {
    judge_beside_good("empty.png", b"").expect_said(&["an empty file"]);
}

#[test]
fn a_text_file_called_png() {
    judge_beside_good("notes.png", b"These are notes.").expect_said(&["expected JPEG, PNG"]);
}

#[test]
fn a_truncated_png() {
    let bytes = png();
    judge_beside_good("cut.png", &bytes[..bytes.len() / 2]).expect_said(&["PNG"]);
}

#[test]
fn a_truncated_jpeg() {
    let mut bytes = Vec::new();
    pictures::good(0, 40, 30).write_to(&mut Cursor::new(&mut bytes), ImageFormat::Jpeg).unwrap();
    judge_beside_good("cut.jpg", &bytes[..bytes.len() - 9]).expect_said(&["cut short"]);
}

#[test]
fn a_png_that_claims_100_000_by_100_000_pixels() {
    let mut bytes = png();
    bytes[16..20].copy_from_slice(&100_000_u32.to_be_bytes());
    bytes[20..24].copy_from_slice(&100_000_u32.to_be_bytes());
    let checksum = !bytes[12..29].iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 },
        )
    });
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    judge_beside_good("bomb.png", &bytes).expect_said(&["100000×100000"]);
}

/// Elsewhere the file system refuses such a name.
#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_not_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let dfm = program();
    dfm.fit_small();
    fs::create_dir(dfm.path("new")).unwrap();
    let name = std::ffi::OsStr::from_bytes(b"\xff\xfe.png");
    fs::copy(dfm.path("good/00.png"), dfm.path("new").join(name)).unwrap();
    let run = dfm.run(&["predict", "model.dfm", "new", "--format", "json", "--maps", "maps"]).expect_code(0);
    assert_eq!(run.scores().len(), 1);
    assert_eq!(files_below(&dfm.path("maps")).len(), 2 + 1);
}

#[test]
fn one_training_picture() {
    let dfm = program();
    dfm.save("one/a.png", &pictures::good(0, 72, 56));
    fit(&dfm, "one", &[]).expect_code(2).expect_said(&["at least 2", "got 1"]);
}

#[test]
fn training_pictures_that_are_all_the_same() {
    let dfm = program();
    for name in ["a", "b", "c"] {
        dfm.save(&format!("same/{name}.png"), &pictures::good(0, 72, 56));
    }
    fit(&dfm, "same", &[]).expect_code(2).expect_said(&["all 3 pictures have the same features"]);
}

#[test]
fn pictures_smaller_than_the_pool() {
    let dfm = program();
    dfm.save_good();
    fit(&dfm, "good", &["--pool", "17"]).expect_code(2).expect_said(&["16×16", "17×17"]);
    fit(&dfm, "good", &["--pool", "0"]).expect_code(2).expect_said(&["pool"]);
    // 16 pixels are 4×4 cells at layer1.
    let tiny = ["fit", "good", "-o", "model.dfm", "--backbone", "resnet18", "--weights", "random"];
    let tiny = [&tiny[..], &["--layer", "layer1", "--size", "16", "--pool"]].concat();
    dfm.run(&[&tiny[..], &["5"]].concat()).expect_code(2).expect_said(&["4×4", "5×5"]);
    dfm.run(&[&tiny[..], &["4"]].concat()).expect_code(0);
}

#[test]
fn a_truncated_model() {
    read_changed(|bytes| bytes[..bytes.len() / 2].to_vec()).expect_said(&["cut short"]);
    read_changed(|bytes| bytes[..100].to_vec()).expect_said(&["cut short"]);
    read_changed(|bytes| bytes[..5].to_vec()).expect_said(&["cut short"]);
    read_changed(|_| Vec::new()).expect_said(&["cut short"]);
}

#[test]
fn a_model_of_another_version() {
    let run = read_changed(|bytes| replace(bytes, b"\\\"version\\\":2", b"\\\"version\\\":9"));
    run.expect_said(&["version 9", "reads versions 2 to 3"]);
}

#[test]
fn a_model_with_a_changed_byte() {
    let run = read_changed(|mut bytes| {
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        bytes
    });
    run.expect_said(&["damaged", "SHA-256"]);
}

#[test]
fn a_model_whose_header_is_2_to_the_63_bytes_long() {
    let run = read_changed(|mut bytes| {
        bytes[..8].copy_from_slice(&(1_u64 << 63).to_le_bytes());
        bytes
    });
    run.expect_said(&["9223372036854775808", "limit"]);
}

#[test]
fn a_model_whose_tensors_lie_out_of_bounds() {
    let header = br#"{"mean":{"dtype":"F64","shape":[2],"data_offsets":[0,99999999999]}}"#;
    let file = |header: &[u8]| [&(header.len() as u64).to_le_bytes(), header, &[0; 16]].concat();
    read_changed(|_| file(header)).expect_said(&["not a dfm model"]);
    // Consistent in itself, and a hundred gigabytes that are not there.
    let header = br#"{"mean":{"dtype":"F64","shape":[12500000000],"data_offsets":[0,100000000000]}}"#;
    read_changed(|_| file(header)).expect_said(&["limit"]);
    let header = br#"{"mean":{"dtype":"F64","shape":[2],"data_offsets":[8,24]}}"#;
    read_changed(|_| file(header)).expect_said(&["not a dfm model"]);
}

#[test]
fn a_picture_in_place_of_a_model() {
    read_changed(|_| png()).expect_said(&["expected a model that dfm wrote, found a PNG picture"]);
}

#[test]
fn weights_of_another_architecture() {
    let dfm = program();
    dfm.save_good();
    let weights = dfm_tests::golden::path("backbone/tiny.safetensors");
    let weights = weights.to_str().unwrap();
    let run = dfm.run(&["fit", "good", "-o", "m.dfm", "--backbone", "resnet18", "--weights", weights]);
    run.expect_code(2).expect_said(&["tiny.safetensors", "conv1.weight"]);
}

#[test]
fn weights_that_are_no_weights() {
    let dfm = program();
    dfm.save_good();
    let run = dfm.run(&["fit", "good", "-o", "m.dfm", "--backbone", "resnet18", "--weights", "good/00.png"]);
    run.expect_code(2).expect_said(&["00.png", "not a weights file"]);
    let run = dfm.run(&["fit", "good", "-o", "m.dfm", "--backbone", "resnet18", "--weights", "nothing"]);
    run.expect_code(2).expect_said(&["nothing", "weights list"]);
    let run = dfm.run(&["fit", "good", "-o", "m.dfm", "--backbone", "resnet18"]);
    run.expect_code(2).expect_said(&["dfm weights pull resnet18"]);
}

#[test]
fn an_output_in_a_folder_that_is_not_there() {
    let dfm = program();
    dfm.save_good();
    let run = dfm.run(&[&["fit", "good", "-o", "no/where/m.dfm"], SMALL.as_slice()].concat());
    run.expect_code(2).expect_said(&["m.dfm", "expected a folder"]);
}

#[test]
fn an_output_that_cannot_be_written() {
    let dfm = program();
    dfm.save_good();
    fs::create_dir_all(dfm.path("taken.dfm/inside")).unwrap();
    let run = dfm.run(&[&["fit", "good", "-o", "taken.dfm"], SMALL.as_slice()].concat());
    run.expect_code(2).expect_said(&["cannot write", "taken.dfm"]);
}

/// A limit on the size of files stands in for a full disk.
#[cfg(unix)]
#[test]
fn a_disk_that_is_full() {
    let dfm = program();
    dfm.fit_small();
    let before = fs::read(dfm.path("model.dfm")).unwrap();
    let program = env!("CARGO_BIN_EXE_dfm-under-test");
    // 16 blocks of 512 or 1024 bytes, less than any model; the signal that would
    // end the process is ignored, so that it sees the error.
    let script =
        format!("trap '' XFSZ; ulimit -f 16; exec {program} fit good -o model.dfm {}", SMALL.join(" "));
    let output = Command::new("sh").args(["-c", &script]).current_dir(dfm.path("")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot write") && said.contains("model.dfm"), "{said}");
    assert!(fs::read(dfm.path("model.dfm")).unwrap() == before, "the model that was there is gone");
    let left: Vec<_> = fs::read_dir(dfm.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".dfm-")), "{left:?}");
}

/// `bytes` with the first `old` replaced by a `new` of the same length.
fn replace(mut bytes: Vec<u8>, old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = bytes.windows(old.len()).position(|window| window == old).expect("the old bytes");
    bytes[at..at + old.len()].copy_from_slice(new);
    bytes
}
