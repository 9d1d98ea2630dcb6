//! How many positions of tiles have statistics of their own.

use dfm_backbone::BackboneError;

use crate::error::DfmError;
use crate::method::Method;
use crate::method::kinds::{ScoreKind, TileStatistics};

/// The most places with statistics of their own: their tensors are named in the four mebibytes
/// of a model's header.
const MOST_PLACES: usize = 512;

impl Method {
    /// The number of places that have statistics of their own: the tiles of a picture by position, else
    /// one.
    ///
    /// # Errors
    ///
    /// If there are no tiles or too many, or the score or another program's numbers are not to
    /// be had by position.
    pub fn place_count(&self) -> Result<usize, DfmError> {
        let TileStatistics::Position(size) = self.tile_statistics else { return Ok(1) };
        let refused = |name, expected, got: String| Err(DfmError::Parameter { name, expected, got });
        let Some(tiling) = self.tiling else {
            return refused("tile statistics", "shared without tiles", "position".to_owned());
        };
        if self.score == ScoreKind::Nll {
            let expected = "fre or mahalanobis, with statistics by position: likelihoods of different places have no \
                            common scale";
            return refused("score", expected, self.score.name().to_owned());
        }
        if let Some(compat) = self.compat {
            let expected = "none with statistics by position, which no other program has";
            return refused("compat", expected, compat.to_string());
        }
        match tiling.tiles(self.region.as_ref(), size).map_err(BackboneError::from)?.len() {
            count @ 1..=MOST_PLACES => Ok(count),
            count => {
                let expected =
                    "512 or fewer with statistics by position: take larger tiles or a larger stride";
                refused("tiles of a picture", expected, count.to_string())
            }
        }
    }
}
