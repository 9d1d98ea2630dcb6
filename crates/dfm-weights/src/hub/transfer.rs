//! A large file on its way: it goes on where it ended, and appears whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::path::Path;

use ureq::http::{StatusCode, header};

use super::address::Address;
use super::client::{Answer, Client, text};
use super::error::HubError;
use crate::download::MAX_BYTES;
use crate::hash::{FileHash, Hashed};
use crate::http::{self, End};

/// How often a connection that brought something is taken up again.
const MOST_CONNECTIONS: u32 = 8;

/// A file that is wanted.
pub(super) struct Wanted<'a> {
    /// Where the hub has it.
    pub(super) address: Address,
    /// Its SHA-256.
    pub(super) sha256: &'a FileHash,
    /// Its size in bytes, if the hub states it.
    pub(super) size: Option<u64>,
}

/// Fetches the file to `part`, from where an earlier try ended, and checks its SHA-256. What came stays in
/// `part` if the connection ends, and is deleted if it is not the file. Only one process may do so at a time.
pub(super) fn fetch(
    client: &Client<'_>,
    wanted: &Wanted<'_>,
    part: &Path,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<(), HubError> {
    let url = wanted.address.shown();
    if let Some(got) = wanted.size.filter(|size| *size > MAX_BYTES) {
        return Err(HubError::TooLarge { url, limit: MAX_BYTES, got });
    }
    let mut partial = Partial::open(part, wanted.size)?;
    let mut connections = 0;
    loop {
        let before = partial.length();
        let ended = match wanted.size == Some(before) {
            true => Ended::Whole,
            false => receive(client, wanted, &mut partial, progress)?,
        };
        connections += 1;
        match ended {
            Ended::Whole => break,
            _ if partial.length() > before && connections < MOST_CONNECTIONS => {}
            Ended::Early { expected } => {
                return Err(HubError::CutShort { url, expected, got: partial.length(), kept: true });
            }
            Ended::Silent => {
                let patience = client.options.patience;
                return Err(HubError::Stalled { url, got: partial.length(), kept: true, patience });
            }
        }
    }
    let (file, got) = partial.hashed.finish();
    if got != *wanted.sha256 {
        // If that fails, the next try finds it by its hash.
        let _ = file.set_len(0).and_then(|()| std::fs::remove_file(part));
        return Err(HubError::Checksum { url, expected: wanted.sha256.clone(), got });
    }
    file.sync_all().map_err(|cause| HubError::Store { path: part.to_owned(), cause })
}

/// How a connection ended.
enum Ended {
    /// The file is whole.
    Whole,
    /// The server or the line ended it.
    Early {
        /// The bytes of the whole file.
        expected: u64,
    },
    /// Nothing came for too long.
    Silent,
}

/// Appends what one connection brings.
fn receive(
    client: &Client<'_>,
    wanted: &Wanted<'_>,
    partial: &mut Partial<'_>,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<Ended, HubError> {
    let mut answer = client.get(&wanted.address, partial.length())?;
    if answer.response.status() != StatusCode::PARTIAL_CONTENT || begins_at(&answer) != Some(partial.length())
    {
        if partial.length() > 0 && answer.response.status() != StatusCode::OK {
            // The rest cannot be had from there: the file is asked for as a whole.
            answer = client.get(&wanted.address, 0)?;
        }
        partial.clear()?;
    }
    let Answer { response, url } = answer;
    let announced = response.body().content_length().map(|rest| partial.length().saturating_add(rest));
    if let (Some(expected), Some(got)) = (wanted.size, announced.filter(|got| Some(*got) != wanted.size)) {
        return Err(HubError::Size { url, expected, got });
    }
    let total = wanted.size.or(announced);
    if let Some(got) = total.filter(|total| *total > MAX_BYTES) {
        return Err(HubError::TooLarge { url, limit: MAX_BYTES, got });
    }
    let limit = total.unwrap_or(MAX_BYTES);
    let body = response.into_body().into_reader();
    let ended = http::receive(body, &mut partial.hashed, limit, |got| progress(got, total));
    let ended = ended.map_err(|cause| partial.failed(cause))?;
    let got = partial.length();
    match ended {
        End::Ended if total.is_none_or(|total| got == total) => Ok(Ended::Whole),
        End::Ended | End::Broken(_) => Ok(Ended::Early { expected: total.unwrap_or(got) }),
        End::Silent => Ok(Ended::Silent),
        End::TooLong { got } => {
            partial.delete();
            Err(HubError::TooLarge { url, limit, got })
        }
    }
}

/// The byte of the file at which a part begins.
fn begins_at(answer: &Answer) -> Option<u64> {
    let range = text(answer.response.headers(), header::CONTENT_RANGE.as_str())?;
    range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

/// The part of a file that is here, with its hash.
struct Partial<'a> {
    path: &'a Path,
    hashed: Hashed<File>,
}

impl<'a> Partial<'a> {
    /// Opens what an earlier try left.
    fn open(path: &'a Path, size: Option<u64>) -> Result<Self, HubError> {
        let failed = |cause| HubError::Store { path: path.to_owned(), cause };
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut partial = Self { path, hashed: Hashed::new(file) };
        if length > size.unwrap_or(MAX_BYTES) {
            partial.clear()?;
        }
        partial.hashed.read_all().map_err(failed)?;
        Ok(partial)
    }

    /// The bytes that are here.
    fn length(&self) -> u64 {
        self.hashed.length()
    }

    fn failed(&self, cause: io::Error) -> HubError {
        HubError::Store { path: self.path.to_owned(), cause }
    }

    /// Begins anew.
    fn clear(&mut self) -> Result<(), HubError> {
        let file = self.hashed.file();
        let emptied = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0)));
        emptied.map_err(|cause| self.failed(cause))?;
        self.hashed.restart();
        Ok(())
    }

    /// Deletes what is no part of the file. If that fails, the next try finds it by its hash.
    fn delete(&mut self) {
        let _ = self.clear();
        let _ = std::fs::remove_file(self.path);
    }
}
