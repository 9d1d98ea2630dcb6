//! How a picture is brought to the size of the network's input.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::input_error::InputError;

/// How a picture is brought to the size of the network's input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// Each side is scaled by itself. The aspect ratio is lost, and nothing else.
    #[default]
    Stretch,
    /// The aspect ratio is kept, and the whole picture lies in the middle. The two margins are
    /// filled with the picture's mirror image, in which the border pixels are repeated (NumPy's
    /// `symmetric`).
    Mirror,
    /// The aspect ratio is kept, and the whole picture lies in the middle. The two margins are
    /// filled with the mean of the input contract. The mean is zero once normalised, and
    /// convolutions also pad with zeros, so the margins show no pattern of their own.
    Letterbox,
    /// The aspect ratio is kept, and the middle of the picture fills the input. The network does
    /// not see the rest.
    Crop,
}

impl Resize {
    /// Every way, in order.
    pub const ALL: [Self; 4] = [Self::Stretch, Self::Mirror, Self::Letterbox, Self::Crop];

    /// `stretch`, `mirror`, `letterbox` or `crop`.
    pub fn name(self) -> &'static str {
        ["stretch", "mirror", "letterbox", "crop"][self as usize]
    }

    /// Whether this is the value that files leave out. Weights that were written before the field
    /// existed keep their hashes in this way.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::Stretch
    }
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Resize {
    type Err = InputError;

    fn from_str(name: &str) -> Result<Self, InputError> {
        let found = Self::ALL.into_iter().find(|resize| resize.name() == name);
        found.ok_or_else(|| InputError::UnknownResize { got: name.to_owned() })
    }
}
