//! Principal component analysis.

use std::borrow::Cow;

use burn::tensor::{Device, Tensor};

use crate::blocks::copy;
use crate::components::Components;
use crate::compression::Compression;
use crate::error::{StatsError, check_count, check_values};
use crate::samples::Samples;
use crate::statistic::{FitStatistic, check_directions, check_falling};

/// How many components are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Keep {
    /// The fewest components whose share of the variance reaches this number in (0, 1]. 1 keeps every
    /// direction, however small. All directions are kept if a compressed statistic does not hold that
    /// share. This is scikit-learn's rule, except for a share that is met to the last digit:
    /// scikit-learn wants it exceeded, and keeps one component more.
    Ratio(f64),
    /// This number of components.
    Components(usize),
}

/// Unchecked parameters of a [`Pca`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PcaParams {
    /// How many components are kept.
    pub keep: Keep,
}

impl PcaParams {
    /// Checks the parameters.
    ///
    /// # Errors
    ///
    /// If the ratio is outside (0, 1] or the count is 0.
    pub fn check(self) -> Result<ValidPcaParams, StatsError> {
        let got = match self.keep {
            Keep::Ratio(ratio) if !(ratio > 0.0 && ratio <= 1.0) => ratio.to_string(),
            Keep::Components(0) => "0 components".to_owned(),
            _ => return Ok(ValidPcaParams(self)),
        };
        let expected = "a ratio in (0, 1] or 1 component and more".to_owned();
        Err(StatsError::Parameter { name: "principal components", expected, got })
    }
}

/// Checked [`PcaParams`]. Only these can fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValidPcaParams(PcaParams);

impl ValidPcaParams {
    /// Fits `samples` `[N, D]`.
    ///
    /// # Errors
    ///
    /// As for [`FitStatistic::of`] and [`truncate`](Self::truncate).
    pub fn fit(&self, samples: &Samples) -> Result<Pca, StatsError> {
        self.truncate(&FitStatistic::of(samples)?)
    }

    /// The leading directions of a fit.
    ///
    /// # Errors
    ///
    /// If the rows do not vary, have fewer directions than the components that were asked for, or have
    /// variances beyond the range of `f64`.
    pub fn truncate(&self, statistic: &FitStatistic) -> Result<Pca, StatsError> {
        let (rank, rows) = (statistic.rank(), statistic.sample_count());
        let singular_values = statistic.singular_values();
        let Some(&largest) = singular_values.first() else {
            return Err(StatsError::NoVariation { operation: "principal component analysis", rows });
        };
        // Shares are computed first, so that no square overflows.
        let shares: Vec<f64> = singular_values.iter().map(|value| (value / largest).powi(2)).collect();
        // What compression dropped lies in no direction, but it counts as variance.
        let dropped = statistic.compression().map_or(0.0, Compression::dropped) / largest / largest;
        let all = shares.iter().sum::<f64>() + dropped;
        let count = match self.0.keep {
            Keep::Components(asked) if asked > rank => {
                return Err(StatsError::TooManyComponents { asked, rank, rows });
            }
            Keep::Components(asked) => asked,
            // Shares below the rounding of the sum would be left out otherwise.
            Keep::Ratio(1.0) => rank,
            Keep::Ratio(ratio) => {
                let mut reached = 0.0;
                let short = shares.iter().take_while(|share| {
                    reached += **share;
                    reached / all < ratio
                });
                (short.count() + 1).min(rank)
            }
        };
        let unit = largest * (largest / (rows - 1) as f64);
        if !(unit * all).is_normal() {
            return Err(StatsError::Range { operation: "principal component analysis", scale: largest });
        }
        let columns = statistic.mean().len();
        let explained_variance: Vec<f64> = shares[..count].iter().map(|share| share * unit).collect();
        let discarded = (shares[count..].iter().sum::<f64>() + dropped) * unit;
        let left_out = columns - count;
        Ok(Pca {
            mean: statistic.mean().to_vec(),
            components: Components::Fitted(copy(&statistic.directions()[..count * columns])),
            explained_variance,
            residual_variance: if left_out == 0 { 0.0 } else { discarded / left_out as f64 },
            total_variance: all * unit,
            sample_count: rows,
            rank,
        })
    }
}

/// The leading directions of variation around a mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Pca {
    mean: Vec<f64>,
    components: Components,
    explained_variance: Vec<f64>,
    residual_variance: f64,
    total_variance: f64,
    sample_count: usize,
    rank: usize,
}

