//! Principal components as a probability density: how far a row lies from the mean, along the
//! components and outside of them.

use burn::tensor::{Device, Tensor};

use crate::error::StatsError;
use crate::gaussian::SvdGaussian;
use crate::pca::Pca;
use crate::samples::Samples;
use crate::score::{GaussianScorer, PcaScorer};
use crate::shrinkage::{Shrinkage, ledoit_wolf};
use crate::statistic::FitStatistic;

/// Probabilistic PCA (Tipping and Bishop, 1999): a Gaussian with the variance `λ_k` along each of `K`
/// components, and with one variance `σ²` in every other direction. The squared Mahalanobis distance
/// of a row with coordinates `z` and residual `r` is
///
/// ```text
/// Σ z_k² / λ_k + ‖r‖² / σ²
/// ```
///
/// `λ_k` and `σ²` are the variances of the [`Pca`] after [`Shrinkage`] towards the mean variance of all
/// `D` columns. Shrinkage does not change the total variance.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbabilisticPca {
    pca: Pca,
    /// The Gaussian of the coordinates: no mean, no rotation, deviations `√λ`.
    inside: SvdGaussian,
    noise_variance: f64,
    shrinkage: Shrinkage,
}

impl ProbabilisticPca {
    /// The density for components of `statistic`, with the shrinkage intensity that its rows suggest.
    ///
    /// # Errors
    ///
    /// As for [`with_intensity`](Self::with_intensity).
    pub fn of(statistic: &FitStatistic, pca: Pca) -> Result<Self, StatsError> {
        let intensity = ledoit_wolf(statistic, statistic.rank(), statistic.mean().len());
        Self::with_intensity(pca, intensity)
    }

    /// The density for components and an intensity that may come from a file.
    ///
    /// # Errors
    ///
    /// If the intensity is outside of `[0, 1]`, or the directions that were left out have no variance
    /// even after shrinkage, so that a residual cannot be measured.
    pub fn with_intensity(pca: Pca, intensity: f64) -> Result<Self, StatsError> {
        let columns = pca.mean().len();
        let shrinkage = Shrinkage::new(intensity, pca.total_variance() / columns as f64)?;
        let noise_variance = shrinkage.apply(pca.residual_variance());
        let components = pca.component_count();
        if components < columns && !noise_variance.is_normal() {
            return Err(StatsError::NoResidual { components, rows: pca.sample_count() });
        }
        let deviations =
            pca.explained_variance().iter().map(|value| shrinkage.apply(*value).sqrt()).collect();
        let inside = SvdGaussian::along_axes(deviations)?;
        Ok(Self { pca, inside, noise_variance, shrinkage })
    }

    /// The components.
    pub fn pca(&self) -> &Pca {
        &self.pca
    }

    /// How the variances were shrunk.
    pub fn shrinkage(&self) -> Shrinkage {
        self.shrinkage
    }

    /// `σ²`, shrunk; 0 if the components span every column.
    pub fn noise_variance(&self) -> f64 {
        if self.pca.component_count() == self.pca.mean().len() { 0.0 } else { self.noise_variance }
    }

    /// The squared Mahalanobis distance for each row.
    ///
    /// # Errors
    ///
    /// If the rows have another number of columns.
    pub fn squared_distance(&self, samples: &Samples) -> Result<Vec<f64>, StatsError> {
        let inside = self.inside.squared_distance(&self.pca.transform(samples)?)?;
        let outside = self.pca.feature_reconstruction_error(samples)?;
        let share = self.residual_weight();
        Ok(inside.iter().zip(outside).map(|(inside, outside)| inside + share * outside).collect())
    }

    /// `1 / σ²`; 0 if there is no residual.
    pub fn residual_weight(&self) -> f64 {
        if self.noise_variance() > 0.0 { 1.0 / self.noise_variance } else { 0.0 }
    }

    /// The same density, ready to score on `device`.
    pub fn on_device(&self, device: &Device) -> ProbabilisticScorer {
        ProbabilisticScorer {
            pca: self.pca.on_device(device),
            inside: self.inside.on_device(device),
            residual_weight: self.residual_weight(),
        }
    }
}

/// A [`ProbabilisticPca`] on a device.
#[derive(Debug, Clone)]
pub struct ProbabilisticScorer {
    pca: PcaScorer,
    inside: GaussianScorer,
    residual_weight: f64,
}

impl ProbabilisticScorer {
    /// The components, for the residual.
    pub fn pca(&self) -> &PcaScorer {
        &self.pca
    }

    /// The factor of a squared residual: `1 / σ²`.
    pub fn residual_weight(&self) -> f64 {
        self.residual_weight
    }

    /// `Σ z_k² / λ_k` for each row `[N, D]`, read back from the device: the part of the distance along
    /// the components.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn distance_inside(&self, rows: Tensor<2>) -> Result<Vec<f64>, StatsError> {
        self.inside.squared_distance(self.pca.transform(rows))
    }
}
