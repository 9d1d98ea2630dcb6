//! The one way in which this library writes files: whole, or not at all.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, FileError};
use crate::kind::FileKind;

/// The most links that lead to links: more is a circle.
const MOST_LINKS: usize = 40;

/// Writes `path` by `content`, into a temporary file in the same folder that is renamed once
/// everything is on the disk. Until then the old file stays, and a failure leaves nothing behind.
/// The file replaces one of its own `kind` or an empty one, and nothing else. Where `path` is a link,
/// it stays one, and the file that it points to is written.
///
/// # Errors
///
/// [`FileError::OtherKind`] if a file of another kind is there; [`Error::File`] if the file cannot be
/// written; [`Error::Write`] with whatever `content` returns.
pub fn write_file<T>(
    path: &Path,
    kind: FileKind,
    content: impl FnOnce(&mut dyn Write) -> Result<T, Error>,
) -> Result<T, Error> {
    let target = target(path)?;
    check_kind(path, &target, kind)?;
    let (file, result) = filled(path, folder_of(&target), content)?;
    // Something may have come meanwhile.
    check_kind(path, &target, kind)?;
    keep(file, &target).map_err(failed(path))?;
    Ok(result)
}

/// Writes `path` as [`write_file`] does, unless something is there already: that stays.
///
/// # Errors
///
/// Those of [`write_file`], and [`FileError::Taken`].
pub fn create_file<T>(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> Result<T, Error>,
) -> Result<T, Error> {
    let taken = || FileError::Taken { path: path.to_owned() };
    if path.symlink_metadata().is_ok() {
        return Err(taken().into());
    }
    let target = target(path)?;
    let (file, result) = filled(path, folder_of(&target), content)?;
    file.as_file().sync_all().map_err(failed(path))?;
    match file.persist_noclobber(&target) {
        Ok(_) => Ok(result),
        // It came meanwhile.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(taken().into()),
        Err(error) => Err(failed(path)(error.error).into()),
    }
}

/// Makes a new folder at `path`, filled by `content`: it appears whole or not at all, and takes the
/// place of an empty folder. Folders above it are made.
///
/// # Errors
///
/// [`FileError::FolderTaken`] if something else is there, [`FileError::Write`] if the system refuses;
/// whatever `content` returns.
pub(crate) fn write_folder<T>(
    path: &Path,
    content: impl FnOnce(&Path) -> Result<T, Error>,
) -> Result<T, Error> {
    check_folder(path)?;
    // Through links, and never `.` itself, which cannot be replaced.
    let target = if path.exists() { path.canonicalize().map_err(failed(path))? } else { path.to_owned() };
    std::fs::create_dir_all(folder_of(&target)).map_err(failed(path))?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    let temporary = builder.prefix(".dfm-").tempdir_in(folder_of(&target)).map_err(failed(path))?;
    let result = content(temporary.path())?;
    if target.exists() {
        std::fs::remove_dir(&target).map_err(failed(path))?;
    }
    std::fs::rename(temporary.path(), &target).map_err(failed(path))?;
    // There is nothing left at its old place.
    let _ = temporary.keep();
    Ok(result)
}

/// Refuses, before any work is done, a folder at `path` that already holds something.
pub(crate) fn check_folder(path: &Path) -> Result<(), FileError> {
    let found = match std::fs::read_dir(path).map(|mut entries| entries.next().is_none()) {
        Ok(true) => return Ok(()),
        Ok(false) => "a folder with something in it",
        Err(_) if path.symlink_metadata().is_err() => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => "something that is no folder",
        Err(_) => "something that cannot be listed",
    };
    Err(FileError::FolderTaken { path: path.to_owned(), found })
}

/// Makes the folder `path` and those above it, unless they are there.
pub(crate) fn make_folder(path: &Path) -> Result<(), FileError> {
    std::fs::create_dir_all(path).map_err(|cause| FileError::Folder { path: path.to_owned(), cause })
}

/// Writes the file of a new folder that nobody sees yet, and makes the folders above it.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let write = || {
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(path, bytes)
    };
    write().map_err(failed(path))
}

/// Refuses, before any work is done, a `path` that [`write_file`] could not write: one in a folder
/// that is not there or is closed to us, or one that is taken by something other than a file of this
/// `kind`.
///
/// # Errors
///
/// [`FileError`], with what was found.
pub fn check_file(path: &Path, kind: FileKind) -> Result<(), FileError> {
    let target = target(path)?;
    check_kind(path, &target, kind)?;
    temporary(folder_of(&target)).map_err(failed(path))?;
    Ok(())
}

/// Refuses a `target` that holds another kind of file.
fn check_kind(path: &Path, target: &Path, kind: FileKind) -> Result<(), FileError> {
    match kind.other_at(target) {
        Ok(None) => Ok(()),
        Ok(Some(found)) => Err(FileError::OtherKind { path: path.to_owned(), expected: kind.name(), found }),
        Err(cause) => Err(FileError::Unknown { path: path.to_owned(), expected: kind.name(), cause }),
    }
}

