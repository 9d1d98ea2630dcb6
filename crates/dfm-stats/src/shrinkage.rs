//! How far sample variances are drawn towards their mean.

use crate::error::StatsError;
use crate::statistic::FitStatistic;

/// What a difference of sums of fourth powers may be wrong by, relative to the sums.
const ROUNDING: f64 = 1e-12;

/// Linear shrinkage of variances: `(1 − ρ) · variance + ρ · target`.
///
/// Of `N` rows in many more dimensions the sample variances are too spread out: the
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
    /// From an intensity in `[0, 1]` and the mean variance that is drawn towards.
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

    /// `ρ`.
    pub fn intensity(&self) -> f64 {
        self.intensity
    }

    /// The variance that is drawn towards.
    pub fn target(&self) -> f64 {
        self.target
    }

    /// A variance, shrunk.
    pub fn apply(&self, variance: f64) -> f64 {
        (1.0 - self.intensity) * variance + self.intensity * self.target
    }
}

/// Ledoit and Wolf's intensity for rows of `columns` dimensions that vary in the
/// leading `directions` of `statistic` alone. scikit-learn's `ledoit_wolf_shrinkage`,
/// computed from coordinates: with centred rows `x` and `S = Σ x xᵀ / N`,
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
    // Below the rounding of their terms both count as nothing.
    let floor = ROUNDING * squares;
    match (noise > floor, spread > floor) {
        (false, _) | (_, false) => 0.0,
        (true, true) => (noise / spread).min(1.0),
    }
}
