//! One writer a model: what changes a model file holds a lock from reading the old one to having
//! written the new one.
//!
//! A model is replaced by renaming, so a lock on its own file would be on the old one. The lock is on
//! an empty hidden file beside it, `.NAME.lock`. The system takes a lock away with the process that
//! holds it, so a file that a crash leaves blocks nobody.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::FileError;
use crate::files::{folder_of, target};
use crate::note::Note;
use crate::observer::Reporter;

/// The right to write one file, until it is dropped.
#[derive(Debug)]
pub(crate) struct WriteLock {
    path: PathBuf,
    file: Option<File>,
}

impl WriteLock {
    /// Takes the lock of the file at `path`, which need not be there yet. While another has it, waits;
    /// that is told. Where the file system has no locks, that is told, and there is none.
    ///
    /// # Errors
    ///
    /// If nothing can be made beside the file.
    pub(crate) fn of(path: &Path, reporter: &Reporter<'_>) -> Result<Self, FileError> {
        let failed = |cause| FileError::Lock { path: path.to_owned(), cause };
        // However the path is spelt, and through whatever links.
        let target = target(path)?;
        let folder = folder_of(&target).canonicalize().map_err(failed)?;
        let mut name = OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(".lock");
        let beside = folder.join(name);
        let mut told = false;
        loop {
            let file = open(&beside).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    if !told {
                        reporter.note(Note::Waiting { path: path.to_owned() });
                        told = true;
                    }
                    match file.lock() {
                        Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                            return Err(failed(error));
                        }
                        Err(_) => continue,
                        Ok(()) => {}
                    }
                }
                Err(TryLockError::Error(error)) => {
                    reporter.note(Note::NotLocked { path: path.to_owned(), reason: error.to_string() });
                    let _ = std::fs::remove_file(&beside);
                    return Ok(Self { path: beside, file: None });
                }
            }
            // Whoever had it has taken its file away: ours is no longer the one that others find.
            if is_at(&file, &beside) {
                return Ok(Self { path: beside, file: Some(file) });
            }
        }
    }
}

impl Drop for WriteLock {
    fn drop(&mut self) {
        let Some(file) = self.file.take() else { return };
        if cfg!(unix) {
            // While it is locked: who waits for it looks whether it is still there.
            let _ = std::fs::remove_file(&self.path);
            drop(file);
        } else {
            // Fails while another has it open, who then takes it away.
            drop(file);
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt;
        // Readers and writers, but nobody may delete it while it is open.
        options.share_mode(0x1 | 0x2);
    }
    match options.open(path) {
        // Left by another user: a lock takes no more than reading.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => File::open(path).map_err(|_| error),
        other => other,
    }
}

/// Whether `path` leads to this very file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), path.metadata()) {
        (Ok(own), Ok(there)) => place(own) == place(there),
        _ => false,
    }
}

/// Nobody can delete a file that is open.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::observer::{Observer, Silent};

    #[derive(Default)]
    struct Notes(Mutex<Vec<String>>);

    impl Observer for Notes {
        fn note(&self, note: &Note) {
            self.0.lock().unwrap().push(note.to_string());
        }
    }

    #[test]
    fn one_at_a_time_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.dfm");
        // As a crash leaves it.
        std::fs::write(folder.path().join(".m.dfm.lock"), b"").unwrap();
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _lock = WriteLock::of(&path, &Reporter::new(&Silent)).unwrap();
                        most.fetch_max(1 + inside.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 1);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn who_waits_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.dfm");
        let first = WriteLock::of(&path, &Reporter::new(&Silent)).unwrap();
        let notes = Notes::default();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| WriteLock::of(&path, &Reporter::new(&notes)).map(drop));
            while notes.0.lock().unwrap().is_empty() {
                std::thread::yield_now();
            }
            assert!(!second.is_finished());
            drop(first);
            second.join().unwrap().unwrap();
        });
        let said = notes.0.into_inner().unwrap();
        assert!(said.len() == 1 && said[0].contains("m.dfm") && said[0].contains("wait"), "{said:?}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_and_what_it_points_to_have_one_lock() {
        let folder = tempfile::tempdir().unwrap();
        let [real, link] = ["m.dfm", "link.dfm"].map(|name| folder.path().join(name));
        std::os::unix::fs::symlink("m.dfm", &link).unwrap();
        let locks =
            [&real, &link].map(|path| WriteLock::of(path, &Reporter::new(&Silent)).unwrap().path.clone());
        assert_eq!(locks[0], locks[1]);
    }
}
