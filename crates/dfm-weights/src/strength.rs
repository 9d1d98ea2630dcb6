//! How much a check of a file says.

use std::fmt;

use dfm_backbone::{CatalogueEntry, Checksum};

/// What the SHA-256 of a file was compared with. Eight digits tell a damaged file from a sound one.
/// They do not stop an attacker, who finds other bytes with the same eight digits in minutes.
///
/// ```
/// use dfm_weights::{Strength, catalogue};
///
/// let strength = Strength::published(&catalogue()[0]);
/// assert_eq!(strength.to_string(), "8 of the 64 digits of its SHA-256, those in its name");
/// assert!(!strength.is_whole());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strength {
    /// The first digits, which the publisher puts into the file's name.
    Leading {
        /// How many.
        digits: usize,
    },
    /// All digits, which the publisher states.
    Published,
    /// All digits, pinned when the file was fetched or used first. The check is as good as that
    /// first file was.
    Pinned,
    /// All digits, given by the user.
    Given,
}

impl Strength {
    /// What the publisher of `entry` states.
    pub fn published(entry: &CatalogueEntry) -> Self {
        match entry.checksum {
            Checksum::Sha256(_) => Self::Published,
            Checksum::Prefix8(digits) => Self::Leading { digits: digits.len() },
        }
    }

    /// Whether all digits were compared.
    pub fn is_whole(self) -> bool {
        !matches!(self, Self::Leading { .. })
    }
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leading { digits } => {
                write!(f, "{digits} of the 64 digits of its SHA-256, those in its name")
            }
            Self::Published => f.write_str("all 64 digits of its SHA-256, which its publisher states"),
            Self::Pinned => f.write_str("all 64 digits of its SHA-256, pinned at its first use"),
            Self::Given => f.write_str("all 64 digits of its SHA-256, given by the user"),
        }
    }
}
