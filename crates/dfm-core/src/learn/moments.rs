//! Mean and variance of every column of rows that come one by one.

use rayon::prelude::*;

/// Columns that one thread takes together.
const CHUNK: usize = 1 << 14;

/// The mean of each column, and the sum of squared deviations from it. Squares are never subtracted from
/// each other (Welford; Chan, Golub and LeVeque), so a large mean costs no digits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moments {
    pub(crate) count: usize,
    pub(crate) mean: Vec<f64>,
    pub(crate) squares: Vec<f64>,
}

impl Moments {
    /// Begins without a row. Takes 16 bytes for each of so many columns.
    pub(crate) fn new(columns: usize) -> Self {
        Self { count: 0, mean: vec![0.0; columns], squares: vec![0.0; columns] }
    }

    /// From means and variances with the divisor `count`.
    pub(crate) fn of_variances(count: usize, mean: &[f32], variance: &[f32]) -> Self {
        Self {
            count,
            mean: mean.iter().copied().map(f64::from).collect(),
            squares: variance.iter().map(|variance| f64::from(*variance) * count as f64).collect(),
        }
    }

    /// Adds `rows`, one after the other.
    pub(crate) fn push(&mut self, rows: &[&[f32]]) {
        let before = self.count;
        self.count += rows.len();
        let columns = self.mean.par_chunks_mut(CHUNK).zip(self.squares.par_chunks_mut(CHUNK));
        // All rows pass while a chunk is in the caches.
        columns.enumerate().for_each(|(chunk, (mean, squares))| {
            for (count, row) in (before + 1..).zip(rows) {
                let row = &row[chunk * CHUNK..][..mean.len()];
                let share = 1.0 / count as f64;
                for ((mean, squares), value) in mean.iter_mut().zip(&mut *squares).zip(row) {
                    let before = f64::from(*value) - *mean;
                    *mean += before * share;
                    *squares += before * (f64::from(*value) - *mean);
                }
            }
        });
    }

    /// Adds the rows of `other`, which has as many columns.
    pub(crate) fn merge(&mut self, other: &Self) {
        let [own, others] = [self.count as f64, other.count as f64];
        let all = own + others;
        if all == 0.0 {
            return;
        }
        self.count += other.count;
        let columns = self.mean.iter_mut().zip(&mut self.squares);
        for ((mean, squares), (their_mean, their_squares)) in
            columns.zip(other.mean.iter().zip(&other.squares))
        {
            let apart = their_mean - *mean;
            *mean += apart * (others / all);
            *squares += their_squares + apart * apart * (own * others / all);
        }
    }

    /// Takes out `copies` of a row. More rows than these must have been added.
    pub(crate) fn take_out(&mut self, row: &[f32], copies: usize) {
        let taken = Taken::new(self.count, copies);
        self.count -= copies;
        for ((mean, squares), value) in self.mean.iter_mut().zip(&mut self.squares).zip(row) {
            (*mean, *squares) = taken.column(*mean, *squares, *value);
        }
    }

    /// The mean and variance of each column.
    pub(crate) fn narrow(&self) -> Narrow {
        self.without(&[], 0)
    }

    /// The same without `copies` of each of some of the rows. If less than two rows would be left, which have
    /// no variance, only the mean is that of the others. Takes 8 bytes for each column.
    pub(crate) fn without(&self, rows: &[&[f32]], copies: usize) -> Narrow {
        // The last row stays, if all would go.
        let most = self.count.saturating_sub(1).checked_div(copies).unwrap_or(usize::MAX);
        let rows = &rows[..rows.len().min(most)];
        let count = self.count - copies * rows.len();
        let mut left =
            Narrow { count, mean: vec![0.0; self.mean.len()], variance: vec![0.0; self.mean.len()] };
        let columns = left.mean.par_chunks_mut(CHUNK).zip(left.variance.par_chunks_mut(CHUNK));
        columns.enumerate().for_each(|(chunk, (mean, variance))| {
            let columns = chunk * CHUNK..chunk * CHUNK + mean.len();
            let mut others = self.mean[columns.clone()].to_vec();
            let mut squares = self.squares[columns.clone()].to_vec();
            for (index, row) in rows.iter().enumerate() {
                let taken = Taken::new(self.count - copies * index, copies);
                for ((mean, squares), value) in others.iter_mut().zip(&mut squares).zip(&row[columns.clone()])
                {
                    (*mean, *squares) = taken.column(*mean, *squares, *value);
                }
            }
            let (squares, divisor) = match count {
                0 | 1 => (&self.squares[columns], self.count.max(1)),
                _ => (&squares[..], count),
            };
            mean.iter_mut().zip(others).for_each(|(mean, of_others)| *mean = of_others as f32);
            let variances = variance.iter_mut().zip(squares);
            variances.for_each(|(variance, squares)| *variance = (squares / divisor as f64) as f32);
        });
        left
    }
}

