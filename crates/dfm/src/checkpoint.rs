//! `MODEL.partial`: what a fit has learnt, kept beside its model until that is written, so
//! that an interrupted fit can go on.
//!
//! Every picture's features are handed to the system as soon as they are there. What kills
//! the program then costs the pictures that were in the network, and no handler of signals
//! is needed.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use dfm_core::{CheckpointError, CheckpointLayout, FeatureExtractor, FeatureRow};
use sha2::{Digest, Sha256};
use tracing::{debug, info};

use crate::checkpoint_error::CheckpointFileError;
use crate::error::{At, Error};
use crate::files::{folder_of, temporary};
use crate::note::Note;
use crate::observer::{Observer, Reporter};
use crate::source::{Content, Source};

/// A fit that failed within this time leaves no checkpoint: learning again takes less time than reading
/// a message about it.
const MOMENT: Duration = Duration::from_secs(5);

/// What a fit has learnt so far, as a file beside its model, so that an interrupted fit can go on.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    resume: bool,
    /// Set once it is known where features come from. Never set if the file cannot be written.
    log: OnceLock<Log>,
}

#[derive(Debug)]
struct Log {
    layout: CheckpointLayout,
    /// Values that this fit takes of each record.
    columns: usize,
    /// Where the record of a file begins, by its SHA-256.
    records: HashMap<[u8; 32], u64>,
    opened: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// The end of the last whole record, in bytes from the start.
    end: u64,
    /// Whose features this fit has taken from here or worked out itself.
    used: HashSet<[u8; 32]>,
    /// The last records that were there, of a batch that was not whole: whose they are, and their bytes.
    cut: (Vec<[u8; 32]>, Vec<u8>),
    /// Writing failed, and was reported.
    broken: bool,
}

impl Checkpoint {
    /// The checkpoint of a fit whose model will be at `output`. With `resume`, the fit goes on from
    /// what is there; the observer hears if nothing is.
    ///
    /// # Errors
    ///
    /// [`CheckpointFileError::Taken`] if there is one that should not be resumed.
    pub fn beside(output: &Path, resume: bool, observer: &dyn Observer) -> Result<Self, Error> {
        let mut name = output.as_os_str().to_owned();
        name.push(".partial");
        let path = PathBuf::from(name);
        match (path.symlink_metadata().is_ok(), resume) {
            (true, false) => return Err(CheckpointFileError::Taken { path }.into()),
            (false, true) => observer.note(&Note::NoCheckpoint { path: path.clone() }),
            (true, true) | (false, false) => {}
        }
        Ok(Self { path, resume, log: OnceLock::new() })
    }

