//! `dfm fit --val synthetic`: what a model makes of good pictures that it was not fitted on, and
//! of copies of them with defects.

use std::collections::HashMap;
use std::sync::Arc;

use dfm_core::metrics::MapCounts;
use dfm_core::{Dfm, JudgeOptions, PictureSize, Piece, Preparer, RgbImage, SyntheticTally, Verdict};
use rayon::prelude::*;

use super::judge::in_batches;
use crate::input;
use crate::messages::Messages;
use crate::synthetic::{HeldOut, judged_pixels};

/// A piece of a picture on its way to the network, the last of a defective one with its mask.
struct Part {
    piece: Piece,
    mask: Option<Mask>,
}

/// A mask as runs of pixels by turns unmarked and marked, unmarked first: a batch of large pictures
/// waits with theirs.
struct Mask(Vec<usize>);

/// Judges the pictures that `model` was not fitted on and a defective copy of each: the model with a
/// record of what came out. Pictures that cannot be used are reported; the defects are those of
/// `seed`.
pub(super) fn validate(
    model: Dfm,
    held_out: HeldOut,
    seed: u64,
    jobs: usize,
    messages: &Messages,
) -> anyhow::Result<Dfm> {
    let paths = held_out.paths();
    let mut judging = model.judging(&JudgeOptions::default().with_map(true))?;
    let (preparer, held_out, batch) = (judging.preparer(), Arc::new(held_out), judging.batch());
    let loaded = input::ahead(&paths, jobs, batch, move |index, path, give| {
        let good = input::decode_file(path)?;
        if !each_part(&preparer, number(index, false), &good, None, give)? {
            return Ok(());
        }
        let size = PictureSize { width: good.width(), height: good.height() };
        let within = judged_pixels(preparer.preprocessor(), size);
        let made = held_out.defective(&good, 0, within.as_deref())?;
        each_part(&preparer, number(index, true), &made.picture, Some(Mask::of(&made.mask)), give)?;
        Ok(())
    });
    let (mut tally, mut masks) = (SyntheticTally::new(seed), HashMap::new());
    in_batches(loaded, "validating", &paths, batch, messages, |parts: Vec<Part>| {
        let mut pieces = Vec::with_capacity(parts.len());
        for Part { piece, mask } in parts {
            masks.extend(mask.map(|mask| (piece.number(), mask)));
            pieces.push(piece);
        }
        let mut seen = Vec::with_capacity(pieces.len());
        for (number, verdict) in judging.push(pieces) {
            let mask = masks.remove(&number);
            match verdict {
                Ok(verdict) => seen.push((verdict, mask)),
                Err(error) => messages.error(&paths[number / 2], error),
            }
        }
        let counts: Vec<Option<MapCounts>> = seen.par_iter().map(counts).collect();
        for ((verdict, mask), counts) in seen.iter().zip(&counts) {
            tally.push(verdict.score, mask.is_some(), counts.as_ref());
        }
        Ok(())
    })?;
    Ok(model.validated(&tally)?)
}

/// What the picture of a path is numbered, or its defective copy.
fn number(index: usize, is_defective: bool) -> usize {
    2 * index + usize::from(is_defective)
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

/// The pixels of a map, if there is one.
fn counts((verdict, mask): &(Verdict, Option<Mask>)) -> Option<MapCounts> {
    let mask = mask.as_ref().map(Mask::pixels);
    Some(MapCounts::new(&verdict.map()?, mask.as_deref()))
}

/// Gives every piece of `picture`, the `mask` with the last: then that is also the last of its
/// path. Whether more is wanted.
fn each_part(
    preparer: &Preparer,
    number: usize,
    picture: &RgbImage,
    mut mask: Option<Mask>,
    give: input::Give<'_, Part>,
) -> anyhow::Result<bool> {
    for piece in preparer.pieces(number, picture)? {
        let piece = piece?;
        let mask = if piece.id().is_last { mask.take() } else { None };
        let is_last = mask.is_some();
        if !give(Part { piece, mask }, is_last) {
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
