//! From good pictures alone to a threshold, and from a raw score to a
//! normalised one. The threshold rule stands here and nowhere else.

use dfm_stats::{FitStatistic, Samples};
use serde::{Deserialize, Serialize};

use crate::error::DfmError;
use crate::held_out::{HeldOut, HeldOutScorer};
use crate::params::CalibrationParams;

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
/// `s` for any sign of `s`, as far as `f64` can tell: unlike a logistic curve it
/// nears 1 so slowly that two large scores do not round to the same number until
/// `u` is about 10¹⁵. It never rounds to 0 or 1 itself.
#[derive(Debug, Clone, Copy, PartialEq)]
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
    /// order statistics). The spread is the distance from their median to it; where
    /// that is nothing, the size of the threshold, and 1 where that is nothing too.
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
        if let Some(score) = sorted.iter().find(|score| !score.is_finite()) {
            let (name, expected) = ("held-out scores", "finite numbers");
            return Err(DfmError::Parameter { name, expected, got: score.to_string() });
        }
        let threshold = quantile_of(&sorted, quantile);
        let spread = threshold - quantile_of(&sorted, 0.5);
        // Where good pictures all score alike there is no spread to measure in;
        // the size of the score itself is the next natural unit.
        let floor = 1e-6 * threshold.abs();
        let spread = match threshold.abs() {
            _ if spread > floor => spread,
            size if size.is_normal() => size,
            _ => 1.0,
        };
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
        let normalized = if u >= 0.0 { 1.0 - 0.5 / (1.0 + u) } else { 0.5 / (1.0 - u) };
        normalized.clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON / 2.0)
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
/// Every model of a part keeps `components` components, as the whole fit does:
/// likelihoods of another number of dimensions could not be compared with its
/// own. A reconstruction error can, so there a part that varies in fewer
/// directions keeps those.
///
/// # Errors
///
/// If fewer than two different pictures were given, or for a likelihood a part
/// varies in fewer directions than `components`.
pub(crate) fn held_out_scores(
    statistic: &FitStatistic,
    content_hashes: &[[u8; 32]],
    components: usize,
    scorer: &HeldOutScorer<'_>,
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
    let mut pictures = Vec::with_capacity(content_hashes.len());
    for fold in 0..folds {
        let (held_out, training): (Vec<usize>, Vec<usize>) =
            (0..content_hashes.len()).partition(|&row| fold_of[row] == fold);
        let part = FitStatistic::of(&coordinates.select(&training))?;
        if part.rank() < components && scorer.needs_every_component() {
            return Err(DfmError::TooFewToCalibrate {
                components,
                rank: part.rank(),
                got: distinct.len(),
                needed: enough_for(components, params.folds).max(distinct.len() + 1),
            });
        }
        pictures.extend(
            held_out.iter().map(|row| without(&part, coordinates.row(*row), *row, components, statistic)),
        );
    }
    let mut scores = vec![0.0; content_hashes.len()];
    for (picture, score) in pictures.iter().zip(scorer.scores(&pictures)?) {
        scores[picture.picture] = score;
    }
    Ok(scores)
}

/// What a model of a part of the `whole` says of a picture at `row`.
fn without(
    part: &FitStatistic,
    row: &[f64],
    picture: usize,
    components: usize,
    whole: &FitStatistic,
) -> HeldOut {
    let kept = components.min(part.rank());
    let mut residual: Vec<f64> = row.iter().zip(part.mean()).map(|(value, mean)| value - mean).collect();
    let mut squares = Vec::with_capacity(kept);
    for direction in part.directions().chunks_exact(row.len()).take(kept) {
        let along: f64 = direction.iter().zip(&residual).map(|(a, b)| a * b).sum();
        residual.iter_mut().zip(direction).for_each(|(value, part)| *value -= along * part);
        squares.push(along * along);
    }
    let pictures = part.sample_count();
    let variance = |value: &f64| value * (value / (pictures - 1) as f64);
    let mut variances: Vec<f64> = part.singular_values().iter().map(variance).collect();
    let mut left_out: f64 = variances[kept..].iter().sum();
    variances.truncate(kept);
    let mut remainder = 0.0;
    if let Some(compression) = whole.compression() {
        // What was dropped varies in no direction of the part, but as in the whole.
        left_out += compression.dropped() / (whole.sample_count() - 1) as f64;
        remainder = compression.remainders()[picture];
    }
    let residual_variance = left_out / (whole.mean().len() - kept).max(1) as f64;
    HeldOut { picture, squares, variances, residual_variance, residual, remainder, pictures }
}