    /// Goes on with what is there, for features of `extractor` that come in batches of `batch`, or
    /// begins a new checkpoint. If the file cannot be written, the observer hears it, and the fit does
    /// without a checkpoint. `pictures` gives the keys of the pictures of
    /// this fit, one for each. They are read until one of them is in the checkpoint.
    ///
    /// # Errors
    ///
    /// If the fit cannot go on with what is there. The file is then left as it is.
    pub(crate) fn open(
        &self,
        extractor: &FeatureExtractor,
        batch: usize,
        pictures: &mut dyn Iterator<Item = Option<[u8; 32]>>,
        reporter: &Reporter<'_>,
    ) -> Result<(), Error> {
        let layout = CheckpointLayout::of(extractor);
        let mut log = match self.resume && self.path.symlink_metadata().is_ok() {
            true => self.go_on(layout, extractor, batch, pictures, reporter).at(&self.path)?,
            false => match create(&self.path, layout.header()) {
                Ok(file) => Log::new(layout, file, &[]),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(CheckpointFileError::Taken { path: self.path.clone() }.into());
                }
                Err(error) => {
                    note_broken(&self.path, &error, reporter);
                    return Ok(());
                }
            },
        };
        log.columns = extractor.row_len() + extractor.detail_len();
        // Only one fit opens this checkpoint.
        let _ = self.log.set(log);
        Ok(())
    }

    /// Goes on with what is there. A fit that takes no details also reads what one that takes them left.
    fn go_on(
        &self,
        layout: CheckpointLayout,
        extractor: &FeatureExtractor,
        batch: usize,
        pictures: &mut dyn Iterator<Item = Option<[u8; 32]>>,
        reporter: &Reporter<'_>,
    ) -> Result<Log, CheckpointFileError> {
        let other = match extractor.takes_details() {
            true => None,
            false => CheckpointLayout::with_details(extractor).ok(),
        };
        match (Log::resume(&self.path, layout, batch, pictures, reporter), other) {
            (
                Err(error @ CheckpointFileError::Content(CheckpointError::OtherFeatures { .. })),
                Some(other),
            ) => {
                // What differs is told as without details.
                Log::resume(&self.path, other, batch, pictures, reporter).map_err(|second| match second {
                    CheckpointFileError::Content(CheckpointError::OtherFeatures { .. }) => error,
                    second => second,
                })
            }
            (found, _) => found,
        }
    }

    /// The features of the picture in a file with this SHA-256, if they are there.
    pub(crate) fn row(&self, file: &[u8; 32]) -> Option<FeatureRow> {
        let log = self.log.get()?;
        let at = *log.records.get(file)?;
        let read = || -> io::Result<Vec<u8>> {
            let mut record = vec![0; log.layout.record_len()];
            let mut state = log.state();
            state.file.seek(SeekFrom::Start(at))?;
            state.file.read_exact(&mut record)?;
            Ok(record)
        };
        // If the record cannot be read, the picture still can.
        let (found, mut row) = log.layout.parse(&read().ok()?)?;
        row.values.truncate(log.columns);
        log.state().used.insert(*file);
        (found == *file).then_some(row)
    }

    /// Keeps the features of the picture in that file, unless they are there.
    pub(crate) fn keep(&self, file: &[u8; 32], row: &FeatureRow, reporter: &Reporter<'_>) {
        let Some(log) = self.log.get() else { return };
        let mut state = log.state();
        state.used.insert(*file);
        if log.records.contains_key(file) || !log.grows() {
            return;
        }
        let record = log.layout.record(file, row);
        if state.broken {
            return;
        }
        let end = state.end;
        let written = state.file.seek(SeekFrom::Start(end)).and_then(|_| state.file.write_all(&record));
        match written {
            Ok(()) => state.end += record.len() as u64,
            Err(error) => {
                state.broken = true;
                note_broken(&self.path, &error, reporter);
            }
        }
    }

    /// Is called after a fit that failed by itself. Says that the checkpoint stays, or removes it if it
    /// holds the work of a moment.
    pub(crate) fn leave(&self, reporter: &Reporter<'_>) {
        let Some(log) = self.log.get() else { return };
        if !log.grows() {
            // What a fit without details had to cut, it did not add again.
            let _ = log.restore();
        }
        let pictures = (log.state().end - log.layout.offset(0)) / log.layout.record_len() as u64;
        if pictures == 0 || log.records.is_empty() && log.opened.elapsed() < MOMENT {
            return self.remove(reporter);
        }
        reporter.note(Note::CheckpointLeft { path: self.path.clone(), pictures });
    }

    /// Is called after a fit that ended well. Removes the checkpoint. If it also holds what another fit
    /// has learnt, it is kept under another name.
    pub(crate) fn remove(&self, reporter: &Reporter<'_>) {
        let Some(log) = self.log.get() else { return };
        let others = log.others();
        let removed = match others {
            0 => std::fs::remove_file(&self.path),
            others => log.restore().and_then(|()| self.keep_aside()).map(|aside| {
                reporter.note(Note::CheckpointKept { path: self.path.clone(), aside, others });
            }),
        };
        if let Err(error) = removed {
            reporter.note(Note::CheckpointStays { path: self.path.clone(), reason: error.to_string() });
        }
    }

    /// Renames the file to the first free `….other-N`.
    fn keep_aside(&self) -> io::Result<PathBuf> {
        let named = |number: u32| {
            let mut name = self.path.as_os_str().to_owned();
            name.push(format!(".other-{number}"));
            PathBuf::from(name)
        };
        let free = (1..).map(named).find(|path| path.symlink_metadata().is_err());
        let aside = free.ok_or(io::ErrorKind::AlreadyExists)?;
        std::fs::rename(&self.path, &aside)?;
        Ok(aside)
    }
}

