//! Preparing pictures for a network.

use std::sync::Arc;

use super::picture::PreparedPicture;
use super::{cut, normalise, resample, surround};
use crate::error::PreprocessError;
use crate::geometry::Geometry;
use crate::input::{InputContract, Resampling};
use crate::input_error::InputError;
use crate::levels::{Levelled, Levels};
use crate::picture::Picture;
use crate::placement::Placement;
use crate::region::{Region, RegionError};
use crate::size::PictureSize;
use crate::tiling::Tiling;

/// Prepares pictures as an [`InputContract`] asks. It is cheap to clone and needs no device, so
/// pictures can be prepared on any thread while the network runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessor {
    contract: InputContract,
    region: Option<Arc<Region>>,
    tiling: Option<Tiling>,
    /// The size that every picture must have if it is cut into tiles.
    picture_size: Option<PictureSize>,
    levels: Levels,
    hashes: bool,
}

impl Preprocessor {
    /// A preprocessor for `contract`, with neither a region nor tiles, and no levels stated.
    ///
    /// # Errors
    ///
    /// If a field of the contract is out of bounds.
    pub fn new(contract: InputContract) -> Result<Self, InputError> {
        contract.check()?;
        let levels = Levels::Auto;
        Ok(Self { contract, region: None, tiling: None, picture_size: None, levels, hashes: true })
    }

    /// Limits every picture to `region`; `None` takes whole pictures.
    #[must_use]
    pub fn with_region(mut self, region: Option<Region>) -> Self {
        self.region = region.map(Arc::new);
        self
    }

    /// Cuts every picture, or its region, into tiles; `None` keeps it in one piece.
    #[must_use]
    pub fn with_tiling(mut self, tiling: Option<Tiling>) -> Self {
        self.tiling = tiling;
        self
    }

    /// Refuses pictures of another size than `size` when they are cut into tiles, so that the tiles
    /// of all pictures lie at the same positions. `None` takes every size.
    #[must_use]
    pub fn with_picture_size(mut self, size: Option<PictureSize>) -> Self {
        self.picture_size = size;
        self
    }

    /// Sets which values of pictures are black and white.
    #[must_use]
    pub fn with_levels(mut self, levels: Levels) -> Self {
        self.levels = levels;
        self
    }

    /// Sets whether [`PreparedPicture::content_hash`] is computed, which reads every pixel of the whole
    /// picture. By default it is. Learning from pictures needs the hash; a verdict on them does not.
    #[must_use]
    pub fn with_content_hash(mut self, hashes: bool) -> Self {
        self.hashes = hashes;
        self
    }

    /// The input contract that pictures are prepared for.
    pub fn contract(&self) -> &InputContract {
        &self.contract
    }

    /// How pictures are cut into tiles; `None` if they are not.
    pub fn tiling(&self) -> Option<Tiling> {
        self.tiling
    }

    /// The size that every picture in tiles must have; `None` if any will do.
    pub fn picture_size(&self) -> Option<PictureSize> {
        self.picture_size
    }

    /// The part of every picture that counts; `None` if all of it does.
    pub fn region(&self) -> Option<&Region> {
        self.region.as_deref()
    }

    /// Which values of pictures are black and white.
    pub fn levels(&self) -> Levels {
        self.levels
    }

    /// Where a whole picture of `size` lies in the network's input. A `size` without pixels gives
    /// [`Placement::WHOLE`].
    ///
    /// ```
    /// use dfm_image::{InputContract, PictureSize, Preprocessor, Resize};
    ///
    /// let input = InputContract { resize: Resize::Mirror, ..InputContract::imagenet() };
    /// let placement = Preprocessor::new(input)?.placement(PictureSize { width: 512, height: 128 });
    /// assert_eq!((placement.across.start, placement.across.length), (0.0, 1.0));
    /// assert_eq!((placement.down.start, placement.down.length), (0.375, 0.25));
    /// # Ok::<(), dfm_image::InputError>(())
    /// ```
    pub fn placement(&self, size: PictureSize) -> Placement {
        self.placement_of(self.region.as_ref(), size)
    }

    /// For each cell of a grid of `[height, width]` over the input, row by row: whether it holds a
    /// part of the region. `None` if every cell counts, as it does without a mask.
    ///
    /// # Errors
    ///
    /// If no cell holds a part of the region.
    pub fn counted_cells(&self, grid: [usize; 2]) -> Result<Option<Vec<bool>>, RegionError> {
        let mask = self.region().filter(|region| region.is_mask());
        let Some(size) = mask.and_then(Region::picture_size) else { return Ok(None) };
        let cells = self.placement(size).cells(size, grid);
        if cells.contains(&true) { Ok(Some(cells)) } else { Err(RegionError::Unseen) }
    }

