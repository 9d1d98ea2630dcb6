//! From pictures of good parts to a fitted model.

use std::collections::HashSet;

use dfm_backbone::{FeatureExtractor, Placement, PreparedPicture};
use dfm_stats::StreamingFit;

use crate::error::DfmError;
use crate::gather::Gathering;
use crate::kept::Kept;
use crate::model::Dfm;
use crate::params::ValidDfmParams;
use crate::score::to_host;

/// The features of one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureRow {
    /// Of the picture: [`PreparedPicture::content_hash`].
    pub content_hash: [u8; 32],
    /// One for each column of the extractor's feature shape.
    pub values: Vec<f32>,
}

/// A picture on its way into a fit.
#[derive(Debug, Clone, PartialEq)]
pub enum FitPicture {
    /// For the network.
    Prepared(PreparedPicture),
    /// It went through the same extractor before, placed so.
    Computed(FeatureRow, Placement),
}

/// What became of a picture on its way into a fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Learnt<'r> {
    /// It has these features.
    Features(&'r FeatureRow),
    /// Some of its features are not finite: it is left out.
    NotFinite(&'r FeatureRow),
    /// The model knows it already.
    Known,
}

impl From<PreparedPicture> for FitPicture {
    fn from(picture: PreparedPicture) -> Self {
        Self::Prepared(picture)
    }
}

impl FitPicture {
    fn content_hash(&self) -> &[u8; 32] {
        match self {
            Self::Prepared(picture) => &picture.content_hash,
            Self::Computed(row, _) => &row.content_hash,
        }
    }

    /// Which tile of its picture it is.
    fn tile(&self) -> usize {
        match self {
            Self::Prepared(PreparedPicture { placement, .. }) | Self::Computed(_, placement) => {
                placement.tile
            }
        }
    }
}

impl ValidDfmParams {
    /// Fits a model to pictures of good parts, prepared by the extractor's
    /// [`Preprocessor`](dfm_backbone::Preprocessor).
    ///
    /// Tiles by position come picture by picture, in the order of
    /// [`prepare_tiles`](dfm_backbone::Preprocessor::prepare_tiles); a picture that lacks one is
    /// left out.
    ///
    /// Neither the order of the pictures nor the batch changes the model beyond
    /// rounding; but in int8 the first 64 decide the steps of its numbers, and are held
    /// in memory until then.
    ///
    /// Memory, beside the network: what [`DfmParams::memory`](crate::DfmParams::memory)
    /// allows. An exact fit of `N` pictures of `D` features takes about `28 · N · D` bytes
    /// at its peak, its calibration and its writing included.
    ///
    /// # Errors
    ///
    /// - fewer than two different pictures, or no variation among them;
    /// - for the threshold of a likelihood, fewer pictures than its components take
    ///   ([`DfmError::TooFewToCalibrate`]);
    /// - features that are not finite;
    /// - whatever the extractor or the statistics refuse.
    pub fn fit(
        &self,
        extractor: FeatureExtractor,
        pictures: impl IntoIterator<Item = PreparedPicture>,
    ) -> Result<Dfm, DfmError> {
        self.fit_each(extractor, pictures, |picture, learnt| match learnt {
            Learnt::NotFinite(_) => Err(DfmError::NonFiniteFeatures { picture }),
            Learnt::Features(_) | Learnt::Known => Ok(()),
        })
    }

    /// [`fit`](Self::fit), telling `each` picture by its place as soon as its features are
    /// there; an error from `each` ends the fit. Features that were
    /// [computed](FitPicture::Computed) before, by an extractor that differs in nothing,
    /// take the place of the picture; in int8 that is one from
    /// [`in_precision`](Self::in_precision).
    ///
    /// # Errors
    ///
    /// Those of [`fit`](Self::fit) but for features that are not finite, and whatever
    /// `each` returns.
    pub fn fit_each(
        &self,
        extractor: FeatureExtractor,
        pictures: impl IntoIterator<Item = impl Into<FitPicture>>,
        each: impl FnMut(usize, Learnt<'_>) -> Result<(), DfmError>,
    ) -> Result<Dfm, DfmError> {
        let mut pictures = pictures.into_iter().map(Into::into);
        let (extractor, first) = self.in_precision(extractor, &mut pictures)?;
        let pictures = first.into_iter().map(FitPicture::Prepared).chain(pictures);
        let (features, content_hashes) =
            self.collect_features(&extractor, &HashSet::new(), pictures, each)?;
        if content_hashes.len() < 2 {
            return Err(DfmError::TooFewPictures { expected: 2, got: content_hashes.len() });
        }
        self.derive(extractor, Kept::of(features, content_hashes)?)
    }

    /// Takes every picture but the `known` to its features, a batch at a time: finite rows
    /// on their way to a statistic of each place and tap, and the content hash of each. Of
    /// pictures in places, those alone that have all their tiles.
    pub(crate) fn collect_features(
        &self,
        extractor: &FeatureExtractor,
        known: &HashSet<[u8; 32]>,
        pictures: impl Iterator<Item = FitPicture>,
        mut each: impl FnMut(usize, Learnt<'_>) -> Result<(), DfmError>,
    ) -> Result<(Vec<StreamingFit>, Vec<[u8; 32]>), DfmError> {
        let mut gathering = Gathering::new(self.memory(), extractor.feature_shapes(), self.places())?;
        let size = self.params().batch.min(extractor.largest_batch());
        let mut pictures = pictures.enumerate();
        loop {
            let (mut places, mut batch) = (Vec::new(), Vec::new());
            while batch.len() < size
                && let Some((place, picture)) = pictures.next()
            {
                if known.contains(picture.content_hash()) {
                    each(place, Learnt::Known)?;
                } else {
                    places.push(place);
                    batch.push(picture);
                }
            }
            if batch.is_empty() {
                return Ok(gathering.finish());
            }
            let tiles: Vec<usize> = batch.iter().map(FitPicture::tile).collect();
            for ((place, tile), row) in places.into_iter().zip(tiles).zip(rows(extractor, batch)?) {
                if row.values.iter().all(|value| value.is_finite()) {
                    each(place, Learnt::Features(&row))?;
                    gathering.push(row, tile);
                } else {
                    each(place, Learnt::NotFinite(&row))?;
                }
            }
            gathering.flush()?;
        }
    }
}

/// The features of a batch, in its order; those that are missing go through the network
/// together.
fn rows(extractor: &FeatureExtractor, batch: Vec<FitPicture>) -> Result<Vec<FeatureRow>, DfmError> {
    let columns = extractor.row_len();
    let (mut prepared, mut rows) = (Vec::new(), Vec::with_capacity(batch.len()));
    for (place, picture) in batch.into_iter().enumerate() {
        match picture {
            FitPicture::Prepared(picture) => {
                rows.push((picture.content_hash, None));
                prepared.push(picture);
            }
            FitPicture::Computed(FeatureRow { values, .. }, _) if values.len() != columns => {
                return Err(DfmError::ComputedFeatures {
                    picture: place,
                    expected: columns,
                    got: values.len(),
                });
            }
            FitPicture::Computed(FeatureRow { content_hash, values }, _) => {
                rows.push((content_hash, Some(values)));
            }
        }
    }
    let extracted = match prepared.is_empty() {
        true => Vec::new(),
        false => to_host(extractor.extract(&prepared)?)?,
    };
    let mut extracted = extracted.chunks(columns);
    let row = |(content_hash, values): (_, Option<_>)| FeatureRow {
        content_hash,
        values: values.or_else(|| extracted.next().map(<[f32]>::to_vec)).unwrap_or_default(),
    };
    Ok(rows.into_iter().map(row).collect())
}
