//! From the bytes of a picture to what a network sees.
//!
//! [`decode`] turns the bytes of a file into an upright RGB picture, and [`decode_picture`] keeps
//! its 16 bits a channel or its floating-point numbers, which [`Levels`] bring to black and white.
//! Both check the file against [`DecodeLimits`] and refuse damaged files. A [`Preprocessor`] turns that
//! picture into normalised planes, `[3, H, W]`, as an [`InputContract`] asks. A picture can be limited
//! to a [`Region`] and cut into tiles by a [`Tiling`]. A [`Placement`] says where the picture
//! lies in the network's input, so that positions can be mapped back to the picture.
//!
//! The crate knows no network and no tensor library, and it opens no file.
//!
//! ```
//! use dfm_image::{InputContract, Preprocessor, RgbImage};
//!
//! let preprocessor = Preprocessor::new(InputContract::imagenet().with_size(64, 96))?;
//! let picture = preprocessor.prepare(&RgbImage::new(100, 80))?;
//! assert_eq!(picture.pixels.len(), 3 * 64 * 96);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod content;
mod decode;
mod error;
mod geometry;
mod hexadecimal;
mod input;
mod input_error;
mod levels;
mod levels_tally;
mod limits;
mod mask;
mod normalisation;
mod picture;
mod placement;
mod prepare;
mod region;
mod resize;
mod size;
mod tiling;

pub use content::content_hash;
pub use decode::{
    BACKGROUND, FIRST_BYTES, FileKind, Transparency, count_values, decode, decode_at, decode_mask,
    decode_picture, decode_with, depth, file_kind, page, page_count,
};
pub use error::PreprocessError;
pub use hexadecimal::hexadecimal;
pub use image::{Rgb32FImage, RgbImage};
pub use input::{ChannelOrder, InputContract, Resampling};
pub use input_error::InputError;
pub use levels::{Levelled, Levels, LevelsError};
pub use levels_tally::LevelsTally;
pub use limits::DecodeLimits;
pub use mask::{MaskPixels, MaskReading};
pub use normalisation::Normalisation;
pub use picture::{Depth, Picture, Rgb16Image};
pub use placement::{Placement, Span};
pub use prepare::{PreparedPicture, Preprocessor};
pub use region::{Region, RegionError};
pub use resize::Resize;
pub use size::PictureSize;
pub use tiling::{Tiling, TilingError};
