//! A large file on its way: it goes on where it ended, and appears whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use ureq::http::{StatusCode, header};

use super::address::Address;
use super::client::{Answer, Client, text, timed_out};
use super::error::HubError;
use crate::check::finish;
use crate::download::MAX_BYTES;
use crate::hash::FileHash;

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
        let before = partial.length;
        let ended = match wanted.size == Some(before) {
            true => Ended::Whole,
            false => receive(client, wanted, &mut partial, progress)?,
        };
        connections += 1;
        match ended {
            Ended::Whole => break,
            _ if partial.length > before && connections < MOST_CONNECTIONS => {}
            Ended::Early { expected } => {
                return Err(HubError::CutShort { url, expected, got: partial.length });
            }
            Ended::Silent => {
                let patience = client.options.patience;
                return Err(HubError::Stalled { url, got: partial.length, patience });
            }
        }
    }
    let got = finish(std::mem::take(&mut partial.hasher));
    if got != *wanted.sha256 {
        partial.delete();
        return Err(HubError::Checksum { url, expected: wanted.sha256.clone(), got });
    }
    partial.file.sync_all().map_err(|cause| HubError::Store { path: part.to_owned(), cause })
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
    let mut answer = client.get(&wanted.address, partial.length)?;
    if answer.response.status() != StatusCode::PARTIAL_CONTENT || begins_at(&answer) != Some(partial.length) {
        if partial.length > 0 && answer.response.status() != StatusCode::OK {
            // The rest cannot be had from there: the file is asked for as a whole.
            answer = client.get(&wanted.address, 0)?;
        }
        partial.clear()?;
    }
    let Answer { response, url } = answer;
    let announced = response.body().content_length().map(|rest| partial.length.saturating_add(rest));
    if let (Some(expected), Some(got)) = (wanted.size, announced.filter(|got| Some(*got) != wanted.size)) {
        return Err(HubError::Size { url, expected, got });
    }
    let total = wanted.size.or(announced);
    if let Some(got) = total.filter(|total| *total > MAX_BYTES) {
        return Err(HubError::TooLarge { url, limit: MAX_BYTES, got });
    }
    let limit = total.unwrap_or(MAX_BYTES);
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let early = |got: u64| Ok(Ended::Early { expected: total.unwrap_or(got) });
        let count = match body.read(&mut buffer) {
            Ok(0) if total.is_none_or(|total| partial.length == total) => return Ok(Ended::Whole),
            Ok(0) => return early(partial.length),
            Ok(count) => count,
            Err(error) if timed_out(&error) => return Ok(Ended::Silent),
            Err(_) => return early(partial.length),
        };
        if partial.length + count as u64 > limit {
            partial.delete();
            return Err(HubError::TooLarge { url, limit, got: partial.length + count as u64 });
        }
        partial.append(&buffer[..count])?;
        progress(partial.length, total);
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
    file: File,
    length: u64,
    hasher: Sha256,
}

impl<'a> Partial<'a> {
    /// Opens what an earlier try left.
    fn open(path: &'a Path, size: Option<u64>) -> Result<Self, HubError> {
        let failed = |cause| HubError::Store { path: path.to_owned(), cause };
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        let mut partial = Self { path, file, length: 0, hasher: Sha256::new() };
        let limit = size.unwrap_or(MAX_BYTES);
        if partial.file.metadata().map_err(failed)?.len() > limit {
            partial.clear()?;
        }
        let mut buffer = vec![0; 1 << 16];
        loop {
            match partial.file.read(&mut buffer).map_err(failed)? {
                0 => return Ok(partial),
                count => {
                    partial.hasher.update(&buffer[..count]);
                    partial.length += count as u64;
                }
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|cause| HubError::Store { path: self.path.to_owned(), cause })
    }

    /// Begins anew.
    fn clear(&mut self) -> Result<(), HubError> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.map_err(|cause| HubError::Store { path: self.path.to_owned(), cause })?;
        (self.length, self.hasher) = (0, Sha256::new());
        Ok(())
    }

    /// Deletes what is no part of the file. If that fails, the next try finds it by its hash.
    fn delete(&mut self) {
        let _ = self.clear();
        let _ = std::fs::remove_file(self.path);
    }
}
