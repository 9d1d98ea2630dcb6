//! From a seed to a picture with a defect.

use image::RgbImage;

use crate::error::SyntheticError;
use crate::fill::Fill;
use crate::mask;
use crate::stream::Stream;

/// Makes defects from a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synthesiser {
    seed: u64,
}

impl Synthesiser {
    /// A synthesiser with this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Returns how to make copy number `copy` of a picture. `identity` stands for the picture, as a
    /// hash of its pixels. The recipe depends on the seed, `identity` and `copy` only.
    pub fn recipe(&self, identity: &[u8; 32], copy: u64) -> Recipe {
        let (words, _) = identity.as_chunks::<8>();
        let words = words.iter().copied().map(u64::from_le_bytes);
        Recipe(Stream::of([self.seed].into_iter().chain(words).chain([copy])))
    }
}

/// How one defect is made.
#[derive(Debug, Clone)]
pub struct Recipe(Stream);

/// A picture with a defect.
#[derive(Debug, Clone, PartialEq)]
pub struct Defective {
    /// The picture. Outside the mask it equals the good picture, byte for byte.
    pub picture: RgbImage,
    /// Which pixels are defective, row by row: at least one, never all. Each differs from the good
    /// picture by at least [`LEAST_DIFFERENCE`](crate::LEAST_DIFFERENCE).
    pub mask: Vec<bool>,
}

impl Recipe {
    /// Returns which of `count` good pictures lends its texture to the picture with index `place`.
    /// It is another picture, unless there is only one.
    pub fn lender(&self, place: usize, count: usize) -> usize {
        let others = count.saturating_sub(1) as u64;
        // This stream is separate, so the look of the defect does not depend on the other pictures.
        let step = Stream::of([self.0.clone().bits()]).below(others) as usize;
        if others == 0 { place } else { (place + 1 + step) % count }
    }

    /// Makes a copy of `picture` with a defect. The defect lies in the pixels for which `within` is
    /// true, row by row, or anywhere without `within`. If the defect has a texture, it comes from
    /// `lender`, which may have any size.
    ///
    /// The defect has a share between [`SMALLEST_SHARE`](crate::SMALLEST_SHARE) and
    /// [`LARGEST_SHARE`](crate::LARGEST_SHARE) of the pixels where it may be, and at least one
    /// pixel.
    ///
    /// Cost: some tens of operations for each pixel. Memory: the copy, and four bytes for each
    /// pixel.
    ///
    /// # Errors
    ///
    /// If the picture has fewer than two pixels, if no pixel may be defective, or if `within` has
    /// another number of pixels.
    pub fn apply(
        &self,
        picture: &RgbImage,
        lender: &RgbImage,
        within: Option<&[bool]>,
    ) -> Result<Defective, SyntheticError> {
        let size = [picture.width(), picture.height()];
        let mut stream = self.0.clone();
        let mask = mask::draw(size, &mut stream, within)?;
        let fill = Fill::draw(size, &mut stream);
        let lender = if lender.is_empty() { picture } else { lender };
        Ok(Defective { picture: fill.apply(picture, lender, &mask), mask })
    }
}