impl Pca {
    /// Components from parts that may come from a file: `mean` `[D]`, `components` `[K, D]` and
    /// `explained_variance` `[K]`. The components stay in `f32` until somebody asks for
    /// [`components`](Self::components).
    ///
    /// # Errors
    ///
    /// If shapes contradict each other, a value is not finite, variances are not
    /// positive and falling, or components are not orthonormal.
    pub fn from_parts(
        mean: Vec<f64>,
        components: Vec<f32>,
        explained_variance: Vec<f64>,
        residual_variance: f64,
        total_variance: f64,
        sample_count: usize,
        rank: usize,
    ) -> Result<Self, StatsError> {
        let (columns, count) = (mean.len(), explained_variance.len());
        check_values("mean", &mean, columns.max(1))?;
        let values = count.saturating_mul(columns);
        check_count("components", &components, values)?;
        check_falling("explained variance", &explained_variance)?;
        // Rows of unit length are finite. Only if one is not, the cause is looked for.
        check_directions(&components, columns)
            .map_err(|error| check_values("components", &components, values).err().unwrap_or(error))?;
        let whole = count >= 1 && count <= rank && sample_count >= 2;
        let variances =
            residual_variance >= 0.0 && residual_variance.is_finite() && total_variance.is_normal();
        if !(whole && variances && total_variance > 0.0) {
            return Err(StatsError::Shape {
                what: "principal components",
                expected: "1 to rank components of at least 2 rows, and finite variances".to_owned(),
                got: format!(
                    "{count} components of rank {rank} and {sample_count} rows, variances {total_variance} and \
                     {residual_variance}"
                ),
            });
        }
        Ok(Self {
            mean,
            components: Components::read(components),
            explained_variance,
            residual_variance,
            total_variance,
            sample_count,
            rank,
        })
    }

    /// The mean `[D]`.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The components: orthonormal rows `[K, D]`, by falling variance. The largest entry of each is
    /// positive.
    pub fn components(&self) -> &[f64] {
        self.components.as_f64()
    }

