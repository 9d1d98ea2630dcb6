//! Scoring on a device, in `f32`.
//!
//! The mean is taken off before anything is multiplied, so that the digits of
//! `f32` go to the deviation and not to the mean.

use burn::tensor::{Device, Tensor, TensorData};

use crate::gaussian::SvdGaussian;
use crate::pca::Pca;

/// A [`Pca`] on a device.
#[derive(Debug, Clone)]
pub struct PcaScorer {
    mean: Tensor<2>,
    components: Tensor<2>,
}

impl PcaScorer {
    pub(crate) fn new(pca: &Pca, device: &Device) -> Self {
        let columns = pca.mean().len();
        Self {
            mean: upload(pca.mean(), [1, columns], device),
            components: upload(pca.components(), [pca.component_count(), columns], device),
        }
    }

    /// Coordinates in the components.
    ///
    /// # Shapes
    ///
    /// - rows: `[N, D]`
    /// - result: `[N, K]`
    pub fn transform(&self, rows: Tensor<2>) -> Tensor<2> {
        (rows - self.mean.clone()).matmul(self.components.clone().transpose())
    }

    /// What the components cannot reconstruct: `x − x̂`.
    ///
    /// # Shapes
    ///
    /// - rows: `[N, D]`
    /// - result: `[N, D]`
    pub fn residual(&self, rows: Tensor<2>) -> Tensor<2> {
        let centred = rows - self.mean.clone();
        let coordinates = centred.clone().matmul(self.components.clone().transpose());
        centred - coordinates.matmul(self.components.clone())
    }

    /// `‖x − x̂‖²` of each row.
    ///
    /// # Shapes
    ///
    /// - rows: `[N, D]`
    /// - result: `[N]`
    pub fn feature_reconstruction_error(&self, rows: Tensor<2>) -> Tensor<1> {
        self.residual(rows).square().sum_dim(1).squeeze_dim(1)
    }
}

/// An [`SvdGaussian`] on a device.
#[derive(Debug, Clone)]
pub struct GaussianScorer {
    mean: Tensor<2>,
    whitening: Tensor<2>,
    log_determinant: f32,
}

impl GaussianScorer {
    pub(crate) fn new(gaussian: &SvdGaussian, device: &Device) -> Self {
        let columns = gaussian.mean().len();
        let axes = gaussian.basis().chunks_exact(columns).zip(gaussian.deviations());
        let whitening: Vec<f64> =
            axes.flat_map(|(axis, deviation)| axis.iter().map(move |value| value / deviation)).collect();
        Self {
            mean: upload(gaussian.mean(), [1, columns], device),
            whitening: upload(&whitening, [gaussian.rank(), columns], device),
            log_determinant: gaussian.log_determinant() as f32,
        }
    }

    /// `Σ z² + 2 Σ log σ` of each row.
    ///
    /// # Shapes
    ///
    /// - rows: `[N, K]`
    /// - result: `[N]`
    pub fn negative_log_likelihood(&self, rows: Tensor<2>) -> Tensor<1> {
        let whitened = (rows - self.mean.clone()).matmul(self.whitening.clone().transpose());
        whitened.square().sum_dim(1).squeeze_dim(1) + self.log_determinant
    }
}

fn upload(values: &[f64], shape: [usize; 2], device: &Device) -> Tensor<2> {
    let narrow: Vec<f32> = values.iter().map(|value| *value as f32).collect();
    Tensor::from_data(TensorData::new(narrow, shape), device)
}
