//! Defects for pictures of good parts: what nobody has before the line runs, made so that it can
//! be measured whether a model would see something, and where.
//!
//! After DRAEM (Zavrtanik, Kristan and Skočaj, *DRAEM: A discriminatively trained reconstruction
//! embedding for surface anomaly detection*, ICCV 2021): noise after Perlin, cut off at a level,
//! says which pixels are defective; those are filled with what does not belong there (the altered
//! texture of another good picture, a colour, or grain) and blended with what was there. Unlike
//! there the level is chosen so that a defect has the size that was drawn for it, noise is laid
//! over the picture at its own aspect, and a grey picture stays grey.
//!
//! Pictures in, pictures and masks out: no files, no network, no statistics. Everything follows
//! from a seed, the picture and the one that lends its texture, by whole numbers and the four
//! operations that round alike everywhere: the same bytes on every machine, in whatever order and
//! on however many threads pictures are made.
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
