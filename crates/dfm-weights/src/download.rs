//! Weights over HTTP, trusted only once their hash has been checked.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use dfm_backbone::{CatalogueEntry, hexadecimal};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::error::DownloadError;
use crate::store::WeightStore;

/// The most bytes of weights: no known ones are half as large.
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

/// Fetches `entry`, checks it, and only then lets it into the `store`. `progress` is told the bytes
/// so far and, if the server says so, how many there will be. A file in its place that does not begin
/// as weights do is [kept aside](WeightStore::aside).
///
/// # Errors
///
/// [`DownloadError`]; the store is then as it was.
pub fn pull(
    entry: &CatalogueEntry,
    options: PullOptions<'_>,
    store: &WeightStore,
    mut progress: impl FnMut(u64, Option<u64>),
) -> Result<PathBuf, DownloadError> {
    let PullOptions { endpoint, patience } = options;
    let endpoint = endpoint.unwrap_or(entry.endpoint);
    let url = format!("{}/{}", endpoint.trim_end_matches('/'), entry.file_name);
    let failed = |reason: String| DownloadError::Request { url: url.clone(), reason };
    let path = store.path(entry);
    let not_kept = |cause| DownloadError::Store { path: path.clone(), cause };

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

    let folder = store.create().map_err(not_kept)?;
    let mut file = temporary(folder).map_err(not_kept)?;
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
    file.as_file().sync_all().map_err(not_kept)?;
    if let Some(aside) = store.aside(entry).map_err(not_kept)? {
        std::fs::rename(&path, aside).map_err(not_kept)?;
    }
    file.persist(&path).map_err(|error| not_kept(error.error))?;
    Ok(path)
}

/// Makes a file in `folder` that is gone when it is dropped.
fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    // As any file that a program creates: what the umask leaves.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(".dfm-").tempfile_in(folder)
}

fn timed_out(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    matches!(inner, Some(ureq::Error::Timeout(_))) || error.kind() == io::ErrorKind::TimedOut
}
