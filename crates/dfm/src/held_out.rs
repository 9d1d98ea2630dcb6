//! Good pictures that a fit does without, and copies of them with synthetic defects: what validation
//! and the making of data sets share.

use std::collections::BTreeMap;

use dfm_core::{Levelled, Levels, Picture, PictureSize, Preprocessor, Resize, Transparency, held_out_hashes};
use dfm_synthetic::Synthesiser;

use crate::error::Error;
use crate::source::Source;

/// A copy of a good picture with a defect.
pub(crate) struct Defective {
    pub(crate) picture: Picture<'static>,
    /// Row by row, whether a pixel belongs to the defect.
    pub(crate) mask: Vec<bool>,
}

/// The good pictures that a split holds out, each once, and how defects on them are made.
pub(crate) struct HeldOut<'s> {
    source: &'s dyn Source,
    synthesiser: Synthesiser,
    levels: Levels,
    /// Content hashes, rising, and indices in the source.
    pictures: Vec<([u8; 32], usize)>,
}

impl<'s> HeldOut<'s> {
    /// Chooses the pictures that calibrate a split, among `pictures` with their content hashes and
    /// indices in `source`, whose black and white are those of `levels`. The first of several equal
    /// pictures stands for all.
    ///
    /// # Errors
    ///
    /// [`Error::HeldOut`] if there are too few to hold some out.
    pub(crate) fn new(
        seed: u64,
        source: &'s dyn Source,
        levels: Levels,
        pictures: impl IntoIterator<Item = ([u8; 32], usize)>,
    ) -> Result<Self, Error> {
        let mut known = BTreeMap::new();
        for (hash, index) in pictures {
            known.entry(hash).or_insert(index);
        }
        let hashes: Vec<[u8; 32]> = known.keys().copied().collect();
        let held_out = held_out_hashes(&hashes).map_err(Error::HeldOut)?;
        let pictures = held_out.into_iter().filter_map(|hash| known.remove_entry(&hash)).collect();
        Ok(Self { source, synthesiser: Synthesiser::new(seed), levels, pictures })
    }

    /// The pictures with these content hashes alone.
    pub(crate) fn only(mut self, hashes: &[[u8; 32]]) -> Self {
        self.pictures.retain(|(hash, _)| hashes.contains(hash));
        self
    }

    /// How many pictures are held out.
    pub(crate) fn count(&self) -> usize {
        self.pictures.len()
    }

    /// The index in the source of held-out picture `number`.
    pub(crate) fn index(&self, number: usize) -> usize {
        self.pictures[number].1
    }

    /// Whether a picture is held out.
    pub(crate) fn holds(&self, hash: &[u8; 32]) -> bool {
        self.number(hash).is_some()
    }

    /// Makes copy number `copy` of a held-out `picture`, with a defect that may lie `within` these
    /// pixels, or anywhere. Reads the picture that lends its texture.
    ///
    /// # Errors
    ///
    /// [`Error::Changed`] if the picture is none of those held out; [`Error::Synthetic`] if it is too
    /// small; [`Error::Lender`] if the other picture cannot be read.
    pub(crate) fn defective(
        &self,
        picture: &Levelled<'_>,
        copy: u64,
        within: Option<&[bool]>,
    ) -> Result<Defective, Error> {
        let hash = picture.picture().content_hash();
        let number = self.number(&hash).ok_or(Error::Changed)?;
        let recipe = self.synthesiser.recipe(&hash, copy);
        let lender = self.index(recipe.lender(number, self.pictures.len()));
        let read = || {
            let picture = self.source.read(lender)?.decode_with(Transparency::Background, self.levels)?;
            Ok(self.levels.read(picture)?)
        };
        let texture = read().map_err(|error: Error| {
            let path = self.source.path(lender).into_owned();
            Error::Lender { path, cause: Box::new(error) }
        })?;
        // Defects are made in 8 bits; what they leave alone keeps all of its own.
        let made = recipe.apply(&picture.to_bytes(), &texture.to_bytes(), within)?;
        Ok(Defective { picture: picture.painted(made.picture), mask: made.mask })
    }

    fn number(&self, hash: &[u8; 32]) -> Option<usize> {
        self.pictures.binary_search_by(|(known, _)| known.cmp(hash)).ok()
    }
}

/// Says which pixels of a picture of `size` are judged, row by row; `None` if all are.
pub(crate) fn judged_pixels(preprocessor: &Preprocessor, size: PictureSize) -> Option<Vec<bool>> {
    // Tiles are about as square as what the network sees.
    let is_cropped = preprocessor.contract().resize == Resize::Crop && preprocessor.tiling().is_none();
    if preprocessor.region().is_none() && !is_cropped {
        return None;
    }
    let placement = preprocessor.placement(size);
    let (width, height) = (size.width as usize, size.height as usize);
    let mut judged = vec![false; width * height];
    let seen = |position: f64| !is_cropped || (0.0..=1.0).contains(&position);
    let columns: Vec<bool> = (0..width).map(|x| seen(placement.across.at(x as f64 + 0.5, width))).collect();
    for [y, from, to] in placement.pieces(size) {
        if seen(placement.down.at(y as f64 + 0.5, height)) {
            judged[y * width..][from..to].copy_from_slice(&columns[from..to]);
        }
    }
    Some(judged)
}
