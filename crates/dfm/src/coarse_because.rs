//! Why the maps of a fit are coarse.

use std::fmt;

/// Why the maps of a fit are coarse although fine ones were to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CoarseBecause {
    /// Memory did not suffice for an exact fit, so that pictures were set aside.
    SetAside,
    /// A picture could not be read once more to take out what the maps know of it.
    NotReadAgain,
}

impl fmt::Display for CoarseBecause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SetAside => {
                "memory did not suffice for an exact fit, and pictures that are set aside take no part in fine maps; a fit \
                 with more memory gives fine maps"
            }
            Self::NotReadAgain => {
                "what fine maps know of a picture that is left out as foreign can be taken out only if the picture is read \
                 again, and one could not be read again or has changed; a new fit gives fine maps"
            }
        })
    }
}
