//! The SHA-256 of a file.

use std::fmt;
use std::str::FromStr;

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
