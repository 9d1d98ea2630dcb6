//! Scores of pictures that a model was fitted without, on the host in `f64`.

use dfm_backbone::FeatureShape;
use dfm_stats::{Compression, FitStatistic, Samples, Shrinkage};

use crate::aggregate::Aggregation;
use crate::error::DfmError;
use crate::score::Statistics;

/// The share of its terms that a squared norm summed of them is exact to, with a margin.
const ROUNDING: f64 = 1e-13;
/// Pictures whose residuals are brought into feature space together.
const BATCH: usize = 64;

/// What a model that was fitted without a picture says of it, in the coordinates of
/// the whole fit: every picture lies in their span.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HeldOut {
    /// Place of the picture in the fit statistic.
    pub(crate) picture: usize,
    /// `[K]`: its squared coordinates in the components of that model.
    pub(crate) squares: Vec<f64>,
    /// `[K]`: the variances along them, divisor `N − 1` with that model's `N`.
    pub(crate) variances: Vec<f64>,
    /// Mean variance of the directions that model leaves out.
    pub(crate) residual_variance: f64,
    /// `[R]`: what that model cannot reconstruct.
    pub(crate) residual: Vec<f64>,
    /// The squared length of what compression dropped of the picture.
    pub(crate) remainder: f64,
    /// Pictures of that model.
    pub(crate) pictures: usize,
}

/// Scores [`HeldOut`] pictures as the whole model scores new ones.
///
/// Shrinkage is that of the whole fit: it says how far variances of about so many
/// pictures can be trusted, which one picture more or less does not change.
#[derive(Debug)]
pub(crate) struct HeldOutScorer<'a> {
    statistic: &'a FitStatistic,
    rule: Rule,
    aggregation: Aggregation,
    shape: FeatureShape,
}

#[derive(Debug)]
enum Rule {
    Fre,
    Nll(Shrinkage),
    Mahalanobis(Shrinkage),
}

impl<'a> HeldOutScorer<'a> {
    pub(crate) fn new(
        statistic: &'a FitStatistic,
        statistics: &Statistics,
        aggregation: Aggregation,
        shape: FeatureShape,
    ) -> Result<Self, DfmError> {
        let rule = match statistics {
            Statistics::Fre(_) => Rule::Fre,
            Statistics::Nll(pca, gaussian) => {
                // The Gaussian's variances have the divisor N, and shrinkage keeps their mean.
                let count = statistic.sample_count() as f64;
                let mean = pca.explained_variance().iter().sum::<f64>() / pca.component_count() as f64;
                let intensity = gaussian.shrinkage_intensity().unwrap_or(0.0);
                Rule::Nll(Shrinkage::new(intensity, mean * (count - 1.0) / count)?)
            }
            Statistics::Mahalanobis(model) => Rule::Mahalanobis(model.shrinkage()),
        };
        Ok(Self { statistic, rule, aggregation, shape })
    }

    /// Whether the number of components must be that of the whole model: scores of
    /// another number of dimensions could not be compared with its own.
    pub(crate) fn needs_every_component(&self) -> bool {
        matches!(self.rule, Rule::Nll(_))
    }

    /// One score a picture.
    pub(crate) fn scores(&self, pictures: &[HeldOut]) -> Result<Vec<f64>, DfmError> {
        match &self.rule {
            Rule::Fre => self.reconstruction_errors(pictures),
            Rule::Nll(shrinkage) => {
                let score = |picture: &HeldOut| {
                    let count = picture.pictures as f64;
                    let terms = picture.squares.iter().zip(&picture.variances).map(|(square, variance)| {
                        let variance = shrinkage.apply(variance * (count - 1.0) / count);
                        square / variance + variance.ln()
                    });
                    terms.sum()
                };
                Ok(pictures.iter().map(score).collect())
            }
            Rule::Mahalanobis(shrinkage) => {
                let columns = self.statistic.mean().len();
                let score = |picture: &HeldOut| {
                    let terms = picture.squares.iter().zip(&picture.variances);
                    let inside: f64 =
                        terms.map(|(square, variance)| square / shrinkage.apply(*variance)).sum();
                    match columns == picture.squares.len() {
                        true => inside,
                        false => inside + norm(picture) / shrinkage.apply(picture.residual_variance),
                    }
                };
                Ok(pictures.iter().map(score).collect())
            }
        }
    }

    fn reconstruction_errors(&self, pictures: &[HeldOut]) -> Result<Vec<f64>, DfmError> {
        match self.aggregation {
            Aggregation::Sum => Ok(pictures.iter().map(norm).collect()),
            Aggregation::Relative => {
                let norms = squared_row_norms(self.statistic)?;
                pictures
                    .iter()
                    .map(|picture| relative(norm(picture), norms[picture.picture], picture.picture))
                    .collect()
            }
            Aggregation::Max | Aggregation::Top { .. } => {
                if self.statistic.compression().is_some() {
                    return Err(DfmError::CompressedCells);
                }
                let mut scores = Vec::with_capacity(pictures.len());
                for batch in pictures.chunks(BATCH) {
                    let residuals =
                        batch.iter().flat_map(|picture| picture.residual.iter().copied()).collect();
                    let residuals = Samples::from_f64(residuals, self.statistic.rank())?;
                    let rows = self.statistic.deviations_of(&residuals)?;
                    let rows = rows.chunks_exact(self.shape.len());
                    scores.extend(rows.map(|row| self.aggregation.of_cells(&self.cells(row))));
                }
                Ok(scores)
            }
        }
    }

    /// The squared norm of each cell of a row `[C, H, W]`.
    fn cells(&self, row: &[f64]) -> Vec<f64> {
        let mut cells = vec![0.0; self.shape.height * self.shape.width];
        for channel in row.chunks_exact(cells.len()) {
            cells.iter_mut().zip(channel).for_each(|(cell, value)| *cell += value * value);
        }
        cells
    }
}

/// A reconstruction error as a share of the squared norm of the row it is of.
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

fn norm(picture: &HeldOut) -> f64 {
    picture.residual.iter().map(|value| value * value).sum::<f64>() + picture.remainder
}

/// `‖mean + coordinates · directions‖²` of every row, from the coordinates alone.
fn squared_row_norms(statistic: &FitStatistic) -> Result<Vec<f64>, DfmError> {
    let (mean, rank) = (statistic.mean(), statistic.rank());
    let along = |direction: &[f64]| -> f64 { direction.iter().zip(mean).map(|(a, b)| a * b).sum() };
    let mean_along: Vec<f64> = statistic.directions().chunks_exact(mean.len()).map(along).collect();
    let mean_norm: f64 = mean.iter().map(|value| value * value).sum();
    let inside: f64 = mean_along.iter().map(|value| value * value).sum();
    let norm = |coordinates: &[f64]| {
        // The mean's own part outside of the directions stays; inside, the sum's.
        let sum: f64 = coordinates.iter().zip(&mean_along).map(|(a, b)| (a + b).powi(2)).sum();
        let norm = (mean_norm - inside).max(0.0) + sum;
        // What rounding leaves of a row of zeros.
        let length: f64 = coordinates.iter().map(|value| value * value).sum();
        if norm > ROUNDING * (mean_norm + length) { norm } else { 0.0 }
    };
    let mut norms: Vec<f64> = statistic.coordinates().chunks_exact(rank).map(norm).collect();
    for (norm, dropped) in
        norms.iter_mut().zip(statistic.compression().into_iter().flat_map(Compression::remainders))
    {
        *norm += dropped;
    }
    Ok(norms)
}
