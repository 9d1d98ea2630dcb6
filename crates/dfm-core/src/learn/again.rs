//! Pictures that a fit asks for once more: what a fine map knows of foreign pictures is taken out again.

use std::collections::{HashMap, HashSet};

use dfm_backbone::FeatureExtractor;

use crate::error::DfmError;
use crate::learn::detail::Details;
use crate::learn::kept::Kept;
use crate::method::ValidFitParams;
use crate::pieces::{Piece, features_on_host};

/// Gives pictures of a fit once more, by their content hashes, in any order. The caller leaves out what
/// it cannot have again.
pub(super) type Again<'a> = &'a mut dyn FnMut(&[[u8; 32]]) -> Vec<Piece>;

impl ValidFitParams {
    /// The `details` of the pictures that are `kept`. They are those of all pictures in `before`, which has
    /// the content hash of each row. Pictures that left, and pictures whose details have to be held in
    /// their place, go through the network again, a batch at a time. All pictures are in one piece.
    ///
    /// `None` if one of them is not given again with the same content, or its features are not finite.
    ///
    /// # Errors
    ///
    /// If the network refuses a picture.
    pub(super) fn details_of_kept(
        &self,
        extractor: &FeatureExtractor,
        mut details: Details,
        before: &[[u8; 32]],
        learnt: &[[u8; 32]],
        again: Again<'_>,
    ) -> Result<Option<Details>, DfmError> {
        let stay: HashSet<&[u8; 32]> = learnt.iter().collect();
        let mut copies: HashMap<[u8; 32], usize> = HashMap::new();
        before
            .iter()
            .filter(|hash| !stay.contains(hash))
            .for_each(|hash| *copies.entry(*hash).or_default() += 1);
        let mut gone: Vec<[u8; 32]> = copies.keys().copied().collect();
        // In an order that does not depend on that of the pictures.
        gone.sort_unstable();
        let mut take_out = |hash: &[u8; 32], row: &[f32]| details.take_out(hash, row, copies[hash]);
        if !self.each_again(extractor, &gone, again, &mut take_out)? {
            return Ok(None);
        }
        let missing = details.missing(learnt);
        let mut hold = |hash: &[u8; 32], row: &[f32]| details.hold(*hash, row);
        Ok(self.each_again(extractor, &missing, again, &mut hold)?.then_some(details))
    }

    /// The details of a model's `own` pictures and of those of the `added` pictures that are `kept`. The
    /// `given` hashes are those of all added pictures. `None` if a picture that left cannot be given again,
    /// or details of some pictures are not known.
    pub(super) fn details_after(
        &self,
        extractor: &FeatureExtractor,
        own: Details,
        added: Details,
        given: &[[u8; 32]],
        kept: &Kept,
        again: Again<'_>,
    ) -> Result<Option<Details>, DfmError> {
        let stay: HashSet<&[u8; 32]> = kept.content_hashes.iter().collect();
        let learnt: Vec<[u8; 32]> = given.iter().filter(|hash| stay.contains(hash)).copied().collect();
        let details = match learnt.len() {
            0 => Some(own),
            all if all == given.len() => Some(own.merge(added)),
            _ => self.details_of_kept(extractor, added, given, &learnt, again)?.map(|added| own.merge(added)),
        };
        let is_whole = |details: &Details| details.count() == kept.content_hashes.len();
        Ok(details.filter(|details| kept.set_aside.is_none() && is_whole(details)))
    }

    /// Tells `each` of the details of these pictures. Returns whether all could be had.
    fn each_again(
        &self,
        extractor: &FeatureExtractor,
        content_hashes: &[[u8; 32]],
        again: Again<'_>,
        each: &mut dyn FnMut(&[u8; 32], &[f32]),
    ) -> Result<bool, DfmError> {
        for asked in content_hashes.chunks(self.params().run.batch.min(extractor.largest_batch())) {
            let mut given = HashMap::new();
            for piece in again(asked) {
                given.insert(piece.content_hash()?, piece);
            }
            let pieces: Option<Vec<Piece>> = asked.iter().map(|hash| given.remove(hash)).collect();
            let Some(pieces) = pieces else { return Ok(false) };
            let rows = features_on_host(extractor, &pieces)?;
            if rows.iter().flatten().any(|value| !value.is_finite()) {
                return Ok(false);
            }
            asked.iter().zip(rows).for_each(|(hash, row)| each(hash, &row[extractor.row_len()..]));
        }
        Ok(true)
    }
}
