//! A picture with the numbers of its file.

use std::borrow::Cow;
use std::fmt;

use image::{ImageBuffer, Rgb, Rgb32FImage, RgbImage};
use sha2::{Digest, Sha256};

use crate::size::PictureSize;

/// A picture with 16 bits a channel.
pub type Rgb16Image = ImageBuffer<Rgb<u16>, Vec<u16>>;

/// An upright RGB picture with the numbers of its file, borrowed or owned. [`Levels`](crate::Levels) say
/// which of its values are black and white.
///
/// ```
/// use dfm_image::{Depth, Picture, Rgb16Image, RgbImage};
///
/// let bytes = RgbImage::new(40, 30);
/// assert_eq!(Picture::from(&bytes).depth(), Depth::Bits8);
/// assert_eq!(Picture::from(Rgb16Image::new(40, 30)).depth(), Depth::Bits16);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Picture<'p> {
    /// Eight bits a channel.
    Bytes(Cow<'p, RgbImage>),
    /// Sixteen bits a channel, of which cameras often fill 10, 12 or 14.
    Words(Cow<'p, Rgb16Image>),
    /// Floating-point numbers.
    Floats(Cow<'p, Rgb32FImage>),
}

/// What the channels of a picture are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Depth {
    /// Eight bits, or fewer in the file.
    Bits8,
    /// Sixteen bits.
    Bits16,
    /// Floating-point numbers of 32 bits.
    Float32,
}

impl fmt::Display for Depth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bits8 => "8 bits a channel",
            Self::Bits16 => "16 bits a channel",
            Self::Float32 => "floating-point numbers",
        })
    }
}

impl Picture<'_> {
    /// Width and height in pixels.
    pub fn size(&self) -> PictureSize {
        let (width, height) = match self {
            Self::Bytes(picture) => picture.dimensions(),
            Self::Words(picture) => picture.dimensions(),
            Self::Floats(picture) => picture.dimensions(),
        };
        PictureSize { width, height }
    }

    /// What its channels are made of.
    pub fn depth(&self) -> Depth {
        match self {
            Self::Bytes(_) => Depth::Bits8,
            Self::Words(_) => Depth::Bits16,
            Self::Floats(_) => Depth::Float32,
        }
    }

    /// The same picture, borrowed from this one.
    pub fn borrowed(&self) -> Picture<'_> {
        match self {
            Self::Bytes(picture) => Picture::Bytes(Cow::Borrowed(picture)),
            Self::Words(picture) => Picture::Words(Cow::Borrowed(picture)),
            Self::Floats(picture) => Picture::Floats(Cow::Borrowed(picture)),
        }
    }

    /// SHA-256 over the width and the height (little-endian `u32`) and the RGB values (bytes, or
    /// little-endian `u16` or `f32`), row by row. Two lossless files of the same picture have the
    /// same hash. For bytes it is [`content_hash`](crate::content_hash).
    pub fn content_hash(&self) -> [u8; 32] {
        let PictureSize { width, height } = self.size();
        let mut hasher = Sha256::new();
        hasher.update(width.to_le_bytes());
        hasher.update(height.to_le_bytes());
        // One row at a time, because the bytes of all rows would need the memory of the picture again.
        let row = 3 * (width as usize).max(1);
        match self {
            Self::Bytes(picture) => hasher.update(picture.as_raw()),
            Self::Words(picture) => hash_rows(&mut hasher, picture.as_raw().chunks(row), u16::to_le_bytes),
            Self::Floats(picture) => hash_rows(&mut hasher, picture.as_raw().chunks(row), f32::to_le_bytes),
        }
        hasher.finalize().into()
    }
}

/// Hashes the little-endian bytes of each row.
fn hash_rows<'r, S: Copy + 'r, const N: usize>(
    hasher: &mut Sha256,
    rows: impl Iterator<Item = &'r [S]>,
    bytes: fn(S) -> [u8; N],
) {
    rows.for_each(|row| hasher.update(row.iter().flat_map(|value| bytes(*value)).collect::<Vec<u8>>()));
}

impl<'p> From<&'p RgbImage> for Picture<'p> {
    fn from(picture: &'p RgbImage) -> Self {
        Self::Bytes(Cow::Borrowed(picture))
    }
}

impl From<RgbImage> for Picture<'_> {
    fn from(picture: RgbImage) -> Self {
        Self::Bytes(Cow::Owned(picture))
    }
}

impl<'p> From<Cow<'p, RgbImage>> for Picture<'p> {
    fn from(picture: Cow<'p, RgbImage>) -> Self {
        Self::Bytes(picture)
    }
}

impl From<Rgb16Image> for Picture<'_> {
    fn from(picture: Rgb16Image) -> Self {
        Self::Words(Cow::Owned(picture))
    }
}

impl From<Rgb32FImage> for Picture<'_> {
    fn from(picture: Rgb32FImage) -> Self {
        Self::Floats(Cow::Owned(picture))
    }
}

impl<'p> From<&'p Picture<'_>> for Picture<'p> {
    fn from(picture: &'p Picture<'_>) -> Self {
        picture.borrowed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::content_hash;

    #[test]
    fn the_hash_of_bytes_is_what_it_was_and_others_differ() {
        let bytes = RgbImage::from_fn(5, 3, |x, y| [x as u8, y as u8, 9].into());
        // The definition that model files hold: width, height, bytes.
        let defined = [&[5, 0, 0, 0, 3, 0, 0, 0], bytes.as_raw().as_slice()].concat();
        assert_eq!(content_hash(&bytes)[..], Sha256::digest(defined)[..]);
        assert_eq!(Picture::from(&bytes).content_hash(), content_hash(&bytes));
        let words = |factor: u16| {
            Rgb16Image::from_fn(5, 3, |x, y| Rgb([x as u16, y as u16, 9].map(|value| factor * value)))
        };
        let hashes = [
            content_hash(&bytes),
            Picture::from(words(1)).content_hash(),
            Picture::from(words(2)).content_hash(),
            Picture::from(Rgb32FImage::new(5, 3)).content_hash(),
        ];
        for (place, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..place].contains(hash), "{place}");
        }
    }
}
