//! A Gaussian whose covariance is held as the SVD of the data.

use crate::directions::Route;
use crate::error::{StatsError, check_values};
use crate::samples::Samples;
use crate::shrinkage::{Shrinkage, ledoit_wolf};
use crate::statistic::{FitStatistic, check_directions, check_falling};

/// A Gaussian with the covariance `C = U S² Uᵀ`, where `U` and `S` come from the SVD of the
/// centred rows divided by `√N` (Ahuja et al., arXiv 1909.11786, section 3). Neither `C` nor its
/// inverse is ever formed.
///
/// If the rows do not vary in every direction, the Gaussian covers only the `R` directions in which
/// they do. The part of a row that lies outside of these directions does not count.
#[derive(Debug, Clone, PartialEq)]
pub struct SvdGaussian {
    mean: Vec<f64>,
    basis: Vec<f64>,
    deviations: Vec<f64>,
    route: Option<Route>,
    intensity: Option<f64>,
}

impl SvdGaussian {
    /// Fits `samples` `[N, K]`. The rank is that of [`FitStatistic`].
    ///
    /// # Errors
    ///
    /// If the rows do not vary, or the decomposition does not converge.
    pub fn fit(samples: &Samples) -> Result<Self, StatsError> {
        Self::of(&FitStatistic::of(samples)?)
    }

    fn of(statistic: &FitStatistic) -> Result<Self, StatsError> {
        let rows = statistic.sample_count();
        if statistic.rank() == 0 {
            return Err(StatsError::NoVariation { operation: "a Gaussian", rows });
        }
        let root = (rows as f64).sqrt();
        Ok(Self {
            mean: statistic.mean().to_vec(),
            basis: statistic.directions().to_vec(),
            deviations: statistic.singular_values().iter().map(|value| value / root).collect(),
            route: statistic.route(),
            intensity: None,
        })
    }

    /// [`fit`](Self::fit), with the variances shrunk towards the mean variance of all `K` columns, by
    /// the intensity that the rows themselves suggest ([`Shrinkage`]). However few rows there were, no
    /// whitened coordinate of a new row is then larger than its distance from the mean, divided by the
    /// root of intensity times mean variance.
    ///
    /// # Errors
    ///
    /// As for [`fit`](Self::fit).
    pub fn fit_shrunk(samples: &Samples) -> Result<Self, StatsError> {
        let statistic = FitStatistic::of(samples)?;
        let fitted = Self::of(&statistic)?;
        let intensity = ledoit_wolf(&statistic, statistic.rank(), samples.columns());
        fitted.shrink(intensity)
    }

    /// The same Gaussian with its variances shrunk by `intensity`.
    fn shrink(self, intensity: f64) -> Result<Self, StatsError> {
        // In units of the largest, so that no square overflows.
        let largest = self.deviations.first().copied().unwrap_or(1.0);
        let share = |deviation: &f64| (deviation / largest).powi(2);
        let mean = self.deviations.iter().map(share).sum::<f64>() / self.mean.len() as f64;
        let shrinkage = Shrinkage::new(intensity, mean)?;
        let shrunk = |deviation: &f64| largest * shrinkage.apply(share(deviation)).sqrt();
        let deviations = self.deviations.iter().map(shrunk).collect();
        Ok(Self { deviations, intensity: Some(intensity), ..self })
    }

    /// A Gaussian with mean zero and these `deviations` `[K]` along the axes.
    pub(crate) fn along_axes(deviations: Vec<f64>) -> Result<Self, StatsError> {
        let count = deviations.len();
        let mut basis = vec![0.0; count * count];
        basis.iter_mut().step_by(count + 1).for_each(|value| *value = 1.0);
        Self::from_parts(vec![0.0; count], basis, deviations)
    }

