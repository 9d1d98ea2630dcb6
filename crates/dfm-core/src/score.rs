//! Scoring on a device: rows of features in, one score a row out, and for FRE
//! the residual that the anomaly map is made of.

use burn::tensor::{Device, Tensor};
use dfm_backbone::FeatureShape;
use dfm_stats::{GaussianScorer, Pca, PcaScorer, SvdGaussian};

use crate::error::DfmError;
use crate::map::AnomalyGrid;

/// The statistics that a score is computed from.
#[derive(Debug, Clone)]
pub(crate) enum Statistics {
    /// For the feature reconstruction error.
    Fre(Pca),
    /// For the negative log-likelihood of the reduced features.
    Nll(Pca, SvdGaussian),
}

impl Statistics {
    pub(crate) fn pca(&self) -> &Pca {
        match self {
            Self::Fre(pca) | Self::Nll(pca, _) => pca,
        }
    }

    pub(crate) fn gaussian(&self) -> Option<&SvdGaussian> {
        match self {
            Self::Fre(_) => None,
            Self::Nll(_, gaussian) => Some(gaussian),
        }
    }

    /// Puts them on `device`.
    pub(crate) fn scorer(&self, device: &Device) -> Scorer {
        match self {
            Self::Fre(pca) => Scorer::Fre(pca.on_device(device)),
            Self::Nll(pca, gaussian) => {
                Scorer::Nll(pca.on_device(device), Box::new(gaussian.on_device(device)))
            }
        }
    }
}

/// [`Statistics`] on a device.
#[derive(Debug, Clone)]
pub(crate) enum Scorer {
    Fre(PcaScorer),
    Nll(PcaScorer, Box<GaussianScorer>),
}

/// The scores of a batch, with the maps where the score has them.
pub(crate) struct Scores {
    /// One a row.
    pub(crate) values: Vec<f64>,
    /// One a row for FRE, none for NLL.
    pub(crate) maps: Vec<AnomalyGrid>,
}

impl Scorer {
    /// The part of the score that is the same for every row.
    pub(crate) fn constant(&self) -> f64 {
        match self {
            Self::Fre(_) => 0.0,
            Self::Nll(_, gaussian) => gaussian.log_determinant(),
        }
    }

    /// Scores `rows` of shape `[N, D]`.
    ///
    /// # Errors
    ///
    /// If the device fails, or a row is not finite.
    pub(crate) fn score(&self, rows: Tensor<2>, shape: FeatureShape) -> Result<Scores, DfmError> {
        let (values, maps) = match self {
            Self::Fre(pca) => reconstruction_errors(pca, rows, shape)?,
            Self::Nll(pca, gaussian) => (gaussian.negative_log_likelihood(pca.transform(rows))?, Vec::new()),
        };
        match values.iter().position(|value| !value.is_finite()) {
            Some(picture) => Err(DfmError::NonFiniteFeatures { picture }),
            None => Ok(Scores { values, maps }),
        }
    }
}

/// FRE maps and their sums. The score is the sum of the squared residual over
/// the whole row, the map its sum over the channels of each cell: the score is
/// summed from the map, so that the two agree to the last digit (unless a cell
/// is beyond `f32`, which only the map is held in).
fn reconstruction_errors(
    pca: &PcaScorer,
    rows: Tensor<2>,
    shape: FeatureShape,
) -> Result<(Vec<f64>, Vec<AnomalyGrid>), DfmError> {
    let FeatureShape { channels, height, width } = shape;
    let count = rows.dims()[0];
    let squared = pca.squared_residual(rows).reshape([count, channels, height * width]);
    let cells = to_host(squared.sum_dim(1).reshape([count, height * width]))?;
    let unit = pca.square_unit();
    let grid = |cells: &[f32]| {
        let cells: Vec<f64> = cells.iter().map(|cell| f64::from(*cell) * unit).collect();
        let values = cells.iter().map(|cell| *cell as f32).collect();
        (cells.iter().sum::<f64>(), AnomalyGrid { height, width, values })
    };
    Ok(cells.chunks(height * width).map(grid).unzip())
}

/// The values of a tensor, row by row, on the host.
pub(crate) fn to_host<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, DfmError> {
    tensor
        .try_into_vec_as::<f32>()
        .map_err(|error| DfmError::Device { operation: "reading results back", reason: error.to_string() })
}
