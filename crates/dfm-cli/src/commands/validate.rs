//! `dfm fit --val synthetic`: what a model makes of good pictures that it was not fitted on, and
//! of copies of them with defects.

use std::sync::Arc;

use dfm_core::metrics::MapCounts;
use dfm_core::{
    Dfm, PictureSize, PredictOptions, Prediction, PreparedPicture, Preprocessor, RgbImage, SyntheticTally,
};
use rayon::prelude::*;

use super::judge::{Tiles, in_batches_of, predict_each};
use crate::input;
use crate::messages::Messages;
use crate::synthetic::{HeldOut, judged_pixels};

/// A picture, or a tile of one, on its way to the network.
struct Part {
    picture: PreparedPicture,
    /// Whether it is the last of its picture, and of a defective one the mask.
    ends: Option<Option<Mask>>,
}

/// A mask as runs of pixels by turns unmarked and marked, unmarked first: a batch of large pictures
/// waits with theirs.
struct Mask(Vec<usize>);

/// A picture that was judged.
struct Seen {
    prediction: Prediction,
    size: PictureSize,
    mask: Option<Mask>,
}

/// Judges the pictures that `model` was not fitted on and a defective copy of each, and lets it
/// record what came out. Pictures that cannot be used are reported; the defects are those of
/// `seed`.
pub(super) fn validate(
    model: &mut Dfm,
    held_out: HeldOut,
    seed: u64,
    jobs: usize,
    messages: &Messages,
) -> anyhow::Result<()> {
    let paths = held_out.paths();
    let (preprocessor, held_out, batch) = (model.preprocessor(), Arc::new(held_out), model.batch());
    let loaded = input::ahead(&paths, jobs, batch, move |path, give| {
        let good = input::decode_file(path)?;
        if !each_part(&preprocessor, &good, None, false, give)? {
            return Ok(());
        }
        let size = PictureSize { width: good.width(), height: good.height() };
        let within = judged_pixels(&preprocessor, size);
        let made = held_out.defective(&good, 0, within.as_deref())?;
        each_part(&preprocessor, &made.picture, Some(Mask::of(&made.mask)), true, give)?;
        Ok(())
    });
    let (mut tally, mut tiles) = (SyntheticTally::new(seed), Tiles::default());
    let judging = &*model;
    in_batches_of(loaded, "validating", &paths, batch, messages, |places, parts: Vec<Part>| {
        let (pictures, ends): (Vec<_>, Vec<_>) =
            parts.into_iter().map(|Part { picture, ends }| (picture, ends)).unzip();
        let predictions = predict_each(judging, &pictures, PredictOptions { map: true });
        let mut seen = Vec::with_capacity(pictures.len());
        for (((place, picture), mask), prediction) in places.iter().zip(&pictures).zip(ends).zip(predictions)
        {
            let whole = tiles.push(place.index, prediction, mask.is_some());
            let (Some(whole), Some(mask)) = (whole, mask) else { continue };
            match whole.map(Prediction::of_tiles) {
                Ok(Some(prediction)) => seen.push(Seen { prediction, size: picture.original, mask }),
                Ok(None) => {}
                Err(error) => messages.error(&paths[place.index], error),
            }
        }
        let counts: Vec<Option<MapCounts>> = seen.par_iter().map(Seen::counts).collect();
        for (seen, counts) in seen.iter().zip(&counts) {
            tally.push(seen.prediction.score, seen.mask.is_some(), counts.as_ref());
        }
        Ok(())
    })?;
    Ok(model.validate(&tally)?)
}

impl Mask {
    fn of(pixels: &[bool]) -> Self {
        let unmarked = pixels.first().is_some_and(|marked| *marked).then_some(0);
        Self(unmarked.into_iter().chain(pixels.chunk_by(bool::eq).map(<[bool]>::len)).collect())
    }

    fn pixels(&self) -> Vec<bool> {
        let runs = self.0.iter().zip([false, true].into_iter().cycle());
        runs.flat_map(|(length, marked)| std::iter::repeat_n(marked, *length)).collect()
    }
}

impl Seen {
    /// The pixels of its map, if it has one.
    fn counts(&self) -> Option<MapCounts> {
        let map = self.prediction.map.as_ref()?.upsample(self.size);
        let mask = self.mask.as_ref().map(Mask::pixels);
        Some(MapCounts::new(&map, mask.as_deref()))
    }
}

/// Gives every tile of `picture`, the `mask` with the last, which is the `last` of its path or
/// not. Whether more is wanted.
fn each_part(
    preprocessor: &Preprocessor,
    picture: &RgbImage,
    mut mask: Option<Mask>,
    last: bool,
    give: input::Give<'_, Part>,
) -> anyhow::Result<bool> {
    let mut tiles = preprocessor.prepare_tiles(picture)?;
    while let Some(picture) = tiles.next() {
        let is_end = tiles.len() == 0;
        let ends = is_end.then(|| mask.take());
        if !give(Part { picture: picture?, ends }, is_end && last) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_the_mask() {
        for pixels in [&[][..], &[true], &[false], &[true, true, false, true], &[false, true, true, false]] {
            assert_eq!(Mask::of(pixels).pixels(), pixels);
        }
    }
}
