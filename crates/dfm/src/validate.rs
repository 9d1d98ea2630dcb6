//! What a model makes of good pictures that it was not fitted on, and of copies of them with
//! defects.

use dfm_core::metrics::MapCounts;
use dfm_core::{Dfm, JudgeOptions, Picture, Piece, Preparer, SyntheticTally, Verdict};
use rayon::prelude::*;

use crate::error::Error;
use crate::held_out::{HeldOut, judged_pixels};
use crate::judge::{Ready, next_batch};
use crate::observer::{Reporter, Stage};
use crate::source::{Give, Source, ahead, give_all};
use crate::workers::Workers;

/// A mask as runs of pixels by turns unmarked and marked, unmarked first: a batch of large pictures
/// waits with its masks.
struct Mask(Vec<usize>);

/// A piece on its way to the network, and for the last piece of a defective picture the mask.
struct Part {
    piece: Piece,
    mask: Option<Mask>,
}

/// Judges the pictures that `model` was not fitted on and a defective copy of each, and returns the
/// model with a record of what came out. `pictures` are the content hashes and indices of those that
/// were learnt. Pictures that cannot be used are told; the defects are those of `seed`.
pub(crate) fn validate(
    model: Dfm,
    source: &dyn Source,
    pictures: Vec<([u8; 32], usize)>,
    seed: u64,
    workers: &Workers,
    reporter: &Reporter<'_>,
) -> Result<Dfm, Error> {
    let held_out = HeldOut::new(seed, source, model.preprocessor().levels(), pictures)?;
    let held_out = match model.record().set_aside {
        // Memory did not suffice to hold out as many.
        Some(_) => held_out.only(model.set_aside()),
        None => held_out,
    };
    let mut tally = SyntheticTally::new(seed);
    {
        let mut judging = model.judging(&JudgeOptions::default().with_map(true))?;
        let (preparer, size) = (judging.preparer(), judging.batch());
        // Picture `n` is number `2 n` as it is and `2 n + 1` with a defect.
        let prepare = |number: usize, give: Give<'_, Part>| {
            let good = source.read(held_out.index(number))?.decode_for(preparer.preprocessor())?;
            if !give_pieces(&preparer, 2 * number, good.borrowed(), None, false, give)? {
                return Ok(());
            }
            let within = judged_pixels(preparer.preprocessor(), good.size());
            let levelled = preparer.preprocessor().levels().read(good)?;
            let made = held_out.defective(&levelled, 0, within.as_deref())?;
            let mask = Mask::new(&made.mask);
            give_pieces(&preparer, 2 * number + 1, made.picture, Some(mask), true, give)?;
            Ok(())
        };
        let progress = reporter.stage(Stage::Validating, Some(held_out.count()));
        let problem = |number: usize, error: Error| {
            reporter.problem(&source.path(held_out.index(number)), error);
        };
        ahead(held_out.count(), workers.jobs(), size, prepare, |loaded| {
            let mut masks = std::collections::HashMap::new();
            loop {
                let (batch, ended) = next_batch(loaded, size, |number, error| {
                    problem(number, error);
                    progress.step();
                });
                let mut pieces = Vec::with_capacity(batch.len());
                for Ready { last, found: Part { piece, mask }, .. } in batch {
                    if last {
                        progress.step();
                    }
                    masks.extend(mask.map(|mask| (piece.number(), mask)));
                    pieces.push(piece);
                }
                let mut seen = Vec::with_capacity(pieces.len());
                for (number, verdict) in judging.push(pieces) {
                    let mask = masks.remove(&number);
                    match verdict {
                        Ok(verdict) => seen.push((verdict, mask)),
                        Err(error) => problem(number / 2, error.into()),
                    }
                }
                let counts: Vec<Option<MapCounts>> = seen.par_iter().map(counts).collect();
                for ((verdict, mask), counts) in seen.iter().zip(&counts) {
                    tally.push(verdict.score, mask.is_some(), counts.as_ref());
                }
                if ended {
                    break;
                }
            }
        });
    }
    Ok(model.validated(&tally)?)
}

/// Counts the pixels of the map, if there is one.
fn counts((verdict, mask): &(Verdict, Option<Mask>)) -> Option<MapCounts> {
    let map = verdict.map()?;
    let mask = mask.as_ref().map(Mask::pixels);
    Some(MapCounts::new(&map, mask.as_deref()))
}

/// Gives every piece of `picture`, and the `mask` with the last piece. `last` says whether the picture
/// is the last of its source picture. Returns whether more is wanted.
fn give_pieces(
    preparer: &Preparer,
    number: usize,
    picture: Picture<'_>,
    mut mask: Option<Mask>,
    last: bool,
    give: Give<'_, Part>,
) -> Result<bool, Error> {
    let pieces = preparer.pieces(number, picture)?;
    let part = |piece, is_end| Part { piece, mask: if is_end { mask.take() } else { None } };
    Ok(give_all(pieces, &mut |part, is_end| give(part, is_end && last), part)?)
}

impl Mask {
    fn new(pixels: &[bool]) -> Self {
        let unmarked = pixels.first().is_some_and(|marked| *marked).then_some(0);
        Self(unmarked.into_iter().chain(pixels.chunk_by(bool::eq).map(<[bool]>::len)).collect())
    }

    fn pixels(&self) -> Vec<bool> {
        let runs = self.0.iter().zip([false, true].into_iter().cycle());
        runs.flat_map(|(length, marked)| std::iter::repeat_n(marked, *length)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_the_mask() {
        for pixels in [&[][..], &[true], &[false], &[true, true, false, true], &[false, true, true, false]] {
            assert_eq!(Mask::new(pixels).pixels(), pixels);
        }
    }
}
