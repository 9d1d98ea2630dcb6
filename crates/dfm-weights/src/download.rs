//! Weights over HTTP, trusted only once their hash has been checked.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use dfm_backbone::{CatalogueEntry, hexadecimal};
use sha2::{Digest, Sha256};

use super::Cache;
use crate::atomic;

/// No known weights are half as large.
const MAX_BYTES: u64 = 2 << 30;

/// How to fetch.
#[derive(Debug, Clone, Copy)]
pub struct PullOptions<'a> {
    /// The folder's URL in place of the official one.
    pub endpoint: Option<&'a str>,
    /// How long a server may be silent before it is given up.
    pub patience: Duration,
}

impl Default for PullOptions<'_> {
    /// From the official home, which may be silent for a minute.
    fn default() -> Self {
        Self { endpoint: None, patience: Duration::from_secs(60) }
    }
}

/// Why weights could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The server could not be reached or did not answer with the file.
    #[error("cannot fetch {url}: {reason}; check the connection, or give a mirror with --endpoint")]
    Request {
        /// What was asked for.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The connection ended before the file did.
    #[error("{url}: the connection ended after {got} bytes, expected {expected}; try again")]
    CutShort {
        /// What was asked for.
        url: String,
        /// Bytes announced.
        expected: u64,
        /// Bytes that came.
        got: u64,
    },
    /// The server stopped sending.
    #[error(
        "{url}: the server sent nothing for {} s, after {got} bytes; try again, or give a mirror with --endpoint",
        .patience.as_secs_f64()
    )]
    Stalled {
        /// What was asked for.
        url: String,
        /// Bytes that came.
        got: u64,
        /// How long we waited.
        patience: Duration,
    },
    /// The file is larger than any weights.
    #[error(
        "{url}: more than {limit} bytes: not the weights that were asked for; give another mirror with --endpoint"
    )]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The limit.
        limit: u64,
    },
    /// Not the file that was asked for.
    #[error(
        "{url}: expected a SHA-256 that begins with {expected}, found {got}: altered or damaged, not kept; try again, \
         or give another mirror with --endpoint"
    )]
    Checksum {
        /// What was asked for.
        url: String,
        /// The digits that are known.
        expected: String,
        /// The hash of what came.
        got: String,
    },
    /// The cache could not be written.
    #[error(
        "cannot keep the weights at {path}: {source}; make room there, or choose a folder by DFM_CACHE_DIR"
    )]
    Cache {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Fetches `entry`, checks it, and only then lets it into the `cache`. `progress` is
/// told the bytes so far and, if the server says, of how many.
///
/// # Errors
///
/// [`DownloadError`]; the cache is then as it was.
pub fn pull(
    entry: &CatalogueEntry,
    options: PullOptions<'_>,
    cache: &Cache,
    mut progress: impl FnMut(u64, Option<u64>),
) -> Result<PathBuf, DownloadError> {
    let PullOptions { endpoint, patience } = options;
    let endpoint = endpoint.unwrap_or(entry.endpoint);
    let url = format!("{}/{}", endpoint.trim_end_matches('/'), entry.file_name);
    let failed = |reason: String| DownloadError::Request { url: url.clone(), reason };
    let path = cache.path(entry);
    let not_kept = |source| DownloadError::Cache { path: path.clone(), source };

    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(patience))
        .timeout_recv_response(Some(patience))
        // For each read, not for the whole body: a slow line may take its time.
        .timeout_per_read(Some(patience))
        .build()
        .into();
    let response = agent.get(&url).call().map_err(|error| failed(error.to_string()))?;
    let announced = response.body().content_length();
    if announced.is_some_and(|length| length > MAX_BYTES) {
        return Err(DownloadError::TooLarge { url, limit: MAX_BYTES });
    }
    let mut body = response.into_body().into_reader().take(MAX_BYTES + 1);

    let folder = cache.create().map_err(not_kept)?;
    let mut file = atomic::temporary(folder).map_err(not_kept)?;
    let mut hasher = Sha256::new();
    let (mut buffer, mut got) = (vec![0; 1 << 16], 0_u64);
    loop {
        let count = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if timed_out(&error) => return Err(DownloadError::Stalled { url, got, patience }),
            Err(_) if announced.is_some() => break,
            Err(error) => return Err(failed(error.to_string())),
        };
        hasher.update(&buffer[..count]);
        file.write_all(&buffer[..count]).map_err(not_kept)?;
        got += count as u64;
        progress(got, announced);
    }
    if got > MAX_BYTES {
        return Err(DownloadError::TooLarge { url, limit: MAX_BYTES });
    }
    if let Some(expected) = announced.filter(|expected| *expected != got) {
        return Err(DownloadError::CutShort { url, expected, got });
    }
    let got = hexadecimal(&hasher.finalize());
    if !entry.checksum.matches(&got) {
        return Err(DownloadError::Checksum { url, expected: entry.checksum.digits().to_owned(), got });
    }
    atomic::keep(file, &path).map_err(not_kept)?;
    Ok(path)
}

fn timed_out(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    matches!(inner, Some(ureq::Error::Timeout(_))) || error.kind() == io::ErrorKind::TimedOut
}
