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

    /// Adds a row.
    pub(crate) fn push(&mut self, row: &[f32]) {
        self.count += 1;
        let share = 1.0 / self.count as f64;
        let columns = self.mean.par_chunks_mut(CHUNK).zip(self.squares.par_chunks_mut(CHUNK));
        columns.zip(row.par_chunks(CHUNK)).for_each(|((mean, squares), row)| {
            for ((mean, squares), value) in mean.iter_mut().zip(squares).zip(row) {
                let before = f64::from(*value) - *mean;
                *mean += before * share;
                *squares += before * (f64::from(*value) - *mean);
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
        let (all, gone) = (self.count as f64, copies as f64);
        let others = all - gone;
        self.count -= copies;
        for ((mean, squares), value) in self.mean.iter_mut().zip(&mut self.squares).zip(row) {
            let apart = f64::from(*value) - *mean;
            *mean -= apart * (gone / others);
            *squares = (*squares - apart * apart * (gone * all / others)).max(0.0);
        }
    }

    /// The moments without `copies` of each of some of the rows. If less than two rows would be left,
    /// which have no variance, only the mean is that of the others.
    pub(crate) fn without<'r>(&self, rows: impl Iterator<Item = &'r [f32]>, copies: usize) -> Self {
        let mut left = self.clone();
        for row in rows {
            if left.count <= copies {
                break;
            }
            left.take_out(row, copies);
        }
        if left.count < 2 {
            left.squares.clone_from(&self.squares);
            let scale = left.count as f64 / self.count as f64;
            left.squares.iter_mut().for_each(|squares| *squares *= scale);
        }
        left
    }

    /// The variance of each column, with the divisor `count`.
    pub(crate) fn variances(&self) -> impl Iterator<Item = f64> + '_ {
        let count = self.count.max(1) as f64;
        self.squares.iter().map(move |squares| squares / count)
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
        rows.iter().for_each(|row| moments.push(row));
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
            assert!((got.variances().nth(column).unwrap() - variance).abs() < 1e-9 * variance);
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
        assert_close(&copied.without(gone.iter().map(|row| &row[..]), 3), &moments(&others));
    }

    #[test]
    fn one_row_that_is_left_has_the_variance_of_all() {
        let rows = rows(2);
        let left = moments(&rows).without(std::iter::once(&rows[0][..]), 1);
        assert_eq!(left.count, 1);
        for (column, variance) in left.variances().enumerate() {
            let spread = f64::from(rows[0][column] - rows[1][column]);
            assert!((left.mean[column] - f64::from(rows[1][column])).abs() < 1e-9);
            assert!((variance - spread * spread / 4.0).abs() < 1e-6);
        }
    }
}