    /// A Gaussian from parts that may come from a file: `mean` `[K]`, `basis` `[R, K]` and
    /// `deviations` `[R]`.
    ///
    /// # Errors
    ///
    /// If shapes contradict each other, a value is not finite, deviations are not
    /// positive and falling, or the basis is not orthonormal.
    pub fn from_parts(mean: Vec<f64>, basis: Vec<f64>, deviations: Vec<f64>) -> Result<Self, StatsError> {
        let (columns, rank) = (mean.len(), deviations.len());
        check_values("Gaussian mean", &mean, columns.max(1))?;
        check_values("Gaussian basis", &basis, rank.max(1).saturating_mul(columns))?;
        check_falling("Gaussian deviations", &deviations)?;
        check_directions(&basis, columns)?;
        Ok(Self { mean, basis, deviations, route: None, intensity: None })
    }

    /// The mean `[K]`.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// `Uᵀ`: orthonormal rows `[R, K]`.
    pub fn basis(&self) -> &[f64] {
        &self.basis
    }

    /// `S`: standard deviations `[R]` along the basis, falling, with divisor `N`.
    pub fn deviations(&self) -> &[f64] {
        &self.deviations
    }

    /// `R`: the number of directions in which the rows varied.
    pub fn rank(&self) -> usize {
        self.deviations.len()
    }

    /// How the basis was found; `None` if it was read.
    pub fn route(&self) -> Option<Route> {
        self.route
    }

    /// The same Gaussian, marked as shrunk by `intensity`. The variances stay as they are.
    ///
    /// # Errors
    ///
    /// If the intensity is not in [0, 1].
    pub fn shrunk_by(self, intensity: f64) -> Result<Self, StatsError> {
        let shrinkage = Shrinkage::new(intensity, 0.0)?;
        Ok(Self { intensity: Some(shrinkage.intensity()), ..self })
    }

    /// The intensity of the shrinkage; `None` if there was none.
    pub fn shrinkage_intensity(&self) -> Option<f64> {
        self.intensity
    }

    /// `Σ z² + 2 Σ log σ` for each row, where `z` are its whitened coordinates. This is twice the
    /// negative log-likelihood without the constant `R · log 2π`.
    ///
    /// # Errors
    ///
    /// If the rows have another number of columns.
    pub fn negative_log_likelihood(&self, samples: &Samples) -> Result<Vec<f64>, StatsError> {
        let constant = self.log_determinant();
        Ok(self.squared_distance(samples)?.into_iter().map(|distance| distance + constant).collect())
    }

    /// `Σ z²` for each row, where `z` are its whitened coordinates.
    ///
    /// # Errors
    ///
    /// If the rows have another number of columns.
    pub fn squared_distance(&self, samples: &Samples) -> Result<Vec<f64>, StatsError> {
        samples.check_columns(self.mean.len())?;
        let distance = |row: &[f64]| {
            let axes = self.basis.chunks_exact(self.mean.len()).zip(&self.deviations);
            let squares = axes.map(|(axis, deviation)| {
                let along: f64 =
                    axis.iter().zip(row).zip(&self.mean).map(|((a, x), mean)| a * (x - mean)).sum();
                (along / deviation).powi(2)
            });
            squares.sum()
        };
        Ok(samples.iter().map(distance).collect())
    }

