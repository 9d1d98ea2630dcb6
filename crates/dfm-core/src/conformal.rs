//! What held-out scores of good pictures say of a new one: its p-value, and the threshold of
//! a stated false-alarm rate.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::DfmError;

/// The smallest rate that can be asked for: a smaller one would take more than a million
/// pictures.
const SMALLEST_RATE: f64 = 1e-6;

/// How good pictures come to be held out, and what is therefore proved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CalibrationKind {
    /// Each is scored by a model of all others. Nothing is wasted and nothing proved: new
    /// pictures are scored by the model of all, which differs by one picture.
    #[default]
    LeaveOneOut,
    /// A quarter is not fitted on and calibrates: that of the smallest content hashes.
    /// `P(p ≤ α) ≤ α` for a new picture that is exchangeable with them.
    Split,
    /// Each is scored by a model of all others, and a new picture by each of those models
    /// (Barber, Candès, Ramdas and Tibshirani, *Predictive inference with the jackknife+*,
    /// 2021). `P(p ≤ α) ≤ 2α` is proved under exchangeability, about `α` is usual. A new
    /// picture costs as much as holding out all of those of the fit.
    JackknifePlus,
}

impl CalibrationKind {
    const ALL: [Self; 3] = [Self::LeaveOneOut, Self::Split, Self::JackknifePlus];

    /// `leave-one-out`, `split` or `jackknife+`.
    pub fn name(self) -> &'static str {
        match self {
            Self::LeaveOneOut => "leave-one-out",
            Self::Split => "split",
            Self::JackknifePlus => "jackknife+",
        }
    }

    /// What is proved of p-values.
    pub fn guarantee(self) -> &'static str {
        match self {
            Self::LeaveOneOut => "none: an estimate",
            Self::Split => "P(p_value <= a) <= a",
            Self::JackknifePlus => "P(p_value <= a) <= 2a",
        }
    }

    /// Of how many different pictures `calibrating` of them calibrate.
    fn pictures_for(self, calibrating: usize) -> usize {
        match self {
            Self::LeaveOneOut | Self::JackknifePlus => calibrating,
            // The quarter is rounded up.
            Self::Split => 4 * (calibrating - 1) + 1,
        }
    }
}

impl fmt::Display for CalibrationKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for CalibrationKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| format!("expected leave-one-out, split or jackknife+, got {text}"))
    }
}

impl TryFrom<String> for CalibrationKind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<CalibrationKind> for String {
    fn from(kind: CalibrationKind) -> Self {
        kind.name().to_owned()
    }
}

/// Scores of different good pictures, each from a model that it was held out of.
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

    /// `(1 + as high) / (1 + n)`: the rank of a new score among all, from the top.
    pub(crate) fn p_value(&self, score: f64) -> f64 {
        self.p_value_of(self.sorted.len() - self.sorted.partition_point(|held_out| *held_out < score))
    }

    /// The p-value that `as_high` of the scores give.
    pub(crate) fn p_value_of(&self, as_high: usize) -> f64 {
        (1 + as_high) as f64 / (1 + self.sorted.len()) as f64
    }

    /// Linear between order statistics.
    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        let position = quantile.clamp(0.0, 1.0) * (self.sorted.len() - 1) as f64;
        let below = position.floor() as usize;
        let above = (below + 1).min(self.sorted.len() - 1);
        let share = position - below as f64;
        self.sorted[below] * (1.0 - share) + self.sorted[above] * share
    }

    /// The smallest score whose [`p_value`](Self::p_value) is at most `false_alarm`.
    ///
    /// # Errors
    ///
    /// If the rate is no share, or so small that no score has such a p-value.
    pub(crate) fn threshold_at(&self, false_alarm: f64) -> Result<f64, DfmError> {
        check_false_alarm(false_alarm)?;
        let count = self.sorted.len();
        // By the p-values themselves, so that no rounding comes between them and the rate.
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

/// Refuses what is no rate of false alarms.
pub(crate) fn check_false_alarm(false_alarm: f64) -> Result<(), DfmError> {
    if (SMALLEST_RATE..=0.5).contains(&false_alarm) {
        return Ok(());
    }
    let (name, expected) = ("false alarm rate", "a share from 0.000001 to 0.5");
    Err(DfmError::Parameter { name, expected, got: false_alarm.to_string() })
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

    /// The law that a verdict by threshold is one by p-value, at rates that rounding meets.
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
            for kind in CalibrationKind::ALL {
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

    #[test]
    fn kinds_are_read_as_they_are_written() {
        for kind in CalibrationKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("jackknife".parse::<CalibrationKind>().is_err());
    }
}
