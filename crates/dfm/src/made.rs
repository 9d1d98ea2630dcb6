//! What is made of a picture, as files beside those of other pictures and other runs: none is ever
//! replaced.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, FileError};
use crate::files::{create_file, make_folder};

/// Files that were written, or were there with these very bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Made {
    /// In the order of the endings.
    pub(crate) paths: Vec<PathBuf>,
    /// What has the usual name of one of them and stays.
    pub(crate) stays: Option<PathBuf>,
}

/// Writes files whose names begin as `stem`, each with an ending and its bytes. A file that is there
/// is never changed: if it holds the same bytes, nothing is written; if others, all files get names
/// with eight digits that follow from what is written, `STEM-DIGITS-ENDING`. So the same input always
/// has the same names, and no other takes them.
///
/// # Errors
///
/// [`FileError::Taken`] if those names are taken too; [`Error::File`] if a file cannot be written.
pub(crate) fn put_together(stem: &Path, files: &[(&str, Vec<u8>)]) -> Result<Made, Error> {
    if let Some(folder) = stem.parent() {
        make_folder(folder)?;
    }
    let usual = |ending: &str| named(stem, OsStr::new(ending));
    let mut stays = files.iter().map(|(ending, bytes)| (usual(ending), bytes)).find(holds_other);
    if stays.is_none() {
        match files.iter().map(|(ending, bytes)| put(usual(ending), bytes)).collect() {
            Ok(paths) => return Ok(Made { paths, stays: None }),
            // It came meanwhile.
            Err(Error::File(FileError::Taken { path })) => {
                stays = files.iter().map(|(ending, bytes)| (usual(ending), bytes)).find(|one| one.0 == path);
            }
            Err(error) => return Err(error),
        }
    }
    let digest = files.iter().fold(Sha256::new(), |digest, (_, bytes)| digest.chain_update(bytes)).finalize();
    let digits: String = digest[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let other = |ending: &str| named(stem, OsStr::new(&format!("-{digits}{ending}")));
    let paths = files.iter().map(|(ending, bytes)| put(other(ending), bytes)).collect::<Result<_, _>>()?;
    Ok(Made { paths, stays: stays.map(|(path, _)| path) })
}

fn named(stem: &Path, ending: &OsStr) -> PathBuf {
    let mut name = stem.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    stem.with_file_name(name)
}

/// Whether something else is there than a file with these bytes.
fn holds_other((path, bytes): &(PathBuf, &Vec<u8>)) -> bool {
    path.symlink_metadata().is_ok() && !holds(path, bytes)
}

/// Whether `path` is a file with these bytes.
fn holds(path: &Path, bytes: &[u8]) -> bool {
    let same_length = path.metadata().is_ok_and(|there| there.is_file() && there.len() == bytes.len() as u64);
    same_length && std::fs::read(path).is_ok_and(|there| there == bytes)
}

/// Writes a file, unless it is there with these very bytes.
fn put(path: PathBuf, bytes: &[u8]) -> Result<PathBuf, Error> {
    match create_file(&path, |writer| Ok(writer.write_all(bytes)?)) {
        Err(Error::File(FileError::Taken { .. })) if holds(&path, bytes) => Ok(path),
        other => other.map(|()| path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_there_changes_and_the_same_has_the_same_names() {
        let folder = tempfile::tempdir().unwrap();
        let stem = folder.path().join("below/a.jpg");
        let files = |one: &[u8], other: &[u8]| [("-1.png", one.to_vec()), ("-2.png", other.to_vec())];
        let names = |made: &Made| -> Vec<String> {
            let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
            made.paths.iter().map(name).collect()
        };
        let first = put_together(&stem, &files(b"x", b"y")).unwrap();
        assert_eq!((names(&first), &first.stays), (vec!["a.jpg-1.png".into(), "a.jpg-2.png".into()], &None));
        assert_eq!(put_together(&stem, &files(b"x", b"y")).unwrap(), first);
        // One that differs moves both.
        let second = put_together(&stem, &files(b"x", b"z")).unwrap();
        assert_eq!(second.stays, Some(first.paths[1].clone()));
        assert_eq!(put_together(&stem, &files(b"x", b"z")).unwrap(), second);
        assert!(second.paths.iter().all(|path| !first.paths.contains(path)), "{second:?}");
        let hold = |made: &Made| -> Vec<Vec<u8>> {
            made.paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
        };
        assert_eq!(hold(&first), [b"x", b"y"]);
        assert_eq!(hold(&second), [b"x", b"z"]);
        // A user's file at that name too is no place to write to.
        std::fs::write(&second.paths[1], b"mine").unwrap();
        let error = put_together(&stem, &files(b"x", b"z")).unwrap_err();
        assert!(error.to_string().contains(second.paths[1].to_str().unwrap()), "{error}");
        assert_eq!(std::fs::read(&second.paths[1]).unwrap(), b"mine");
        assert_eq!(std::fs::read_dir(stem.parent().unwrap()).unwrap().count(), 4);
    }
}