/// Fills a temporary file in `folder`, on its way to `path`.
fn filled<T>(
    path: &Path,
    folder: &Path,
    content: impl FnOnce(&mut dyn Write) -> Result<T, Error>,
) -> Result<(NamedTempFile, T), Error> {
    let mut file = temporary(folder).map_err(failed(path))?;
    let mut writer = BufWriter::new(&mut file);
    let result = content(&mut writer)
        .map_err(|error| Error::Write { path: path.to_owned(), cause: Box::new(error) })?;
    writer.flush().map_err(failed(path))?;
    drop(writer);
    Ok((file, result))
}

/// Makes a file in `folder` that is gone when it is dropped.
pub(crate) fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    // As any file that a program creates: what the umask leaves.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(".dfm-").tempfile_in(folder)
}

/// Renames a [`temporary`] file of the same folder to `path` once it is on the disk.
fn keep(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn failed(path: &Path) -> impl Fn(io::Error) -> FileError + use<'_> {
    move |cause| FileError::Write { path: path.to_owned(), cause }
}

/// The place to which `path` leads: itself, or where it is a link the file behind it.
pub(crate) fn target(path: &Path) -> Result<PathBuf, FileError> {
    let mut target = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(metadata) = target.symlink_metadata() else {
            // Nothing there yet; the folder decides.
            if folder_of(&target).is_dir() {
                return Ok(target);
            }
            return Err(FileError::NoFolder { path: path.to_owned(), folder: folder_of(&target).to_owned() });
        };
        if metadata.is_file() {
            return Ok(target);
        }
        if !metadata.is_symlink() {
            // Renaming a file to the place of a device would take the device away.
            let found = if metadata.is_dir() { "a folder" } else { "a device, a pipe or a socket" };
            return Err(FileError::NotAFile { path: path.to_owned(), found });
        }
        let link = std::fs::read_link(&target).map_err(failed(path))?;
        target = folder_of(&target).join(link);
    }
    Err(FileError::Circle { path: path.to_owned() })
}

/// The folder in which `path` lies.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const TEXT: FileKind = FileKind::new("a text", |head| head.is_ascii());

    fn put(path: &Path, text: &str) -> Result<(), Error> {
        check_file(path, TEXT)?;
        write_file(path, TEXT, |writer| Ok(writer.write_all(text.as_bytes())?))
    }

    #[test]
    fn another_kind_of_file_stays_also_behind_a_link_and_if_it_comes_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let [picture, link, late] = ["picture", "link", "late"].map(|name| folder.path().join(name));
        std::fs::write(&picture, b"\xff\xd8\xff").unwrap();
        symlink("picture", &link).unwrap();
        for path in [&picture, &link] {
            for error in [
                check_file(path, TEXT).unwrap_err(),
                match put(path, "new").unwrap_err() {
                    Error::File(error) => error,
                    other => panic!("{other}"),
                },
            ] {
                let said = error.to_string();
                assert!(said.contains(&path.display().to_string()), "{said}");
                assert!(said.contains("expected a text or nothing there, found a JPEG picture"), "{said}");
            }
        }
        let written = write_file(&late, TEXT, |writer| {
            std::fs::write(&late, b"\x89PNG\r\n\x1a\n").unwrap();
            Ok(writer.write_all(b"new")?)
        });
        assert!(written.unwrap_err().to_string().contains("found a PNG picture"));
        assert_eq!(std::fs::read(&picture).unwrap(), b"\xff\xd8\xff");
        assert_eq!(std::fs::read(&late).unwrap(), b"\x89PNG\r\n\x1a\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "something is left behind");
    }

    #[test]
    fn a_link_stays_and_what_it_points_to_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("inside")).unwrap();
        std::fs::write(at("inside/old"), "old").unwrap();
        symlink("inside/old", at("one")).unwrap();
        symlink(at("one"), at("two")).unwrap();
        symlink("inside/new", at("loose")).unwrap();
        put(&at("two"), "new").unwrap();
        put(&at("loose"), "first").unwrap();
        for (link, file, text) in [("one", "inside/old", "new"), ("loose", "inside/new", "first")] {
            assert!(at(link).is_symlink());
            assert_eq!(std::fs::read_to_string(at(file)).unwrap(), text);
        }
        symlink("round", at("circle")).unwrap();
        symlink("circle", at("round")).unwrap();
        assert!(put(&at("circle"), "").unwrap_err().to_string().contains("in a circle"));
        assert_eq!(std::fs::read_dir(at("inside")).unwrap().count(), 2, "something is left behind");
    }

    #[test]
    fn a_pipe_is_refused_and_stays() {
        use std::os::unix::fs::FileTypeExt;
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let error = write_file(&pipe, TEXT, |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("found a device, a pipe or a socket"), "{error}");
        assert!(pipe.symlink_metadata().unwrap().file_type().is_fifo());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
