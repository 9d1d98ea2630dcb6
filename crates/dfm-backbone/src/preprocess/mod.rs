//! From the bytes of a picture to what the network sees: decode, resize,
//! normalise.

mod cut;
mod decode;
mod error;
mod jpeg;
mod jpeg_layout;
mod normalise;
mod resize;
mod surround;

use std::borrow::Borrow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use decode::{DecodeLimits, decode};
pub use error::PreprocessError;
pub use image::RgbImage;

use crate::error::BackboneError;
use crate::input::{InputContract, Resampling};
use crate::placement::{Layout, Placement};
use crate::region::{Region, RegionError};
use crate::tiling::Tiling;

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureSize {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// A picture as the network expects it.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedPicture {
    /// `[3, H, W]`, in the channel order of the input contract, normalised.
    pub pixels: Vec<f32>,
    /// The picture's size before it was resized.
    pub original: PictureSize,
    /// Where the picture lies in what the network sees, which of a tile is a part of it.
    pub placement: Placement,
    /// SHA-256 over width and height (little-endian `u32`) and the upright RGB
    /// bytes: the same for the same picture in another lossless file. `None` of a preprocessor
    /// [without content hashes](Preprocessor::with_content_hash).
    pub content_hash: Option<[u8; 32]>,
}

/// Prepares pictures as an [`InputContract`] asks. Cheap to clone; needs no
/// device, so pictures can be prepared on any thread while the network runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessor {
    contract: InputContract,
    region: Option<Arc<Region>>,
    tiling: Option<Tiling>,
    /// That every picture in tiles must have.
    picture_size: Option<PictureSize>,
    content_hash: bool,
}

impl Preprocessor {
    /// For `contract`.
    ///
    /// # Errors
    ///
    /// If a field of it is out of bounds.
    pub fn new(contract: InputContract) -> Result<Self, BackboneError> {
        contract.check()?;
        Ok(Self { contract, region: None, tiling: None, picture_size: None, content_hash: true })
    }

    /// Of every picture the part that counts, all of it without a region.
    #[must_use]
    pub fn with_region(mut self, region: Option<Region>) -> Self {
        self.region = region.map(Arc::new);
        self
    }

    /// Pictures, or the part of them that counts, in tiles.
    #[must_use]
    pub fn with_tiling(mut self, tiling: Option<Tiling>) -> Self {
        self.tiling = tiling;
        self
    }

    /// Of pictures in tiles only those of this size, so that the tiles of each lie in the same
    /// places; of any size without it.
    #[must_use]
    pub fn with_picture_size(mut self, size: Option<PictureSize>) -> Self {
        self.picture_size = size;
        self
    }

    /// Whether to compute the content hash of every picture: it takes as long as reading all
    /// its pixels once more, and only fits need it.
    #[must_use]
    pub fn with_content_hash(mut self, content_hash: bool) -> Self {
        self.content_hash = content_hash;
        self
    }

    /// What pictures are prepared for.
    pub fn contract(&self) -> &InputContract {
        &self.contract
    }

    /// How pictures are cut into tiles, if they are.
    pub fn tiling(&self) -> Option<Tiling> {
        self.tiling
    }

    /// The size that every picture in tiles must have, if they must have one.
    pub fn picture_size(&self) -> Option<PictureSize> {
        self.picture_size
    }

    /// The part of every picture that counts, if it is not all of it.
    pub fn region(&self) -> Option<&Region> {
        self.region.as_deref()
    }

    /// Where a picture of `size` lies in what the network sees of it; as if it were that, if
    /// it has no pixels.
    ///
    /// ```
    /// use dfm_backbone::{InputContract, PictureSize, Preprocessor, Resize};
    ///
    /// let input = InputContract { resize: Resize::Mirror, ..InputContract::imagenet() };
    /// let placement = Preprocessor::new(input)?.placement(PictureSize { width: 512, height: 128 });
    /// assert_eq!((placement.across.start, placement.across.length), (0.0, 1.0));
    /// assert_eq!((placement.down.start, placement.down.length), (0.375, 0.25));
    /// # Ok::<(), dfm_backbone::BackboneError>(())
    /// ```
    pub fn placement(&self, size: PictureSize) -> Placement {
        self.placement_of(self.region.as_ref(), size)
    }

    fn placement_of(&self, region: Option<&Arc<Region>>, size: PictureSize) -> Placement {
        let InputContract { height, width, resize, .. } = self.contract;
        let (corner, part) = match region {
            Some(region) => (region.corner(), region.size()),
            None => ([0; 2], size),
        };
        let placement = match part.width > 0 && part.height > 0 {
            true => Layout::new(resize, part, [height, width]).placement(corner, size, [height, width]),
            false => Placement::WHOLE,
        };
        Placement { region: region.cloned(), ..placement }
    }

