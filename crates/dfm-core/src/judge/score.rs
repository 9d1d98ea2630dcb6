//! Scoring on a device: rows of features of one layer in, one score a row out, and where there is
//! one the residual that the anomaly map is made of.

use burn::tensor::{Device, Tensor};
use dfm_backbone::FeatureShape;
use dfm_stats::{GaussianScorer, PcaScorer, ProbabilisticScorer};

use crate::error::DfmError;
use crate::host::to_host;
use crate::judge::map::AnomalyGrid;
use crate::judge::rule::LayerRule;
use crate::judge::statistics::Statistics;
use crate::method::{Aggregation, Rows};

/// A [`LayerRule`] on a device.
#[derive(Debug, Clone)]
pub(crate) struct Scorer {
    kind: Kind,
    shape: FeatureShape,
}

#[derive(Debug, Clone)]
enum Kind {
    Fre(PcaScorer, Aggregation, Rows),
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
    /// Puts the statistics on `device`.
    pub(crate) fn new(rule: LayerRule<'_>, device: &Device) -> Self {
        let kind = match rule.statistics {
            Statistics::Fre(pca) => Kind::Fre(pca.on_device(device), rule.aggregation, rule.rows),
            Statistics::Mahalanobis(model) => Kind::Mahalanobis(Box::new(model.on_device(device))),
            Statistics::Nll(pca, gaussian) => {
                Kind::Nll(pca.on_device(device), Box::new(gaussian.on_device(device)))
            }
        };
        Self { kind, shape: rule.shape }
    }

    /// The columns of a row.
    pub(crate) fn columns(&self) -> usize {
        self.shape.len()
    }

    /// The part of the score that is the same for every row.
    pub(crate) fn constant(&self) -> f64 {
        match &self.kind {
            Kind::Fre(..) | Kind::Mahalanobis(_) => 0.0,
            Kind::Nll(_, gaussian) => gaussian.log_determinant(),
        }
    }

    /// Scores `rows` of shape `[N, D]`, of this layer.
    ///
    /// # Errors
    ///
    /// If the device fails, a row is not finite, or it is zero and the score is a share
    /// of it.
    pub(crate) fn score(&self, rows: Tensor<2>) -> Result<Scores, DfmError> {
        let (values, maps) = match &self.kind {
            Kind::Fre(pca, aggregation, of) => {
                reconstruction_errors(pca, *aggregation, *of, rows, self.shape)?
            }
            Kind::Mahalanobis(model) => distances(model, rows, self.shape)?,
            Kind::Nll(pca, gaussian) => (gaussian.negative_log_likelihood(pca.transform(rows))?, Vec::new()),
        };
        match values.iter().position(|value| !value.is_finite()) {
            Some(picture) => Err(DfmError::NonFiniteFeatures { picture }),
            None => Ok(Scores { values, maps }),
        }
    }
}

impl DfmError {
    /// Shifts picture indices by the number of pictures before this batch.
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
    of: Rows,
    rows: Tensor<2>,
    shape: FeatureShape,
) -> Result<(Vec<f64>, Vec<AnomalyGrid>), DfmError> {
    let norms = match aggregation {
        Aggregation::Relative => Some(squared_norms(rows.clone())?),
        _ => None,
    };
    let mut scores = (Vec::new(), Vec::new());
    for (picture, mut cells) in residual_cells(pca, of, rows, shape)?.into_iter().enumerate() {
        // The caller finds rows that are not finite.
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
    let outside = residual_cells(model.pca(), Rows::Picture, rows, shape)?.into_iter();
    let score = |(inside, mut cells): (f64, Vec<f64>)| {
        cells.iter_mut().for_each(|cell| *cell *= model.residual_weight());
        (inside + cells.iter().sum::<f64>(), AnomalyGrid::of_cells(&cells, shape))
    };
    Ok(inside.into_iter().zip(outside).map(score).unzip())
}

/// The squared residual of each picture, summed over the channels of each cell.
fn residual_cells(
    pca: &PcaScorer,
    of: Rows,
    rows: Tensor<2>,
    shape: FeatureShape,
) -> Result<Vec<Vec<f64>>, DfmError> {
    let FeatureShape { channels, height, width } = shape;
    let count = rows.dims()[0];
    let sums = match of {
        Rows::Picture => pca.squared_residual(rows).reshape([count, channels, height * width]).sum_dim(1),
        Rows::Cells => {
            let cells = rows.reshape([count, channels, height * width]).swap_dims(1, 2);
            let cells = cells.reshape([count * height * width, channels]);
            pca.squared_residual(cells).sum_dim(1).reshape([count, 1, height * width])
        }
    };
    let cells = to_host(sums.reshape([count, height * width]))?;
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

/// A reconstruction error as a share of the squared norm of its row.
///
/// # Errors
///
/// [`DfmError::NoFeatures`] where the row is zero.
pub(crate) fn relative(error: f64, row_norm: f64, picture: usize) -> Result<f64, DfmError> {
    match error / row_norm {
        share if share.is_finite() => Ok(share),
        _ => Err(DfmError::NoFeatures { picture }),
    }
}
