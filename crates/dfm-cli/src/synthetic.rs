//! Good pictures that a fit does without, and copies of them with synthetic defects: what
//! `dfm fit --val synthetic` and `dfm synthesise` share.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use dfm_backbone::Resize;
use dfm_core::{PictureSize, Preprocessor, RgbImage, content_hash, held_out_hashes};
use dfm_synthetic::{Defective, Synthesiser};

use crate::input;

/// The good pictures that a split holds out, each once, and how defects on them are made.
#[derive(Debug)]
pub(crate) struct HeldOut {
    synthesiser: Synthesiser,
    /// By rising content hash, where each lies.
    pictures: Vec<([u8; 32], PathBuf)>,
}

impl HeldOut {
    /// Of pictures, each with its content hash: those that calibrate a split. Of several that are
    /// the same the first stands for all.
    ///
    /// # Errors
    ///
    /// If there are too few to hold some out.
    pub(crate) fn of(
        seed: u64,
        pictures: impl IntoIterator<Item = ([u8; 32], PathBuf)>,
    ) -> anyhow::Result<Self> {
        let mut known = BTreeMap::new();
        for (hash, path) in pictures {
            known.entry(hash).or_insert(path);
        }
        let hashes: Vec<[u8; 32]> = known.keys().copied().collect();
        let held_out = held_out_hashes(&hashes).context("a quarter is held out")?;
        let pictures = held_out.into_iter().filter_map(|hash| known.remove_entry(&hash)).collect();
        Ok(Self { synthesiser: Synthesiser::new(seed), pictures })
    }

    /// Where they lie.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.pictures.iter().map(|(_, path)| path.clone()).collect()
    }

    /// Whether a picture is one of them.
    pub(crate) fn holds(&self, hash: &[u8; 32]) -> bool {
        self.place(hash).is_some()
    }

    /// Copy number `copy` of a `picture` that is one of them, with a defect that may be `within`
    /// these pixels, or anywhere. Reads the picture that lends its texture.
    ///
    /// # Errors
    ///
    /// If it is none of them, too small, or the other cannot be read.
    pub(crate) fn defective(
        &self,
        picture: &RgbImage,
        copy: u64,
        within: Option<&[bool]>,
    ) -> anyhow::Result<Defective> {
        let hash = content_hash(picture);
        let place = self.place(&hash).context("the picture has changed since it was read first")?;
        let recipe = self.synthesiser.recipe(&hash, copy);
        let (_, lender) = &self.pictures[recipe.lender(place, self.pictures.len())];
        let lender = input::decode_file(lender)
            .with_context(|| format!("its defect takes the texture of {}", lender.display()))?;
        Ok(recipe.apply(picture, &lender, within)?)
    }

    fn place(&self, hash: &[u8; 32]) -> Option<usize> {
        self.pictures.binary_search_by(|(known, _)| known.cmp(hash)).ok()
    }
}

/// Which pixels of a picture of `size` are judged, row by row; `None` if all are.
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
