//! `MODEL.partial`: what a fit has learnt, kept beside its model until that is written, so
//! that an interrupted fit can go on.
//!
//! Every picture's features are handed to the system as soon as they are there. What kills
//! the program then costs the pictures that were in the network, and no handler of signals
//! is needed.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use dfm_core::{CheckpointLayout, FeatureExtractor, FeatureRow};
use tracing::{debug, info};

use crate::atomic;
use crate::messages::Messages;

/// What was learnt in less is learnt again sooner than somebody reads of it.
const MOMENT: Duration = Duration::from_secs(5);

/// The checkpoint of one fit.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    path: PathBuf,
    resume: bool,
    /// Once it is known what features come from; never where it cannot be written.
    log: OnceLock<Log>,
}

#[derive(Debug)]
struct Log {
    layout: CheckpointLayout,
    /// Where the record of a file begins, by its SHA-256.
    records: HashMap<[u8; 32], u64>,
    opened: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// Behind the last whole record.
    end: u64,
    /// Writing failed, and was reported.
    broken: bool,
}

impl Checkpoint {
    /// Of a fit whose model will be at `output`.
    ///
    /// # Errors
    ///
    /// If there is one that should not be resumed.
    pub(crate) fn beside(output: &Path, resume: bool, messages: &Messages) -> anyhow::Result<Self> {
        let mut name = output.as_os_str().to_owned();
        name.push(".partial");
        let path = PathBuf::from(name);
        match (path.symlink_metadata().is_ok(), resume) {
            (true, false) => bail!(taken(&path)),
            (false, true) => {
                messages.note(format_args!("{}: not there, so the fit begins anew", path.display()));
            }
            (true, true) | (false, false) => {}
        }
        Ok(Self { path, resume, log: OnceLock::new() })
    }

    /// Goes on with what is there, for features of `extractor` that come in batches of
    /// `batch`, or begins. A place that cannot be written is a note: the fit does without.
    ///
    /// # Errors
    ///
    /// If what is there cannot be gone on with. It is left as it is.
    pub(crate) fn open(
        &self,
        extractor: &FeatureExtractor,
        batch: usize,
        messages: &Messages,
    ) -> anyhow::Result<()> {
        let layout = CheckpointLayout::of(extractor);
        let log = match self.resume && self.path.symlink_metadata().is_ok() {
            true => Log::resume(&self.path, layout, batch, messages)
                .with_context(|| self.path.display().to_string())?,
            false => match create(&self.path, layout.header()) {
                Ok(file) => Log::new(layout, file, &[]),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => bail!(taken(&self.path)),
                Err(error) => {
                    note_broken(&self.path, &error, messages);
                    return Ok(());
                }
            },
        };
        // There is but one fit that opens it.
        let _ = self.log.set(log);
        Ok(())
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
        // Where it cannot be read after all, the picture still can.
        let (found, row) = log.layout.parse(&read().ok()?)?;
        (found == *file).then_some(row)
    }

    /// Keeps the features of the picture in that file, unless they are there.
    pub(crate) fn keep(&self, file: &[u8; 32], row: &FeatureRow, messages: &Messages) {
        let Some(log) = self.log.get() else { return };
        if log.records.contains_key(file) {
            return;
        }
        let record = log.layout.record(file, row);
        let mut state = log.state();
        if state.broken {
            return;
        }
        let end = state.end;
        let written = state.file.seek(SeekFrom::Start(end)).and_then(|_| state.file.write_all(&record));
        match written {
            Ok(()) => state.end += record.len() as u64,
            Err(error) => {
                state.broken = true;
                note_broken(&self.path, &error, messages);
            }
        }
    }

    /// After a fit that failed by itself: says what is left, unless that is the work of a
    /// moment and goes.
    pub(crate) fn leave(&self, messages: &Messages) {
        let Some(log) = self.log.get() else { return };
        let pictures = (log.state().end - log.layout.offset(0)) / log.layout.record_len() as u64;
        if pictures == 0 || log.records.is_empty() && log.opened.elapsed() < MOMENT {
            return self.remove(messages);
        }
        messages.note(format_args!(
            "{}: holds the features of {pictures} pictures for --resume, also with other settings of what is made \
             of them",
            self.path.display()
        ));
    }

    /// After a fit that ended well.
    pub(crate) fn remove(&self, messages: &Messages) {
        if self.log.get().is_some()
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            messages.note(format_args!("{}: no longer needed, but: {error}", self.path.display()));
        }
    }
}

impl Log {
    fn new(layout: CheckpointLayout, file: File, files: &[[u8; 32]]) -> Self {
        let end = layout.offset(files.len());
        let places = files.iter().enumerate().map(|(place, file)| (*file, layout.offset(place)));
        let state = Mutex::new(State { file, end, broken: false });
        Self { records: places.collect(), layout, opened: Instant::now(), state }
    }

    fn resume(
        path: &Path,
        layout: CheckpointLayout,
        batch: usize,
        messages: &Messages,
    ) -> anyhow::Result<Self> {
        if !path.metadata()?.is_file() {
            bail!(
                "expected a checkpoint or nothing there, found something that is no file; move it elsewhere"
            );
        }
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        // Not every file system can lock; where it cannot, we believe that we are alone.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            bail!("another fit is writing it: wait for that, or choose another output");
        }
        let content = layout.read(&mut BufReader::new(&file))?;
        // Where features could depend on the batch, batches are then as they would have been.
        let whole = content.files.len() / batch * batch;
        let log = Self::new(layout, file, &content.files[..whole]);
        {
            let state = log.state();
            state.file.set_len(state.end)?;
        }
        debug!("{}: {} bytes of a record that was being written", path.display(), content.torn);
        messages.note(format_args!("{}: {whole} pictures are learnt already", path.display()));
        Ok(log)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic leaves is found by the records' hashes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new file with the whole header, which no other fit will take.
fn create(path: &Path, header: &[u8]) -> io::Result<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = atomic::temporary(folder)?;
    let _ = file.as_file().try_lock();
    file.write_all(header)?;
    info!("{}: keeps what is learnt until the model is written", path.display());
    Ok(file.persist_noclobber(path)?)
}

fn taken(path: &Path) -> String {
    format!(
        "{}: a fit to this output has not ended: give --resume to go on with it, or delete the file to start over",
        path.display()
    )
}

fn note_broken(path: &Path, error: &io::Error, messages: &Messages) {
    messages.note(format_args!(
        "{}: {error}; the fit goes on, but if it is interrupted, what it learns from here on is lost",
        path.display()
    ));
}
