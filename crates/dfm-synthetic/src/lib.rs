//! Synthetic defects for pictures of good parts. Nobody has pictures of defects before the line
//! runs. With synthetic ones you can measure whether a model would see a defect, and where.
//!
//! The method is that of DRAEM (Zavrtanik, Kristan and Skočaj, *DRAEM: A discriminatively trained
//! reconstruction embedding for surface anomaly detection*, ICCV 2021). Perlin noise is cut off at
//! a level, which says which pixels are defective. Those pixels are blended with foreign matter:
//! the altered texture of another good picture, a colour, or grain. There are three differences
//! from DRAEM. The level is chosen so that the defect has the size that was drawn for it. The noise
//! has the aspect ratio of the picture. A grey picture stays grey.
//!
//! Pictures go in, pictures and masks come out. The crate knows no files, no network and no
//! statistics. Everything follows from a seed, the picture, and the picture that lends its texture.
//! The crate uses whole numbers and the four operations that round the same everywhere. The bytes
//! are therefore the same on every machine, in every order and on any number of threads.
//!
//! ```
//! use dfm_synthetic::Synthesiser;
//! use image::RgbImage;
//!
//! let good = RgbImage::from_fn(60, 40, |x, y| [(4 * x) as u8, 90, (5 * y) as u8].into());
//! let other = RgbImage::from_fn(60, 40, |x, y| [(4 * x) as u8, 95, (6 * y) as u8].into());
//! let defective = Synthesiser::new(7).recipe(&[1; 32], 0).apply(&good, &other, None)?;
//! for (place, marked) in defective.mask.iter().enumerate() {
//!     let (x, y) = (place as u32 % 60, place as u32 / 60);
//!     assert_eq!(*marked, good.get_pixel(x, y) != defective.picture.get_pixel(x, y));
//! }
//! # Ok::<(), dfm_synthetic::SyntheticError>(())
//! ```

mod error;
mod fill;
mod mask;
mod perlin;
mod recipe;
mod stream;

pub use error::SyntheticError;
pub use fill::{LEAST_DIFFERENCE, LEAST_OPACITY};
pub use mask::{LARGEST_SHARE, SMALLEST_SHARE};
pub use perlin::Perlin;
pub use recipe::{Defective, Recipe, Synthesiser};
