//! Models of all rows except a block of rows, such as the cells of one picture.

use rayon::prelude::*;

use crate::decompose::{multiply, symmetric_eigen};
use crate::error::StatsError;
use crate::statistic::FitStatistic;

/// The share of the largest variance up to which a direction of the other rows counts as absent. Variances
/// are differences of squares, each with a rounding error of about 1e-16 of the largest.
const ABSENT: f64 = 1e-12;

/// Models of all rows of a [`FitStatistic`] except a block of rows that lie one after the other.
///
/// In the directions of all rows, the scatter of the others is `diag(s²) − ZᵀZ − t tᵀ / n`. `Z` holds the
/// coordinates of the block, `t` is their sum, and `n` the number of the other rows, whose mean is `−t / n`.
/// This matrix is decomposed, so the models are those of fits without the block up to rounding, but for one
/// thing: the number of components stays that of the whole fit. A model has fewer only if the other rows vary
/// in fewer directions.
///
/// Cost: for each block of `m` rows about `10 · R³ + 2 · m · R²` operations, where `R` is the number of
/// directions. A fit without the block would take `N · R²` besides.
#[derive(Debug)]
pub struct LeaveBlockOut<'a> {
    statistic: &'a FitStatistic,
    components: usize,
}

/// Rows of a fit that lie one after the other, and the number of copies of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowBlock {
    /// The index of the first row.
    pub first: usize,
    /// The number of rows.
    pub rows: usize,
    /// How often the rows occur in the fit: 1 unless there are copies.
    pub copies: usize,
}

impl<'a> LeaveBlockOut<'a> {
    /// Models of `components` components.
    ///
    /// # Errors
    ///
    /// If `components` is 0 or larger than the number of directions in which the rows vary.
    pub fn new(statistic: &'a FitStatistic, components: usize) -> Result<Self, StatsError> {
        statistic.check_components(components)?;
        Ok(Self { statistic, components })
    }

    /// The squared residuals `[rows]` of each of the `blocks` by the model without it and its copies, in
    /// parallel. What [`Compression`](crate::Compression) dropped of a row counts as a part of its residual.
    ///
    /// # Errors
    ///
    /// If a block is empty or has rows that the fit lacks, no other row is left, or a decomposition does not
    /// converge.
    pub fn residuals(&self, blocks: &[RowBlock]) -> Result<Vec<Vec<f64>>, StatsError> {
        blocks.par_iter().map(|block| self.residuals_of(*block)).collect()
    }

    fn residuals_of(&self, block: RowBlock) -> Result<Vec<f64>, StatsError> {
        let RowBlock { first, rows, copies } = block;
        let (count, rank) = (self.statistic.sample_count(), self.statistic.rank());
        let gone = rows.saturating_mul(copies);
        if gone == 0 || first.saturating_add(rows) > count || gone >= count {
            return Err(StatsError::Parameter {
                name: "rows to leave out",
                expected: format!("some of {count} rows, and at least one row to stay"),
                got: format!("{rows} from {first} on, {copies} times"),
            });
        }
        // In units of the largest singular value.
        let unit = self.statistic.singular_values()[0];
        let own: Vec<f64> = self.statistic.coordinates()[first * rank..][..rows * rank]
            .iter()
            .map(|value| value / unit)
            .collect();
        let (copies, others) = (copies as f64, (count - gone) as f64);
        let mut sum = vec![0.0; rank];
        for row in own.chunks_exact(rank) {
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += copies * value);
        }
        let mut scatter = multiply(&turned(&own, rank), &own, rows, rank);
        for (index, (row, singular)) in
            scatter.chunks_exact_mut(rank).zip(self.statistic.singular_values()).enumerate()
        {
            let of_mean = sum[index] / others;
            row.iter_mut().zip(&sum).for_each(|(value, sum)| *value = -copies * *value - of_mean * sum);
            row[index] += (singular / unit).powi(2);
        }
        let (values, vectors) = symmetric_eigen(&scatter, rank)
            .ok_or(StatsError::NotConverged { rows: count - gone, columns: rank })?;
        let largest = values.first().copied().unwrap_or(0.0);
        let present = values.iter().take_while(|value| **value > ABSENT * largest.max(0.0)).count();
        // The mean of the others removes one direction.
        let kept = self.components.min(present).min(count - gone - 1);
        let rest = &vectors[kept..];
        // The directions of the model span all of the coordinates, so what its components cannot reconstruct
        // lies along the others.
        let away: Vec<f64> =
            own.iter().zip(sum.iter().cycle()).map(|(value, sum)| value + sum / others).collect();
        let along = multiply(&away, &turned(&rest.concat(), rank), rank, rest.len());
        let squares = |row: &[f64]| row.iter().map(|value| value * value).sum::<f64>() * (unit * unit);
        let mut residuals: Vec<f64> = match rest.len() {
            0 => vec![0.0; rows],
            columns => along.chunks_exact(columns).map(squares).collect(),
        };
        if let Some(compression) = self.statistic.compression() {
            let dropped = &compression.remainders()[first..first + rows];
            residuals.iter_mut().zip(dropped).for_each(|(residual, dropped)| *residual += dropped);
        }
        Ok(residuals)
    }
}

