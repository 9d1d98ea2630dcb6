//! From pictures of good parts to a fitted model.

use dfm_backbone::{FeatureExtractor, PreparedPicture};
use dfm_stats::{FitStatistic, Samples};

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
    /// Memory, beside the network: the features take 4 bytes a value until all
    /// pictures are through, then 8, and 8 more for the directions while they are
    /// decomposed; with `N` pictures of `D` features, up to `16 · N · D` bytes at once,
    /// and `8 · N²` for their inner products.
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
        let (values, content_hashes) = collect_features(&extractor, self.params().batch, pictures, each)?;
        if content_hashes.len() < 2 {
            return Err(DfmError::TooFewPictures { expected: 2, got: content_hashes.len() });
        }
        let samples = Samples::from_f32(&values, extractor.feature_shape().len())?;
        drop(values);
        let statistic = FitStatistic::of_owned(samples)?;
        self.derive(extractor, statistic, content_hashes)
    }
}

/// Runs every picture through the network, `batch` of them at a time: finite rows
/// `[N, D]`, and the content hash of each.
pub(crate) fn collect_features(
    extractor: &FeatureExtractor,
    batch: usize,
    pictures: impl IntoIterator<Item = PreparedPicture>,
    mut each: impl FnMut(usize, Result<(), DfmError>) -> Result<(), DfmError>,
) -> Result<(Vec<f32>, Vec<[u8; 32]>), DfmError> {
    let features = extractor.feature_shape().len();
    let mut place = 0;
    let mut values = Vec::new();
    let mut content_hashes = Vec::new();
    let mut pictures = pictures.into_iter();
    let size = batch.min(extractor.largest_batch());
    loop {
        let batch: Vec<PreparedPicture> = pictures.by_ref().take(size).collect();
        if batch.is_empty() {
            return Ok((values, content_hashes));
        }
        let rows = to_host(extractor.extract(&batch)?)?;
        for (picture, row) in batch.iter().zip(rows.chunks(features)) {
            if row.iter().all(|value| value.is_finite()) {
                each(place, Ok(()))?;
                values.extend(row);
                content_hashes.push(picture.content_hash);
            } else {
                each(place, Err(DfmError::NonFiniteFeatures { picture: place }))?;
            }
            place += 1;
        }
    }
}
