//! From the statistic of good pictures to a model: the one way, whether they were just
//! learnt, merged, or some of them forgotten.

use dfm_backbone::FeatureExtractor;
use dfm_stats::{FitStatistic, Pca, ProbabilisticPca, Route, Samples, SvdGaussian};

use crate::calibrate::{Calibration, held_out_scores};
use crate::error::DfmError;
use crate::held_out::HeldOutScorer;
use crate::model::{CompressionRecord, Dfm, FitRecord, GaussianRecord};
use crate::params::{ScoreKind, ValidDfmParams};
use crate::score::Statistics;
use crate::self_test::SelfTest;

impl ValidDfmParams {
    /// The model of pictures whose features have this `statistic`, with the content hash of
    /// each.
    ///
    /// # Errors
    ///
    /// If the pictures do not vary, are too few for the threshold, or the statistics
    /// refuse.
    pub(crate) fn derive(
        &self,
        extractor: FeatureExtractor,
        statistic: FitStatistic,
        content_hashes: Vec<[u8; 32]>,
    ) -> Result<Dfm, DfmError> {
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
            compression: statistic.compression().map(|compression| CompressionRecord {
                limit: compression.limit(),
                error_bound: compression.error_bound(),
                dropped_share: {
                    let total = statistics.pca().total_variance() * (content_hashes.len() - 1) as f64;
                    compression.dropped() / total
                },
            }),
        };
        let scorer = statistics.scorer(self.params().aggregation, extractor.device());
        let self_test = SelfTest::record(&extractor, &scorer)?;
        let kept = self.params().keep_fit_statistic.then_some((statistic, content_hashes));
        Ok(Dfm::assemble(extractor, statistics, calibration, record, self_test, kept))
    }
}

/// The coordinates of the training pictures in the components that were kept.
fn reduced_rows(statistic: &FitStatistic, pca: &Pca) -> Result<Samples, DfmError> {
    let kept = pca.component_count();
    let rows =
        statistic.coordinates().chunks(statistic.rank()).flat_map(|row| &row[..kept]).copied().collect();
    Ok(Samples::from_f64(rows, kept)?)
}
