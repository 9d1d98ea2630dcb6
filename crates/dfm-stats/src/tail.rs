//! A threshold from the tail of held-out scores. It can lie above the largest score of few pictures.

use statrs::distribution::{Continuous, ContinuousCDF, Normal, StudentsT};

/// Scores are clipped at this many standard deviations below their median. Near copies of a picture score
/// far below the others, and say nothing about the tail.
const LOWEST: f64 = 2.0;
/// Scores are clipped at this many standard deviations above their median. One picture that stands out
/// must not decide the width.
const HIGHEST: f64 = 3.0;
/// Degrees of freedom for each picture, not counting the first. Scores of pictures are not exactly normal,
/// and scores of few pictures spread more than those of many.
const FREEDOM: f64 = 0.5;
/// The fewest degrees of freedom. With one, five scores would give a threshold that no defect reaches.
const FEWEST_DEGREES: f64 = 3.0;
/// The median absolute deviation of a normal distribution, times this, is its standard deviation.
const DEVIATIONS: f64 = 1.4826;
/// The mean absolute deviation of a normal distribution, times this, is its standard deviation.
const MEAN_DEVIATIONS: f64 = 1.2533;
/// 90 % of a standard normal distribution lie between minus this number and this number.
const NINETY: f64 = 1.6449;

/// Held-out scores as draws from one distribution. A few odd scores hardly change its centre and width.
///
/// Positive scores are compared by their logarithms `y`. With the median and `1.4826` times the median
/// absolute deviation, `y` is clipped to `[−2, 3]` such deviations around the median. The centre is the
/// mean of the clipped values. The scale is their standard deviation, divided by that of a normal
/// distribution that is clipped in the same way.
#[derive(Debug, Clone)]
pub struct Tail {
    /// The scores, or their logarithms, in rising order.
    sorted: Vec<f64>,
    in_logarithms: bool,
    centre: f64,
    scale: f64,
}

impl Tail {
    /// The tail of `scores`, which must be finite numbers. `None` if there are fewer than two, or if they do
    /// not differ.
    pub fn of(scores: &[f64]) -> Option<Self> {
        let in_logarithms = scores.iter().all(|score| *score > 0.0);
        let mut sorted: Vec<f64> =
            scores.iter().map(|score| if in_logarithms { score.ln() } else { *score }).collect();
        sorted.sort_by(f64::total_cmp);
        if sorted.len() < 2 {
            return None;
        }
        let middle = quantile(&sorted, 0.5);
        let mut away: Vec<f64> = sorted.iter().map(|value| (value - middle).abs()).collect();
        away.sort_by(f64::total_cmp);
        let mut width = DEVIATIONS * quantile(&away, 0.5);
        if width <= 0.0 {
            width = MEAN_DEVIATIONS * away.iter().sum::<f64>() / away.len() as f64;
        }
        let count = sorted.len() as f64;
        let clip = |value: &f64| value.clamp(middle - LOWEST * width, middle + HIGHEST * width);
        let centre = sorted.iter().map(clip).sum::<f64>() / count;
        let squares: f64 = sorted.iter().map(|value| (clip(value) - centre).powi(2)).sum();
        let scale = (squares / (count - 1.0)).sqrt() / clipped_deviation();
        (scale.is_finite() && scale > 0.0).then_some(Self { sorted, in_logarithms, centre, scale })
    }

    /// The threshold that a share `rate` of new good pictures should reach.
    ///
    /// It is a quantile of the distribution of a new score: Student's t with `(N − 1) / 2` degrees of freedom
    /// for `N` scores, and three at least. If `N` is larger than `1 / rate`, the quantile of the scores
    /// themselves counts too, which needs no distribution. The more scores there are, the more it counts.
    pub fn threshold(&self, rate: f64) -> f64 {
        let count = self.sorted.len() as f64;
        let wide = (1.0 + 1.0 / count).sqrt() * self.scale;
        let tail = self.centre + self.student().inverse_cdf(1.0 - rate) * wide;
        let own = (1.0 - 1.0 / (rate * count)).max(0.0);
        let value = (1.0 - own) * tail + own * quantile(&self.sorted, 1.0 - rate);
        if self.in_logarithms { value.exp() } else { value }
    }

    /// The lower and the upper end of an approximate 90 % interval for the share of new good pictures that
    /// reach `threshold`.
    pub fn rates(&self, threshold: f64) -> [f64; 2] {
        let away = self.away(threshold);
        let count = self.sorted.len() as f64;
        let error = (1.0 / count + away * away / (2.0 * self.freedom())).sqrt();
        let normal = Normal::standard();
        [away + NINETY * error, away - NINETY * error].map(|away| normal.sf(away))
    }

