//! What the fuzzer gives the parsers of `dfm-data`. Each function says whether the bytes were
//! accepted; it must neither panic nor take long, whatever they are.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use dfm_data::{Dataset, Layout};

/// A folder with one picture, which lists may name, and one list at a time.
static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a scratch folder");
    std::fs::write(folder.path().join("a.png"), b"not looked into").expect("a file");
    folder
});

/// Reads a data set from a list of pictures with a heading.
pub fn manifest_csv(bytes: &[u8]) -> bool {
    manifest("list.csv", bytes)
}

/// Reads a data set from a list of pictures, one object a line.
pub fn manifest_jsonl(bytes: &[u8]) -> bool {
    manifest("list.jsonl", bytes)
}

/// Reads objects of any kind, one a line.
pub fn json_lines(bytes: &[u8]) -> bool {
    let file = written("lines.jsonl", bytes);
    let Ok(rows) = dfm_data::json_lines::<serde_json::Value>(&file, "anything") else { return false };
    let lines = 1 + bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
    assert!(rows.is_sorted_by_key(|(number, _)| *number));
    assert!(rows.iter().all(|(number, _)| (1..=lines).contains(number)));
    true
}

fn manifest(name: &str, bytes: &[u8]) -> bool {
    let file = written(name, bytes);
    let Ok(dataset) = Dataset::read(&file, Some(Layout::Manifest)) else { return false };
    assert_eq!(dataset.folder(), FOLDER.path());
    let problems = dataset.problems.len();
    assert_eq!(dataset.without_problems().problems.len(), 0);
    // It can be described in words, whatever names it holds.
    assert!(!format!("{dataset}").is_empty() && dataset.problems.len() == problems);
    true
}

/// The path of a file of these bytes. Fuzzers run one input at a time, tests one in each thread.
fn written(name: &str, bytes: &[u8]) -> PathBuf {
    let file = Path::new(FOLDER.path()).join(format!("{:?}-{name}", std::thread::current().id()));
    std::fs::write(&file, bytes).expect("a list in the scratch folder");
    file
}
