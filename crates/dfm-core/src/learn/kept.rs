//! What makes a model mergeable.

use dfm_stats::{Compression, FitStatistic, StreamingFit};

use crate::error::DfmError;
use crate::judge::parts::Parts;

/// The statistics of the pictures of a fit, for each place and tap, and the content hashes of the
/// pictures. All have the same pictures in the same order, or, if tiles share statistics, the same
/// tiles.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) statistics: Parts<FitStatistic>,
    pub(crate) content_hashes: Vec<[u8; 32]>,
}

impl Kept {
    /// Finishes the statistics of the features of each place and tap.
    ///
    /// # Errors
    ///
    /// If a decomposition fails.
    pub(crate) fn of(features: Parts<StreamingFit>, content_hashes: Vec<[u8; 32]>) -> Result<Self, DfmError> {
        Ok(Self { statistics: features.try_map(StreamingFit::finish)?, content_hashes })
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

    /// The statistics of these pictures and of those of `other`, which must be different ones.
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
        Ok(Self { statistics, content_hashes })
    }

    /// The statistics without the pictures with these `indices`, which must be in rising order.
    ///
    /// # Errors
    ///
    /// If nothing would be left, or a decomposition fails.
    pub(crate) fn without(&self, indices: &[usize]) -> Result<Self, DfmError> {
        let statistics = self.statistics.each_ref().try_map(|statistic| statistic.without(indices))?;
        let mut gone = indices.iter().peekable();
        let left = |(index, hash): (usize, &[u8; 32])| {
            let stays = gone.next_if(|gone| **gone == index).is_none();
            stays.then_some(*hash)
        };
        let content_hashes = self.content_hashes.iter().enumerate().filter_map(left).collect();
        Ok(Self { statistics, content_hashes })
    }
}
