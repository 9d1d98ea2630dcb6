//! Pictures that are learnt and judged.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::labelled::Labelled;

/// The most pairs that are named; the rest is counted.
const NAMED: usize = 5;
/// Bytes at the beginning that tell most files apart.
const BEGINNING: u64 = 1 << 16;

/// What two equal files have in common: their length, and the hash of their beginning.
type Key = (u64, [u8; 32]);

/// Says which pictures to judge are the same file as a picture to learn, byte by byte.
///
/// Cost: the beginning of every file is read. A file is read whole only if another file begins in the
/// same way.
pub(super) fn find(train: &[PathBuf], test: &[Labelled]) -> Vec<String> {
    if train.is_empty() || test.is_empty() {
        return Vec::new();
    }
    let mut learnt: HashMap<Key, Vec<&Path>> = HashMap::new();
    let keys: Vec<Option<Key>> = train.par_iter().map(|path| key(path)).collect();
    for (path, key) in train.iter().zip(keys) {
        if let Some(key) = key {
            learnt.entry(key).or_default().push(path);
        }
    }
    let mut twins: Vec<(&Path, &Path)> = test
        .par_iter()
        .filter_map(|picture| Some((picture.path.as_path(), twin(&picture.path, &learnt)?)))
        .collect();
    twins.sort();
    let mut notes: Vec<String> = twins
        .iter()
        .take(NAMED)
        .map(|(test, train)| {
            format!("{}: the same file as {}, which is learnt", test.display(), train.display())
        })
        .collect();
    if twins.len() > NAMED {
        notes.push(match twins.len() - NAMED {
            1 => "1 more picture to judge is learnt".to_owned(),
            more => format!("{more} more pictures to judge are learnt"),
        });
    }
    if !twins.is_empty() {
        notes.push("figures are too good where pictures that were learnt are judged".to_owned());
    }
    notes
}

/// The file among `learnt` that is equal to `path`.
fn twin<'p>(path: &Path, learnt: &HashMap<Key, Vec<&'p Path>>) -> Option<&'p Path> {
    let key = key(path)?;
    let candidates = learnt.get(&key)?;
    if key.0 <= BEGINNING {
        return candidates.first().copied();
    }
    let own = hash(path, u64::MAX)?;
    candidates.iter().copied().find(|other| hash(other, u64::MAX) == Some(own))
}

/// `None` for a file that cannot be read: it is reported when it is used.
fn key(path: &Path) -> Option<Key> {
    Some((std::fs::metadata(path).ok()?.len(), hash(path, BEGINNING)?))
}

/// SHA-256 of the first bytes of a file.
fn hash(path: &Path, bytes: u64) -> Option<[u8; 32]> {
    let mut file = File::open(path).ok()?.take(bytes);
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).ok()? {
            0 => return Some(digest.finalize().into()),
            count => digest.update(&buffer[..count]),
        }
    }
}
