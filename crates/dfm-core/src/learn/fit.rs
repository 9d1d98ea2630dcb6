//! From pictures of good parts to a fitted model.

use std::collections::HashSet;

use dfm_backbone::{FeatureExtractor, Picture, hexadecimal};
use rayon::prelude::*;

use crate::error::DfmError;
use crate::learn::detail::Details;
use crate::learn::gather::{Gathered, Gathering};
use crate::learn::kept::Kept;
use crate::method::{CalibrationKind, MapKind, ValidFitParams};
use crate::model::Dfm;
use crate::pieces::{FeatureRow, Piece, PieceId, Preparer, features_on_host};

/// What is gathered of the pictures of a fit: rows on their way to a statistic of each place and tap, and
/// for a fine map the details.
pub(crate) struct Collected<'e> {
    pub(crate) gathering: Gathering<'e>,
    pub(crate) details: Option<Details>,
}

/// What became of a picture on its way into a fit, or of a piece of it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Learnt<'r> {
    /// A piece has these features.
    Features(PieceId, &'r FeatureRow),
    /// Some of the features of a piece are not finite: it is left out.
    NotFinite(PieceId, &'r FeatureRow),
    /// The picture with this number is learnt, or set aside to find the threshold if memory does not
    /// suffice for an exact fit, and has this content hash. This is told once all of its pieces were
    /// there.
    Picture(usize, [u8; 32]),
    /// The picture with this number is left out, because not all of its pieces are finite (with
    /// statistics by position), or none is. This is told once all of its pieces were there.
    LeftOut(usize),
    /// The model knows the picture with this number already.
    Known(usize),
    /// The picture with this number is not learnt, because the fit of the model had left it out as foreign
    /// to the others. This is told at its last piece.
    StaysOut(usize),
}

/// Pictures that do not go through the network.
#[derive(Debug, Default)]
pub(crate) struct Skipped {
    /// The content hashes of pictures that the model knows.
    pub(crate) known: HashSet<[u8; 32]>,
    /// The content hashes, in hexadecimal, of pictures that stay left out.
    pub(crate) out: HashSet<String>,
}

impl ValidFitParams {
    /// Fits a model to pictures of good parts.
    ///
    /// Neither the order of the pictures nor the batch changes the model beyond
    /// rounding; but in int8 the first 64 pieces of pictures decide the steps of its numbers, and
    /// are held in memory until then.
    ///
    /// Memory, beside the network: what [`Run::memory`](crate::Run::memory)
    /// allows. An exact fit of `N` pictures of `D` features takes about `28 · N · D` bytes
    /// at its peak, its calibration and its writing included. If that is more than is allowed, only
    /// leading directions are kept, and up to a quarter of the pictures, 256 at most, is set aside. They
    /// are not learnt, and calibrate whatever kind was asked for. They have the smallest content hashes.
    ///
    /// Maps are coarse, whatever was asked for, if pictures are set aside or left out as foreign
    /// ([`Dfm::map_kind`]). [`fit_each_rereading`](Self::fit_each_rereading) keeps fine maps without the
    /// foreign pictures.
    ///
    /// # Errors
    ///
    /// - fewer than two different pictures, or no variation among them;
    /// - for the threshold of a likelihood, fewer pictures than its components take
    ///   ([`DfmError::TooFewToCalibrate`]);
    /// - a jackknife+ for which memory does not suffice ([`DfmError::TakesExactFit`]);
    /// - a picture that cannot be prepared, or whose features are not finite;
    /// - whatever the extractor or the statistics refuse.
    pub fn fit<'p>(
        &self,
        extractor: FeatureExtractor,
        pictures: impl IntoIterator<Item: Into<Picture<'p>>>,
    ) -> Result<Dfm, DfmError> {
        let preparer = Preparer::for_fit(&extractor);
        let pieces = pictures.into_iter().enumerate().flat_map(move |(number, picture)| {
            let (pieces, refused) = match preparer.pieces(number, picture) {
                Ok(pieces) => (Some(pieces), None),
                Err(error) => (None, Some(Err(error))),
            };
            pieces.into_iter().flatten().chain(refused)
        });
        let mut failed = None;
        let pieces = pieces.map_while(|piece| piece.map_err(|error| failed = Some(error)).ok());
        let fitted = self.fit_each(extractor, pieces, |learnt| match learnt {
            Learnt::NotFinite(piece, _) => Err(DfmError::NonFiniteFeatures { picture: piece.number }),
            _ => Ok(()),
        });
        match failed {
            Some(error) => Err(error.into()),
            None => fitted,
        }
    }

    /// [`fit`](Self::fit) to pieces of pictures from [`Preparer::for_fit`]. `each` is told what becomes
    /// of them as soon as that is known; an error from `each` ends the fit. Features that were
    /// [computed](Piece::computed) before can take the place of a piece, if the extractor was the same
    /// in everything. In int8 that is an extractor from [`in_precision`](Self::in_precision).
    ///
    /// With statistics by position, a picture that lacks a piece is left out.
    ///
    /// # Errors
    ///
    /// Those of [`fit`](Self::fit), except for features that are not finite; pieces without a content
    /// hash; and whatever `each` returns.
    pub fn fit_each(
        &self,
        extractor: FeatureExtractor,
        pieces: impl IntoIterator<Item = Piece>,
        each: impl FnMut(Learnt<'_>) -> Result<(), DfmError>,
    ) -> Result<Dfm, DfmError> {
        self.fit_each_rereading(extractor, pieces, each, |_| Vec::new())
    }

    /// [`fit_each`](Self::fit_each), with a fine map also where foreign pictures are left out
    /// ([`Robust`](crate::Robust)). What the map knows of them is then taken out exactly. For that, the
    /// pictures are needed once more, and as many others, 64 at most. `again` gives the pieces of the
    /// pictures with these content hashes, a batch at a time, in any order. Maps are coarse if it cannot
    /// give one of them ([`Dfm::map_kind`]).
    ///
    /// # Errors
    ///
    /// Those of [`fit_each`](Self::fit_each).
    pub fn fit_each_rereading(
        &self,
        extractor: FeatureExtractor,
        pieces: impl IntoIterator<Item = Piece>,
        each: impl FnMut(Learnt<'_>) -> Result<(), DfmError>,
        mut again: impl FnMut(&[[u8; 32]]) -> Vec<Piece>,
    ) -> Result<Dfm, DfmError> {
        let mut pieces = pieces.into_iter();
        let mut extractor = extractor;
        extractor.set_details(self.method().map_kind() == MapKind::Fine)?;
        let (extractor, first) = self.in_precision(extractor, &mut pieces)?;
        let pieces = first.into_iter().chain(pieces);
        let gathering = self.gathering(&extractor, true)?;
        let Collected { gathering, details } =
            self.collect_features(&extractor, gathering, &Skipped::default(), pieces, each)?;
        let (features, content_hashes, set_aside) = gathering.finish();
        if content_hashes.len() < 2 {
            return Err(DfmError::TooFewPictures { expected: 2, got: content_hashes.len() });
        }
        let kept = Kept::of(features, content_hashes, set_aside)?;
        let before = kept.content_hashes.clone();
        let (kept, searched) = self.without_foreign(&extractor, kept, self.params().run.robust, |_| true)?;
        // A fine map takes the details of exactly the pictures that are learnt.
        let details = match details.filter(|_| kept.set_aside.is_none()) {
            Some(all) if searched.foreign.is_some() => {
                self.details_of_kept(&extractor, all, &before, &kept.content_hashes, &mut again)?
            }
            details => details,
        };
        let coarse = details.is_none().then(|| self.with_coarse_maps()).transpose()?;
        let mut model = coarse.as_ref().unwrap_or(self).derive(extractor, kept, details)?;
        model.record.foreign = searched.foreign;
        model.record.not_searched = searched.not_searched;
        Ok(model)
    }

    /// Collects rows of `extractor`. `may_set_aside` says whether pictures may be set aside, if they have
    /// to be.
    ///
    /// # Errors
    ///
    /// If memory does not suffice.
    pub(crate) fn gathering<'e>(
        &self,
        extractor: &'e FeatureExtractor,
        may_set_aside: bool,
    ) -> Result<Gathering<'e>, DfmError> {
        let has_use = self.method().calibration.is_some() && !self.params().run.memory.exact;
        let details = Details::bytes(&extractor.detail_shapes(), self.params().run.memory.max_bytes);
        let memory = self.memory().beside(details);
        let of = self.method().rows;
        Gathering::new(memory, extractor.feature_shapes(), of, self.places(), may_set_aside && has_use)
    }

    /// Computes the features of every picture that is not `skipped`, a batch at a time, and brings the
    /// finite rows into `gathering`.
    pub(crate) fn collect_features<'e>(
        &self,
        extractor: &FeatureExtractor,
        mut gathering: Gathering<'e>,
        skipped: &Skipped,
        mut pieces: impl Iterator<Item = Piece>,
        mut each: impl FnMut(Learnt<'_>) -> Result<(), DfmError>,
    ) -> Result<Collected<'e>, DfmError> {
        let (shapes, max_bytes) = (extractor.detail_shapes(), self.params().run.memory.max_bytes);
        let mut details = extractor.takes_details().then(|| Details::new(&shapes, max_bytes));
        let takes_exact = self.method().calibration_kind() == Some(CalibrationKind::JackknifePlus);
        let size = self.params().run.batch.min(extractor.largest_batch());
        let told = |gathered| match gathered {
            Gathered::Whole(number, content_hash) => Learnt::Picture(number, content_hash),
            Gathered::LeftOut(number) => Learnt::LeftOut(number),
        };
        loop {
            let mut batch: Vec<(Piece, [u8; 32])> = Vec::with_capacity(size);
            while batch.len() < size
                && let Some(piece) = pieces.next()
            {
                let content_hash = piece.content_hash()?;
                let is_known = skipped.known.contains(&content_hash);
                let stays_out = !skipped.out.is_empty() && skipped.out.contains(&hexadecimal(&content_hash));
                match piece.id().is_last {
                    _ if !is_known && !stays_out => batch.push((piece, content_hash)),
                    true if is_known => each(Learnt::Known(piece.number()))?,
                    true => each(Learnt::StaysOut(piece.number()))?,
                    false => {}
                }
            }
            if batch.is_empty() {
                gathering.end()?.map_or(Ok(()), |gathered| each(told(gathered)))?;
                gathering.flush()?;
                return Ok(Collected { gathering, details });
            }
            let (batch, hashes): (Vec<Piece>, Vec<[u8; 32]>) = batch.into_iter().unzip();
            let rows = features_on_host(extractor, &batch)?;
            let columns = extractor.row_len();
            let finite: Vec<bool> =
                rows.par_iter().map(|row| row.iter().all(|value| value.is_finite())).collect();
            let pieces = || batch.iter().map(Piece::id).zip(&hashes);
            if let Some(details) = &mut details {
                let of_pieces = pieces().zip(&rows).zip(&finite).filter(|(_, is_finite)| **is_finite);
                let of_pieces = of_pieces
                    .map(|(((piece, content_hash), row), _)| (*content_hash, piece.tile, &row[columns..]));
                details.push(&of_pieces.collect::<Vec<_>>());
            }
            for (((piece, content_hash), values), is_finite) in pieces().zip(rows).zip(finite) {
                let mut row = FeatureRow { content_hash: *content_hash, values };
                each(match is_finite {
                    true => Learnt::Features(piece, &row),
                    false => Learnt::NotFinite(piece, &row),
                })?;
                // Only the features are collected.
                row.values.truncate(columns);
                row.values.shrink_to_fit();
                for gathered in gathering.push(&piece, *content_hash, is_finite.then_some(row))? {
                    each(told(gathered))?;
                }
            }
            gathering.flush()?;
            if takes_exact && gathering.has_set_aside() {
                return Err(DfmError::TakesExactFit { kind: CalibrationKind::JackknifePlus });
            }
        }
    }
}
