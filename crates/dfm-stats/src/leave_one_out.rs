//! Scores by models of all rows except one, for that row or for a new one, without fitting these
//! models.

use std::f64::consts::PI;

use rayon::prelude::*;

use crate::compression::Compression;
use crate::error::StatsError;
use crate::secular::{Complex, Downdated, Line, products};
use crate::shrinkage::Shrinkage;
use crate::statistic::FitStatistic;

/// The share of the variance in a direction that must come from the other rows for the direction to
/// count as theirs. Coordinates from a file were rounded to `f32`, which leaves a share of 1e-7 where
/// there is nothing.
const OTHERS: f64 = 1e-6;

/// Models of all rows of a [`FitStatistic`] except one, each with the same number of components.
///
/// Every row and every model lies in the directions of all rows. In these directions, the scatter of
/// the other rows is `diag(s²) − w · z zᵀ`, with the coordinates `z` of the row that is left out and
/// `w = N / (N − 1)`; the mean of the other rows is `−z / (N − 1)`. Leaving out a row is therefore a
/// change by one outer product. Sums over the components of such a model, or over all other
/// directions, are integrals along a line between the two groups of eigenvalues, of about a hundred
/// nodes. A row with `m` copies is left out with all of them: `w = m · N / (N − m)`.
///
/// The sums equal those of fits without the row up to about 1e-11 of the row's squared length. If a
/// component that is kept and one that is not have the same variance, either of the two may be kept,
/// as in such a fit.
///
/// Cost: about `400 · R` operations for each row, in parallel. A fit without the row would take
/// `N · R²`.
#[derive(Debug)]
pub struct LeaveOneOut<'a> {
    statistic: &'a FitStatistic,
    components: usize,
    ratio: Option<f64>,
    /// The largest singular value, which is the unit of everything below.
    unit: f64,
    diagonal: Vec<f64>,
}

/// A row of the fit, and the number of its copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The index of the row in the statistic, or the index of any of its copies.
    pub place: usize,
    /// How often the row occurs: 1 unless there are copies.
    pub copies: usize,
}

/// How a score computes variances: a squared singular value divided by `divisor`, then shrunk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variances {
    /// How variances are shrunk towards their mean.
    pub shrinkage: Shrinkage,
    /// `N − 1` or `N`, where `N` is the number of rows of the model.
    pub divisor: f64,
}

/// The terms that scores are made of. The model has `K` components, squared singular values `λ` and
/// variances `v`; `a` are the coordinates of the row in the components.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowTerms {
    /// The squared length of the part of the row that the components cannot reconstruct.
    pub residual: f64,
    /// `Σ a² / v` over the components; 0 if no variances were given.
    pub distance: f64,
    /// `Σ ln v` over the components; 0 if no variances were given.
    pub log_determinant: f64,
    /// `Σ λ` over all directions except the components.
    pub left_out: f64,
}

/// The model of all rows except one.
#[derive(Debug)]
pub struct WithoutRow<'a> {
    of: &'a LeaveOneOut<'a>,
    place: usize,
    row: Vec<f64>,
    copies: usize,
    scatter: Downdated<'a>,
    components: usize,
    /// The line between the components and the other directions; `None` if the model has no component.
    line: Option<Line>,
}

impl<'a> LeaveOneOut<'a> {
    /// Models of `components` components.
    ///
    /// # Errors
    ///
    /// If `components` is 0 or larger than the number of directions in which the rows vary.
    pub fn new(statistic: &'a FitStatistic, components: usize) -> Result<Self, StatsError> {
        statistic.check_components(components)?;
        let unit = statistic.singular_values()[0];
        let diagonal = statistic.singular_values().iter().map(|value| (value / unit).powi(2)).collect();
        Ok(Self { statistic, components, ratio: None, unit, diagonal })
    }

    /// The same, but each model has as many components as it needs to reach a share of its own
    /// variance, counted as [`Keep::Ratio`](crate::Keep::Ratio) does.
    ///
    /// Cost: a few more integrals for each row.
    #[must_use]
    pub fn reaching(self, ratio: f64) -> Self {
        Self { ratio: Some(ratio), ..self }
    }

