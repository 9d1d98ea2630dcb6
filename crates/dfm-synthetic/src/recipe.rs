//! From a seed to a picture with a defect.

use image::RgbImage;

use crate::error::SyntheticError;
use crate::fill::Fill;
use crate::mask;
use crate::stream::Stream;

/// Makes defects, each of which follows from a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synthesiser {
    seed: u64,
}

impl Synthesiser {
    /// That of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// How to make copy number `copy` of the picture that `identity` stands for, as a hash of
    /// its pixels: the same for the same three, whatever else is made.
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
    /// Outside the mask the good picture, to the byte.
    pub picture: RgbImage,
    /// Which pixels are defective, row by row: at least one, never all. Each differs from the
    /// good picture by [`LEAST_DIFFERENCE`](crate::LEAST_DIFFERENCE) or more.
    pub mask: Vec<bool>,
}

impl Recipe {
    /// Which of `count` good pictures lends its texture to the one at `place`: another, unless
    /// there is none.
    pub fn lender(&self, place: usize, count: usize) -> usize {
        let others = count.saturating_sub(1) as u64;
        // A stream of its own: what the defect looks like does not depend on the others.
        let step = Stream::of([self.0.clone().bits()]).below(others) as usize;
        if others == 0 { place } else { (place + 1 + step) % count }
    }

    /// A copy of `picture` with a defect that may be `within` these pixels, row by row, or
    /// anywhere; its texture, if it has one, is that of `lender`, of any size.
    ///
    /// The defect has [`SMALLEST_SHARE`](crate::SMALLEST_SHARE) to
    /// [`LARGEST_SHARE`](crate::LARGEST_SHARE) of the pixels where it may be, and at least one.
    ///
    /// Cost: some tens of operations a pixel. Memory: the copy, and four bytes a pixel.
    ///
    /// # Errors
    ///
    /// If the picture has fewer than two pixels, none may be defective, or `within` has another
    /// number of them.
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