/// The fewest pictures of which every part leaves `components + 1`, which is what
/// it takes to vary in that many directions.
fn enough_for(components: usize, folds: usize) -> usize {
    let leaves = |pictures: usize| pictures - pictures.div_ceil(folds.min(pictures));
    (2..).find(|pictures| leaves(*pictures) > components).unwrap_or(usize::MAX)
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
    use dfm_backbone::FeatureShape;
    use dfm_stats::{Keep, PcaParams, SvdGaussian};

    use super::*;
    use crate::aggregate::Aggregation;
    use crate::params::ScoreKind;
    use crate::score::Statistics;

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
        for (value, spread) in [(0.0, 1.0), (5.0, 5.0), (-5.0, 5.0)] {
            let calibration = Calibration::from_held_out(&[value; 4], 0.99).unwrap();
            assert_eq!(calibration.spread(), spread);
            assert_eq!(calibration.normalize(value), 0.5);
            assert!(calibration.normalize(value + 1.0) < calibration.normalize(value + 2.0));
        }
    }

    #[test]
    fn no_score_is_so_far_out_that_it_normalises_to_0_or_1() {
        for (threshold, spread) in [(0.0, f64::MIN_POSITIVE), (3.0, 0.5), (-1e300, 1e-300)] {
            let calibration = Calibration::new(threshold, spread).unwrap();
            let mut scores = [f64::MIN, -1e200, threshold, 1e200, f64::MAX];
            scores.sort_by(f64::total_cmp);
            let far = scores.map(|score| calibration.normalize(score));
            assert!(far.iter().all(|normalized| *normalized > 0.0 && *normalized < 1.0), "{far:?}");
            assert!(far.is_sorted(), "{far:?}");
        }
    }

    #[test]
    fn a_threshold_that_is_no_number_is_refused() {
        assert!(Calibration::at(f64::NAN).is_err());
        assert!(Calibration::at(1.0).unwrap().with_threshold(f64::INFINITY).is_err());
        for score in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            // In the lower half, where no quantile would touch it.
            let refused = Calibration::from_held_out(&[score, 1.0, 2.0, 3.0], 0.99);
            assert!(matches!(refused, Err(DfmError::Parameter { name: "held-out scores", .. })), "{score}");
        }
    }

    /// Six pictures that lie on a line but for a little of a plane.
    fn line(count: usize) -> (FitStatistic, Vec<[u8; 32]>) {
        let row = |index: usize| [index as f64, 0.1 * (index * index % 3) as f64];
        let rows = Samples::from_f64((0..count).flat_map(row).collect(), 2).unwrap();
        (FitStatistic::of(&rows).unwrap(), (0..count).map(|index| [index as u8; 32]).collect())
    }

    /// [`held_out_scores`] of pictures of one cell.
    fn scores(
        (statistic, hashes): &(FitStatistic, Vec<[u8; 32]>),
        components: usize,
        score: ScoreKind,
        params: CalibrationParams,
    ) -> Result<Vec<f64>, DfmError> {
        let keep = PcaParams { keep: Keep::Components(components) }.check().unwrap();
        let pca = keep.truncate(statistic).unwrap();
        let rows = statistic.coordinates().chunks(statistic.rank()).flat_map(|row| &row[..components]);
        let rows = Samples::from_f64(rows.copied().collect(), components).unwrap();
        let statistics = match score {
            ScoreKind::Nll => Statistics::Nll(pca, SvdGaussian::fit_shrunk(&rows).unwrap()),
            _ => Statistics::Fre(pca),
        };
        let shape = FeatureShape { channels: 2, height: 1, width: 1 };
        let scorer = HeldOutScorer::new(statistic, &statistics, Aggregation::Sum, shape).unwrap();
        held_out_scores(statistic, hashes, components, &scorer, params)
    }

    #[test]
    fn a_part_of_one_picture_is_modelled_by_its_mean() {
        let scores = scores(&line(2), 1, ScoreKind::Fre, CalibrationParams::default()).unwrap();
        // The squared distance of the two.
        scores.iter().for_each(|score| assert!((score - 1.01).abs() < 1e-12, "{scores:?}"));
    }

    #[test]
    fn a_likelihood_of_more_components_than_a_part_has_says_how_many_pictures_it_takes() {
        let params = CalibrationParams::default();
        let refused = |count: usize, components: usize| match scores(
            &line(count),
            components,
            ScoreKind::Nll,
            params,
        ) {
            Err(DfmError::TooFewToCalibrate { rank, needed, got, .. }) => (rank, needed, got),
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(2, 1), (0, 3, 2));
        assert_eq!(refused(3, 2), (1, 4, 3));
        assert!(scores(&line(4), 2, ScoreKind::Nll, params).is_ok());
    }

    #[test]
    fn copies_share_a_part_so_that_none_is_scored_by_a_model_of_itself() {
        let mut line = line(6);
        let params = CalibrationParams { quantile: 0.9, folds: 6 };
        let apart = scores(&line, 1, ScoreKind::Fre, params).unwrap();
        // The last two are one picture: without both, the line is another.
        line.1[5] = line.1[4];
        let together = scores(&line, 1, ScoreKind::Fre, params).unwrap();
        assert_eq!(apart[..4], together[..4]);
        assert!(apart[4] != together[4] && apart[5] != together[5]);
    }

    #[test]
    fn the_default_is_the_99_percent_quantile_of_five_parts() {
        assert_eq!(CalibrationParams::default(), CalibrationParams { quantile: 0.99, folds: 5 });
    }
}