    /// The model of all rows except `row` and its copies.
    ///
    /// # Panics
    ///
    /// If there is no such row, or no other row.
    pub fn without(&self, row: Row) -> WithoutRow<'_> {
        let Row { place, copies } = row;
        let (count, rank) = (self.statistic.sample_count(), self.diagonal.len());
        assert!(place < count && copies > 0 && copies < count, "row {place}, {copies} of {count}");
        let coordinates = &self.statistic.coordinates()[place * rank..][..rank];
        let row: Vec<f64> = coordinates.iter().map(|value| value / self.unit).collect();
        let weight = copies as f64 * (count as f64 / (count - copies) as f64);
        let scatter = Downdated::new(&self.diagonal, &row, weight);
        let lost = usize::from(scatter.at_zero() < OTHERS);
        let most = rank - lost;
        let components = match self.ratio {
            Some(ratio) if most > 0 => self.fewest(&scatter, most, ratio),
            _ => self.components.min(most),
        };
        let line = (components > 0).then(|| scatter.line(components));
        WithoutRow { of: self, place, row, copies, scatter, components, line }
    }

    /// The fewest components, up to `most`, whose share of the variance reaches `ratio`.
    fn fewest(&self, scatter: &Downdated<'_>, most: usize, ratio: f64) -> usize {
        let dropped = self.statistic.compression().map_or(0.0, Compression::dropped);
        let wanted = ratio * (scatter.trace() + dropped / self.unit / self.unit);
        let reaches = |count: usize| count == most || scatter.largest(count) >= wanted;
        // One row changes little, so the number is near that of the model of all rows.
        let mut count = self.components.min(most);
        while !reaches(count) {
            count += 1;
        }
        while count > 1 && reaches(count - 1) {
            count -= 1;
        }
        count
    }

    /// The results of `ask` for the model without each of `rows`, computed in parallel, in the order of
    /// the rows.
    ///
    /// # Panics
    ///
    /// As for [`without`](Self::without).
    pub fn each<T: Send>(&self, rows: &[Row], ask: impl Fn(WithoutRow<'_>) -> T + Sync) -> Vec<T> {
        rows.par_iter().map(|row| ask(self.without(*row))).collect()
    }
}

