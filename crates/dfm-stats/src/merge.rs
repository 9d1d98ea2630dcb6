//! Statistics of the union of two sets of rows, and of a set without some of its rows.

use crate::compression::Compression;
use crate::decompose::{decompose, multiply, power_of_two};
use crate::directions::{Decomposition, sign_of};
use crate::error::StatsError;
use crate::samples::Samples;
use crate::statistic::FitStatistic;

/// The number of rows whose coordinates are transformed together: enough for a fast matrix product,
/// and few enough to need little memory.
const ROWS_AT_ONCE: usize = 512;

impl FitStatistic {
    /// The statistic of the rows of both, those of `self` first.
    ///
    /// With `δ` the difference of the means, the rows `S₁V₁`, `S₂V₂` and `√(n₁n₂/n) · δ` have the
    /// scatter of the union (Chan, Golub and LeVeque 1979), so the original rows are not needed again.
    /// Without a `limit`, nothing is lost except rounding: the result is that of one fit, in whatever
    /// order statistics are merged. With a limit, no more than that many directions are kept, and
    /// [`Compression`] says what was left out.
    ///
    /// Cost: with `R` directions in both together, `O(R² · D + N · R²)`, and `16 · R · D` bytes
    /// besides both statistics.
    ///
    /// # Errors
    ///
    /// If the rows have different numbers of columns, the limit is 0, the decomposition
    /// does not converge, or `f64` cannot hold the result.
    pub fn merge(&self, other: &Self, limit: Option<usize>) -> Result<Self, StatsError> {
        self.clone().merge_owned(other.clone(), limit)
    }

    /// [`merge`](Self::merge), which consumes both. With `R₁` and `R₂` directions, of which `R` stay, it
    /// needs `8 · (R₁ + R₂ + R) · D` bytes at most.
    pub(crate) fn merge_owned(mut self, mut other: Self, limit: Option<usize>) -> Result<Self, StatsError> {
        let columns = self.mean().len();
        if other.mean().len() != columns {
            return Err(StatsError::Shape {
                what: "rows to merge",
                expected: format!("{columns} columns"),
                got: format!("{} columns", other.mean().len()),
            });
        }
        if limit == Some(0) {
            let (name, expected) = ("limit of directions", "1 or more".to_owned());
            return Err(StatsError::Parameter { name, expected, got: "0".to_owned() });
        }
        let directions = [self.take_directions(), other.take_directions()];
        let union = Union::of([&self, &other], &directions);
        // The stacked rows are not centred: they are the directions of each part, and that of the
        // difference of the means.
        let most = (self.rank() + other.rank() + 1).min(columns);
        let mut found = decompose(union.stacked(directions), columns, union.unit, most, limit)?;
        let turned = std::mem::take(&mut found.coordinates);
        let mut coordinates = Vec::with_capacity(union.count() * found.singular_values.len());
        union.turn(0, &turned, found.singular_values.len(), &mut coordinates);
        union.turn(1, &turned, found.singular_values.len(), &mut coordinates);
        let compression = union.compression(&found, &coordinates, limit)?;
        Ok(Self::assemble(union.mean(), found, coordinates, union.count(), compression))
    }

    /// The statistic of all rows except those with the indices `left_out`. Up to rounding, it is that of
    /// one fit without them. What a compressed statistic had dropped stays dropped, and its error bound
    /// grows to one that holds for any part of its rows: `2 · s₁ · √d + d`, where `s₁` is the largest
    /// singular value and `d` the squared length of everything that was dropped.
    ///
    /// Cost: `O(N · R² + R² · D)`, and `16 · R · D` bytes.
    ///
    /// # Errors
    ///
    /// If there is no such row, no row would be left, or the decomposition does not converge.
    pub fn without(&self, left_out: &[usize]) -> Result<Self, StatsError> {
        let (count, rank, columns) = (self.sample_count(), self.rank(), self.mean().len());
        let refused = |expected: String, got: String| StatsError::Parameter {
            name: "rows to leave out",
            expected,
            got,
        };
        if let Some(place) = left_out.iter().find(|place| **place >= count) {
            return Err(refused(format!("indices below {count}"), place.to_string()));
        }
        let mut stays = vec![true; count];
        left_out.iter().for_each(|place| stays[*place] = false);
        let stay: Vec<usize> = (0..count).filter(|place| stays[*place]).collect();
        if stay.is_empty() {
            return Err(refused("at least one row to stay".to_owned(), format!("all {count}")));
        }
        let compression =
            self.compression().map(|compression| self.part_of(compression, &stay)).transpose()?;
        if rank == 0 {
            return Ok(self.of_equal_rows(stay.len(), compression));
        }
        let coordinates = Samples::from_f64(self.coordinates().to_vec(), rank)?.select(&stay);
        let part = Self::of_owned(coordinates)?;
        let shift = multiply(part.mean(), self.directions(), rank, columns);
        let mean = self.mean().iter().zip(shift).map(|(mean, shift)| mean + shift).collect();
        let mut directions = multiply(part.directions(), self.directions(), rank, columns);
        let mut coordinates = part.coordinates().to_vec();
        point_up(&mut directions, columns, &mut coordinates);
        Ok(part.in_columns(mean, directions, coordinates, compression))
    }

