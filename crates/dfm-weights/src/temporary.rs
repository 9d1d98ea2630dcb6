//! Files that appear whole or not at all.

use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// Makes a file in `folder` that is gone when it is dropped.
pub(crate) fn create(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    // The permissions of any file that a program creates: what the umask leaves.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(".dfm-").tempfile_in(folder)
}

/// Makes a file beside `path` that holds `content`, safely on the disk.
pub(crate) fn beside(path: &Path, content: &[u8]) -> io::Result<NamedTempFile> {
    let folder = path.parent().ok_or(io::ErrorKind::NotFound)?;
    let mut file = create(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}
