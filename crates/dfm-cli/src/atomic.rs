//! The one way in which this program writes files: whole, or not at all.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use tempfile::NamedTempFile;

/// Writes `path` by `content`, into a temporary file in the same folder that is
/// renamed once everything is on the disk. What was there before stays until
/// then, and whatever fails leaves nothing behind.
pub(crate) fn write<T>(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<&mut NamedTempFile>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let failed = || format!("cannot write {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        anyhow::bail!(
            "cannot write {}: expected a folder at {}, found none; create it or choose another place",
            path.display(),
            folder.display()
        );
    }
    let mut file = temporary(folder).with_context(failed)?;
    let mut writer = BufWriter::new(&mut file);
    let result = content(&mut writer).with_context(failed)?;
    writer.flush().with_context(failed)?;
    drop(writer);
    keep(file, path).with_context(failed)?;
    Ok(result)
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
