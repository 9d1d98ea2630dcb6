//! Shrinking sample variances towards their mean.

use crate::error::StatsError;
use crate::statistic::FitStatistic;

/// The relative error of a difference of sums of fourth powers.
const ROUNDING: f64 = 1e-12;

/// Linear shrinkage of variances: `(1 − ρ) · variance + ρ · target`.
///
/// The sample variances of `N` rows in many more dimensions are too spread out: the
/// smallest are much too small, and whatever is divided by them explodes. Ledoit and
/// Wolf (*A well-conditioned estimator for large-dimensional covariance matrices*,
/// 2004) draw the covariance towards a multiple of the identity by the intensity `ρ`
/// that the rows themselves say is best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shrinkage {
    intensity: f64,
    target: f64,
}

impl Shrinkage {
    /// A shrinkage with an intensity in `[0, 1]` towards the variance `target`.
    ///
    /// # Errors
    ///
    /// If either is out of its range.
    pub fn new(intensity: f64, target: f64) -> Result<Self, StatsError> {
        let refused = |name, expected: &str, got: f64| StatsError::Parameter {
            name,
            expected: expected.to_owned(),
            got: got.to_string(),
        };
        if !(0.0..=1.0).contains(&intensity) {
            return Err(refused("shrinkage intensity", "a share in [0, 1]", intensity));
        }
        if !(target.is_finite() && target >= 0.0) {
            return Err(refused("shrinkage target", "a variance", target));
        }
        Ok(Self { intensity, target })
    }

    /// `ρ`, the intensity.
    pub fn intensity(&self) -> f64 {
        self.intensity
    }

    /// The variance that others are shrunk towards.
    pub fn target(&self) -> f64 {
        self.target
    }

    /// `variance` after shrinkage.
    pub fn apply(&self, variance: f64) -> f64 {
        (1.0 - self.intensity) * variance + self.intensity * self.target
    }
}

/// Ledoit and Wolf's intensity for rows of `columns` dimensions that vary only in the leading
/// `directions` of `statistic`. It is scikit-learn's `ledoit_wolf_shrinkage`, computed from
/// coordinates: with centred rows `x` and `S = Σ x xᵀ / N`,
///
/// ```text
/// ρ = min(1, (Σ ‖x‖⁴ / N − ‖S‖²) / N  /  (‖S‖² − tr(S)² / D))
/// ```
///
/// Cost: `O(N · R)`.
pub(crate) fn ledoit_wolf(statistic: &FitStatistic, directions: usize, columns: usize) -> f64 {
    let Some(&largest) = statistic.singular_values().first() else {
        return 0.0;
    };
    let count = statistic.sample_count() as f64;
    let square = |value: f64| (value / largest).powi(2);
    // In units of the largest singular value, so that no fourth power overflows.
    let variances = || statistic.singular_values()[..directions].iter().map(|value| square(*value) / count);
    let (trace, squares) =
        variances().fold((0.0, 0.0), |(sum, squares), value| (sum + value, squares + value * value));
    let norms = statistic.coordinates().chunks_exact(statistic.rank()).map(|row| {
        let norm: f64 = row[..directions].iter().map(|value| square(*value)).sum();
        norm * norm
    });
    let noise = (norms.sum::<f64>() / count - squares) / count;
    let spread = squares - trace * trace / columns as f64;
    // Below the rounding of their terms, both count as zero.
    let floor = ROUNDING * squares;
    match (noise > floor, spread > floor) {
        (false, _) | (_, false) => 0.0,
        (true, true) => (noise / spread).min(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{dot, fit, rows, samples};

    /// The intensity by the formula of the paper, computed from the whole covariance.
    fn written_out(statistic: &FitStatistic) -> f64 {
        let (count, rank) = (statistic.sample_count() as f64, statistic.rank());
        let columns = statistic.mean().len();
        let coordinates: Vec<&[f64]> = statistic.coordinates().chunks_exact(rank).collect();
        let mut squares = 0.0;
        let mut trace = 0.0;
        for a in 0..rank {
            for b in 0..rank {
                let entry = coordinates.iter().map(|row| row[a] * row[b]).sum::<f64>() / count;
                squares += entry * entry;
                trace += if a == b { entry } else { 0.0 };
            }
        }
        let fourth: f64 = coordinates.iter().map(|row| dot(row, row).powi(2)).sum();
        let noise = (fourth / count - squares) / count;
        (noise / (squares - trace * trace / columns as f64)).min(1.0)
    }

    #[test]
    fn the_intensity_is_that_of_the_formula_written_out() {
        for (count, columns) in [(5, 30), (12, 12), (40, 6), (3, 2)] {
            let statistic = fit(&rows(count as u64, count, columns));
            let found = ledoit_wolf(&statistic, statistic.rank(), columns);
            let expected = written_out(&statistic);
            assert!((found - expected).abs() < 1e-11, "{count} × {columns}: {found} {expected}");
            assert!((0.0..=1.0).contains(&found));
        }
    }

    #[test]
    fn scale_and_order_of_rows_change_no_intensity() {
        let given = rows(1, 14, 9);
        let intensity = |rows: &crate::samples::Samples| ledoit_wolf(&fit(rows), 8, 9);
        let plain = intensity(&given);
        for scale in [1e-200, 1e-3, 1e150] {
            let scaled = samples(given.as_slice().iter().map(|value| value * scale).collect(), 9);
            assert!((intensity(&scaled) - plain).abs() < 1e-11, "{scale}");
        }
        let turned = given.select(&(0..14).rev().collect::<Vec<_>>());
        assert!((intensity(&turned) - plain).abs() < 1e-11);
    }

    #[test]
    fn rows_that_are_all_as_long_and_rows_of_nothing_are_not_shrunk() {
        // Two rows on either side of their mean: one direction, and no spread of squares.
        let pair = fit(&samples(vec![1.0, 2.0, 3.0, 4.0], 2));
        assert_eq!(ledoit_wolf(&pair, 1, 2), 0.0);
        let same = fit(&samples(vec![1.0; 6], 2));
        assert_eq!(ledoit_wolf(&same, 0, 2), 0.0);
    }

    #[test]
    fn shrinking_draws_every_variance_towards_the_target_and_keeps_the_mean() {
        let variances = [5.0, 2.0, 0.5, 0.1];
        let mean = variances.iter().sum::<f64>() / 4.0;
        for intensity in [0.0, 0.3, 1.0] {
            let shrinkage = Shrinkage::new(intensity, mean).unwrap();
            let shrunk = variances.map(|variance| shrinkage.apply(variance));
            for (variance, shrunk) in variances.iter().zip(shrunk) {
                assert!((shrunk - mean).abs() <= (variance - mean).abs() + 1e-15, "{intensity}");
                assert!((shrunk - mean) * (variance - mean) >= 0.0, "{intensity}");
            }
            assert!((shrunk.iter().sum::<f64>() / 4.0 - mean).abs() < 1e-14, "{intensity}");
            assert!(shrunk.is_sorted_by(|a, b| a >= b));
        }
    }

    #[test]
    fn what_is_no_share_or_no_variance_is_refused() {
        for (intensity, target) in
            [(-0.1, 1.0), (1.1, 1.0), (f64::NAN, 1.0), (0.5, -1.0), (0.5, f64::NAN), (0.5, f64::INFINITY)]
        {
            assert!(Shrinkage::new(intensity, target).is_err(), "{intensity} {target}");
        }
    }
}