impl Log {
    fn new(layout: CheckpointLayout, file: File, files: &[[u8; 32]]) -> Self {
        let end = layout.offset(files.len());
        let places = files.iter().enumerate().map(|(place, file)| (*file, layout.offset(place)));
        let state =
            Mutex::new(State { file, end, used: HashSet::new(), cut: Default::default(), broken: false });
        Self { records: places.collect(), layout, columns: usize::MAX, opened: Instant::now(), state }
    }

    fn resume(
        path: &Path,
        layout: CheckpointLayout,
        batch: usize,
        pictures: &mut dyn Iterator<Item = Option<[u8; 32]>>,
        reporter: &Reporter<'_>,
    ) -> Result<Self, CheckpointFileError> {
        if !path.metadata()?.is_file() {
            return Err(CheckpointFileError::NotAFile);
        }
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        // Not every file system can lock; where it cannot, we believe that we are alone.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(CheckpointFileError::InUse);
        }
        let content = layout.read(&mut BufReader::new(&file))?;
        let known: HashSet<[u8; 32]> = content.files.iter().copied().collect();
        let mut asked = 0;
        let is_known = |key: Option<[u8; 32]>| {
            asked += 1;
            key.is_some_and(|key| known.contains(&key))
        };
        let mut pictures = pictures;
        if !known.is_empty() && !Iterator::any(&mut pictures, is_known) {
            return Err(CheckpointFileError::OtherPictures { found: known.len(), pictures: asked });
        }
        // Only whole batches are kept. Later batches are then those of a fit without interruption, in
        // case features depend on the batch.
        let whole = content.files.len() / batch * batch;
        let log = Self::new(layout, file, &content.files[..whole]);
        {
            let mut state = log.state();
            let end = state.end;
            let mut bytes = vec![0; (content.files.len() - whole) * log.layout.record_len()];
            state.file.seek(SeekFrom::Start(end))?;
            state.file.read_exact(&mut bytes)?;
            state.cut = (content.files[whole..].to_vec(), bytes);
            state.file.set_len(end)?;
        }
        debug!("{}: {} bytes of a record that was being written", path.display(), content.torn);
        reporter.note(Note::Resumed { path: path.to_owned(), pictures: whole });
        Ok(log)
    }

    /// How many records were there of pictures that are not in this fit.
    fn others(&self) -> usize {
        let state = self.state();
        let there = self.records.keys().chain(&state.cut.0);
        there.filter(|file| !state.used.contains(*file)).count()
    }

    /// Puts the records back that were cut.
    fn restore(&self) -> io::Result<()> {
        let mut state = self.state();
        let (end, (_, bytes)) = (state.end, std::mem::take(&mut state.cut));
        state.file.seek(SeekFrom::Start(end))?;
        state.file.write_all(&bytes)?;
        state.end += bytes.len() as u64;
        Ok(())
    }

    /// Whether this fit adds records: not to a checkpoint with details that it does not have.
    fn grows(&self) -> bool {
        self.columns >= self.layout.columns()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic leaves is found by the records' hashes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of the first piece of each picture of `source`; reads a picture when it is asked for.
pub(crate) fn first_keys(
    source: &dyn Source,
    makes_tiles: bool,
) -> impl Iterator<Item = Option<[u8; 32]>> + use<'_> {
    (0..source.count()).map(move |index| match source.read(index).ok()? {
        Content::Encoded(bytes) => {
            let file: [u8; 32] = Sha256::digest(bytes).into();
            Some(if makes_tiles { tile_key(&file, 0) } else { file })
        }
        Content::Decoded(_) => None,
    })
}

/// The key of a tile of the picture in a file with this SHA-256, by its number.
pub(crate) fn tile_key(file: &[u8; 32], number: u64) -> [u8; 32] {
    Sha256::new().chain_update(file).chain_update(number.to_le_bytes()).finalize().into()
}

/// A new file with the whole header, which no other fit will take.
fn create(path: &Path, header: &[u8]) -> io::Result<File> {
    let mut file = temporary(folder_of(path))?;
    let _ = file.as_file().try_lock();
    file.write_all(header)?;
    info!("{}: keeps what is learnt until the model is written", path.display());
    Ok(file.persist_noclobber(path)?)
}

fn note_broken(path: &Path, error: &io::Error, reporter: &Reporter<'_>) {
    reporter.note(Note::CheckpointBroken { path: path.to_owned(), reason: error.to_string() });
}
