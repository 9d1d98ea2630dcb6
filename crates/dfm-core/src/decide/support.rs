//! Which false-alarm rates a number of held-out good pictures can support.

use std::fmt;

use serde::Serialize;

use dfm_stats::Tail;

use crate::decide::conformal::HeldOutScores;
use crate::method::{CalibrationParams, ThresholdEstimate};
use crate::model::Dfm;

/// The confidence of [`Support::highest_rate`].
const CONFIDENCE: f64 = 0.95;
/// Pictures count as few if the true rate may be more than this many times the rate that was asked for.
const MOST_TIMES: f64 = 10.0;
/// The number of halvings of an interval of shares. It is beyond the precision of an `f64`.
const HALVINGS: usize = 60;

/// What the held-out good pictures of a fit can say about the false-alarm rate.
///
/// The rates assume that new good pictures are like those held out. For a
/// [split](crate::CalibrationKind::Split) the smallest and the highest rate are then exact. For
/// leave-one-out they are estimates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Support {
    /// The number of different pictures that were held out and calibrate.
    pub pictures: usize,
    /// The number of these pictures whose score reaches the threshold.
    pub reaching: usize,
    /// The false-alarm rate that the threshold is for. `None` if the threshold was chosen in another way.
    pub asked_rate: Option<f64>,
    /// The smallest rate that a threshold from so many pictures can be for: `1 / (pictures + 1)`.
    pub smallest_rate: f64,
    /// The true rate at the threshold is below this, with a confidence of 95 %. It is the exact binomial
    /// bound for `reaching` of `pictures`.
    pub highest_rate: f64,
    /// The lower and the upper end of an approximate 90 % interval for the true rate at the threshold, by
    /// the [`Tail`](dfm_stats::Tail) of the scores. `None` if the threshold does not come from the tail.
    pub tail_rates: Option<[f64; 2]>,
    /// Whether the pictures are so few that the true rate may be more than ten times the rate that
    /// was asked for, or 10 % where none was.
    pub is_few: bool,
}

impl Support {
    /// Describes `pictures` that calibrate, of which `reaching` reach the threshold. `None` without
    /// pictures.
    ///
    /// ```
    /// use dfm_core::Support;
    ///
    /// let support = Support::new(12, 1, Some(0.01)).expect("there are pictures");
    /// assert!((support.smallest_rate - 1.0 / 13.0).abs() < 1e-12);
    /// assert!(support.is_few && !support.supports_asked());
    /// ```
    pub fn new(pictures: usize, reaching: usize, asked_rate: Option<f64>) -> Option<Self> {
        if pictures == 0 || reaching > pictures {
            return None;
        }
        let highest_rate = highest_rate(reaching, pictures);
        Some(Self {
            pictures,
            reaching,
            asked_rate,
            smallest_rate: 1.0 / (pictures as f64 + 1.0),
            highest_rate,
            tail_rates: None,
            is_few: highest_rate > MOST_TIMES * asked_rate.unwrap_or(0.01),
        })
    }

    /// Describes what the held-out `scores` support at the `threshold` that was found with `asked`.
    pub(crate) fn of(
        scores: &[f64],
        threshold: f64,
        asked: CalibrationParams,
        is_found: bool,
    ) -> Option<Self> {
        let reaching = scores.iter().filter(|score| **score >= threshold).count();
        // Rounded to what a person would write.
        let rate = || (1e9 * (1.0 - asked.share_below())).round() / 1e9;
        let rate = is_found.then(|| asked.false_alarm.unwrap_or_else(rate)).filter(|rate| *rate > 0.0);
        let tail =
            (is_found && asked.estimate == ThresholdEstimate::Tail).then(|| Tail::of(scores)).flatten();
        let share = reaching as f64 / scores.len() as f64;
        // A tail that most of what reaches the threshold lies outside of says nothing.
        let tail_rates = tail.map(|tail| tail.rates(threshold)).filter(|[_, high]| share <= *high);
        Self::new(scores.len(), reaching, rate).map(|support| Self { tail_rates, ..support })
    }

    /// Whether a threshold from so many pictures can be for the rate that was asked for.
    pub fn supports_asked(&self) -> bool {
        self.asked_rate.is_none_or(|rate| self.smallest_rate <= rate)
    }

    /// How many pictures have to calibrate for the rate that was asked for.
    pub fn needed(&self) -> Option<usize> {
        self.asked_rate.map(|rate| (1.0 / rate - 1e-9).ceil() as usize - 1)
    }
}

impl Dfm {
    /// What the pictures that calibrate can say about the false-alarm rate at the model's threshold.
    /// `None` for a model without held-out scores.
    pub fn support(&self) -> Option<Support> {
        let scores: &HeldOutScores = self.judged.scores.as_ref()?;
        let (asked, calibration) = (self.record.params.method.calibration?, self.judged.calibration?);
        let is_found = self.record.finds_threshold();
        Support::of(scores.in_order(), calibration.threshold(), asked, is_found)
    }
}

/// One sentence: the rate that the pictures are enough for, the rate that they are too few for, and the
/// largest true rate.
impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pictures = if self.pictures == 1 { "picture" } else { "pictures" };
        write!(f, "{} held-out {pictures}: ", self.pictures)?;
        let smallest = percent(self.smallest_rate);
        match self.asked_rate {
            Some(asked) if self.supports_asked() => {
                write!(f, "enough for a rate of {}", percent(asked))?;
            }
            Some(asked) => {
                write!(f, "enough for a rate of {smallest}, too few for {}", percent(asked))?;
            }
            None => write!(f, "enough for a rate of {smallest}, too few for a smaller one")?,
        }
        match self.highest_rate < 1.0 {
            true => {
                write!(f, "; with 95 % confidence the true rate is below {}", percent(self.highest_rate))?
            }
            false => f.write_str("; the true rate may be anything")?,
        }
        match self.tail_rates {
            Some([low, high]) => {
                write!(f, "; the tail of their scores says from {} to {}", percent(low), percent(high))
            }
            None => Ok(()),
        }
    }
}

