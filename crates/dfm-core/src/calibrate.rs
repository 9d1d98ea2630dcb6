//! From good pictures alone to a threshold, and from a raw score to a
//! normalised one. The threshold rule stands here and nowhere else.

use dfm_stats::{FitStatistic, Keep, PcaParams, Samples, SvdGaussian};
use serde::{Deserialize, Serialize};

use crate::error::DfmError;
use crate::params::{CalibrationParams, ScoreKind};

/// The verdict on a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// The score is below the threshold.
    Normal,
    /// The score reaches the threshold.
    Anomalous,
}

/// A threshold, and the spread of good scores that normalisation is measured in.
///
/// With raw score `s`, threshold `t`, spread `w > 0` and `u = (s − t) / w`, the
/// normalised score is
///
/// ```text
/// n(s) = ½ · (1 + u / (1 + |u|))
/// ```
///
/// It lies in (0, 1), is ½ exactly at the threshold, and strictly increases with
/// `s` for any sign of `s`. Unlike a logistic curve it nears 1 so slowly that
/// two large scores do not round to the same number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    threshold: f64,
    spread: f64,
}

impl Calibration {
    /// A threshold chosen by the user, with no scores to measure a spread from.
    ///
    /// # Errors
    ///
    /// If the threshold is not finite.
    pub fn at(threshold: f64) -> Result<Self, DfmError> {
        Self::new(threshold, threshold.abs().max(1.0))
    }

    /// From its parts.
    ///
    /// # Errors
    ///
    /// If either is not finite, or the spread is not positive.
    pub fn new(threshold: f64, spread: f64) -> Result<Self, DfmError> {
        let refused = |name, expected, got: f64| DfmError::Parameter { name, expected, got: got.to_string() };
        if !threshold.is_finite() {
            return Err(refused("threshold", "a finite number", threshold));
        }
        if !(spread.is_finite() && spread > 0.0) {
            return Err(refused("spread of good scores", "a positive finite number", spread));
        }
        Ok(Self { threshold, spread })
    }

    /// The `quantile` of the scores of held-out good pictures (linear between
    /// order statistics). The spread is the distance from their median to it.
    ///
    /// # Errors
    ///
    /// If there is no score, or one is not finite.
    pub fn from_held_out(scores: &[f64], quantile: f64) -> Result<Self, DfmError> {
        let mut sorted = scores.to_vec();
        sorted.sort_by(f64::total_cmp);
        if sorted.is_empty() {
            return Err(DfmError::TooFewPictures { expected: 2, got: 0 });
        }
        let threshold = quantile_of(&sorted, quantile);
        let spread = threshold - quantile_of(&sorted, 0.5);
        // Where good pictures all score alike there is no spread to measure in;
        // the size of the score itself is the next natural unit.
        let floor = 1e-6 * threshold.abs();
        let spread = if spread > floor { spread } else { threshold.abs().max(f64::MIN_POSITIVE) };
        Self::new(threshold, spread)
    }

    /// The threshold, in units of the raw score.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// The spread that normalisation divides by.
    pub fn spread(&self) -> f64 {
        self.spread
    }

    /// The same spread around another threshold.
    ///
    /// # Errors
    ///
    /// If the threshold is not finite.
    pub fn with_threshold(self, threshold: f64) -> Result<Self, DfmError> {
        Self::new(threshold, self.spread)
    }

    /// The verdict on a raw score.
    pub fn label(&self, score: f64) -> Label {
        if score >= self.threshold { Label::Anomalous } else { Label::Normal }
    }

    /// The normalised score of a raw one; see the type's formula.
    pub fn normalize(&self, score: f64) -> f64 {
        let u = (score - self.threshold) / self.spread;
        // Written so that the tail keeps its digits: for u > 0 the distance
        // from 1, for u < 0 the distance from 0.
        if u >= 0.0 { 1.0 - 0.5 / (1.0 + u) } else { 0.5 / (1.0 - u) }
    }
}

