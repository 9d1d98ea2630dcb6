//! The one way in which this program writes files: whole, or not at all.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tempfile::NamedTempFile;

/// Links that lead to links that lead to links: more is a circle.
const MOST_LINKS: usize = 40;

/// Writes `path` by `content`, into a temporary file in the same folder that is
/// renamed once everything is on the disk. What was there before stays until
/// then, and whatever fails leaves nothing behind. Where `path` is a link, it stays
/// one, and what it points to is written.
pub(crate) fn write<T>(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<&mut NamedTempFile>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let failed = || format!("cannot write {}", path.display());
    let target = target(path)?;
    let (file, result) = filled(folder_of(&target), content).with_context(failed)?;
    keep(file, &target).with_context(failed)?;
    Ok(result)
}

/// [`write`], unless there is something at `path`: that stays, and is an error.
pub(crate) fn create<T>(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<&mut NamedTempFile>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let taken = || {
        format!("{}: expected nothing there, found something; --force writes in its place", path.display())
    };
    if path.symlink_metadata().is_ok() {
        bail!(taken());
    }
    let failed = || format!("cannot write {}", path.display());
    let target = target(path)?;
    let (file, result) = filled(folder_of(&target), content).with_context(failed)?;
    file.as_file().sync_all().with_context(failed)?;
    match file.persist_noclobber(&target) {
        Ok(_) => Ok(result),
        // It came meanwhile.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => bail!(taken()),
        Err(error) => Err(error.error).with_context(failed),
    }
}

/// A new folder at `path`, filled by `content`: it appears whole or not at all, in place of an
/// empty one if that is there. Folders above it are made.
pub(crate) fn folder<T>(path: &Path, content: impl FnOnce(&Path) -> anyhow::Result<T>) -> anyhow::Result<T> {
    check_folder(path)?;
    let failed = || format!("cannot write the folder {}", path.display());
    // Through links, and never `.` itself, which cannot be replaced.
    let target = if path.exists() { path.canonicalize().with_context(failed)? } else { path.to_owned() };
    std::fs::create_dir_all(folder_of(&target)).with_context(failed)?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    let temporary = builder.prefix(".dfm-").tempdir_in(folder_of(&target)).with_context(failed)?;
    let result = content(temporary.path())?;
    if target.exists() {
        std::fs::remove_dir(&target).with_context(failed)?;
    }
    std::fs::rename(temporary.path(), &target).with_context(failed)?;
    // There is nothing left at its old place.
    let _ = temporary.keep();
    Ok(result)
}

/// Refuses, before any work is done, a `path` that [`folder`] would not write.
pub(crate) fn check_folder(path: &Path) -> anyhow::Result<()> {
    let found = match std::fs::read_dir(path).map(|mut entries| entries.next().is_none()) {
        Ok(true) => return Ok(()),
        Ok(false) => "a folder with something in it",
        Err(_) if path.symlink_metadata().is_err() => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => "something that is no folder",
        Err(_) => "something that cannot be listed",
    };
    bail!(
        "{}: expected an empty folder or nothing there, found {found}; choose another place",
        path.display()
    );
}

/// A temporary file in `folder` with `content`.
fn filled<T>(
    folder: &Path,
    content: impl FnOnce(&mut BufWriter<&mut NamedTempFile>) -> anyhow::Result<T>,
) -> anyhow::Result<(NamedTempFile, T)> {
    let mut file = temporary(folder)?;
    let mut writer = BufWriter::new(&mut file);
    let result = content(&mut writer)?;
    writer.flush()?;
    drop(writer);
    Ok((file, result))
}

/// A file in `folder` that is gone when it is dropped.
pub(crate) fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    // As any file that a program creates: what the umask leaves.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(".dfm-").tempfile_in(folder)
}

/// Renames a [`temporary`] file of the same folder to `path` once it is on the disk.
pub(crate) fn keep(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Refuses, before any work is done, a `path` that [`write`] could not write: one in
/// a folder that is not there or is closed to us, or one that is taken by something
/// other than a file.
pub(crate) fn check(path: &Path) -> anyhow::Result<()> {
    let target = target(path)?;
    temporary(folder_of(&target)).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

/// Where `path` leads: itself, or what it is a link to.
fn target(path: &Path) -> anyhow::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(metadata) = target.symlink_metadata() else {
            // Nothing there yet; the folder decides.
            if folder_of(&target).is_dir() {
                return Ok(target);
            }
            bail!(
                "cannot write {}: expected a folder at {}, found none; create it or choose another place",
                path.display(),
                folder_of(&target).display()
            );
        };
        if metadata.is_file() {
            return Ok(target);
        }
        if !metadata.is_symlink() {
            // Renaming a file to the place of a device would take the device away.
            let found = if metadata.is_dir() { "a folder" } else { "a device, a pipe or a socket" };
            bail!("cannot write {}: expected a file or nothing there, found {found}", path.display());
        }
        let link =
            std::fs::read_link(&target).with_context(|| format!("cannot read {}", target.display()))?;
        target = folder_of(&target).join(link);
    }
    bail!("cannot write {}: its links lead in a circle", path.display())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn put(path: &Path, text: &str) -> anyhow::Result<()> {
        check(path)?;
        write(path, |writer| Ok(writer.write_all(text.as_bytes())?))
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
        let error = write(&pipe, |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("found a device, a pipe or a socket"), "{error}");
        assert!(pipe.symlink_metadata().unwrap().file_type().is_fifo());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
