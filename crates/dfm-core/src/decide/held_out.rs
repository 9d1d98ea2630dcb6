//! Scores of pictures by models that were fitted without them, on the host in `f64`.

use std::collections::HashMap;

use dfm_backbone::FeatureShape;
use dfm_stats::{
    Compression, FitStatistic, LeaveOneOut, Row, RowTerms, Samples, Shrinkage, Variances, WithoutRow,
};

use crate::error::DfmError;
use crate::judge::rule::LayerRule;
use crate::judge::score::relative;
use crate::judge::statistics::Statistics;
use crate::method::Aggregation;

/// The relative precision of a squared norm that is a sum of many terms, with a margin.
const ROUNDING: f64 = 1e-13;
/// Pictures whose residuals are brought into feature space together.
const BATCH: usize = 64;

/// The different pictures of a fit, in the order in which they first come. Copies of a picture are left
/// out together, because one would make the other look usual.
///
/// # Errors
///
/// If there are fewer than two.
pub(crate) fn different(content_hashes: &[[u8; 32]]) -> Result<Vec<Row>, DfmError> {
    let mut rows: Vec<Row> = Vec::with_capacity(content_hashes.len());
    let mut index = HashMap::with_capacity(content_hashes.len());
    for (place, hash) in content_hashes.iter().enumerate() {
        let at = *index.entry(hash).or_insert(rows.len());
        match rows.get_mut(at) {
            Some(row) => row.copies += 1,
            None => rows.push(Row { place, copies: 1 }),
        }
    }
    match rows.len() {
        got @ 0..2 => Err(DfmError::TooFewPictures { expected: 2, got }),
        _ => Ok(rows),
    }
}