/// Mean and variance of each column of `count` rows, as models keep them. The divisor is `count`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Narrow {
    pub(crate) count: usize,
    pub(crate) mean: Vec<f32>,
    pub(crate) variance: Vec<f32>,
}

/// What happens to the moments of every column where copies of a row are taken out.
#[derive(Debug, Clone, Copy)]
struct Taken {
    /// Copies by rows that stay, and that times all rows.
    mean: f64,
    squares: f64,
}

impl Taken {
    fn new(all: usize, copies: usize) -> Self {
        let (all, gone) = (all as f64, copies as f64);
        Self { mean: gone / (all - gone), squares: gone * all / (all - gone) }
    }

    /// Mean and sum of squares of a column without its `value` in the row.
    fn column(self, mean: f64, squares: f64, value: f32) -> (f64, f64) {
        let apart = f64::from(value) - mean;
        (mean - apart * self.mean, (squares - apart * apart * self.squares).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of two columns, the second far from zero.
    fn rows(count: u64) -> Vec<[f32; 2]> {
        let value = |index: u64| ((index * 2_654_435_761) % 997) as f32 / 100.0;
        (0..count).map(|index| [value(index), 10_000.0 + value(index + 500)]).collect()
    }

    fn moments(rows: &[[f32; 2]]) -> Moments {
        let mut moments = Moments::new(2);
        let rows: Vec<&[f32]> = rows.iter().map(|row| &row[..]).collect();
        // Batches of different sizes.
        rows.chunks(7).for_each(|batch| moments.push(batch));
        moments
    }

    fn assert_close(got: &Moments, expected: &Moments) {
        assert_eq!(got.count, expected.count);
        let pairs = got.mean.iter().zip(&expected.mean).chain(got.squares.iter().zip(&expected.squares));
        for (got, expected) in pairs {
            assert!((got - expected).abs() <= 1e-9 * expected.abs(), "{got} is not {expected}");
        }
    }

    #[test]
    fn moments_are_mean_and_variance() {
        let rows = rows(40);
        let got = moments(&rows);
        for column in 0..2 {
            let values = || rows.iter().map(|row| f64::from(row[column]));
            let mean = values().sum::<f64>() / 40.0;
            let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / 40.0;
            assert!((got.mean[column] - mean).abs() < 1e-9);
            assert!((got.squares[column] / 40.0 - variance).abs() < 1e-9 * variance);
            let narrow = got.narrow();
            assert_eq!((narrow.count, narrow.mean[column]), (40, got.mean[column] as f32));
            assert_eq!(narrow.variance[column], (got.squares[column] / 40.0) as f32);
        }
    }

    #[test]
    fn parts_together_are_the_whole_and_the_whole_without_a_part_is_the_rest() {
        let rows = rows(31);
        let whole = moments(&rows);
        for at in [0, 1, 12, 31] {
            let mut merged = moments(&rows[..at]);
            merged.merge(&moments(&rows[at..]));
            assert_close(&merged, &whole);
        }
        let copied = moments(&[&rows[..], &[rows[3], rows[4]], &[rows[3], rows[4]]].concat());
        let others: Vec<[f32; 2]> = rows[..3].iter().chain(&rows[5..]).copied().collect();
        let gone = [rows[3], rows[4]];
        let left = copied.without(&[&gone[0], &gone[1]], 3);
        let others = moments(&others).narrow();
        assert_eq!(left.count, others.count);
        let pairs = left.mean.iter().zip(&others.mean).chain(left.variance.iter().zip(&others.variance));
        pairs.for_each(|(got, expected)| assert!((got - expected).abs() <= 1e-6 * expected.abs()));
    }

    #[test]
    fn one_row_that_is_left_has_the_variance_of_all() {
        let rows = rows(2);
        // The second row cannot go as well.
        for gone in [&[&rows[0][..]][..], &[&rows[0], &rows[1]]] {
            let left = moments(&rows).without(gone, 1);
            assert_eq!(left.count, 1);
            for (column, (first, second)) in rows[0].iter().zip(&rows[1]).enumerate() {
                let spread = first - second;
                assert!((left.mean[column] - second).abs() < 1e-6 * second.abs());
                assert!((left.variance[column] - spread * spread / 4.0).abs() < 1e-4);
            }
        }
    }
}
