//! Takes the example of the README, so that what stands there is what runs here.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let readme = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../../README.md");
    println!("cargo::rerun-if-changed={}", readme.display());
    let text = fs::read_to_string(&readme).expect("README.md lies in the root");
    let start = text.find("```rust").expect("README.md has a block of Rust");
    let (_, block) = text[start..].split_once('\n').expect("a block has lines");
    let (block, _) = block.split_once("```").expect("a block ends");
    let lines = block.lines().count();
    assert!(lines <= 15, "README.md: expected an example of at most 15 lines, found {lines}");
    let code = format!("/// The example of the README.\npub fn readme() -> Result<(), dfm::Error> {{\n{block}}}\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("readme.rs");
    fs::write(out, code).expect("the output folder can be written");
}
