//! Working on a few columns of all rows at a time. The values then stay in the cache of a core while
//! they are used repeatedly, and every core has its share.

use rayon::prelude::*;

/// The columns of a block: 2 MiB for a thousand rows.
const COLUMNS_AT_ONCE: usize = 256;

/// Calls `each` with every block of columns of `rows` `[N, D]`: a slice of each row. The results
/// are in the order of the columns.
pub(crate) fn for_each_block<T: Send>(
    rows: &mut [f64],
    columns: usize,
    each: impl Fn(&mut [&mut [f64]]) -> T + Sync,
) -> Vec<T> {
    let mut blocks: Vec<Vec<&mut [f64]>> = Vec::new();
    blocks.resize_with(columns.div_ceil(COLUMNS_AT_ONCE), || Vec::with_capacity(rows.len() / columns));
    for row in rows.chunks_exact_mut(columns) {
        for (block, part) in blocks.iter_mut().zip(row.chunks_mut(COLUMNS_AT_ONCE)) {
            block.push(part);
        }
    }
    blocks.into_par_iter().map(|mut block| each(&mut block)).collect()
}

/// Divides every value by `divisor`.
pub(crate) fn divide(values: &mut [f64], divisor: f64) {
    if divisor != 1.0 {
        values.par_iter_mut().with_min_len(COLUMNS_AT_ONCE).for_each(|value| *value /= divisor);
    }
}

/// A copy of `values`, made by all cores, because new memory is slow to touch for the first time.
pub(crate) fn copy(values: &[f64]) -> Vec<f64> {
    values.par_iter().with_min_len(COLUMNS_AT_ONCE).copied().collect()
}

/// Divides `rows` `[N, D]` by `divisor` and subtracts the mean of each column. Returns the means
/// `[D]` of the divided rows.
pub(crate) fn centre(rows: &mut [f64], columns: usize, divisor: f64) -> Vec<f64> {
    let means = for_each_block(rows, columns, |block| {
        for row in block.iter_mut() {
            row.iter_mut().for_each(|value| *value /= divisor);
        }
        let mut mean = take_mean(block);
        // A second pass corrects the rounding of the first: without it, columns of equal values
        // would seem to vary.
        mean.iter_mut().zip(take_mean(block)).for_each(|(mean, rest)| *mean += rest);
        mean
    });
    means.concat()
}

/// Subtracts the mean of each column, and returns the means.
fn take_mean(rows: &mut [&mut [f64]]) -> Vec<f64> {
    let mut mean = vec![0.0; rows.first().map_or(0, |row| row.len())];
    for row in rows.iter() {
        mean.iter_mut().zip(row.iter()).for_each(|(sum, value)| *sum += value);
    }
    mean.iter_mut().for_each(|sum| *sum /= rows.len() as f64);
    for row in rows.iter_mut() {
        row.iter_mut().zip(&mean).for_each(|(value, mean)| *value -= mean);
    }
    mean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_every_column_once_and_in_order() {
        for columns in [1, 255, 256, 257, 600] {
            let mut rows: Vec<f64> = (0..3 * columns).map(|value| value as f64).collect();
            let first = for_each_block(&mut rows, columns, |block| {
                let first = block[0][0];
                assert_eq!(block.len(), 3);
                block.iter_mut().for_each(|row| row.iter_mut().for_each(|value| *value += 0.5));
                first
            });
            assert_eq!(first, (0..columns).step_by(COLUMNS_AT_ONCE).map(|at| at as f64).collect::<Vec<_>>());
            assert!(rows.iter().enumerate().all(|(at, value)| *value == at as f64 + 0.5));
        }
    }

    #[test]
    fn columns_are_centred_after_the_division() {
        let mut rows = vec![2.0, 10.0, 4.0, 10.0, 6.0, 10.0];
        assert_eq!(centre(&mut rows, 2, 2.0), [2.0, 5.0]);
        assert_eq!(rows, [-1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    }
}
