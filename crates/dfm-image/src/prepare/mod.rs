//! From an upright picture to what the network sees: cut, resize, normalise.

mod antialias;
mod cut;
mod normalise;
mod picture;
mod preprocessor;
mod resample;
mod surround;

pub use picture::PreparedPicture;
pub use preprocessor::Preprocessor;
