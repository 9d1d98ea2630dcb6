//! The SHA-256 of a file.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use dfm_backbone::hexadecimal;
use sha2::{Digest, Sha256};

/// The SHA-256 of a file: 64 hexadecimal digits, in lower case.
///
/// ```
/// use dfm_weights::FileHash;
///
/// let hash: FileHash = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855".parse()?;
/// assert!(hash.as_str().starts_with("e3b0c442"));
/// assert!("e3b0c442".parse::<FileHash>().is_err());
/// # Ok::<(), dfm_weights::InvalidHash>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileHash(Box<str>);

/// Text that is not a SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the 64 hexadecimal digits of a SHA-256, found '{got}'")]
pub struct InvalidHash {
    /// The first 80 characters of the text.
    pub got: String,
}

/// A file whose SHA-256 is computed while it is read or written, from its beginning on.
pub(crate) struct Hashed<F> {
    file: F,
    hasher: Sha256,
    length: u64,
}

impl<F> Hashed<F> {
    /// A file of which nothing was read or written yet.
    pub(crate) fn new(file: F) -> Self {
        Self { file, hasher: Sha256::new(), length: 0 }
    }

    /// The bytes that were read or written.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The file itself.
    pub(crate) fn file(&mut self) -> &mut F {
        &mut self.file
    }

    /// Forgets what was read or written.
    pub(crate) fn restart(&mut self) {
        (self.length, self.hasher) = (0, Sha256::new());
    }

    /// The file, and the SHA-256 of what was read or written.
    pub(crate) fn finish(self) -> (F, FileHash) {
        (self.file, of(self.hasher))
    }

    fn add(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
    }
}

impl<F: Read> Hashed<F> {
    /// Reads to the end.
    pub(crate) fn read_all(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match self.file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => self.add(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl<F: Write> Hashed<F> {
    /// Writes `bytes`.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.add(bytes);
        Ok(())
    }
}

/// What `hasher` has come to.
pub(crate) fn of(hasher: Sha256) -> FileHash {
    hexadecimal(&hasher.finalize()).parse().expect("a SHA-256 has 64 hexadecimal digits")
}

impl FileHash {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FileHash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self(text.to_ascii_lowercase().into()));
        }
        Err(InvalidHash { got: text.chars().take(80).collect() })
    }
}

impl fmt::Display for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
