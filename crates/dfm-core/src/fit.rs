//! From pictures of good parts to a fitted model.

use dfm_backbone::{FeatureExtractor, PreparedPicture};
use dfm_stats::{Samples, StreamingFit};

use crate::error::DfmError;
use crate::model::Dfm;
use crate::params::ValidDfmParams;
use crate::quantise::in_precision;
use crate::score::to_host;

impl ValidDfmParams {
    /// Fits a model to pictures of good parts, prepared by the extractor's
    /// [`Preprocessor`](dfm_backbone::Preprocessor).
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
        self.fit_each(extractor, pictures, |_, found| found)
    }

    /// [`fit`](Self::fit), telling `each` picture by its place as soon as it went
    /// through the network: `Ok`, or that its features are not finite. Such a picture
    /// is left out if `each` returns `Ok` all the same; an error from `each` ends the
    /// fit.
    ///
    /// # Errors
    ///
    /// Those of [`fit`](Self::fit), and whatever `each` returns.
    pub fn fit_each(
        &self,
        extractor: FeatureExtractor,
        pictures: impl IntoIterator<Item = PreparedPicture>,
        each: impl FnMut(usize, Result<(), DfmError>) -> Result<(), DfmError>,
    ) -> Result<Dfm, DfmError> {
        let mut pictures = pictures.into_iter();
        let (extractor, first) = in_precision(self.params().precision, extractor, &mut pictures)?;
        let pictures = first.into_iter().chain(pictures);
        let (features, content_hashes) = self.collect_features(&extractor, pictures, each)?;
        if content_hashes.len() < 2 {
            return Err(DfmError::TooFewPictures { expected: 2, got: content_hashes.len() });
        }
        self.derive(extractor, features.finish()?, content_hashes)
    }

    /// Runs every picture through the network, a batch at a time: finite rows on their way
    /// to a statistic, and the content hash of each.
    pub(crate) fn collect_features(
        &self,
        extractor: &FeatureExtractor,
        pictures: impl IntoIterator<Item = PreparedPicture>,
        mut each: impl FnMut(usize, Result<(), DfmError>) -> Result<(), DfmError>,
    ) -> Result<(StreamingFit, Vec<[u8; 32]>), DfmError> {
        let columns = extractor.feature_shape().len();
        let mut features = self.memory().start(columns)?;
        let mut content_hashes = Vec::new();
        let mut pictures = pictures.into_iter();
        let (mut place, size) = (0, self.params().batch.min(extractor.largest_batch()));
        loop {
            let batch: Vec<PreparedPicture> = pictures.by_ref().take(size).collect();
            if batch.is_empty() {
                return Ok((features, content_hashes));
            }
            let rows = to_host(extractor.extract(&batch)?)?;
            let mut finite = Vec::with_capacity(rows.len());
            for (picture, row) in batch.iter().zip(rows.chunks(columns)) {
                if row.iter().all(|value| value.is_finite()) {
                    each(place, Ok(()))?;
                    finite.extend(row);
                    content_hashes.push(picture.content_hash);
                } else {
                    each(place, Err(DfmError::NonFiniteFeatures { picture: place }))?;
                }
                place += 1;
            }
            if !finite.is_empty() {
                features.push(Samples::from_f32(&finite, columns)?)?;
            }
        }
    }
}
