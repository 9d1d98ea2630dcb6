//! The p-value of a new score, and the threshold for a stated false-alarm rate, from held-out scores of
//! good pictures.

use dfm_stats::Tail;

use crate::error::DfmError;
use crate::method::{CalibrationKind, CalibrationParams, ThresholdEstimate, check_false_alarm};

/// Scores of different good pictures. Each comes from a model that was fitted without its picture.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HeldOutScores {
    kind: CalibrationKind,
    /// In the order of the pictures.
    scores: Vec<f64>,
    sorted: Vec<f64>,
}

impl HeldOutScores {
    /// # Errors
    ///
    /// If there is no score, or one is not finite.
    pub(crate) fn new(kind: CalibrationKind, scores: Vec<f64>) -> Result<Self, DfmError> {
        if scores.is_empty() {
            return Err(DfmError::TooFewPictures { expected: 2, got: 0 });
        }
        if let Some(score) = scores.iter().find(|score| !score.is_finite()) {
            let (name, expected) = ("held-out scores", "finite numbers");
            return Err(DfmError::Parameter { name, expected, got: score.to_string() });
        }
        let mut sorted = scores.clone();
        sorted.sort_by(f64::total_cmp);
        Ok(Self { kind, scores, sorted })
    }

    pub(crate) fn kind(&self) -> CalibrationKind {
        self.kind
    }

    pub(crate) fn in_order(&self) -> &[f64] {
        &self.scores
    }

    /// `(1 + as high) / (1 + n)`: the rank of a new score among all scores, from the top.
    pub(crate) fn p_value(&self, score: f64) -> f64 {
        self.p_value_of(self.sorted.len() - self.sorted.partition_point(|held_out| *held_out < score))
    }

    /// The p-value of a new score if `as_high` of the scores are at least as high.
    pub(crate) fn p_value_of(&self, as_high: usize) -> f64 {
        (1 + as_high) as f64 / (1 + self.sorted.len()) as f64
    }

    /// The quantile of the scores, linear between order statistics.
    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        dfm_stats::quantile(&self.sorted, quantile)
    }

    /// The threshold if no rate is stated, for scores or for the largest cells of maps.
    pub(crate) fn estimate(&self, params: CalibrationParams) -> f64 {
        let share = params.share_below();
        match params.estimate {
            ThresholdEstimate::Tail if share < 1.0 => {
                // Scores that do not differ have no tail.
                Tail::of(&self.sorted)
                    .map_or_else(|| self.quantile(share), |tail| tail.threshold(1.0 - share))
            }
            ThresholdEstimate::Tail | ThresholdEstimate::Quantile => self.quantile(share),
        }
    }

    /// The smallest score whose [`p_value`](Self::p_value) is at most `false_alarm`.
    ///
    /// # Errors
    ///
    /// If the rate is no share, or so small that no score has such a p-value.
    pub(crate) fn threshold_at(&self, false_alarm: f64) -> Result<f64, DfmError> {
        check_false_alarm(false_alarm)?;
        let count = self.sorted.len();
        // The p-values themselves are compared with the rate, so that rounding cannot make the two
        // disagree.
        let as_high = (0..count).take_while(|as_high| self.p_value_of(*as_high) <= false_alarm).count();
        if as_high == 0 {
            let enough = |count: &usize| 1.0 / (1 + count) as f64 <= false_alarm;
            let calibrating = ((1.0 / false_alarm) as usize).saturating_sub(2)..;
            let needed = calibrating.into_iter().find(enough).unwrap_or(usize::MAX);
            return Err(DfmError::TooFewForFalseAlarm {
                false_alarm,
                kind: self.kind,
                needed: self.kind.pictures_for(needed),
                calibrating: needed,
                got: count,
            });
        }
        Ok(self.sorted[count - as_high].next_up())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_out(scores: &[f64]) -> HeldOutScores {
        HeldOutScores::new(CalibrationKind::Split, scores.to_vec()).unwrap()
    }

    #[test]
    fn the_quantile_is_linear_between_order_statistics() {
        // numpy.quantile([1, 2, 4, 8], q)
        let scores = held_out(&[2.0, 1.0, 8.0, 4.0]);
        for (quantile, expected) in [(0.0, 1.0), (0.5, 3.0), (0.9, 6.8), (1.0, 8.0)] {
            assert!((scores.quantile(quantile) - expected).abs() < 1e-12);
        }
        assert_eq!(scores.in_order(), [2.0, 1.0, 8.0, 4.0]);
    }

    #[test]
    fn a_p_value_is_the_rank_among_all_and_never_nothing() {
        let scores = held_out(&[1.0, 2.0, 2.0, 3.0]);
        for (score, p_value) in
            [(0.0, 1.0), (1.0, 1.0), (1.5, 0.8), (2.0, 0.8), (2.5, 0.4), (3.0, 0.4), (9.0, 0.2)]
        {
            assert_eq!(scores.p_value(score), p_value, "{score}");
        }
    }

    /// A verdict by threshold equals a verdict by p-value, also at rates that rounding could change.
    #[test]
    fn a_score_reaches_the_threshold_if_and_only_if_its_p_value_is_at_most_the_rate() {
        let scores: Vec<f64> = (0..99).map(|index| f64::from(index * index % 61)).collect();
        let scores = held_out(&scores);
        for rate in (1..=50).map(|percent| f64::from(percent) / 100.0).chain([0.0101, 0.333, 0.4999]) {
            let threshold = scores.threshold_at(rate).unwrap();
            for score in (-2..130).map(|half| f64::from(half) / 2.0) {
                assert_eq!(score >= threshold, scores.p_value(score) <= rate, "{score} at {rate}");
            }
        }
    }

    #[test]
    fn a_rate_that_the_pictures_cannot_support_says_how_many_can() {
        for (rate, needed) in
            [(0.01, 99), (0.1, 9), (0.5, 1), (0.3, 3), (1e-3, 999), (0.02, 49), (1e-6, 999_999)]
        {
            for kind in CalibrationKind::ALL.iter().copied() {
                let enough = HeldOutScores::new(kind, vec![1.0; needed]).unwrap();
                assert!(enough.threshold_at(rate).is_ok(), "{rate}");
                if needed == 1 {
                    continue;
                }
                let few = HeldOutScores::new(kind, vec![1.0; needed - 1]).unwrap();
                let Err(DfmError::TooFewForFalseAlarm { needed: all, calibrating, got, .. }) =
                    few.threshold_at(rate)
                else {
                    panic!("{rate} of {} pictures", needed - 1)
                };
                assert_eq!((calibrating, got), (needed, needed - 1));
                assert_eq!(all, if kind == CalibrationKind::Split { 4 * needed - 3 } else { needed });
            }
        }
        for rate in [0.0, -0.1, 1e-300, 1e-7, 0.6, 1.0, f64::NAN] {
            assert!(matches!(held_out(&[1.0]).threshold_at(rate), Err(DfmError::Parameter { .. })), "{rate}");
        }
    }

    #[test]
    fn scores_that_are_no_numbers_are_refused() {
        for score in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            // In the lower half, where no quantile would touch it.
            let refused = HeldOutScores::new(CalibrationKind::LeaveOneOut, vec![score, 1.0, 2.0, 3.0]);
            assert!(matches!(refused, Err(DfmError::Parameter { name: "held-out scores", .. })), "{score}");
        }
        assert!(HeldOutScores::new(CalibrationKind::LeaveOneOut, Vec::new()).is_err());
    }
}
