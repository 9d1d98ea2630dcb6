//! What makes a model mergeable.

use dfm_stats::{Compression, FitStatistic, StreamingFit};

use crate::error::DfmError;

/// The statistic of the pictures of a fit, for each place and tap, and their content hashes: row
/// by row the same pictures, or of tiles that share statistics the same tiles.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// Place by place, and in each in the order of the taps.
    pub(crate) statistics: Vec<FitStatistic>,
    pub(crate) content_hashes: Vec<[u8; 32]>,
}

impl Kept {
    /// Of the features of each place and tap.
    ///
    /// # Errors
    ///
    /// If a decomposition fails.
    pub(crate) fn of(features: Vec<StreamingFit>, content_hashes: Vec<[u8; 32]>) -> Result<Self, DfmError> {
        let statistics = features.into_iter().map(StreamingFit::finish).collect::<Result<_, _>>()?;
        Ok(Self { statistics, content_hashes })
    }

    /// Whether pictures differ at every one of so many `places`, and every tap.
    ///
    /// # Errors
    ///
    /// If they do not.
    pub(crate) fn check_variation(&self, places: usize) -> Result<(), DfmError> {
        let pictures = self.content_hashes.len();
        let constant = self.statistics.iter().position(|statistic| statistic.rank() == 0);
        match constant.map(|part| part * places / self.statistics.len()) {
            None => Ok(()),
            Some(_) if places == 1 => Err(DfmError::NoVariation { pictures }),
            Some(place) => Err(DfmError::Parameter {
                name: "tile statistics",
                expected: "shared, or tiles that vary at every place: take larger ones, or leave out with a region \
                           what never changes",
                got: format!("position, and tile {place} alike in all {pictures} pictures"),
            }),
        }
    }

    /// With the pictures of another, of which it has none.
    ///
    /// # Errors
    ///
    /// If a decomposition fails.
    pub(crate) fn merge(&self, other: &Self) -> Result<Self, DfmError> {
        let merge = |(own, other): (&FitStatistic, &FitStatistic)| {
            // Compressed models stay as small as they are.
            let limits = [own, other].map(FitStatistic::compression).into_iter().flatten();
            own.merge(other, limits.map(Compression::limit).min())
        };
        let statistics =
            self.statistics.iter().zip(&other.statistics).map(merge).collect::<Result<_, _>>()?;
        let content_hashes = [self.content_hashes.as_slice(), &other.content_hashes].concat();
        Ok(Self { statistics, content_hashes })
    }

    /// Without the pictures at `places`, which rise.
    ///
    /// # Errors
    ///
    /// If nothing would be left, or a decomposition fails.
    pub(crate) fn without(&self, places: &[usize]) -> Result<Self, DfmError> {
        let without = |statistic: &FitStatistic| statistic.without(places);
        let statistics = self.statistics.iter().map(without).collect::<Result<_, _>>()?;
        let mut gone = places.iter().peekable();
        let left = |(place, hash): (usize, &[u8; 32])| {
            let stays = gone.next_if(|gone| **gone == place).is_none();
            stays.then_some(*hash)
        };
        let content_hashes = self.content_hashes.iter().enumerate().filter_map(left).collect();
        Ok(Self { statistics, content_hashes })
    }
}