/// Scores pictures by models of all others, as the whole model scores new pictures. The scores are
/// exactly those of fits without each picture, except that two things stay those of the whole fit. One
/// is the number of components, because scores with another number could not be compared. If the other
/// pictures vary in fewer directions, a reconstruction error uses all of those. The second is the
/// shrinkage. It says how far variances from this number of pictures can be trusted, and one picture more
/// or less does not change that.
#[derive(Debug)]
pub(crate) struct HeldOutScorer<'a> {
    statistic: &'a FitStatistic,
    models: LeaveOneOut<'a>,
    components: usize,
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
    /// Takes the `statistic` of the pictures and a model of all of them. With a `ratio`, each model without a
    /// picture has as many components as it needs to reach that share of its own variance.
    pub(crate) fn new(
        statistic: &'a FitStatistic,
        layer: LayerRule<'_>,
        ratio: Option<f64>,
    ) -> Result<Self, DfmError> {
        let LayerRule { statistics, aggregation, shape, .. } = layer;
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
        let components = statistics.pca().component_count();
        let models = LeaveOneOut::new(statistic, components)?;
        let models = match ratio {
            Some(ratio) => models.reaching(ratio),
            None => models,
        };
        Ok(Self { statistic, models, components, rule, aggregation, shape })
    }

    /// The score of each of the `different` pictures by the model without it. If compression dropped a
    /// part of the rows, cells are an estimate: see [`spread`].
    ///
    /// Cost: about `400 · R` operations a picture; for an aggregation of single cells another `R · D`.
    ///
    /// # Errors
    ///
    /// If the others vary in too few directions for a likelihood without one of the pictures, or a relative
    /// score is impossible because the features of a picture are all zero.
    pub(crate) fn scores(&self, different: &[Row]) -> Result<Vec<f64>, DfmError> {
        if self.aggregation.needs_cells() {
            let cells = self.cells(different)?;
            return Ok(cells.iter().map(|cells| self.aggregation.of_cells(cells)).collect());
        }
        let norms = match self.aggregation {
            Aggregation::Relative => Some(squared_row_norms(self.statistic)?),
            _ => None,
        };
        let remainders = self.statistic.compression().map(Compression::remainders);
        let found = self.models.each(different, |model| {
            let place = model.place();
            let outside = remainders.map_or(0.0, |remainders| remainders[place]);
            let norm = norms.as_ref().map(|norms| norms[place]);
            let terms = model.of_row(self.variances(&model));
            self.score(&model, terms, outside, norm, different.len())
        });
        found.into_iter().enumerate().map(|(index, score)| in_place(score, different[index].place)).collect()
    }

    /// The scores of new `rows` `[n, D]` by the model without each of the `different` pictures.
    ///
    /// Cost: `O(n · R · D)`, and for each model and row about `1000 · R` operations.
    ///
    /// # Errors
    ///
    /// Those of [`scores`](Self::scores), with the index among `rows`.
    pub(crate) fn scores_of(&self, rows: &Samples, different: &[Row]) -> Result<Vec<Vec<f64>>, DfmError> {
        let (coordinates, outside) = self.statistic.coordinates_of(rows)?;
        let squared = |features: &[f64]| features.iter().map(|value| value * value).sum();
        let norms: Option<Vec<f64>> = match self.aggregation {
            Aggregation::Relative => Some(rows.iter().map(squared).collect()),
            _ => None,
        };
        let rank = self.statistic.rank();
        let found = self.models.each(different, |model| {
            let score = |place: usize| {
                let terms = model.of_other(&coordinates[place * rank..][..rank], self.variances(&model));
                let norm = norms.as_ref().map(|norms| norms[place]);
                in_place(self.score(&model, terms, outside[place], norm, different.len()), place)
            };
            (0..rows.rows()).map(score).collect()
        });
        found.into_iter().collect()
    }

    /// The variances of `model` that the rule divides by.
    fn variances(&self, model: &WithoutRow<'_>) -> Option<Variances> {
        let count = model.sample_count() as f64;
        match self.rule {
            Rule::Fre => None,
            Rule::Nll(shrinkage) => Some(Variances { shrinkage, divisor: count }),
            Rule::Mahalanobis(shrinkage) => Some(Variances { shrinkage, divisor: count - 1.0 }),
        }
    }

    /// The score from its terms and from `outside`, the squared length outside of all directions.
    fn score(
        &self,
        model: &WithoutRow<'_>,
        terms: RowTerms,
        outside: f64,
        row_norm: Option<f64>,
        different: usize,
    ) -> Result<f64, DfmError> {
        let error = terms.residual + outside;
        match self.rule {
            Rule::Fre => match row_norm {
                Some(norm) => relative(error, norm, 0),
                None => Ok(error),
            },
            // Likelihoods of fewer dimensions cannot be compared.
            Rule::Nll(_) if model.component_count() < self.components => Err(DfmError::TooFewToCalibrate {
                components: self.components,
                rank: model.component_count(),
                got: different,
                needed: (self.components + 2).max(different + 1),
            }),
            Rule::Nll(_) => Ok(terms.distance + terms.log_determinant),
            // If no direction is left out, the error consists of rounding only.
            Rule::Mahalanobis(shrinkage) => {
                Ok(terms.distance + error * self.residual_weight(shrinkage, model, terms))
            }
        }
    }

    /// Whether cells are an estimate, because compression dropped a part of the rows.
    pub(crate) fn is_compressed(&self) -> bool {
        self.statistic.compression().is_some()
    }

    /// The cells of the map of each of the `different` pictures, by the model without this picture.
    /// Empty for a likelihood.
    ///
    /// Cost: `O(R · D)` a picture.
    ///
    /// # Errors
    ///
    /// If a relative score is impossible because the features of a picture are all zero.
    pub(crate) fn cells(&self, different: &[Row]) -> Result<Vec<Vec<f64>>, DfmError> {
        if let Rule::Nll(_) = self.rule {
            return Ok(Vec::new());
        }
        let norms = match self.aggregation {
            Aggregation::Relative => Some(squared_row_norms(self.statistic)?),
            _ => None,
        };
        let remainders = self.statistic.compression().map(Compression::remainders);
        let mut cells = Vec::with_capacity(different.len());
        for batch in different.chunks(BATCH) {
            let found = self.models.each(batch, |model| {
                // Terms take longer to compute than residuals, and only the Mahalanobis distance needs
                // them.
                let weight = match self.rule {
                    Rule::Mahalanobis(shrinkage) => {
                        self.residual_weight(shrinkage, &model, model.of_row(self.variances(&model)))
                    }
                    Rule::Fre | Rule::Nll(_) => 1.0,
                };
                (model.residual_of_row(), weight)
            });
            let (residuals, weights): (Vec<_>, Vec<_>) = found.into_iter().unzip();
            let residuals = Samples::from_f64(residuals.concat(), self.statistic.rank())?;
            let rows = self.statistic.deviations_of(&residuals)?;
            for ((row, weight), Row { place, .. }) in
                rows.chunks_exact(self.shape.len()).zip(weights).zip(batch)
            {
                let mut of_row = self.sums(row);
                if let Some(remainders) = remainders {
                    spread(&mut of_row, remainders[*place]);
                }
                for cell in &mut of_row {
                    *cell = match &norms {
                        Some(norms) => relative(*cell, norms[*place], *place)?,
                        None => *cell * weight,
                    };
                }
                cells.push(of_row);
            }
        }
        Ok(cells)
    }

    /// The weight of a squared residual in the Mahalanobis distance of a model.
    fn residual_weight(&self, shrinkage: Shrinkage, model: &WithoutRow<'_>, terms: RowTerms) -> f64 {
        let left_out = self.statistic.mean().len() - model.component_count();
        if left_out == 0 {
            return 0.0;
        }
        // The dropped variance lies in no direction of the others. It is taken from the whole
        // statistic.
        let dropped = self.statistic.compression().map_or(0.0, Compression::dropped);
        let variance = match model.sample_count() {
            1 => 0.0,
            count => terms.left_out / (count - 1) as f64,
        } + dropped / (self.statistic.sample_count() - 1) as f64;
        1.0 / shrinkage.apply(variance / left_out as f64)
    }

    /// The squared norm of each cell of a row `[C, H, W]`.
    fn sums(&self, row: &[f64]) -> Vec<f64> {
        let mut cells = vec![0.0; self.shape.height * self.shape.width];
        for channel in row.chunks_exact(cells.len()) {
            cells.iter_mut().zip(channel).for_each(|(cell, value)| *cell += value * value);
        }
        cells
    }
}

