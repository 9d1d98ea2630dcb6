//! From the bytes of a picture to what the network sees: decode, resize,
//! normalise.

mod decode;
mod error;
mod jpeg;
mod jpeg_layout;
mod normalise;
mod resize;
mod surround;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use decode::{DecodeLimits, decode};
pub use error::PreprocessError;
pub use image::RgbImage;

use crate::error::BackboneError;
use crate::input::{InputContract, Resampling};
use crate::placement::Layout;

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// SHA-256 over width and height (little-endian `u32`) and the upright RGB
    /// bytes: the same for the same picture in another lossless file.
    pub content_hash: [u8; 32],
}

/// Prepares pictures as an [`InputContract`] asks. Cheap to clone; needs no
/// device, so pictures can be prepared on any thread while the network runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessor {
    contract: InputContract,
}

impl Preprocessor {
    /// For `contract`.
    ///
    /// # Errors
    ///
    /// If a field of it is out of bounds.
    pub fn new(contract: InputContract) -> Result<Self, BackboneError> {
        contract.check()?;
        Ok(Self { contract })
    }

    /// What pictures are prepared for.
    pub fn contract(&self) -> &InputContract {
        &self.contract
    }

    /// Resizes (bilinear with antialias, as PIL and torchvision do) and
    /// normalises an upright picture, its aspect treated as the contract's
    /// [`Resize`](crate::Resize) says.
    ///
    /// # Errors
    ///
    /// If the picture has no pixels.
    pub fn prepare(&self, picture: &RgbImage) -> Result<PreparedPicture, PreprocessError> {
        let (width, height) = picture.dimensions();
        if width == 0 || height == 0 {
            return Err(PreprocessError::Empty { width, height });
        }
        let original = PictureSize { width, height };
        let Layout { source, target } = self.contract.layout(original);
        let [_, _, to_width, to_height] = target;
        let pixels = match self.contract.resampling {
            Resampling::Bytes => {
                normalise::bytes(&resize::bytes(picture, source, to_width, to_height)?, &self.contract)
            }
            Resampling::Floats => {
                normalise::floats(&resize::floats(picture, source, to_width, to_height)?, &self.contract)
            }
        };
        Ok(PreparedPicture {
            pixels: surround::surround(pixels, target, &self.contract),
            original,
            content_hash: content_hash(picture),
        })
    }
}

fn content_hash(picture: &RgbImage) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(picture.width().to_le_bytes());
    hasher.update(picture.height().to_le_bytes());
    hasher.update(picture.as_raw());
    hasher.finalize().into()
}
