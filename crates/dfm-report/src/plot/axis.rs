//! The axis of scores: its scale and its ticks.

/// From this ratio of the largest to the smallest score on, the scale is logarithmic. A few defects
/// with enormous scores would otherwise press all others into one bar.
const LOGARITHMIC_FROM: f64 = 20.0;
/// Margin at both ends, as a share of the range of the scores.
const MARGIN: f64 = 0.03;
const MOST_TICKS: usize = 9;

/// The scale of scores, from the left end to the right end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    /// The score at the left end.
    pub(super) low: f64,
    /// The score at the right end.
    pub(super) high: f64,
    /// Whether the scale is logarithmic.
    pub(super) logarithmic: bool,
}

impl Axis {
    /// An axis with room for `scores`. It also has room for the threshold, unless the threshold is
    /// further from the scores than their own range. `None` if there are no scores.
    pub(super) fn new(scores: &[f64], threshold: Option<f64>) -> Option<Self> {
        let ends = scores.iter().fold(None, |ends: Option<[f64; 2]>, score| {
            let [low, high] = ends.unwrap_or([*score; 2]);
            Some([low.min(*score), high.max(*score)])
        });
        let [mut low, mut high] = ends?;
        let logarithmic = low > 0.0 && high / low >= LOGARITHMIC_FROM;
        let to = |score: f64| if logarithmic { score.ln() } else { score };
        let from = |place: f64| if logarithmic { place.exp() } else { place };
        (low, high) = (to(low), to(high));
        let width = high - low;
        if let Some(threshold) =
            threshold.map(to).filter(|place| (low - width..=high + width).contains(place))
        {
            (low, high) = (low.min(threshold), high.max(threshold));
        }
        // A single score stands in the middle.
        let margin =
            if high > low { MARGIN * (high - low) } else { (0.05 * low.abs()).max(f64::MIN_POSITIVE) };
        // The difference of the ends is then finite too, and each end has a logarithm where one is
        // needed.
        let least = if logarithmic { f64::MIN_POSITIVE } else { f64::MIN / 4.0 };
        let finite = |value: f64| value.clamp(least, f64::MAX / 4.0);
        Some(Self { low: finite(from(low - margin)), high: finite(from(high + margin)), logarithmic })
    }

    /// The position of `score` between the left end (0) and the right end (1).
    pub(super) fn share(&self, score: f64) -> f64 {
        let to = |score: f64| if self.logarithmic { score.max(self.low).ln() } else { score };
        ((to(score) - to(self.low)) / (to(self.high) - to(self.low))).clamp(0.0, 1.0)
    }

    /// Round scores on the axis, with their labels.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        if self.logarithmic {
            let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
            let within = |steps: &[f64]| -> Vec<f64> {
                let all =
                    decades.clone().flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)));
                all.filter(|tick| (self.low..=self.high).contains(tick)).collect()
            };
            let steps: [&[f64]; 3] = [&[1.0, 2.0, 5.0], &[1.0, 3.0], &[1.0]];
            let chosen = steps.iter().map(|steps| within(steps)).find(|ticks| ticks.len() <= MOST_TICKS);
            return chosen.unwrap_or_default().into_iter().map(|tick| (tick, name(tick, 0))).collect();
        }
        let step = round_step(self.high / 8.0 - self.low / 8.0);
        let places = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
        let (first, last) = ((self.low / step).ceil(), (self.high / step).floor());
        // If steps vanish beside the scores themselves, there are no ticks.
        let count = (last - first + 1.0).clamp(0.0, 2.0 * MOST_TICKS as f64) as usize;
        (0..count).map(|index| (first + index as f64) * step).map(|tick| (tick, name(tick, places))).collect()
    }
}

/// The smallest of 1, 2 or 5 times a power of ten that is not below `wanted`.
fn round_step(wanted: f64) -> f64 {
    let wanted = wanted.max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(wanted.log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().find(|step| step * power >= wanted);
    step.unwrap_or(10.0) * power
}

fn name(tick: f64, places: usize) -> String {
    match tick.abs() {
        size if size >= 1e6 => format!("{tick:.0e}"),
        size if size > 0.0 && size < 1e-3 => format!("{tick:.0e}"),
        size if places == 0 && size < 1.0 && size > 0.0 => format!("{tick}"),
        _ => format!("{:.places$}", tick + 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(scores: &[f64]) -> Vec<String> {
        Axis::new(scores, None).unwrap().ticks().into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(names(&[0.0, 7.0]), ["0", "1", "2", "3", "4", "5", "6", "7"]);
        assert_eq!(names(&[-0.2, 0.3]), ["-0.2", "-0.1", "0.0", "0.1", "0.2", "0.3"]);
        assert_eq!(names(&[1.0, 1000.0]), ["1", "3", "10", "30", "100", "300", "1000"]);
        for scores in [&[1e-300, 1e300][..], &[5.0], &[0.0], &[-1e308, 1e308], &[1e16, 1e16 + 2.0]] {
            assert!(names(scores).len() <= 2 * MOST_TICKS, "{scores:?}");
        }
    }

    #[test]
    fn the_ends_are_inside_whatever_the_scores() {
        for scores in [
            &[1.0, 2.0][..],
            &[7.0],
            &[0.0],
            &[-3.0, -3.0],
            &[1.0, 100.0],
            &[-1e308, 1e308],
            &[f64::MIN, f64::MAX],
            &[1e-320],
            &[1e-320, 1e308],
        ] {
            let axis = Axis::new(scores, None).unwrap();
            assert!(axis.low.is_finite() && axis.high.is_finite() && axis.low < axis.high, "{axis:?}");
            for score in scores {
                let share = axis.share(*score);
                assert!((0.0..=1.0).contains(&share), "{score} of {axis:?}: {share}");
            }
        }
        assert_eq!(Axis::new(&[], Some(1.0)), None);
    }

    #[test]
    fn a_threshold_beside_the_scores_is_on_the_axis_and_one_far_off_is_not() {
        assert!(Axis::new(&[1.0, 2.0], Some(2.5)).unwrap().high > 2.5);
        assert!(Axis::new(&[1.0, 2.0], Some(50.0)).unwrap().high < 2.5);
        assert_eq!(Axis::new(&[1.0, 2.0], Some(50.0)).unwrap().share(50.0), 1.0);
    }

    #[test]
    fn equal_ratios_are_equal_steps_where_scores_span_many() {
        let axis = Axis::new(&[1.0, 10_000.0], None).unwrap();
        assert!(axis.logarithmic);
        let [first, second, third] = [1.0, 100.0, 10_000.0].map(|score| axis.share(score));
        assert!((second - first - (third - second)).abs() < 1e-12);
        assert!(!Axis::new(&[-1.0, 10_000.0], None).unwrap().logarithmic);
    }
}
