//! Lists the bundled pictures, so that `dfm demo` can carry them.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).expect("cargo sets the folder");
    let root = manifest.join("../../assets/demo");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    for part in ["train", "test", "ground_truth"] {
        collect(&root.join(part), &mut files);
    }
    files.sort();
    assert!(!files.is_empty(), "{}: holds no picture; run make_demo.py there", root.display());
    let mut table = String::from("&[\n");
    for path in files {
        let name = path.strip_prefix(&root).expect("below the root").to_string_lossy().replace('\\', "/");
        writeln!(table, "    ({name:?}, include_bytes!({:?})),", path.display().to_string()).expect("memory");
    }
    table.push_str("]\n");
    let output = env::var_os("OUT_DIR").map(PathBuf::from).expect("cargo sets the folder");
    fs::write(output.join("demo_pictures.rs"), table).expect("the output folder can be written");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "png" || extension == "jpg") {
            files.push(path);
        }
    }
}
