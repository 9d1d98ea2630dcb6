//! Rules for `tests/fixtures`.

use std::collections::BTreeSet;

use super::tree::{File, Tree};

const FOLDER: &str = "tests/fixtures/";
/// Largest number of bytes of all fixtures together, without their scripts.
const LARGEST: u64 = 8_000_000;

/// Every fixture can be made again: a `make_*.py` lies beside it.
pub(crate) fn fixtures_have_their_script(tree: &Tree) -> Vec<String> {
    let topics: BTreeSet<&str> = fixtures(tree).filter_map(topic).collect();
    if topics.is_empty() {
        return vec![format!("{FOLDER}: no fixture there")];
    }
    let has_script = |wanted: &str| {
        fixtures(tree).any(|file| {
            let name = file.path.rsplit('/').next().unwrap_or("");
            topic(file) == Some(wanted) && name.starts_with("make_") && name.ends_with(".py")
        })
    };
    topics
        .into_iter()
        .filter(|topic| !has_script(topic))
        .map(|topic| format!("{FOLDER}{topic}: no make_*.py beside the fixtures"))
        .collect()
}

/// Fixtures stay small, so a clone is quick.
pub(crate) fn fixtures_are_small(tree: &Tree) -> Vec<String> {
    let total: u64 = fixtures(tree).filter(|file| !file.path.ends_with(".py")).map(|file| file.bytes).sum();
    if total < LARGEST {
        return Vec::new();
    }
    vec![format!("{FOLDER}: {total} bytes in all, fewer than {LARGEST} allowed")]
}

fn fixtures(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files.iter().filter(|file| file.path.starts_with(FOLDER))
}

/// The folder directly below [`FOLDER`] that holds `file`. A file without a folder is a topic of
/// its own, and so never has a script.
fn topic(file: &File) -> Option<&str> {
    file.path.strip_prefix(FOLDER)?.split('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_script_is_found() {
        let with = [("tests/fixtures/a/x.json", "{}"), ("tests/fixtures/a/make_a.py", "")];
        assert_eq!(fixtures_have_their_script(&Tree::of_files(&with)), [""; 0]);
        for lonely in ["tests/fixtures/a/x.json", "tests/fixtures/x.json"] {
            assert_eq!(fixtures_have_their_script(&Tree::of_files(&[(lonely, "{}")])).len(), 1, "{lonely}");
        }
        assert_eq!(fixtures_have_their_script(&Tree::default()).len(), 1);
    }

    #[test]
    fn fixtures_that_are_too_large_together_are_found() {
        let mut tree = Tree::of_files(&[("tests/fixtures/a/x.bin", ""), ("tests/fixtures/b/y.bin", "")]);
        tree.files[0].bytes = LARGEST / 2;
        assert_eq!(fixtures_are_small(&tree), [""; 0]);
        tree.files[1].bytes = LARGEST / 2;
        assert_eq!(fixtures_are_small(&tree).len(), 1);
    }
}