/// The score, or the error with `picture` as the index of its picture.
fn in_place(score: Result<f64, DfmError>, picture: usize) -> Result<f64, DfmError> {
    score.map_err(|error| match error {
        DfmError::NoFeatures { .. } => DfmError::NoFeatures { picture },
        other => other,
    })
}

/// Adds the `remainder`, the squared length that compression dropped of a row, to the `cells` of its
/// residual. It is not known which cells the remainder belongs to, so every cell gets a share in
/// proportion to its own value. The sum of the cells is exact; each single cell is an estimate.
pub(crate) fn spread(cells: &mut [f64], remainder: f64) {
    let (known, count) = (cells.iter().sum::<f64>(), cells.len() as f64);
    for cell in cells {
        *cell += remainder * if known > 0.0 { *cell / known } else { 1.0 / count };
    }
}

/// `‖mean + coordinates · directions‖²` of every row, from the coordinates alone.
pub(crate) fn squared_row_norms(statistic: &FitStatistic) -> Result<Vec<f64>, DfmError> {
    let (mean, rank) = (statistic.mean(), statistic.rank());
    let along = |direction: &[f64]| -> f64 { direction.iter().zip(mean).map(|(a, b)| a * b).sum() };
    let mean_along: Vec<f64> = statistic.directions().chunks_exact(mean.len()).map(along).collect();
    let mean_norm: f64 = mean.iter().map(|value| value * value).sum();
    let inside: f64 = mean_along.iter().map(|value| value * value).sum();
    let norm = |coordinates: &[f64]| {
        // Outside of the directions, a row has the mean's part alone. Inside, it has the sum of both.
        let sum: f64 = coordinates.iter().zip(&mean_along).map(|(a, b)| (a + b).powi(2)).sum();
        let norm = (mean_norm - inside).max(0.0) + sum;
        // A row of zeros must give zero, not a rounding error.
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
