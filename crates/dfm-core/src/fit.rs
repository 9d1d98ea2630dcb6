//! From pictures of good parts to a fitted model.

use dfm_backbone::{FeatureExtractor, PreparedPicture};
use dfm_stats::{FitStatistic, Pca, ProbabilisticPca, Route, Samples, SvdGaussian};

use crate::calibrate::{Calibration, held_out_scores};
use crate::error::DfmError;
use crate::held_out::HeldOutScorer;
use crate::model::{Dfm, FitRecord, GaussianRecord};
use crate::params::{ScoreKind, ValidDfmParams};
use crate::quantise::in_precision;
use crate::score::{Statistics, to_host};
use crate::self_test::SelfTest;

impl ValidDfmParams {
    /// Fits a model to pictures of good parts, prepared by the extractor's
    /// [`Preprocessor`](dfm_backbone::Preprocessor).
    ///
    /// Neither the order of the pictures nor the batch changes the model beyond
    /// rounding; but in int8 the first 64 decide the steps of its numbers, and are held
    /// in memory until then.
    ///
    /// Memory, beside the network: the features take 4 bytes a value until all
    /// pictures are through, then 8 and, while they are decomposed, 8 more for a
    /// centred copy and 8 for the directions; with `N` pictures of `D` features, up
    /// to `24 · N · D` bytes at once, and `8 · N²` for their inner products.
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
        let (samples, content_hashes) = self.collect_features(&extractor, pictures, each)?;
        let statistic = FitStatistic::of(&samples)?;
        drop(samples);
        if statistic.rank() == 0 {
            return Err(DfmError::NoVariation { pictures: content_hashes.len() });
        }
        let pca = self.truncate(&statistic)?;
        let statistics = match self.params().score {
            ScoreKind::Fre => Statistics::Fre(pca),
            ScoreKind::Nll => {
                let gaussian = SvdGaussian::fit_shrunk(&reduced_rows(&statistic, &pca)?)?;
                Statistics::Nll(pca, gaussian)
            }
            ScoreKind::Mahalanobis => {
                Statistics::Mahalanobis(Box::new(ProbabilisticPca::of(&statistic, pca)?))
            }
        };
        let calibration = match self.params().calibration {
            Some(calibration) => {
                let (aggregation, shape) = (self.params().aggregation, extractor.feature_shape());
                let scorer = HeldOutScorer::new(&statistic, &statistics, aggregation, shape)?;
                let components = statistics.pca().component_count();
                let scores = held_out_scores(&statistic, &content_hashes, components, &scorer, calibration)?;
                Some(Calibration::from_held_out(&scores, calibration.quantile)?)
            }
            None => None,
        };
        let record = FitRecord {
            params: self.params().clone(),
            picture_count: content_hashes.len(),
            rank: statistic.rank(),
            route: statistic.route().map_or("read", Route::name).to_owned(),
            rank_cut: statistic.rank_cut().unwrap_or(0.0),
            gaussian: statistics.gaussian().map(|gaussian| GaussianRecord {
                rank: gaussian.rank(),
                route: gaussian.route().map_or("read", Route::name).to_owned(),
                shrinkage: gaussian.shrinkage_intensity().unwrap_or(0.0),
            }),
        };
        let scorer = statistics.scorer(self.params().aggregation, extractor.device());
        let self_test = SelfTest::record(&extractor, &scorer)?;
        let kept = self.params().keep_fit_statistic.then_some((statistic, content_hashes));
        Ok(Dfm::assemble(extractor, statistics, calibration, record, self_test, kept))
    }

    /// Runs every picture through the network, a batch at a time.
    fn collect_features(
        &self,
        extractor: &FeatureExtractor,
        pictures: impl IntoIterator<Item = PreparedPicture>,
        mut each: impl FnMut(usize, Result<(), DfmError>) -> Result<(), DfmError>,
    ) -> Result<(Samples, Vec<[u8; 32]>), DfmError> {
        let features = extractor.feature_shape().len();
        let mut place = 0;
        let mut values = Vec::new();
        let mut content_hashes = Vec::new();
        let mut pictures = pictures.into_iter();
        let size = self.params().batch.min(extractor.largest_batch());
        loop {
            let batch: Vec<PreparedPicture> = pictures.by_ref().take(size).collect();
            if batch.is_empty() {
                break;
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
        if content_hashes.len() < 2 {
            return Err(DfmError::TooFewPictures { expected: 2, got: content_hashes.len() });
        }
        Ok((Samples::from_f32(&values, features)?, content_hashes))
    }
}

/// The coordinates of the training pictures in the components that were kept.
fn reduced_rows(statistic: &FitStatistic, pca: &Pca) -> Result<Samples, DfmError> {
    let kept = pca.component_count();
    let rows =
        statistic.coordinates().chunks(statistic.rank()).flat_map(|row| &row[..kept]).copied().collect();
    Ok(Samples::from_f64(rows, kept)?)
}
