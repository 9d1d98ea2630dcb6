//! Cutting large pictures into tiles, so that small details are large enough for the network.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::region::{Region, RegionError};
use crate::size::PictureSize;

/// The most tiles of one picture. A picture of 256 megapixels has seven thousand tiles of 256
/// pixels with a stride of 192.
const MOST_TILES: usize = 10_000;

/// How a picture is cut into overlapping squares. The network sees each as a picture of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tiling {
    /// Side of a tile, in pixels of the picture. A smaller picture has one tile, itself.
    pub side: u32,
    /// The most pixels from one tile to the next. Tiles are spaced evenly, with the first and the
    /// last at the edges of the picture.
    pub stride: u32,
}

impl fmt::Display for Tiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{0}×{0} pixels, up to {1} from one to the next", self.side, self.stride)
    }
}

/// Why a picture cannot be cut into tiles.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TilingError {
    /// The stride is zero, or larger than a tile.
    #[error("tiles of {side} pixels every {stride}: expected a stride of 1 pixel up to the tile's side")]
    Stride {
        /// Side of a tile.
        side: u32,
        /// Pixels from one tile to the next.
        stride: u32,
    },
    /// The picture would have too many tiles.
    #[error("{got} tiles in a picture, the limit is {limit}: take larger tiles or a larger stride")]
    TooMany {
        /// The limit.
        limit: usize,
        /// The tiles it would have.
        got: usize,
    },
    /// The region is a mask.
    #[error(
        "the region is a mask, and pictures are cut into tiles: tiles are compared with one another, and each would \
         lack other pixels; expected a rectangle as the region, or no tiles"
    )]
    Mask,
    /// A tile is not a valid region.
    #[error(transparent)]
    Region(#[from] RegionError),
}

impl Tiling {
    /// Checks that tiles leave no gap.
    ///
    /// # Errors
    ///
    /// If the stride is not between one pixel and a tile's side.
    pub fn check(&self) -> Result<(), TilingError> {
        let &Self { side, stride } = self;
        if (1..=side).contains(&stride) { Ok(()) } else { Err(TilingError::Stride { side, stride }) }
    }

    /// The tiles of a picture of `size`, row by row. If there is a `region`, the tiles cover its
    /// rectangle.
    ///
    /// ```
    /// use dfm_image::{PictureSize, Tiling};
    ///
    /// let tiling = Tiling { side: 512, stride: 384 };
    /// let tiles = tiling.tiles(None, PictureSize { width: 4000, height: 3000 })?;
    /// assert_eq!(tiles.len(), 11 * 8);
    /// assert_eq!(tiles[87].to_string(), "3488,2488,512,512");
    /// # Ok::<(), dfm_image::TilingError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check); if the region is a mask, or there would be too many.
    pub fn tiles(&self, region: Option<&Region>, size: PictureSize) -> Result<Vec<Region>, TilingError> {
        self.check()?;
        if region.is_some_and(Region::is_mask) {
            return Err(TilingError::Mask);
        }
        let ([left, top], size) = region.map_or(([0; 2], size), |region| (region.corner(), region.size()));
        let got = self.count(size.width).saturating_mul(self.count(size.height));
        if got > MOST_TILES {
            return Err(TilingError::TooMany { limit: MOST_TILES, got });
        }
        let part = PictureSize { width: self.side.min(size.width), height: self.side.min(size.height) };
        let mut tiles = Vec::with_capacity(got);
        for down in self.starts(size.height) {
            for across in self.starts(size.width) {
                tiles.push(Region::rectangle(left + across, top + down, part)?);
            }
        }
        Ok(tiles)
    }

    /// The number of tiles along `length` pixels.
    fn count(&self, length: u32) -> usize {
        1 + length.saturating_sub(self.side).div_ceil(self.stride) as usize
    }

    /// The first pixel of each tile along `length` pixels.
    fn starts(&self, length: u32) -> impl Iterator<Item = u32> {
        let (count, room) = (self.count(length) as u64, u64::from(length.saturating_sub(self.side)));
        (0..count).map(move |index| (index * room / (count - 1).max(1)) as u32)
    }
}