/// The scores that each good picture gets from a model fitted without it: the
/// pictures are divided into `folds` parts, and each part is scored by a model
/// of the others.
///
/// Works in the coordinates of the whole fit: every picture lies in their span,
/// so distances there are those of the full feature space, and a fold costs an
/// `N × R` decomposition, not an `N × D` one.
///
/// The division follows the content hashes, so neither the order of the files
/// nor their names change it, and two copies of one picture share a fold.
///
/// # Errors
///
/// If fewer than two different pictures were given.
pub(crate) fn held_out_scores(
    statistic: &FitStatistic,
    content_hashes: &[[u8; 32]],
    keep: Keep,
    score: ScoreKind,
    params: CalibrationParams,
) -> Result<Vec<f64>, DfmError> {
    let mut distinct = content_hashes.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < 2 {
        return Err(DfmError::TooFewPictures { expected: 2, got: distinct.len() });
    }
    let folds = params.folds.min(distinct.len());
    let fold_of: Vec<usize> =
        content_hashes.iter().map(|hash| distinct.partition_point(|other| other < hash) % folds).collect();

    let coordinates = Samples::from_f64(statistic.coordinates().to_vec(), statistic.rank())?;
    let mut scores = vec![0.0; content_hashes.len()];
    for fold in 0..folds {
        let (held_out, training): (Vec<usize>, Vec<usize>) =
            (0..scores.len()).partition(|&row| fold_of[row] == fold);
        let held_out_rows = coordinates.select(&held_out);
        for (row, value) in
            held_out.iter().zip(score_by(&coordinates.select(&training), &held_out_rows, keep, score)?)
        {
            scores[*row] = value;
        }
    }
    Ok(scores)
}

/// The scores of `rows` under a model of `training`, in `f64` on the host.
fn score_by(training: &Samples, rows: &Samples, keep: Keep, score: ScoreKind) -> Result<Vec<f64>, DfmError> {
    let statistic = FitStatistic::of(training)?;
    // A fold has fewer pictures, so it may not have as many directions.
    let keep = match keep {
        Keep::Components(count) => Keep::Components(count.min(statistic.rank().max(1))),
        Keep::Ratio(_) => keep,
    };
    let pca = PcaParams { keep }.check()?.truncate(&statistic)?;
    match score {
        ScoreKind::Fre => Ok(pca.feature_reconstruction_error(rows)?),
        ScoreKind::Nll => {
            let gaussian = SvdGaussian::fit(&pca.transform(training)?)?;
            Ok(gaussian.negative_log_likelihood(&pca.transform(rows)?)?)
        }
    }
}

/// The `quantile` of sorted, non-empty `values`, linear between order statistics.
fn quantile_of(values: &[f64], quantile: f64) -> f64 {
    let position = quantile.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(values.len() - 1);
    let share = position - below as f64;
    values[below] * (1.0 - share) + values[above] * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalised_score_is_a_half_at_the_threshold_and_strictly_increases() {
        // Far outside what pictures give, negative likelihoods included.
        for (threshold, spread) in [(3.0, 0.5), (-250.0, 12.0), (1e6, 1e-3)] {
            let calibration = Calibration::new(threshold, spread).unwrap();
            assert_eq!(calibration.normalize(threshold), 0.5);
            let mut last = 0.0;
            for step in -600..=600 {
                let score = threshold + spread * f64::from(step) * 1.7;
                let normalized = calibration.normalize(score);
                assert!(normalized > last && normalized < 1.0, "{score}: {normalized} after {last}");
                last = normalized;
            }
            let far = calibration.normalize(threshold + 1e6 * spread);
            let further = calibration.normalize(threshold + 1.001e6 * spread);
            assert!(far < further && further < 1.0, "large scores are tied: {far} {further}");
        }
    }

    #[test]
    fn the_quantile_is_linear_between_order_statistics() {
        // numpy.quantile([1, 2, 4, 8], q)
        let sorted = [1.0, 2.0, 4.0, 8.0];
        for (quantile, expected) in [(0.0, 1.0), (0.5, 3.0), (0.9, 6.8), (1.0, 8.0)] {
            assert!((quantile_of(&sorted, quantile) - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn equal_held_out_scores_still_give_a_usable_scale() {
        for value in [0.0, 5.0, -5.0] {
            let calibration = Calibration::from_held_out(&[value; 4], 0.99).unwrap();
            assert_eq!(calibration.normalize(value), 0.5);
            assert!(calibration.normalize(value + 1.0) > 0.5);
        }
    }

    #[test]
    fn a_threshold_that_is_no_number_is_refused() {
        assert!(Calibration::at(f64::NAN).is_err());
        assert!(Calibration::at(1.0).unwrap().with_threshold(f64::INFINITY).is_err());
        assert!(Calibration::from_held_out(&[f64::NAN], 0.5).is_err());
    }
}