impl WithoutRow<'_> {
    /// The index of the row that was left out.
    pub fn place(&self) -> usize {
        self.place
    }

    /// The number of components of this model: as many as were asked for, or fewer if its rows vary in
    /// fewer directions.
    pub fn component_count(&self) -> usize {
        self.components
    }

    /// The number of rows of this model.
    pub fn sample_count(&self) -> usize {
        self.of.statistic.sample_count() - self.copies
    }

    /// The terms of the row that was left out. Without `variances`, the terms that divide by a variance
    /// are 0.
    pub fn of_row(&self, variances: Option<Variances>) -> RowTerms {
        let share = self.stretch();
        let squares = self.scatter.squares();
        let length = share * share * squares.iter().sum::<f64>();
        self.terms(length, variances, |line, t| {
            let [own] = line.transforms([squares], t);
            (own, own * (share * share) * self.inverse(own))
        })
    }

    /// The terms of any row with these coordinates in the directions of all rows. The part of the row
    /// outside of these directions does not count. `variances` are used as in [`of_row`](Self::of_row).
    ///
    /// # Panics
    ///
    /// If there are more or fewer coordinates than directions.
    pub fn of_other(&self, coordinates: &[f64], variances: Option<Variances>) -> RowTerms {
        assert_eq!(coordinates.len(), self.row.len(), "coordinates in other directions");
        // The mean of the other rows is minus the row times this.
        let shift = self.stretch() - 1.0;
        let row = coordinates.iter().zip(&self.row);
        let other: Vec<f64> = row.map(|(value, own)| value / self.of.unit + shift * own).collect();
        let (cross, squares) = (products(&self.row, &other), products(&other, &other));
        let length = squares.iter().sum();
        self.terms(length, variances, |line, t| {
            let [own, cross, other] = line.transforms([self.scatter.squares(), &cross, &squares], t);
            (own, other - cross * cross * self.inverse(own) * self.scatter.weight())
        })
    }

    /// `[R]`: the part of the row that was left out that this model cannot reconstruct, in the
    /// directions of all rows.
    pub fn residual_of_row(&self) -> Vec<f64> {
        let share = self.stretch();
        let Some(line) = self.divided() else {
            let whole = if self.components == 0 { share * self.of.unit } else { 0.0 };
            return self.row.iter().map(|value| whole * value).collect();
        };
        let mut sums = vec![0.0; self.row.len()];
        for (t, step) in line.nodes(1.0) {
            let [own] = line.transforms([self.scatter.squares()], t);
            let factor = self.inverse(own);
            for (sum, distance) in sums.iter_mut().zip(line.distances()) {
                let part = distance * factor.re + t * factor.im;
                *sum += step * part / (distance * distance + t * t);
            }
        }
        let residual =
            |(sum, value): (&f64, &f64)| 0.5 * share * self.of.unit * value * (1.0 + 2.0 / PI * sum);
        sums.iter().zip(&self.row).map(residual).collect()
    }

    /// The distance of the row from the mean of the other rows, divided by its distance from the mean of
    /// all rows.
    fn stretch(&self) -> f64 {
        self.scatter.weight() / self.copies as f64
    }

    /// `1 / f`, where `own` is `Σ z² / (λ − d)`.
    fn inverse(&self, own: Complex) -> Complex {
        (Complex::ONE + own * self.scatter.weight()).inverse()
    }

    /// The line, if there are directions on both sides of it.
    fn divided(&self) -> Option<&Line> {
        self.line.as_ref().filter(|_| self.components < self.row.len())
    }

    /// Computes the terms. `look` gives, at `c + it`, the sum that `f` is made of and the resolvent `yᵀ
    /// (λ − A)⁻¹ y = Σ a_k² / (λ − λ_k)`, where `y` is the row minus the mean.
    fn terms(
        &self,
        length: f64,
        variances: Option<Variances>,
        look: impl Fn(&Line, f64) -> (Complex, Complex),
    ) -> RowTerms {
        let area = self.of.unit * self.of.unit;
        let scatter = &self.scatter;
        let Some(line) = self.line.as_ref().filter(|_| variances.is_some()).or(self.divided()) else {
            let (residual, left_out) = match self.components {
                0 => (length, scatter.trace().max(0.0)),
                _ => (0.0, 0.0),
            };
            let (residual, left_out) = (area * residual, area * left_out);
            return RowTerms { residual, distance: 0.0, log_determinant: 0.0, left_out };
        };
        // A variance is `slope · λ + floor`.
        let (slope, floor) = variances.map_or((0.0, 1.0), |variances| variances.line(area));
        let farthest = if slope > 0.0 { line.place() + floor / slope } else { 0.0 };
        let (mut beyond, mut trace, mut distance, mut determinant) = (0.0, 0.0, 0.0, 0.0);
        for (t, step) in line.nodes(farthest.max(1.0)) {
            let (own, resolvent) = look(line, t);
            let logarithm = (own * scatter.weight()).ln_1p();
            beyond += step * resolvent.re;
            trace += step * logarithm.re;
            if variances.is_some() {
                let inverse = Complex { re: slope * line.place() + floor, im: slope * t }.inverse();
                distance += step * (resolvent * inverse).re;
                determinant += step * (logarithm * inverse).re * slope;
            }
        }
        let kept = scatter.sum_of_largest(line, self.components, trace);
        // If all directions have one variance, the integrand does not vanish at infinity.
        let at_infinity = if slope == 0.0 { length / floor } else { 0.0 };
        let whole = self.components == self.row.len();
        RowTerms {
            residual: if whole { 0.0 } else { area * (0.5 * length + beyond / PI).max(0.0) },
            distance: if variances.is_some() { area * (0.5 * at_infinity - distance / PI) } else { 0.0 },
            log_determinant: match variances {
                Some(_) => scatter
                    .sum_above(line, self.components, determinant, 0.0, |value| (slope * value + floor).ln()),
                None => 0.0,
            },
            left_out: if whole { 0.0 } else { area * (scatter.trace() - kept).max(0.0) },
        }
    }
}

