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
    /// None, since the publisher states none.
    Unstated,
    /// All digits, which the publisher states.
    Published,
    /// All digits, which copies of the file state that others keep. The publisher states none.
    Copies,
    /// All digits, which the hub stated when the file was fetched.
    Hub,
    /// All digits, pinned when the file was fetched or used first. The check is as good as that
    /// first file was.
    Pinned,
    /// All digits, given by the user.
    Given,
}

impl Strength {
    /// What is known of the file of `entry` before it comes.
    pub fn published(entry: &CatalogueEntry) -> Self {
        Self::of(entry.checksum)
    }

    /// What a comparison with these digits says.
    pub(crate) fn of(checksum: Checksum) -> Self {
        match checksum {
            Checksum::Sha256(_) => Self::Published,
            Checksum::Prefix8(digits) => Self::Leading { digits: digits.len() },
            Checksum::Copies(_) => Self::Copies,
            Checksum::Unstated => Self::Unstated,
        }
    }

    /// Whether all digits were compared.
    pub fn is_whole(self) -> bool {
        !matches!(self, Self::Leading { .. } | Self::Unstated)
    }
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leading { digits } => {
                write!(f, "{digits} of the 64 digits of its SHA-256, those in its name")
            }
            Self::Unstated => f.write_str("nothing, since its publisher states no digit of its SHA-256"),
            Self::Copies => f.write_str(
                "all 64 digits of its SHA-256, which copies of it state; its publisher states none",
            ),
            Self::Hub => f.write_str("all 64 digits of its SHA-256, which the hub stated"),
            Self::Published => f.write_str("all 64 digits of its SHA-256, which its publisher states"),
            Self::Pinned => f.write_str("all 64 digits of its SHA-256, pinned at its first use"),
            Self::Given => f.write_str("all 64 digits of its SHA-256, given by the user"),
        }
    }
}
