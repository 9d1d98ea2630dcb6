//! What every request over HTTP has in common.

use std::io::{self, Read, Write};
use std::time::Duration;

use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

use crate::hash::Hashed;

/// Settings of an agent that waits `patience` for a connection, for an answer, and for each read. The whole
/// body has no limit: a slow line may take its time.
pub(crate) fn settings(patience: Duration) -> ConfigBuilder<AgentScope> {
    let patience = Some(patience);
    ureq::Agent::config_builder()
        .timeout_connect(patience)
        .timeout_recv_response(patience)
        .timeout_per_read(patience)
}

/// How the body of an answer ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The server ended it.
    Ended,
    /// The line broke.
    Broken(io::Error),
    /// Nothing came for too long.
    Silent,
    /// It would be longer than the limit.
    TooLong {
        /// The bytes that there would be.
        got: u64,
    },
}

/// Appends `body` to `file` until `file` has `limit` bytes. `progress` is told the bytes of `file`.
///
/// # Errors
///
/// If `file` cannot be written.
pub(crate) fn receive(
    mut body: impl Read,
    file: &mut Hashed<impl Write>,
    limit: u64,
    mut progress: impl FnMut(u64),
) -> io::Result<End> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = match body.read(&mut buffer) {
            Ok(0) => return Ok(End::Ended),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if timed_out(&error) => return Ok(End::Silent),
            Err(error) => return Ok(End::Broken(error)),
        };
        let got = file.length().saturating_add(count as u64);
        if got > limit {
            return Ok(End::TooLong { got });
        }
        file.append(&buffer[..count])?;
        progress(got);
    }
}

/// Whether a read failed because nothing came for too long.
fn timed_out(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    matches!(inner, Some(ureq::Error::Timeout(_))) || error.kind() == io::ErrorKind::TimedOut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_hashed_as_it_is_written_and_ends_at_the_limit() {
        let mut file = Hashed::new(Vec::new());
        let mut told = Vec::new();
        let end = receive(&b"weights"[..], &mut file, 7, |got| told.push(got)).expect("a place in memory");
        assert!(matches!(end, End::Ended), "{end:?}");
        assert_eq!((file.length(), told), (7, vec![7]));
        let more = receive(&b"!"[..], &mut file, 7, |_| ()).expect("a place in memory");
        assert!(matches!(more, End::TooLong { got: 8 }), "{more:?}");
        let (bytes, sha256) = file.finish();
        assert_eq!((bytes.as_slice(), sha256), (&b"weights"[..], crate::check::hash_of_bytes(b"weights")));
    }
}
