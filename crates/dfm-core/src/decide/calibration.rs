//! From held-out scores of good pictures to a threshold, and from a raw score to a normalised one. The
//! threshold rule is here and nowhere else.

use serde::{Deserialize, Serialize};

use crate::decide::conformal::HeldOutScores;
use crate::error::DfmError;
use crate::method::CalibrationParams;

/// The verdict on a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Label {
    /// The score is below the threshold, and below the review band if there is one.
    Normal,
    /// The score is below the threshold and lies in the review band that was asked for: a person
    /// should look.
    Review,
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
/// It lies in (0, 1), is ½ exactly at the threshold, and strictly increases with `s` for any sign of `s`.
/// Unlike a logistic curve, it approaches 1 slowly: two large scores do not round to the same `f64` until
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

    /// Builds a calibration from its parts.
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

    /// Builds a calibration from scores of held-out good pictures. The threshold is the one that was chosen,
    /// or else the smallest score whose p-value is at most the false-alarm rate, or else an estimate. The
    /// spread is the distance from the median of the scores to the threshold. If that is zero, the spread is
    /// the size of the threshold, or 1 if the threshold is zero too.
    ///
    /// # Errors
    ///
    /// If there are too few pictures for the rate.
    pub(crate) fn from_held_out(scores: &HeldOutScores, params: CalibrationParams) -> Result<Self, DfmError> {
        let threshold = match (params.threshold, params.false_alarm) {
            (Some(threshold), _) => threshold,
            (None, Some(false_alarm)) => scores.threshold_at(false_alarm)?,
            (None, None) => scores.estimate(params),
        };
        let spread = threshold - scores.quantile(0.5);
        // If all good pictures score alike, there is no spread. The size of the score is then the next
        // natural unit.
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
        // Each form keeps the digits of its tail: the distance from 1 for u > 0, and the distance from
        // 0 for u < 0.
        let normalized = if u >= 0.0 { 1.0 - 0.5 / (1.0 + u) } else { 0.5 / (1.0 - u) };
        normalized.clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::{CalibrationKind, FitParams, Method, ThresholdEstimate};

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
    fn equal_held_out_scores_still_give_a_usable_scale() {
        for (value, spread) in [(0.0, 1.0), (5.0, 5.0), (-5.0, 5.0)] {
            let scores = HeldOutScores::new(CalibrationKind::LeaveOneOut, vec![value; 4]).unwrap();
            let calibration = Calibration::from_held_out(&scores, CalibrationParams::default()).unwrap();
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
    }

    #[test]
    fn the_default_is_the_tail_beyond_99_percent_of_leave_one_out_scores() {
        let kind = Some(CalibrationKind::LeaveOneOut);
        let expected = CalibrationParams {
            quantile: 0.99,
            estimate: ThresholdEstimate::Tail,
            kind,
            false_alarm: None,
            threshold: None,
        };
        let checked = FitParams::from(Method::default()).check().unwrap();
        assert_eq!(checked.method().calibration, Some(expected));
    }

    #[test]
    fn a_stated_rate_decides_the_threshold() {
        let scores = (0..99).map(f64::from).collect();
        let scores = HeldOutScores::new(CalibrationKind::LeaveOneOut, scores).unwrap();
        let at = |rate| {
            let params = CalibrationParams { false_alarm: Some(rate), ..CalibrationParams::default() };
            Calibration::from_held_out(&scores, params)
        };
        // Among a hundred scores with the new one, these are the highest and the highest ten.
        assert_eq!(at(0.01).unwrap().label(98.0), Label::Normal);
        assert_eq!(at(0.01).unwrap().label(98.5), Label::Anomalous);
        assert_eq!(at(0.1).unwrap().label(89.0), Label::Normal);
        assert_eq!(at(0.1).unwrap().label(89.5), Label::Anomalous);
        assert!(matches!(at(0.009), Err(DfmError::TooFewForFalseAlarm { needed: 111, got: 99, .. })));
    }
}
