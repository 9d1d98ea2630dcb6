//! Scoring on a device: rows of features in, one score a row out, and where there is
//! one the residual that the anomaly map is made of.

use burn::tensor::{Device, Tensor};
use dfm_backbone::FeatureShape;
use dfm_stats::{GaussianScorer, Pca, PcaScorer, ProbabilisticPca, ProbabilisticScorer, SvdGaussian};

use crate::aggregate::Aggregation;
use crate::error::DfmError;
use crate::held_out::relative;
use crate::map::AnomalyGrid;

/// The statistics that a score is computed from.
#[derive(Debug, Clone)]
pub(crate) enum Statistics {
    /// For the feature reconstruction error.
    Fre(Pca),
    /// For the negative log-likelihood of the reduced features.
    Nll(Pca, SvdGaussian),
    /// For the Mahalanobis distance under probabilistic PCA.
    Mahalanobis(Box<ProbabilisticPca>),
}

impl Statistics {
    pub(crate) fn pca(&self) -> &Pca {
        match self {
            Self::Fre(pca) | Self::Nll(pca, _) => pca,
            Self::Mahalanobis(model) => model.pca(),
        }
    }

    pub(crate) fn gaussian(&self) -> Option<&SvdGaussian> {
        match self {
            Self::Fre(_) | Self::Mahalanobis(_) => None,
            Self::Nll(_, gaussian) => Some(gaussian),
        }
    }

    /// The intensity of the shrinkage of a Mahalanobis distance.
    pub(crate) fn shrinkage(&self) -> Option<f64> {
        match self {
            Self::Fre(_) | Self::Nll(..) => None,
            Self::Mahalanobis(model) => Some(model.shrinkage().intensity()),
        }
    }

    /// Puts them on `device`, the cells of a grid to be put together by `aggregation`.
    pub(crate) fn scorer(&self, aggregation: Aggregation, device: &Device) -> Scorer {
        match self {
            Self::Fre(pca) => Scorer::Fre(pca.on_device(device), aggregation),
            Self::Mahalanobis(model) => Scorer::Mahalanobis(Box::new(model.on_device(device))),
            Self::Nll(pca, gaussian) => {
                Scorer::Nll(pca.on_device(device), Box::new(gaussian.on_device(device)))
            }
        }
    }
}

/// [`Statistics`] on a device.
#[derive(Debug, Clone)]
pub(crate) enum Scorer {
    Fre(PcaScorer, Aggregation),
    Nll(PcaScorer, Box<GaussianScorer>),
    Mahalanobis(Box<ProbabilisticScorer>),
}

/// The scores of a batch, with the maps where the score has them.
pub(crate) struct Scores {
    /// One a row.
    pub(crate) values: Vec<f64>,
    /// One a row, placed as if each were the picture; none at all for NLL.
    pub(crate) maps: Vec<AnomalyGrid>,
}

impl Scorer {
    /// The part of the score that is the same for every row.
    pub(crate) fn constant(&self) -> f64 {
        match self {
            Self::Fre(..) | Self::Mahalanobis(_) => 0.0,
            Self::Nll(_, gaussian) => gaussian.log_determinant(),
        }
    }

    /// Scores `rows` of shape `[N, D]`, of one tap.
    ///
    /// # Errors
    ///
    /// If the device fails, a row is not finite, or it is zero and the score is a share
    /// of it.
    pub(crate) fn score(&self, rows: Tensor<2>, shape: FeatureShape) -> Result<Scores, DfmError> {
        let (values, maps) = match self {
            Self::Fre(pca, aggregation) => reconstruction_errors(pca, *aggregation, rows, shape)?,
            Self::Mahalanobis(model) => distances(model, rows, shape)?,
            Self::Nll(pca, gaussian) => (gaussian.negative_log_likelihood(pca.transform(rows))?, Vec::new()),
        };
        match values.iter().position(|value| !value.is_finite()) {
            Some(picture) => Err(DfmError::NonFiniteFeatures { picture }),
            None => Ok(Scores { values, maps }),
        }
    }
}

