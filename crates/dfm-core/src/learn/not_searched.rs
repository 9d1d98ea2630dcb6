//! Why a fit did not look for foreign pictures.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why no picture of a fit was looked at for being foreign to the others. Such pictures are then learnt as
/// good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NotSearched {
    /// The fit was to learn every picture.
    Off,
    /// Tiles share statistics, so a picture is several rows, which cannot be held out one by one.
    Tiles,
    /// Memory did not suffice for an exact fit.
    Memory,
    /// There are fewer different pictures than the search needs.
    FewPictures,
    /// The score is not FRE.
    Score,
    /// The fit reproduces another program.
    Compat,
    /// The proof of the calibration rests on no picture being chosen.
    Calibration,
    /// There are so many pictures that the search would take too long.
    ManyPictures,
    /// A part is learnt with the pictures of all its views.
    Parts,
    /// Models were merged, of which one has few pictures, and together they have many.
    Merge,
}

impl NotSearched {
    fn reason(self) -> &'static str {
        match self {
            Self::Off => "the fit was to learn every picture",
            Self::Tiles => "tiles share statistics, so pictures cannot be held out one by one",
            Self::Memory => "memory did not suffice for an exact fit",
            Self::FewPictures => "there are fewer than 8 different pictures",
            Self::Score => "the rule needs the score fre",
            Self::Compat => "the fit does what another program does",
            Self::Calibration => "the calibration proves its rate for pictures that nothing chose",
            Self::ManyPictures => "more than 5000 pictures take too long",
            Self::Parts => "a part is learnt with all its views or not at all",
            Self::Merge => "models of few pictures were merged",
        }
    }
}

impl fmt::Display for NotSearched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no picture was looked at for being foreign to the others, because {}", self.reason())
    }
}