    /// The probability that a new score is as high as `score` if its picture is like the others.
    pub fn p_value(&self, score: f64) -> f64 {
        let wide = (1.0 + 1.0 / self.sorted.len() as f64).sqrt();
        self.student().sf(self.away(score) / wide)
    }

    /// The distance of a score from the centre, in units of the scale.
    fn away(&self, score: f64) -> f64 {
        (self.measured(score) - self.centre) / self.scale
    }

    fn measured(&self, score: f64) -> f64 {
        if self.in_logarithms { score.max(f64::MIN_POSITIVE).ln() } else { score }
    }

    fn freedom(&self) -> f64 {
        (FREEDOM * (self.sorted.len() as f64 - 1.0)).max(FEWEST_DEGREES)
    }

    fn student(&self) -> StudentsT {
        StudentsT::new(0.0, 1.0, self.freedom()).expect("three degrees of freedom or more")
    }
}

/// The quantile of values in rising order, linear between neighbours. `share` is clamped to [0, 1].
///
/// # Panics
///
/// If there is no value.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let part = position - below as f64;
    sorted[below] * (1.0 - part) + sorted[above] * part
}

/// The standard deviation of a standard normal variable that is clipped to `[−2, 3]`.
fn clipped_deviation() -> f64 {
    let normal = Normal::standard();
    let (below, above) = (normal.cdf(-LOWEST), normal.sf(HIGHEST));
    let (low, high) = (normal.pdf(LOWEST), normal.pdf(HIGHEST));
    let mean = -LOWEST * below + HIGHEST * above + low - high;
    let inside = 1.0 - below - above - (HIGHEST * high + LOWEST * low);
    (LOWEST * LOWEST * below + HIGHEST * HIGHEST * above + inside - mean * mean).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_normal_tail_that_is_clipped_gives_the_scale_back() {
        // As scipy.stats.norm integrates it.
        assert!((clipped_deviation() - 0.978_62).abs() < 1e-5, "{}", clipped_deviation());
        // The quantiles of a normal distribution of width 0.3 around 5, as logarithms of scores.
        let normal = Normal::new(5.0, 0.3).unwrap();
        let scores: Vec<f64> = (0..400).map(|k| normal.inverse_cdf((k as f64 + 0.5) / 400.0).exp()).collect();
        let tail = Tail::of(&scores).unwrap();
        assert!((tail.centre - 5.0).abs() < 0.005 && (tail.scale - 0.3).abs() < 0.005, "{tail:?}");
        let expected = normal.inverse_cdf(0.99);
        assert!((tail.threshold(0.01).ln() - expected).abs() < 0.02, "{}", tail.threshold(0.01).ln());
        let [low, high] = tail.rates(tail.threshold(0.01));
        assert!(low < 0.01 && high > 0.01 && high < 0.03, "{low} to {high}");
    }

    #[test]
    fn one_odd_score_moves_the_threshold_little_and_few_scores_raise_it() {
        let scores: Vec<f64> = (0..30).map(|k| 1.0 + 0.01 * f64::from(k)).collect();
        let plain = Tail::of(&scores).unwrap().threshold(0.01);
        let largest = scores[29];
        let odd = [&scores[..29], &[1e6]].concat();
        let moved = Tail::of(&odd).unwrap().threshold(0.01);
        assert!(plain > largest && moved > plain && moved < 1.1 * plain, "{plain} {moved}");
        let few: Vec<f64> = scores.iter().step_by(6).copied().collect();
        assert!(Tail::of(&few).unwrap().threshold(0.01) > plain);
    }

    #[test]
    fn scores_that_are_no_shares_are_taken_as_they_are() {
        let scores: Vec<f64> = (0..30).map(|k| -10.0 + f64::from(k)).collect();
        let tail = Tail::of(&scores).unwrap();
        assert!(tail.threshold(0.01) > 19.0 && tail.p_value(4.5) > 0.4, "{tail:?}");
        assert!(tail.p_value(1e3) < 1e-9);
    }

    #[test]
    fn scores_that_do_not_differ_have_no_tail() {
        assert!(Tail::of(&[1.0; 8]).is_none() && Tail::of(&[1.0]).is_none() && Tail::of(&[]).is_none());
        // More than half of the scores are equal.
        assert!(Tail::of(&[1.0, 1.0, 1.0, 1.0, 2.0]).is_some());
    }
}