    /// Prepares an upright picture in one piece: brings it to its levels, cuts out its region,
    /// resizes it (bilinear with antialias, as PIL or torch do) and normalises it. The
    /// contract's [`Resize`](crate::Resize) says what becomes of its aspect ratio.
    ///
    /// # Errors
    ///
    /// [`PreprocessError::WholePicture`] if pictures are cut into tiles, since a model of tiles
    /// needs every tile: take [`prepare_tiles`](Self::prepare_tiles). Otherwise if the picture has
    /// no pixels, the levels are those of other pictures, or the region does not fit it.
    pub fn prepare<'p>(&self, picture: impl Into<Picture<'p>>) -> Result<PreparedPicture, PreprocessError> {
        match self.tiling {
            Some(tiling) => Err(PreprocessError::WholePicture { tiling }),
            None => {
                let picture = self.levels.read(picture.into())?;
                self.prepare_part(&picture, self.region.as_ref(), self.hash_of(&picture))
            }
        }
    }

    /// Prepares every tile of an upright picture, row by row, or the whole picture if it is not cut
    /// into tiles. Each tile is prepared when the iterator reaches it. All tiles carry the content
    /// hash of the whole picture.
    ///
    /// # Errors
    ///
    /// [`PreprocessError::OtherSize`] if the picture does not have the size that it must have;
    /// otherwise those of [`Tiling::tiles`], and if the picture has no pixels, the levels are those
    /// of other pictures, or the region does not fit it.
    pub fn prepare_tiles<'p, P: Into<Picture<'p>>>(
        &self,
        picture: P,
    ) -> Result<
        impl ExactSizeIterator<Item = Result<PreparedPicture, PreprocessError>> + use<'p, P>,
        PreprocessError,
    > {
        let picture = self.levels.read(picture.into())?;
        let size = picture.picture().size();
        // This is checked before any tile is prepared, because some tiles might fit the picture.
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
        let (preprocessor, hash) = (self.clone(), self.hash_of(&picture));
        Ok(parts.into_iter().enumerate().map(move |(tile, part)| {
            let mut prepared = preprocessor.prepare_part(&picture, part.as_ref(), hash)?;
            prepared.placement.tile = tile;
            Ok(prepared)
        }))
    }

    fn hash_of(&self, picture: &Levelled<'_>) -> Option<[u8; 32]> {
        self.hashes.then(|| picture.picture().content_hash())
    }

    fn placement_of(&self, region: Option<&Arc<Region>>, size: PictureSize) -> Placement {
        let InputContract { height, width, resize, .. } = self.contract;
        let (corner, part) = match region {
            Some(region) => (region.corner(), region.size()),
            None => ([0; 2], size),
        };
        let placement = match part.width > 0 && part.height > 0 {
            true => Geometry::new(resize, part, [height, width]).placement(corner, size, [height, width]),
            false => Placement::WHOLE,
        };
        Placement { region: region.cloned(), ..placement }
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
        picture: &Levelled<'_>,
        region: Option<&Arc<Region>>,
        content_hash: Option<[u8; 32]>,
    ) -> Result<PreparedPicture, PreprocessError> {
        let original = picture.picture().size();
        let PictureSize { width, height } = original;
        if width == 0 || height == 0 {
            return Err(PreprocessError::Empty { width, height });
        }
        let placement = self.placement_of(region, original);
        let part = cut::cut(picture, region.map(Arc::as_ref), &self.contract)?;
        let InputContract { height, width, resize, .. } = self.contract;
        let Geometry { source, target } = Geometry::new(resize, part.size(), [height, width]);
        let [_, _, width, height] = target;
        let pixels = match self.contract.resampling {
            Resampling::Bytes => {
                let resized = resample::bytes(&part.into_bytes(), source, width, height)?;
                normalise::bytes(&resized, &self.contract)
            }
            Resampling::Floats => {
                normalise::floats(&resample::floats(part, source, width, height), &self.contract)
            }
        };
        Ok(PreparedPicture {
            pixels: surround::surround(pixels, target, &self.contract),
            original,
            placement,
            content_hash,
            outside: picture.outside(),
        })
    }
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::*;
    use crate::content::content_hash;

    fn preprocessor() -> Preprocessor {
        Preprocessor::new(InputContract::imagenet().with_size(8, 8)).expect("a valid contract")
    }

    fn picture() -> RgbImage {
        RgbImage::from_fn(20, 12, |x, y| [x as u8, y as u8, 7].into())
    }

    #[test]
    fn a_whole_picture_is_refused_where_pictures_are_cut_into_tiles() {
        let tiling = Tiling { side: 8, stride: 4 };
        let tiled = preprocessor().with_tiling(Some(tiling));
        let error = tiled.prepare(picture()).expect_err("a model of tiles needs every tile");
        assert!(matches!(error, PreprocessError::WholePicture { tiling: got } if got == tiling), "{error}");
        assert_eq!(tiled.prepare_tiles(&picture()).expect("tiles").len(), 4 * 2);
    }

    #[test]
    fn nothing_but_the_hash_changes_without_one() {
        let tiled = preprocessor().with_tiling(Some(Tiling { side: 8, stride: 4 }));
        for hashing in [preprocessor(), tiled] {
            let picture = picture();
            let tiles = |preprocessor: &Preprocessor| -> Vec<PreparedPicture> {
                preprocessor.prepare_tiles(&picture).unwrap().collect::<Result<_, _>>().unwrap()
            };
            for (hashed, plain) in tiles(&hashing).into_iter().zip(tiles(&hashing.with_content_hash(false))) {
                assert_eq!(hashed.content_hash, Some(content_hash(&picture)));
                assert_eq!(plain.content_hash, None);
                let content_hash = hashed.content_hash;
                assert_eq!(PreparedPicture { content_hash, ..plain }, hashed);
            }
        }
    }
}
