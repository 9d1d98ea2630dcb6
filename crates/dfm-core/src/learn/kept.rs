//! What a model keeps so that it can be merged, updated and made to forget.

use std::collections::HashSet;

use dfm_stats::{Compression, FitStatistic, StreamingFit};

use crate::error::DfmError;
use crate::judge::parts::Parts;
use crate::learn::aside::SetAside;

/// The share of the variance that a fit may drop and still count as exact. What inner products cannot
/// resolve is a smaller share.
pub(crate) const NEGLIGIBLE: f64 = 1e-6;

/// The statistics of the pictures of a fit, for each place and tap, and the content hashes of the
/// pictures. All have the same pictures in the same order, or, if tiles share statistics, the same
/// tiles. Where cells are rows, a picture or tile has as many rows in a statistic as its layer has cells, one
/// after the other, and still one content hash.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) statistics: Parts<FitStatistic>,
    pub(crate) content_hashes: Vec<[u8; 32]>,
    /// Pictures that are not among the learnt ones, because memory did not suffice.
    pub(crate) set_aside: Option<SetAside>,
}

impl Kept {
    /// Finishes the fits, and so makes the statistics of each place and tap.
    ///
    /// # Errors
    ///
    /// If a decomposition fails.
    pub(crate) fn of(
        features: Parts<StreamingFit>,
        content_hashes: Vec<[u8; 32]>,
        set_aside: Option<SetAside>,
    ) -> Result<Self, DfmError> {
        Ok(Self { statistics: features.try_map(StreamingFit::finish)?, content_hashes, set_aside })
    }

    /// Whether compression dropped too much at any place or tap. Held-out scores of the learnt pictures then
    /// say nothing about new pictures.
    pub(crate) fn is_compressed(&self) -> bool {
        self.statistics.iter().any(|statistic| statistic.dropped_share() > NEGLIGIBLE)
    }

    /// The pictures that were set aside. `None` if there are none and the fit is exact, so that the learnt
    /// pictures themselves tell how new pictures score.
    ///
    /// # Errors
    ///
    /// If there are none and the fit is not exact. The error names the `operation` that needs them.
    pub(crate) fn needed_aside(&self, operation: &'static str) -> Result<Option<&SetAside>, DfmError> {
        match &self.set_aside {
            None if self.is_compressed() => Err(DfmError::NoneSetAside { operation }),
            set_aside => Ok(set_aside.as_ref()),
        }
    }

    /// The content hashes of all known pictures: the learnt ones, row by row, then those set aside.
    pub(crate) fn known(&self) -> impl Iterator<Item = &[u8; 32]> {
        let set_aside = self.set_aside.iter().flat_map(|aside| &aside.content_hashes);
        self.content_hashes.iter().chain(set_aside)
    }

    /// Whether pictures differ at every place and every layer.
    ///
    /// # Errors
    ///
    /// If they do not.
    pub(crate) fn check_variation(&self) -> Result<(), DfmError> {
        let pictures = self.content_hashes.len();
        match self.statistics.place_where(|statistic| statistic.rank() == 0) {
            None => Ok(()),
            Some(_) if self.statistics.place_count() == 1 => Err(DfmError::NoVariation { pictures }),
            Some(place) => Err(DfmError::Parameter {
                name: "tile statistics",
                expected: "shared, or tiles that vary at every place: take larger ones, or leave out with a region \
                           what never changes",
                got: format!("position, and tile {place} alike in all {pictures} pictures"),
            }),
        }
    }

    /// The statistics of these pictures and of those of `other`, which must be different pictures. A picture
    /// that either set aside stays set aside, unless the other has learnt it.
    ///
    /// # Errors
    ///
    /// If a decomposition fails.
    pub(crate) fn merge(&self, other: &Self) -> Result<Self, DfmError> {
        let mut others = other.statistics.iter();
        let statistics = self.statistics.each_ref().try_map(|own| {
            let other = others.next().expect("models of the same method have as many statistics");
            // Compressed models stay as small as they are.
            let limits = [own, other].map(FitStatistic::compression).into_iter().flatten();
            own.merge(other, limits.map(Compression::limit).min())
        })?;
        let content_hashes = [self.content_hashes.as_slice(), &other.content_hashes].concat();
        Ok(Self { statistics, content_hashes, set_aside: self.aside_with(other) })
    }

    /// The pictures that this fit or `other` set aside, except those that the other one has learnt.
    pub(crate) fn aside_with(&self, other: &Self) -> Option<SetAside> {
        let learnt = |kept: &Self| -> HashSet<[u8; 32]> { kept.content_hashes.iter().copied().collect() };
        let (ours, theirs) = (learnt(self), learnt(other));
        let own = self.set_aside.as_ref().and_then(|own| own.filtered(|hash| !theirs.contains(hash)));
        let is_new =
            |hash: &[u8; 32]| !ours.contains(hash) && own.as_ref().is_none_or(|own| !own.holds(hash));
        let new = other.set_aside.as_ref().and_then(|aside| aside.filtered(is_new));
        match (own, new) {
            (Some(own), Some(new)) => Some(own.joined(&new)),
            (own, new) => own.or(new),
        }
    }

    /// The indices of the content hashes of the pictures with these content hashes, in rising order.
    pub(crate) fn rows_of(&self, content_hashes: &HashSet<&[u8; 32]>) -> Vec<usize> {
        let is_theirs = |row: &usize| content_hashes.contains(&self.content_hashes[*row]);
        (0..self.content_hashes.len()).filter(is_theirs).collect()
    }

    /// The statistics without the pictures with these `indices`, which must be in rising order.
    ///
    /// # Errors
    ///
    /// If nothing would be left, or a decomposition fails.
    pub(crate) fn without(&self, indices: &[usize]) -> Result<Self, DfmError> {
        let statistics = self.statistics.each_ref().try_map(|statistic| {
            let of_each = statistic.sample_count() / self.content_hashes.len();
            let rows: Vec<usize> =
                indices.iter().flat_map(|index| index * of_each..(index + 1) * of_each).collect();
            statistic.without(&rows)
        })?;
        let mut gone = indices.iter().peekable();
        let left = |(index, hash): (usize, &[u8; 32])| {
            let stays = gone.next_if(|gone| **gone == index).is_none();
            stays.then_some(*hash)
        };
        let content_hashes = self.content_hashes.iter().enumerate().filter_map(left).collect();
        Ok(Self { statistics, content_hashes, set_aside: self.set_aside.clone() })
    }
}
