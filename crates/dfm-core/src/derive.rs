//! From the statistic of good pictures to a model: the one way, whether they were just
//! learnt, merged, or some of them forgotten.

use std::borrow::Cow;
use std::collections::HashSet;

use dfm_backbone::FeatureExtractor;
use dfm_stats::{FitStatistic, Pca, ProbabilisticPca, Route, Row, Samples, SvdGaussian};

use crate::calibrate::Calibration;
use crate::conformal::{CalibrationKind, HeldOutScores};
use crate::error::DfmError;
use crate::held_out::{HeldOutScorer, different};
use crate::model::{CompressionRecord, Dfm, FitRecord, GaussianRecord};
use crate::params::{ScoreKind, ValidDfmParams};
use crate::score::Statistics;
use crate::self_test::SelfTest;
use crate::split::{self, calibrating};

/// The most different pictures of a jackknife+: with as many directions, a new picture takes
/// about 10⁹ operations, some tenths of a second.
const MAX_JACKKNIFE: usize = 1000;

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
        let pictures = content_hashes.len();
        if statistic.rank() == 0 {
            return Err(DfmError::NoVariation { pictures });
        }
        let different = different(&content_hashes)?;
        let calibration = self.params().calibration;
        let held_out = match calibration.map(|calibration| calibration.kind) {
            Some(CalibrationKind::Split) => calibrating(&different, &content_hashes)?,
            Some(CalibrationKind::JackknifePlus) if different.len() > MAX_JACKKNIFE => {
                return Err(DfmError::TooManyForJackknife { limit: MAX_JACKKNIFE, got: different.len() });
            }
            _ => Vec::new(),
        };
        let fitted = self.fitted(&statistic, &content_hashes, &held_out)?;
        let statistics = self.statistics(&fitted)?;
        let (calibration, scores) = match calibration {
            Some(calibration) => {
                let aggregation = self.params().aggregation;
                let scores = match calibration.kind {
                    CalibrationKind::Split if self.params().tiling.is_some() => {
                        let rows = (&*held_out, &*content_hashes);
                        split::scores_of_tiles(&statistic, rows, &statistics, aggregation, &extractor)?
                    }
                    CalibrationKind::Split => {
                        split::scores(&statistic, &held_out, &statistics, aggregation, &extractor)?
                    }
                    CalibrationKind::LeaveOneOut | CalibrationKind::JackknifePlus => {
                        let (shape, ratio) = (extractor.feature_shapes()[0], self.params().own_ratio());
                        HeldOutScorer::new(&statistic, &statistics, aggregation, shape, ratio)?
                            .scores(&different)?
                    }
                };
                let scores = HeldOutScores::new(calibration.kind, scores)?;
                (Some(Calibration::from_held_out(&scores, calibration)?), Some(scores))
            }
            None => (None, None),
        };
        let record = FitRecord {
            params: self.params().clone(),
            picture_count: pictures,
            held_out: pictures - fitted.sample_count(),
            rank: fitted.rank(),
            route: fitted.route().map_or("read", Route::name).to_owned(),
            rank_cut: fitted.rank_cut().unwrap_or(0.0),
            gaussian: statistics.gaussian().map(|gaussian| GaussianRecord {
                rank: gaussian.rank(),
                route: gaussian.route().map_or("read", Route::name).to_owned(),
                shrinkage: gaussian.shrinkage_intensity().unwrap_or(0.0),
            }),
            compression: fitted.compression().map(|compression| CompressionRecord {
                limit: compression.limit(),
                error_bound: compression.error_bound(),
                dropped_share: {
                    let total = statistics.pca().total_variance() * (fitted.sample_count() - 1) as f64;
                    compression.dropped() / total
                },
            }),
        };
        let scorer = statistics.scorer(self.params().aggregation, extractor.device());
        let self_test = SelfTest::record(&extractor, &scorer)?;
        drop(fitted);
        let kept = self.params().keep_fit_statistic.then_some((statistic, content_hashes));
        Ok(Dfm::assemble(extractor, statistics, calibration, scores, record, self_test, kept))
    }

    /// What scores are computed from, of pictures of this statistic.
    pub(crate) fn statistics(&self, statistic: &FitStatistic) -> Result<Statistics, DfmError> {
        let pca = self.truncate(statistic)?;
        Ok(match self.params().score {
            ScoreKind::Fre => Statistics::Fre(pca),
            ScoreKind::Nll => {
                let gaussian = SvdGaussian::fit_shrunk(&reduced_rows(statistic, &pca)?)?;
                Statistics::Nll(pca, gaussian)
            }
            ScoreKind::Mahalanobis => {
                Statistics::Mahalanobis(Box::new(ProbabilisticPca::of(statistic, pca)?))
            }
        })
    }

    /// The statistic of the pictures that are not `held_out`, with no copy of those.
    fn fitted<'a>(
        &self,
        statistic: &'a FitStatistic,
        content_hashes: &[[u8; 32]],
        held_out: &[Row],
    ) -> Result<Cow<'a, FitStatistic>, DfmError> {
        if held_out.is_empty() {
            return Ok(Cow::Borrowed(statistic));
        }
        let hashes: HashSet<&[u8; 32]> = held_out.iter().map(|row| &content_hashes[row.place]).collect();
        let places: Vec<usize> =
            (0..content_hashes.len()).filter(|place| hashes.contains(&content_hashes[*place])).collect();
        let fitted = statistic.without(&places)?;
        match fitted.rank() {
            0 => Err(DfmError::NoVariation { pictures: fitted.sample_count() }),
            _ => Ok(Cow::Owned(fitted)),
        }
    }
}

/// The coordinates of the training pictures in the components that were kept.
fn reduced_rows(statistic: &FitStatistic, pca: &Pca) -> Result<Samples, DfmError> {
    let kept = pca.component_count();
    let rows =
        statistic.coordinates().chunks(statistic.rank()).flat_map(|row| &row[..kept]).copied().collect();
    Ok(Samples::from_f64(rows, kept)?)
}
