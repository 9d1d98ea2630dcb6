//! Lists of paths, as other programs write them.

use std::io::{self, Read};
use std::path::PathBuf;

/// The most bytes of a list.
const MAX_BYTES: u64 = 1 << 30;

/// Reads paths: one a line, or one before each NUL byte if there is any, as `find -print0` writes
/// them. Empty lines are skipped, and nothing else: a path may hold any other byte.
///
/// # Errors
///
/// If `list` cannot be read, or is longer than a gibibyte.
pub fn path_list(list: impl Read) -> io::Result<Vec<PathBuf>> {
    let mut bytes = Vec::new();
    list.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        let words = format!("expected a list of at most {MAX_BYTES} bytes, found more");
        return Err(io::Error::new(io::ErrorKind::InvalidData, words));
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let has_nul = bytes.contains(&0);
    let parts = bytes.split(|byte| *byte == if has_nul { 0 } else { b'\n' });
    let without_return = |part: &'_ [u8]| match part {
        [line @ .., b'\r'] if !has_nul => line.to_vec(),
        part => part.to_vec(),
    };
    Ok(parts.map(without_return).filter(|part| !part.is_empty()).map(path_of).collect())
}

#[cfg(unix)]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_lines_or_end_with_nul() {
        let paths = |bytes: &[u8]| path_list(bytes).unwrap();
        let expected = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(paths(b"a.png\n\n b.png\r\nc d.png"), expected(&["a.png", " b.png", "c d.png"]));
        assert_eq!(paths(b"a\nb.png\0c.png\0"), expected(&["a\nb.png", "c.png"]));
        assert_eq!(paths("\u{feff}ü.png\n".as_bytes()), expected(&["ü.png"]));
        assert!(paths(b"").is_empty() && paths(b"\n\0\n").len() == 2);
    }
}