    /// The components rounded to `f32`, as devices and files hold them.
    pub fn narrow_components(&self) -> Cow<'_, [f32]> {
        self.components.as_f32()
    }

    /// The same components, rounded to the digits of 16 bits (IEEE half precision).
    ///
    /// An entry of a component then has a relative error of 2⁻¹² or less, so what the components
    /// reconstruct changes by less than a thousandth.
    #[must_use]
    pub fn with_half_components(mut self) -> Self {
        let mut components = self.components.as_f32().into_owned();
        components.iter_mut().for_each(|value| *value = half::f16::from_f32(*value).to_f32());
        self.components = Components::read(components);
        self
    }

    /// The components `[K, D]` as a tensor.
    pub(crate) fn components_on_device(&self, device: &Device) -> Tensor<2> {
        self.components.on_device([self.component_count(), self.mean.len()], device)
    }

    /// `K`, the number of components.
    pub fn component_count(&self) -> usize {
        self.explained_variance.len()
    }

    /// The variance along each component `[K]`, with divisor `N − 1`.
    pub fn explained_variance(&self) -> &[f64] {
        &self.explained_variance
    }

    /// The share of the variance that the components explain together.
    pub fn explained_ratio(&self) -> f64 {
        (self.explained_variance.iter().sum::<f64>() / self.total_variance).min(1.0)
    }

    /// The mean variance of the `D − K` directions that were left out, including those without variance.
    /// scikit-learn's `noise_variance_` divides by `min(N, D) − K`. If `N < D`, it is
    /// `(D − K) / (N − K)` times this.
    pub fn residual_variance(&self) -> f64 {
        self.residual_variance
    }

    /// The variance of all columns together.
    pub fn total_variance(&self) -> f64 {
        self.total_variance
    }

    /// `N`, the number of rows of the fit.
    pub fn sample_count(&self) -> usize {
        self.sample_count
    }

    /// The number of directions in which the rows of the fit varied at all.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// The coordinates `[N, K]` of rows in the components.
    ///
    /// # Errors
    ///
    /// If the rows have another number of columns.
    pub fn transform(&self, samples: &Samples) -> Result<Samples, StatsError> {
        samples.check_columns(self.mean.len())?;
        let values = samples.iter().flat_map(|row| self.coordinates(&self.centred(row))).collect();
        Samples::from_f64(values, self.component_count())
    }

    /// `‖x − x̂‖²` for each row, where `x̂` is its projection onto the components: the part that they
    /// cannot explain (FRE paper, BMVC 2023).
    ///
    /// # Errors
    ///
    /// If the rows have another number of columns.
    pub fn feature_reconstruction_error(&self, samples: &Samples) -> Result<Vec<f64>, StatsError> {
        samples.check_columns(self.mean.len())?;
        let error = |row: &[f64]| self.residual_of(row).iter().map(|value| value * value).sum();
        Ok(samples.iter().map(error).collect())
    }

    /// `x − x̂` for each row, row by row `[N, D]`. The [reconstruction
    /// error](Self::feature_reconstruction_error) is its squared length.
    ///
    /// # Errors
    ///
    /// If the rows have another number of columns.
    pub fn residual(&self, samples: &Samples) -> Result<Vec<f64>, StatsError> {
        samples.check_columns(self.mean.len())?;
        Ok(samples.iter().flat_map(|row| self.residual_of(row)).collect())
    }

    fn residual_of(&self, row: &[f64]) -> Vec<f64> {
        let mut residual = self.centred(row);
        for (coordinate, component) in
            self.coordinates(&residual).into_iter().zip(self.components().chunks_exact(self.mean.len()))
        {
            for (value, part) in residual.iter_mut().zip(component) {
                *value -= coordinate * part;
            }
        }
        residual
    }

    fn centred(&self, row: &[f64]) -> Vec<f64> {
        row.iter().zip(&self.mean).map(|(value, mean)| value - mean).collect()
    }

    fn coordinates(&self, centred: &[f64]) -> Vec<f64> {
        let dot = |component: &[f64]| component.iter().zip(centred).map(|(a, b)| a * b).sum();
        self.components().chunks_exact(self.mean.len()).map(dot).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{apart, dot, fit, rows, skew};

    fn keep(samples: &Samples, keep: Keep) -> Pca {
        PcaParams { keep }.check().unwrap().fit(samples).unwrap()
    }

    #[test]
    fn what_is_explained_and_what_is_not_make_the_whole_of_each_row() {
        for (count, columns) in [(6, 20), (25, 7)] {
            let (given, new) = (rows(1, count, columns), rows(2, 5, columns));
            for components in [1, 3, 5] {
                let pca = keep(&given, Keep::Components(components));
                assert!(skew(pca.components(), columns) < 1e-11);
                let errors = pca.feature_reconstruction_error(&new).unwrap();
                let coordinates = pca.transform(&new).unwrap();
                for ((row, error), along) in new.iter().zip(errors).zip(coordinates.iter()) {
                    let away: Vec<f64> = row.iter().zip(pca.mean()).map(|(a, b)| a - b).collect();
                    let (whole, explained) = (dot(&away, &away), dot(along, along));
                    assert!((whole - explained - error).abs() < 1e-12 * whole, "{components}");
                }
            }
        }
    }

    #[test]
    fn a_residual_has_nothing_along_the_components() {
        let (given, new) = (rows(3, 12, 9), rows(4, 4, 9));
        let pca = keep(&given, Keep::Components(4));
        for residual in pca.residual(&new).unwrap().chunks_exact(9) {
            for component in pca.components().chunks_exact(9) {
                assert!(dot(residual, component).abs() < 1e-13);
            }
        }
    }

    #[test]
    fn a_ratio_keeps_the_fewest_components_that_reach_it() {
        let statistic = fit(&rows(5, 15, 11));
        let squares: Vec<f64> = statistic.singular_values().iter().map(|value| value * value).collect();
        let total: f64 = squares.iter().sum();
        for ratio in [0.05, 0.3, 0.5, 0.9, 0.99, 1.0] {
            let params = PcaParams { keep: Keep::Ratio(ratio) }.check().unwrap();
            let count = params.truncate(&statistic).unwrap().component_count();
            let share = |count: usize| squares[..count].iter().sum::<f64>() / total;
            assert!(share(count) >= ratio - 1e-15 && share(count - 1) < ratio, "{ratio}: {count}");
        }
    }

    #[test]
    fn variances_add_up_to_the_total_and_errors_of_the_fit_to_what_is_left() {
        let given = rows(6, 14, 8);
        for components in 1..=8 {
            let pca = keep(&given, Keep::Components(components));
            let explained: f64 = pca.explained_variance().iter().sum();
            let left = pca.residual_variance() * (8 - components) as f64;
            let total = pca.total_variance();
            assert!((explained + left - total).abs() < 1e-12 * total, "{components}");
            assert!((pca.explained_ratio() - explained / total).abs() < 1e-12, "{components}");
            let errors: f64 = pca.feature_reconstruction_error(&given).unwrap().iter().sum();
            assert!((errors - 13.0 * left).abs() < 1e-11 * total, "{components}: {errors}");
        }
    }

    #[test]
    fn components_that_are_written_in_f32_and_read_say_nearly_the_same() {
        let (given, new) = (rows(7, 10, 12), rows(8, 4, 12));
        let pca = keep(&given, Keep::Components(5));
        let read = Pca::from_parts(
            pca.mean().to_vec(),
            pca.narrow_components().into_owned(),
            pca.explained_variance().to_vec(),
            pca.residual_variance(),
            pca.total_variance(),
            pca.sample_count(),
            pca.rank(),
        )
        .unwrap();
        let [before, after] = [&pca, &read].map(|pca| pca.feature_reconstruction_error(&new).unwrap());
        // f32 rounds each entry to 6e-8.
        assert!(apart(&after, &before) < 1e-6);
        assert_eq!(read.narrow_components(), pca.narrow_components());
        let half = pca.clone().with_half_components();
        assert_ne!(half.narrow_components(), pca.narrow_components());
        for (half, whole) in half.components().iter().zip(pca.components()) {
            // Half a unit in the last of eleven digits; below 2⁻¹⁴ half precision has fewer.
            assert!((half - whole).abs() <= whole.abs() / 2048.0 + 1e-7, "{half} for {whole}");
        }
        assert_eq!(half.clone().with_half_components(), half);
    }

    #[test]
    fn what_is_no_ratio_and_no_count_is_refused() {
        for keep in [Keep::Ratio(0.0), Keep::Ratio(1.1), Keep::Ratio(f64::NAN), Keep::Components(0)] {
            assert!(PcaParams { keep }.check().is_err(), "{keep:?}");
        }
    }
}
