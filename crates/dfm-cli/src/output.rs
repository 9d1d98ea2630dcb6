//! Standard output, where a reader who leaves early is no error.

use std::io::{ErrorKind, Result, StdoutLock, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::report::aside;

/// Whether the reader has left, as in `dfm predict … | head`.
static GONE: AtomicBool = AtomicBool::new(false);

/// Standard output. Once its reader has left, what is written is dropped without an
/// error: the work goes on, because its outcome is the exit code, which somebody may
/// still read. Every other failure, as of a full disk, is an error.
#[derive(Debug)]
pub(crate) struct Output(());

/// Standard output.
pub(crate) fn stdout() -> Output {
    Output(())
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        while_read(|out| out.write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        while_read(|out| out.flush())
    }
}

#[expect(clippy::disallowed_methods, reason = "everything goes through here")]
fn while_read(act: impl FnOnce(&mut StdoutLock<'_>) -> Result<()>) -> Result<()> {
    if GONE.load(Ordering::Relaxed) {
        return Ok(());
    }
    match aside(|| act(&mut std::io::stdout().lock())) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            GONE.store(true, Ordering::Relaxed);
            Ok(())
        }
        other => other,
    }
}