impl Variances {
    /// The slope and the floor of a variance as a function of a squared singular value in units of
    /// `area`.
    fn line(&self, area: f64) -> (f64, f64) {
        let intensity = self.shrinkage.intensity();
        ((1.0 - intensity) * (area / self.divisor), intensity * self.shrinkage.target())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{dot, fit, rows};

    /// The tolerance, relative to the squared length of the row. Sums along the line are exact to
    /// 1e-11, and the refits lose some digits of small directions.
    const EXACT: f64 = 1e-9;

    /// The terms of a row `[D]` in the model of the `kept` leading directions of a statistic.
    fn terms(statistic: &FitStatistic, row: &[f64], kept: usize, variances: Variances) -> RowTerms {
        let columns = row.len();
        let away: Vec<f64> = row.iter().zip(statistic.mean()).map(|(value, mean)| value - mean).collect();
        let along: Vec<f64> =
            statistic.directions().chunks_exact(columns).map(|direction| dot(direction, &away)).collect();
        let squares: Vec<f64> = statistic.singular_values().iter().map(|value| value * value).collect();
        let shrunk = |square: &f64| variances.shrinkage.apply(square / variances.divisor);
        RowTerms {
            residual: dot(&away, &away) - dot(&along[..kept], &along[..kept]),
            distance: along[..kept]
                .iter()
                .zip(&squares)
                .map(|(along, square)| along * along / shrunk(square))
                .sum(),
            log_determinant: squares[..kept].iter().map(|square| shrunk(square).ln()).sum(),
            left_out: squares[kept..].iter().sum(),
        }
    }

    #[track_caller]
    fn assert_same(what: &str, found: RowTerms, expected: RowTerms, length: f64, least: f64) {
        for (name, found, expected, scale) in [
            ("residual", found.residual, expected.residual, length),
            ("distance", found.distance, expected.distance, length / least),
            (
                "log determinant",
                found.log_determinant,
                expected.log_determinant,
                expected.log_determinant.abs() + 1.0,
            ),
            ("left out", found.left_out, expected.left_out, length + expected.left_out),
        ] {
            assert!((found - expected).abs() <= EXACT * scale, "{what}: {name} {found} {expected}");
        }
    }

    #[test]
    fn leaving_a_row_out_is_fitting_the_others() {
        for (count, columns) in [(4, 9), (8, 5), (15, 6)] {
            let all = rows(count as u64, count, columns);
            let other = rows(77, 1, columns);
            let whole = fit(&all);
            let (of_other, outside) = whole.coordinates_of(&other).unwrap();
            let target = dot(whole.singular_values(), whole.singular_values()) / (count * columns) as f64;
            let shrinkage = Shrinkage::new(0.25, target).unwrap();
            let variances = Variances { shrinkage, divisor: (count - 1) as f64 };
            for components in 1..=whole.rank() {
                let models = LeaveOneOut::new(&whole, components).unwrap();
                for place in 0..count {
                    let what = format!("{count} × {columns}, row {place}, {components} components");
                    let stay: Vec<usize> = (0..count).filter(|other| *other != place).collect();
                    let refit = fit(&all.select(&stay));
                    let kept = components.min(refit.rank());
                    let model = models.without(Row { place, copies: 1 });
                    assert_eq!((model.component_count(), model.sample_count()), (kept, count - 1), "{what}");
                    let least = 0.25 * target;
                    let expected = terms(&refit, all.row(place), kept, variances);
                    let length = expected.residual + expected.distance * target;
                    let found = model.of_row(Some(variances));
                    assert_same(&what, found, expected, length.max(target), least);
                    let expected = terms(&refit, other.row(0), kept, variances);
                    let length = expected.residual + expected.distance * target;
                    let mut found = model.of_other(&of_other, Some(variances));
                    found.residual += outside[0];
                    assert_same(&what, found, expected, length.max(target), least);
                }
            }
        }
    }

    #[test]
    fn the_residual_of_a_row_is_as_long_as_it_is_said_to_be() {
        let all = rows(5, 9, 12);
        let whole = fit(&all);
        for components in [1, 4, 8] {
            let models = LeaveOneOut::new(&whole, components).unwrap();
            for place in 0..9 {
                let model = models.without(Row { place, copies: 1 });
                let residual = model.residual_of_row();
                let (length, said) = (dot(&residual, &residual), model.of_row(None).residual);
                let scale = dot(all.row(place), all.row(place));
                assert!((length - said).abs() <= EXACT * scale, "{components}, {place}: {length} {said}");
            }
        }
    }

    #[test]
    fn copies_leave_together_as_if_each_were_there_once() {
        let base = rows(6, 7, 10);
        let whole = fit(&base.select(&[0, 1, 2, 3, 4, 5, 6, 2, 2]));
        let refit = fit(&base.select(&[0, 1, 3, 4, 5, 6]));
        let model = LeaveOneOut::new(&whole, 3).unwrap();
        let shrinkage = Shrinkage::new(1.0, 1.0).unwrap();
        let variances = Variances { shrinkage, divisor: 6.0 };
        for place in [2, 7, 8] {
            let found = model.without(Row { place, copies: 3 });
            assert_eq!(found.sample_count(), 6);
            let expected = terms(&refit, base.row(2), 3, variances);
            assert_same("copies", found.of_row(Some(variances)), expected, 1.0, 1.0);
        }
    }

    #[test]
    fn each_model_takes_the_fewest_components_that_reach_the_ratio() {
        let all = rows(8, 12, 7);
        let whole = fit(&all);
        for ratio in [0.4, 0.8, 0.95] {
            let models = LeaveOneOut::new(&whole, 3).unwrap().reaching(ratio);
            for place in 0..12 {
                let stay: Vec<usize> = (0..12).filter(|other| *other != place).collect();
                let squares: Vec<f64> =
                    fit(&all.select(&stay)).singular_values().iter().map(|value| value * value).collect();
                let (total, count) =
                    (squares.iter().sum::<f64>(), models.without(Row { place, copies: 1 }).component_count());
                let reached = |count: usize| squares[..count].iter().sum::<f64>() / total;
                assert!(reached(count) >= ratio && reached(count - 1) < ratio, "{ratio}, {place}: {count}");
            }
        }
    }
}