    /// Which cells of a grid of `[height, width]` over the input hold a part of what counts,
    /// row by row; `None` if all do, as of a rectangle.
    ///
    /// # Errors
    ///
    /// If none does.
    pub fn counted_cells(&self, grid: [usize; 2]) -> Result<Option<Vec<bool>>, RegionError> {
        let Some(size) = self.region().and_then(Region::picture_size) else { return Ok(None) };
        let cells = self.placement(size).cells(size, grid);
        if cells.contains(&true) { Ok(Some(cells)) } else { Err(RegionError::Unseen) }
    }

    /// Cuts out what counts, resizes (bilinear with antialias, as PIL and torchvision do) and
    /// normalises an upright picture, its aspect treated as the contract's
    /// [`Resize`](crate::Resize) says.
    ///
    /// # Errors
    ///
    /// If pictures are to be prepared in tiles ([`PreprocessError::Tiles`]), the picture has no
    /// pixels, or the region is not one of it.
    pub fn prepare(&self, picture: &RgbImage) -> Result<PreparedPicture, PreprocessError> {
        if self.tiling.is_some() {
            return Err(PreprocessError::Tiles);
        }
        self.prepare_part(picture, self.region.as_ref(), self.hash(picture))
    }

    /// [`prepare`](Self::prepare), every tile as a picture with the content hash of the whole;
    /// without tiling the whole. Each is prepared when it is asked for.
    ///
    /// # Errors
    ///
    /// Those of [`prepare`](Self::prepare) and [`Tiling::tiles`]; of a picture of another size
    /// than it must have [`PreprocessError::OtherSize`].
    pub fn prepare_tiles<P: Borrow<RgbImage>>(
        &self,
        picture: P,
    ) -> Result<
        impl ExactSizeIterator<Item = Result<PreparedPicture, PreprocessError>> + use<P>,
        PreprocessError,
    > {
        let (width, height) = picture.borrow().dimensions();
        let size = PictureSize { width, height };
        // Before any tile is there: some may lie in the picture.
        if let Some(region) = self.region() {
            cut::check(region, size)?;
        }
        let parts = match self.tiling {
            Some(tiling) => {
                self.check_size(size)?;
                let tiles = tiling.tiles(self.region(), size)?;
                tiles.into_iter().map(|tile| Some(Arc::new(tile))).collect::<Vec<_>>()
            }
            None => vec![self.region.clone()],
        };
        let (preprocessor, hash) = (self.clone(), self.hash(picture.borrow()));
        Ok(parts.into_iter().enumerate().map(move |(tile, part)| {
            let mut prepared = preprocessor.prepare_part(picture.borrow(), part.as_ref(), hash)?;
            prepared.placement.tile = tile;
            Ok(prepared)
        }))
    }

    fn hash(&self, picture: &RgbImage) -> Option<[u8; 32]> {
        self.content_hash.then(|| content_hash(picture))
    }

    fn check_size(&self, got: PictureSize) -> Result<(), PreprocessError> {
        match self.picture_size {
            Some(expected) if expected != got => Err(PreprocessError::OtherSize {
                expected_width: expected.width,
                expected_height: expected.height,
                got_width: got.width,
                got_height: got.height,
            }),
            _ => Ok(()),
        }
    }

    fn prepare_part(
        &self,
        picture: &RgbImage,
        region: Option<&Arc<Region>>,
        content_hash: Option<[u8; 32]>,
    ) -> Result<PreparedPicture, PreprocessError> {
        let (width, height) = picture.dimensions();
        if width == 0 || height == 0 {
            return Err(PreprocessError::Empty { width, height });
        }
        let original = PictureSize { width, height };
        let placement = self.placement_of(region, original);
        let part = cut::cut(picture, region.map(Arc::as_ref), &self.contract)?;
        let size = PictureSize { width: part.width(), height: part.height() };
        let InputContract { height: to_height, width: to_width, resize, .. } = self.contract;
        let Layout { source, target } = Layout::new(resize, size, [to_height, to_width]);
        let [_, _, to_width, to_height] = target;
        let pixels = match self.contract.resampling {
            Resampling::Bytes => {
                normalise::bytes(&resize::bytes(&part, source, to_width, to_height)?, &self.contract)
            }
            Resampling::Floats => {
                normalise::floats(&resize::floats(&part, source, to_width, to_height)?, &self.contract)
            }
        };
        Ok(PreparedPicture {
            pixels: surround::surround(pixels, target, &self.contract),
            original,
            placement,
            content_hash,
        })
    }
}

/// What tells a picture from others: [`PreparedPicture::content_hash`] of an upright one.
pub fn content_hash(picture: &RgbImage) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(picture.width().to_le_bytes());
    hasher.update(picture.height().to_le_bytes());
    hasher.update(picture.as_raw());
    hasher.finalize().into()
}