/// The transpose `[columns, N]` of `values` `[N, columns]`.
fn turned(values: &[f64], columns: usize) -> Vec<f64> {
    (0..columns).flat_map(|column| values.iter().skip(column).step_by(columns)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pca::{Keep, PcaParams};
    use crate::samples::Samples;
    use crate::testing::{both, fit, rows};

    /// The residuals of rows `first..first + count` by a fit of all rows that are not `gone`.
    fn refitted(all: &Samples, gone: &[usize], first: usize, count: usize, components: usize) -> Vec<f64> {
        let stay: Vec<usize> = (0..all.rows()).filter(|row| !gone.contains(row)).collect();
        let statistic = FitStatistic::of(&all.select(&stay)).unwrap();
        let components = Keep::Components(components.min(statistic.rank()));
        let pca = PcaParams { keep: components }.check().unwrap().truncate(&statistic).unwrap();
        let own: Vec<usize> = (first..first + count).collect();
        pca.feature_reconstruction_error(&all.select(&own)).unwrap()
    }

    #[track_caller]
    fn assert_near(what: &str, got: &[f64], expected: &[f64], scale: f64) {
        assert_eq!(got.len(), expected.len(), "{what}");
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() <= 1e-10 * scale, "{what}: {got} is not {expected}");
        }
    }

    #[test]
    fn residuals_are_those_of_a_fit_without_the_block() {
        for (count, columns, block) in [(60, 12, 6), (24, 40, 4), (10, 6, 5), (8, 20, 4)] {
            let all = rows(7, count, columns);
            let statistic = fit(&all);
            let scale = all.as_slice().iter().map(|value| value * value).sum::<f64>();
            for components in [1, 3, 5] {
                let models = LeaveBlockOut::new(&statistic, components).unwrap();
                for first in (0..count).step_by(block) {
                    let gone: Vec<usize> = (first..first + block).collect();
                    let got = models.residuals(&[RowBlock { first, rows: block, copies: 1 }]).unwrap();
                    let expected = refitted(&all, &gone, first, block, components);
                    let what = format!("{count} of {columns}, {components} components, from {first}");
                    assert_near(&what, &got[0], &expected, scale);
                }
            }
        }
    }

    #[test]
    fn copies_leave_together() {
        let (a, b) = (rows(1, 9, 7), rows(2, 4, 7));
        let all = both(&both(&a, &b), &b);
        let statistic = fit(&all);
        let got = LeaveBlockOut::new(&statistic, 3).unwrap();
        let got = got.residuals(&[RowBlock { first: 9, rows: 4, copies: 2 }]).unwrap();
        let expected = refitted(&all, &(9..17).collect::<Vec<_>>(), 9, 4, 3);
        assert_near("copies", &got[0], &expected, all.as_slice().iter().map(|value| value * value).sum());
    }

    #[test]
    fn a_block_that_is_none_or_everything_is_refused() {
        let statistic = fit(&rows(3, 6, 4));
        let models = LeaveBlockOut::new(&statistic, 2).unwrap();
        for (first, rows, copies) in [(0, 0, 1), (0, 6, 1), (4, 3, 1), (0, 3, 2), (usize::MAX, 2, 1)] {
            assert!(
                models.residuals(&[RowBlock { first, rows, copies }]).is_err(),
                "{first} {rows} {copies}"
            );
        }
        assert!(LeaveBlockOut::new(&statistic, 0).is_err());
        assert!(LeaveBlockOut::new(&statistic, 5).is_err());
    }
}