    fn part_of(&self, compression: &Compression, stay: &[usize]) -> Result<Compression, StatsError> {
        let (largest, dropped) =
            (self.singular_values().first().copied().unwrap_or(0.0), compression.dropped());
        let bound = 2.0 * largest * dropped.sqrt() + dropped;
        let remainders = stay.iter().map(|place| compression.remainders()[*place]).collect();
        Compression::from_parts(compression.limit(), bound, remainders)
    }
}

/// Two statistics that become one. Their directions are kept apart from them.
struct Union<'a> {
    parts: [&'a FitStatistic; 2],
    /// The difference of the second mean from the first.
    difference: Vec<f64>,
    /// The difference in the directions of each part.
    along: [Vec<f64>; 2],
    /// `√(n₁n₂/n)`.
    weight: f64,
    /// A power of two near the largest value of a row.
    unit: f64,
}

impl<'a> Union<'a> {
    fn of(parts: [&'a FitStatistic; 2], directions: &[Vec<f64>; 2]) -> Self {
        let [first, second] = parts;
        let counts = [first, second].map(|part| part.sample_count() as f64);
        let spread = |part: &FitStatistic| {
            part.singular_values().first().map_or(0.0, |value| value / (part.sample_count() as f64).sqrt())
        };
        let sizes = [first.mean(), second.mean(), &[spread(first), spread(second)]].map(power_of_two);
        let unit = sizes.into_iter().fold(0.0, f64::max);
        let difference: Vec<f64> =
            second.mean().iter().zip(first.mean()).map(|(second, first)| second - first).collect();
        Self {
            parts,
            along: directions.each_ref().map(|part| multiply(part, &difference, difference.len(), 1)),
            difference,
            weight: (counts[0] * (counts[1] / (counts[0] + counts[1]))).sqrt(),
            unit: if unit == 0.0 { 1.0 } else { unit },
        }
    }

    fn count(&self) -> usize {
        self.parts.iter().map(|part| part.sample_count()).sum()
    }

    /// The mean of a part minus the mean of both, in units of the difference.
    fn shift(&self, part: usize) -> f64 {
        let other = self.parts[1 - part].sample_count() as f64 / self.count() as f64;
        if part == 0 { -other } else { other }
    }

    fn mean(&self) -> Vec<f64> {
        let shift = self.shift(0);
        self.parts[0].mean().iter().zip(&self.difference).map(|(mean, step)| mean - shift * step).collect()
    }

    /// Rows whose inner products are those of the union, in its unit. The memory of the directions is
    /// used, or freed as soon as they are copied.
    fn stacked(&self, directions: [Vec<f64>; 2]) -> Vec<f64> {
        let columns = self.difference.len();
        let [mut rows, second] = directions;
        rows.reserve_exact(second.len() + columns);
        rows.extend(&second);
        drop(second);
        let lengths = self.parts.iter().flat_map(|part| part.singular_values());
        for (row, length) in rows.chunks_exact_mut(columns).zip(lengths) {
            row.iter_mut().for_each(|value| *value *= length / self.unit);
        }
        rows.extend(self.difference.iter().map(|step| step / self.unit * self.weight));
        rows
    }

    /// Appends the coordinates of the rows of a part in the new directions. `turned`
    /// `[R₁ + R₂ + 1, R]` holds the coordinates of the stacked rows.
    fn turn(&self, part: usize, turned: &[f64], rank: usize, coordinates: &mut Vec<f64>) {
        let own = self.parts[part];
        let before = if part == 0 { 0 } else { self.parts[0].rank() };
        let mut turn = turned[before * rank..][..own.rank() * rank].to_vec();
        for (row, value) in turn.chunks_exact_mut(rank.max(1)).zip(own.singular_values()) {
            row.iter_mut().for_each(|entry| *entry /= value);
        }
        let factor = if self.weight == 0.0 { 0.0 } else { self.shift(part) / self.weight };
        let shift: Vec<f64> = turned[turned.len() - rank..].iter().map(|entry| entry * factor).collect();
        if own.rank() == 0 {
            (0..own.sample_count()).for_each(|_| coordinates.extend(&shift));
            return;
        }
        for rows in own.coordinates().chunks(ROWS_AT_ONCE * own.rank()) {
            let moved = multiply(rows, &turn, own.rank(), rank);
            coordinates.extend(moved.iter().zip(shift.iter().cycle()).map(|(value, shift)| value + shift));
        }
    }

    /// The compression by this merge and those before it.
    fn compression(
        &self,
        found: &Decomposition,
        coordinates: &[f64],
        limit: Option<usize>,
    ) -> Result<Option<Compression>, StatsError> {
        let earlier = self.parts.map(FitStatistic::compression);
        if found.dropped == 0.0 && earlier == [None, None] {
            return Ok(None);
        }
        let mut remainders = Vec::with_capacity(self.count());
        let mut rows = coordinates.chunks_exact(found.singular_values.len().max(1));
        for (index, earlier) in earlier.iter().enumerate() {
            for (place, length) in self.squared_lengths(index).into_iter().enumerate() {
                let kept: f64 = rows.next().unwrap_or_default().iter().map(|value| value * value).sum();
                let now = if found.dropped > 0.0 { (length - kept).max(0.0) } else { 0.0 };
                remainders.push(earlier.map_or(0.0, |earlier| earlier.remainders()[place]) + now);
            }
        }
        let bounds: f64 = earlier.iter().flatten().map(|earlier| earlier.error_bound()).sum();
        let limits = earlier.iter().flatten().map(|earlier| earlier.limit());
        let limit = limits.chain(limit).min().unwrap_or(usize::MAX);
        Compression::from_parts(limit, bounds + found.largest_dropped, remainders).map(Some)
    }

    /// The squared distance of each row of a part from the mean of both.
    fn squared_lengths(&self, part: usize) -> Vec<f64> {
        let own = self.parts[part];
        let shift = self.shift(part);
        let square: f64 = self.difference.iter().map(|step| (shift * step).powi(2)).sum();
        let length = |row: &[f64]| {
            let terms =
                row.iter().zip(&self.along[part]).map(|(value, along)| value * (value + 2.0 * shift * along));
            terms.sum::<f64>() + square
        };
        match own.rank() {
            0 => vec![square; own.sample_count()],
            rank => own.coordinates().chunks_exact(rank).map(length).collect(),
        }
    }
}

/// Changes the signs of directions so that the largest entry of each is positive, and those of the
/// coordinates with them.
fn point_up(directions: &mut [f64], columns: usize, coordinates: &mut [f64]) {
    let rank = directions.len() / columns;
    for (index, direction) in directions.chunks_exact_mut(columns).enumerate() {
        if sign_of(direction) < 0.0 {
            direction.iter_mut().for_each(|value| *value = -*value);
            coordinates.iter_mut().skip(index).step_by(rank).for_each(|value| *value = -*value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{apart, both, dot, fit, rebuilt, rows, samples, skew};

    /// The tolerance. A merge decomposes the rounded results of two fits, and both lose some digits of
    /// small directions.
    const EXACT: f64 = 1e-10;

    #[track_caller]
    fn assert_same(what: &str, found: &FitStatistic, expected: &FitStatistic, rows: &Samples) {
        assert_eq!(
            (found.rank(), found.sample_count()),
            (expected.rank(), expected.sample_count()),
            "{what}"
        );
        assert!(apart(found.mean(), expected.mean()) < EXACT, "{what}: mean");
        assert!(
            apart(found.singular_values(), expected.singular_values()) < EXACT,
            "{what}: singular values"
        );
        assert!(skew(found.directions(), rows.columns()) < EXACT, "{what}: directions");
        // Directions of equal variance may differ. The rows that are rebuilt from them may not.
        assert!(apart(&rebuilt(found), rows.as_slice()) < EXACT, "{what}: rows");
    }

    fn merge(a: &FitStatistic, b: &FitStatistic) -> FitStatistic {
        a.merge(b, None).unwrap()
    }

    #[test]
    fn a_merge_is_the_fit_of_all_rows_whatever_the_order() {
        for (first, second, columns) in [(1, 1, 4), (1, 6, 9), (7, 3, 40), (30, 12, 5), (4, 4, 4)] {
            let (a, b) = (rows(1, first, columns), rows(2, second, columns));
            let what = format!("{first} and {second} of {columns}");
            let union = both(&a, &b);
            assert_same(&what, &merge(&fit(&a), &fit(&b)), &fit(&union), &union);
            let turned = both(&b, &a);
            assert_same(&what, &merge(&fit(&b), &fit(&a)), &fit(&union), &turned);
        }
        let parts = [rows(1, 5, 20), rows(2, 8, 20), rows(3, 3, 20)];
        let [a, b, c] = parts.each_ref().map(fit);
        let union = both(&both(&parts[0], &parts[1]), &parts[2]);
        assert_same("(a b) c", &merge(&merge(&a, &b), &c), &fit(&union), &union);
        assert_same("a (b c)", &merge(&a, &merge(&b, &c)), &fit(&union), &union);
    }

    #[test]
    fn without_takes_back_what_a_merge_added() {
        for (count, more, columns) in [(6, 3, 30), (20, 5, 7), (2, 1, 3)] {
            let (a, b) = (rows(4, count, columns), rows(5, more, columns));
            let gone: Vec<usize> = (count..count + more).collect();
            let back = merge(&fit(&a), &fit(&b)).without(&gone).unwrap();
            assert_same(&format!("{count} and {more} of {columns}"), &back, &fit(&a), &a);
        }
    }

    #[test]
    fn a_common_offset_and_a_power_of_two_change_no_direction() {
        let moved = |given: &Samples, scale: f64, offset: f64| {
            samples(given.as_slice().iter().map(|value| value * scale + offset).collect(), given.columns())
        };
        let (a, b) = (rows(6, 7, 15), rows(7, 9, 15));
        let plain = merge(&fit(&a), &fit(&b));
        // After 8 is added, a value is rounded to 2^-50.
        for (scale, offset) in [(1024.0, 0.0), (1.0, 8.0)] {
            let other = merge(&fit(&moved(&a, scale, offset)), &fit(&moved(&b, scale, offset)));
            let expected: Vec<f64> = plain.singular_values().iter().map(|value| value * scale).collect();
            assert!(apart(other.singular_values(), &expected) < EXACT, "{scale} {offset}");
            assert!(apart(other.directions(), plain.directions()) < 1e-8, "{scale} {offset}");
        }
    }

    #[test]
    fn what_a_limit_drops_is_on_the_books_row_by_row() {
        let (a, b) = (rows(8, 14, 25), rows(9, 11, 25));
        let union = both(&a, &b);
        let exact = fit(&union);
        for limit in [1, 5, 12] {
            let some = fit(&a).merge(&fit(&b), Some(limit)).unwrap();
            assert_eq!(some.rank(), limit);
            let compression = some.compression().unwrap();
            let squares =
                |statistic: &FitStatistic| dot(statistic.singular_values(), statistic.singular_values());
            let (kept, all) = (squares(&some), squares(&exact));
            assert!((kept + compression.dropped() - all).abs() < EXACT * all, "{limit}");
            for ((row, near), remainder) in
                union.iter().zip(rebuilt(&some).chunks_exact(25)).zip(compression.remainders())
            {
                let missing: f64 = row.iter().zip(near).map(|(a, b)| (a - b).powi(2)).sum();
                assert!((missing - remainder).abs() < EXACT * all, "{limit}: {missing} {remainder}");
            }
            // Weyl: no squared singular value is off by more than the bound.
            let bound = compression.error_bound() + EXACT * all;
            for (some, exact) in some.singular_values().iter().zip(exact.singular_values()) {
                assert!((some * some - exact * exact).abs() <= bound, "{limit}");
            }
        }
    }

    #[test]
    fn turning_directions_up_changes_no_row() {
        let mut directions = vec![0.6, -0.8, 0.0, 0.8, 0.6, 0.0];
        let mut coordinates = vec![1.0, 2.0, -3.0, 4.0];
        let before = multiply(&coordinates, &directions, 2, 3);
        point_up(&mut directions, 3, &mut coordinates);
        assert_eq!(directions, [-0.6, 0.8, 0.0, 0.8, 0.6, 0.0]);
        assert_eq!(multiply(&coordinates, &directions, 2, 3), before);
    }
}