    /// `2 Σ log σ`, the part of the score that is the same for every row.
    pub fn log_determinant(&self) -> f64 {
        2.0 * self.deviations.iter().map(|deviation| deviation.ln()).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{apart, dot, rows, samples, skew};

    #[test]
    fn the_rows_of_a_fit_are_as_far_away_as_they_have_directions() {
        // With divisor N the whitened coordinates of all rows have squares that sum to N for
        // each direction.
        for (count, columns) in [(4, 9), (12, 5), (30, 30)] {
            let given = rows(count as u64, count, columns);
            let gaussian = SvdGaussian::fit(&given).unwrap();
            let sum: f64 = gaussian.squared_distance(&given).unwrap().iter().sum();
            let expected = (count * gaussian.rank()) as f64;
            assert!((sum - expected).abs() < 1e-8 * expected, "{count} × {columns}: {sum} {expected}");
            assert!(skew(gaussian.basis(), columns) < 1e-10);
        }
    }

    #[test]
    fn distance_and_determinant_are_those_of_the_covariance_written_out() {
        let (given, new) = (rows(1, 25, 2), rows(2, 4, 2));
        let gaussian = SvdGaussian::fit(&given).unwrap();
        let mean = [0, 1].map(|column| given.iter().map(|row| row[column]).sum::<f64>() / 25.0);
        let entry = |a: usize, b: usize| {
            given.iter().map(|row| (row[a] - mean[a]) * (row[b] - mean[b])).sum::<f64>() / 25.0
        };
        let (a, b, d) = (entry(0, 0), entry(0, 1), entry(1, 1));
        let determinant = a * d - b * b;
        assert!((gaussian.log_determinant() - determinant.ln()).abs() < 1e-12);
        let expected: Vec<f64> = new
            .iter()
            .map(|row| {
                let [x, y] = [row[0] - mean[0], row[1] - mean[1]];
                (d * x * x - 2.0 * b * x * y + a * y * y) / determinant
            })
            .collect();
        assert!(apart(&gaussian.squared_distance(&new).unwrap(), &expected) < 1e-12);
    }

    #[test]
    fn scale_changes_no_distance_and_adds_its_logarithm_to_the_likelihood() {
        let (given, new) = (rows(3, 10, 6), rows(4, 3, 6));
        let scaled =
            |given: &Samples| samples(given.as_slice().iter().map(|value| 1e40 * value).collect(), 6);
        let plain = SvdGaussian::fit(&given).unwrap();
        let large = SvdGaussian::fit(&scaled(&given)).unwrap();
        let distances = large.squared_distance(&scaled(&new)).unwrap();
        assert!(apart(&distances, &plain.squared_distance(&new).unwrap()) < 1e-9);
        let logarithm = 2.0 * plain.rank() as f64 * 1e40_f64.ln();
        let likelihoods = large.negative_log_likelihood(&scaled(&new)).unwrap();
        let expected: Vec<f64> =
            plain.negative_log_likelihood(&new).unwrap().iter().map(|value| value + logarithm).collect();
        assert!(apart(&likelihoods, &expected) < 1e-9);
    }

    #[test]
    fn what_lies_outside_of_the_directions_does_not_count() {
        let flat = |seed: u64, count: usize, height: f64| {
            let inside = rows(seed, count, 2);
            samples(inside.iter().flat_map(|row| [row[0], row[1], height]).collect(), 3)
        };
        let gaussian = SvdGaussian::fit(&flat(5, 12, 1.0)).unwrap();
        assert_eq!(gaussian.rank(), 2);
        let [low, high] = [1.0, 50.0].map(|height| gaussian.squared_distance(&flat(6, 4, height)).unwrap());
        assert!(apart(&high, &low) < 1e-12);
    }

    #[test]
    fn shrinking_keeps_the_mean_variance_of_its_directions_and_the_basis() {
        let given = rows(7, 30, 5);
        let (plain, shrunk) = (SvdGaussian::fit(&given).unwrap(), SvdGaussian::fit_shrunk(&given).unwrap());
        assert_eq!(plain.basis(), shrunk.basis());
        let intensity = shrunk.shrinkage_intensity().unwrap();
        assert!((0.0..=1.0).contains(&intensity) && intensity > 0.0, "{intensity}");
        // Every column varies, so that the target is the mean of the variances.
        let [before, after] =
            [&plain, &shrunk].map(|gaussian| dot(gaussian.deviations(), gaussian.deviations()));
        assert!((before - after).abs() < 1e-12 * before, "{before} {after}");
        assert!(shrunk.deviations()[0] < plain.deviations()[0]);
        assert!(shrunk.deviations()[4] > plain.deviations()[4]);
    }

    #[test]
    fn parts_that_are_written_and_read_say_the_same() {
        let gaussian = SvdGaussian::fit(&rows(8, 9, 4)).unwrap();
        let parts = (gaussian.mean().to_vec(), gaussian.basis().to_vec(), gaussian.deviations().to_vec());
        let read = SvdGaussian::from_parts(parts.0, parts.1, parts.2).unwrap();
        let new = rows(9, 3, 4);
        assert_eq!(read.squared_distance(&new).unwrap(), gaussian.squared_distance(&new).unwrap());
    }
}