/// A share in per cent, rounded up to one digit, or below 1 % to two.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    let step = match percent {
        _ if percent >= 3.0 => 1.0,
        _ if percent >= 0.3 => 0.1,
        _ if percent >= 0.03 => 0.01,
        _ => 0.0001,
    };
    // A whole number of steps stays as it is, in spite of rounding.
    let rounded = (percent / step - 1e-6).ceil().max(0.0) * step;
    let digits = format!("{rounded:.4}");
    format!("{} %", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// The upper limit of Clopper and Pearson: the rate at which at most `reaching` of `count` draws succeed
/// with a probability of 5 %.
fn highest_rate(reaching: usize, count: usize) -> f64 {
    if reaching >= count {
        return 1.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if at_most(reaching, count, middle) > 1.0 - CONFIDENCE { low = middle } else { high = middle }
    }
    high
}

/// The probability that at most `reaching` of `count` draws succeed, each with probability `rate`.
fn at_most(reaching: usize, count: usize, rate: f64) -> f64 {
    let (log_rate, log_rest) = (rate.ln(), (-rate).ln_1p());
    // The logarithm of the binomial coefficient, step by step.
    let mut log_ways = 0.0;
    let mut sum = 0.0;
    for hits in 0..=reaching {
        sum += (log_ways + hits as f64 * log_rate + (count - hits) as f64 * log_rest).exp();
        log_ways += ((count - hits) as f64).ln() - ((hits + 1) as f64).ln();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_none_that_reach_the_bound_is_the_closed_form() {
        for count in [1, 2, 12, 99, 1000] {
            let expected = 1.0 - 0.05_f64.powf(1.0 / count as f64);
            let found = Support::new(count, 0, None).unwrap().highest_rate;
            assert!((found - expected).abs() < 1e-12, "{count}: {found} for {expected}");
        }
    }

    /// Upper limits of one-sided intervals of 95 %, as scipy.stats.beta.ppf(0.95, k + 1, n - k) has
    /// them.
    #[test]
    fn the_bound_is_that_of_clopper_and_pearson() {
        let known = [(1, 2, 0.974_679), (1, 12, 0.338_681), (2, 10, 0.506_901), (1, 99, 0.047_021)];
        for (reaching, count, expected) in known {
            let found = highest_rate(reaching, count);
            assert!((found - expected).abs() < 1e-5, "{reaching} of {count}: {found} for {expected}");
        }
        assert_eq!(highest_rate(3, 3), 1.0);
    }

    #[test]
    fn few_pictures_are_those_that_leave_ten_times_the_rate_open() {
        let one_percent = |count| Support::new(count, 1, Some(0.01)).unwrap();
        assert!(one_percent(20).is_few && !one_percent(60).is_few);
        assert!(!one_percent(60).supports_asked() && one_percent(99).supports_asked());
        assert_eq!(one_percent(3).needed(), Some(99));
        assert!(!Support::new(19, 0, Some(0.05)).unwrap().is_few);
        assert!(
            Support::new(2, 1, None).unwrap().is_few && Support::new(2, 1, None).unwrap().supports_asked()
        );
    }

    #[test]
    fn one_sentence_says_what_the_pictures_are_enough_for() {
        let said = |pictures, reaching, asked| Support::new(pictures, reaching, asked).unwrap().to_string();
        assert_eq!(
            said(12, 1, Some(0.01)),
            "12 held-out pictures: enough for a rate of 8 %, too few for 1 %; with 95 % confidence the true rate is below \
             34 %"
        );
        assert_eq!(
            said(300, 3, Some(0.01)),
            "300 held-out pictures: enough for a rate of 1 %; with 95 % confidence the true rate is below 2.6 %"
        );
        assert!(said(2, 1, Some(0.01)).contains("enough for a rate of 34 %, too few for 1 %"));
        assert!(said(1, 1, None).ends_with("the true rate may be anything"));
        assert_eq!([0.1, 0.055, 0.001, 1e-6].map(percent), ["10 %", "6 %", "0.1 %", "0.0001 %"]);
    }

    #[test]
    fn a_threshold_from_the_tail_has_an_interval_of_rates() {
        let scores: Vec<f64> = (0..30).map(|k| (0.1 * f64::from(k)).exp()).collect();
        let asked = CalibrationParams::default();
        let threshold = Tail::of(&scores).unwrap().threshold(0.01);
        let support = Support::of(&scores, threshold, asked, true).unwrap();
        let [low, high] = support.tail_rates.unwrap();
        assert!(low < 0.01 && high > 0.01 && high < support.highest_rate, "{support:?}");
        assert!(support.to_string().contains("; the tail of their scores says from "), "{support}");
        for (asked, is_found) in [(asked.with_estimate(ThresholdEstimate::Quantile), true), (asked, false)] {
            assert_eq!(Support::of(&scores, threshold, asked, is_found).unwrap().tail_rates, None);
        }
    }

    #[test]
    fn what_is_no_count_has_no_support() {
        assert!(Support::new(0, 0, None).is_none() && Support::new(2, 3, None).is_none());
    }
}