impl DfmError {
    /// Of a batch that has so many pictures before those that it tells of.
    pub(crate) fn behind(self, pictures: usize) -> Self {
        match self {
            Self::NonFiniteFeatures { picture } => Self::NonFiniteFeatures { picture: pictures + picture },
            Self::NoFeatures { picture } => Self::NoFeatures { picture: pictures + picture },
            other => other,
        }
    }
}

/// FRE maps and their scores. The score is made of the cells of the map, so that the
/// two agree to the last digit (unless a cell is beyond `f32`, which only the map is
/// held in).
fn reconstruction_errors(
    pca: &PcaScorer,
    aggregation: Aggregation,
    rows: Tensor<2>,
    shape: FeatureShape,
) -> Result<(Vec<f64>, Vec<AnomalyGrid>), DfmError> {
    let norms = match aggregation {
        Aggregation::Relative => Some(squared_norms(rows.clone())?),
        Aggregation::Sum | Aggregation::Max | Aggregation::Top { .. } => None,
    };
    let mut scores = (Vec::new(), Vec::new());
    for (picture, mut cells) in residual_cells(pca, rows, shape)?.into_iter().enumerate() {
        // A row that is not finite is found by whoever called.
        if let Some(norm) = norms.as_ref().map(|norms| norms[picture]).filter(|norm| norm.is_finite()) {
            for cell in &mut cells {
                *cell = relative(*cell, norm, picture)?;
            }
        }
        scores.0.push(aggregation.of_cells(&cells));
        scores.1.push(AnomalyGrid::of_cells(&cells, shape));
    }
    Ok(scores)
}

/// Mahalanobis distances, with the maps of their residual part: the part inside the
/// components belongs to the picture as a whole.
fn distances(
    model: &ProbabilisticScorer,
    rows: Tensor<2>,
    shape: FeatureShape,
) -> Result<(Vec<f64>, Vec<AnomalyGrid>), DfmError> {
    let inside = model.distance_inside(rows.clone())?;
    let outside = residual_cells(model.pca(), rows, shape)?.into_iter();
    let score = |(inside, mut cells): (f64, Vec<f64>)| {
        cells.iter_mut().for_each(|cell| *cell *= model.residual_weight());
        (inside + cells.iter().sum::<f64>(), AnomalyGrid::of_cells(&cells, shape))
    };
    Ok(inside.into_iter().zip(outside).map(score).unzip())
}

/// The squared residual of each row, summed over the channels of each cell.
fn residual_cells(pca: &PcaScorer, rows: Tensor<2>, shape: FeatureShape) -> Result<Vec<Vec<f64>>, DfmError> {
    let FeatureShape { channels, height, width } = shape;
    let count = rows.dims()[0];
    let squared = pca.squared_residual(rows).reshape([count, channels, height * width]);
    let cells = to_host(squared.sum_dim(1).reshape([count, height * width]))?;
    let unit = pca.square_unit();
    let of_row = |cells: &[f32]| cells.iter().map(|cell| f64::from(*cell) * unit).collect();
    Ok(cells.chunks(height * width).map(of_row).collect())
}

/// `‖x‖²` of each row, on the host: `f32` need not hold it.
fn squared_norms(rows: Tensor<2>) -> Result<Vec<f64>, DfmError> {
    let columns = rows.dims()[1];
    let values = to_host(rows)?;
    let norm = |row: &[f32]| row.iter().map(|value| f64::from(*value).powi(2)).sum();
    Ok(values.chunks(columns).map(norm).collect())
}

/// The values of a tensor, row by row, on the host.
pub(crate) fn to_host<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, DfmError> {
    tensor
        .try_into_vec_as::<f32>()
        .map_err(|error| DfmError::Device { operation: "reading results back", reason: error.to_string() })
}
