//! Whether new rows still come from the distribution of a fit's rows: two-sample tests whose
//! false-alarm rate is exact.
//!
//! Both tests ask whether the division into two groups could be random. If all rows are independent
//! draws from one distribution, every division is as likely as the actual one, and a p-value at or
//! below `α` occurs in at most a share `α` of cases. Nothing is approximated, and no distribution is
//! assumed.

use crate::decompose::symmetric_eigen;
use crate::error::{StatsError, check_values};
use crate::samples::Samples;
use crate::statistic::FitStatistic;

/// The number of leading directions of both groups together in which means and subspaces are
/// compared.
const DIRECTIONS: usize = 16;
/// The precision of a share of paths. A smaller share is given as this.
const SMALLEST: f64 = 1e-12;
/// How far two distances of the same division may differ if the rows are summed in another order.
const ROUNDING: f64 = 1e-9;
/// Dimensions of the leading subspaces whose angles are compared.
const SUBSPACE: usize = 4;

/// Two groups of numbers, compared by the Kolmogorov–Smirnov test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreDrift {
    /// The largest distance between the two empirical distribution functions, in [0, 1].
    pub distance: f64,
    /// The share of all divisions of the numbers into groups of these sizes whose distance is at
    /// least as large. If numbers are equal, an upper bound of that share. Never below 1e-12.
    pub p_value: f64,
}

/// Two groups of rows, compared by their means and by their leading subspaces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SubspaceDrift {
    /// The distance between the means, in standard deviations of both groups together
    /// along their leading directions (a Mahalanobis distance).
    pub mean_shift: f64,
    /// The share of permutations whose means are at least as far apart.
    pub mean_p_value: f64,
    /// The largest principal angle between the leading subspaces, in degrees.
    pub largest_angle: f64,
    /// The share of permutations whose subspaces are at least as far apart, measured by the sum of the
    /// squared sines of all principal angles.
    pub angle_p_value: f64,
    /// The dimension of those subspaces. If it is 0, there are too few rows, and subspaces are not
    /// compared.
    pub subspace: usize,
}

/// The two-sample Kolmogorov–Smirnov test with its exact p-value.
///
/// Cost: `O(n · m)` for the p-value, `O((n + m) log (n + m))` before it.
///
/// # Errors
///
/// If a group is empty or holds a value that is not finite.
pub fn score_drift(reference: &[f64], today: &[f64]) -> Result<ScoreDrift, StatsError> {
    for (what, values) in [("reference scores", reference), ("scores", today)] {
        check_values(what, values, values.len().max(1))?;
    }
    let (n, m) = (reference.len(), today.len());
    let mut pooled: Vec<(f64, bool)> = reference.iter().map(|value| (*value, false)).collect();
    pooled.extend(today.iter().map(|value| (*value, true)));
    pooled.sort_by(|a, b| a.0.total_cmp(&b.0));
    // The distance in units of 1 / (n m) is a whole number. It counts only behind the last of several
    // equal values.
    let (mut counts, mut largest) = ([0_usize; 2], 0);
    for (place, (value, is_today)) in pooled.iter().enumerate() {
        counts[usize::from(*is_today)] += 1;
        if pooled.get(place + 1).is_none_or(|next| next.0 != *value) {
            largest = largest.max((counts[0] * m).abs_diff(counts[1] * n));
        }
    }
    let distance = largest as f64 / (n as f64 * m as f64);
    Ok(ScoreDrift { distance, p_value: share_of_paths(n, m, largest) })
}

/// The share of the orders of `n` and `m` values in which the distance reaches `largest / (n m)`
/// somewhere. It is one minus the probability that a random walk over the lattice from `(0, 0)` to
/// `(n, m)`, which draws each step from the values that are left, stays nearer everywhere.
fn share_of_paths(n: usize, m: usize, largest: usize) -> f64 {
    let mut near = vec![0.0; m + 1];
    for i in 0..=n {
        for j in 0..=m {
            let left = |i: usize, j: usize| (n + m - i - j) as f64;
            let from_reference = match i {
                0 => 0.0,
                i => near[j] * (n - (i - 1)) as f64 / left(i - 1, j),
            };
            let from_today = match j {
                0 => 0.0,
                j => near[j - 1] * (m - (j - 1)) as f64 / left(i, j - 1),
            };
            near[j] = match (i * m).abs_diff(j * n) >= largest {
                true => 0.0,
                false if i + j == 0 => 1.0,
                false => from_reference + from_today,
            };
        }
    }
    (1.0 - near[m]).clamp(SMALLEST, 1.0)
}

/// Permutation tests between the rows of `statistic` and `rows` `[m, D]`. They compare the means and
/// the angles between the leading subspaces, in the leading directions of all rows together, which do
/// not depend on the division.
///
/// Permutations are drawn from `seed`, so the same rows give the same answer. A p-value is
/// `(1 + at least as far) / (1 + permutations)`. It is never 0, and valid for any number of
/// permutations.
///
/// Cost: a [`FitStatistic`] of all `N + m` rows, about `32 · (N + m) · D` bytes, and `O(N + m)` for
/// each permutation.
///
/// # Errors
///
/// If the rows have another number of columns, or the decomposition does not converge.
pub fn subspace_drift(
    statistic: &FitStatistic,
    rows: &Samples,
    permutations: usize,
    seed: u64,
) -> Result<SubspaceDrift, StatsError> {
    rows.check_columns(statistic.mean().len())?;
    let reference = statistic.sample_count();
    let pooled = FitStatistic::of(&pool(statistic, rows)?)?;
    let directions = pooled.rank().min(DIRECTIONS);
    if directions == 0 {
        return Ok(SubspaceDrift {
            mean_shift: 0.0,
            mean_p_value: 1.0,
            largest_angle: 0.0,
            angle_p_value: 1.0,
            subspace: 0,
        });
    }
    let groups = Groups::new(&pooled, directions, reference);
    let mut order: Vec<usize> = (0..pooled.sample_count()).collect();
    let actual = groups.compare(&order)?;
    let (mut means, mut angles) = (1_usize, 1_usize);
    let mut generator = Generator(seed);
    for _ in 0..permutations {
        generator.shuffle(&mut order);
        let other = groups.compare(&order)?;
        means += usize::from(other.mean >= actual.mean * (1.0 - ROUNDING));
        angles += usize::from(other.sines >= actual.sines * (1.0 - ROUNDING));
    }
    let share = |count: usize| count as f64 / (1 + permutations) as f64;
    Ok(SubspaceDrift {
        mean_shift: actual.mean.sqrt(),
        mean_p_value: share(means),
        largest_angle: actual.largest_angle,
        angle_p_value: share(angles),
        subspace: groups.subspace,
    })
}

/// The rows of the fit, which are rebuilt, and `rows` behind them, as deviations from the mean of the
/// fit.
fn pool(statistic: &FitStatistic, rows: &Samples) -> Result<Samples, StatsError> {
    let columns = rows.columns();
    let mut values = match statistic.rank() {
        0 => vec![0.0; statistic.sample_count() * columns],
        rank => statistic.deviations_of(&Samples::from_f64(statistic.coordinates().to_vec(), rank)?)?,
    };
    for row in rows.iter() {
        values.extend(row.iter().zip(statistic.mean()).map(|(value, mean)| value - mean));
    }
    Samples::from_f64(values, columns)
}

/// All rows in their leading directions, in units of the standard deviation along each.
struct Groups {
    /// `[N + m, P]`.
    coordinates: Vec<f64>,
    /// `[P]`: standard deviations, for the subspaces.
    deviations: Vec<f64>,
    reference: usize,
    subspace: usize,
}

/// The distances between two groups.
struct Distance {
    /// Squared Mahalanobis distance of the means.
    mean: f64,
    /// Sum of squared sines.
    sines: f64,
    /// The largest principal angle, in degrees.
    largest_angle: f64,
}

impl Groups {
    fn new(pooled: &FitStatistic, directions: usize, reference: usize) -> Self {
        let root = (pooled.sample_count() as f64).sqrt();
        let deviations: Vec<f64> =
            pooled.singular_values()[..directions].iter().map(|value| value / root).collect();
        let rows = pooled.coordinates().chunks_exact(pooled.rank());
        let coordinates = rows
            .flat_map(|row| row.iter().zip(&deviations).map(|(value, deviation)| value / deviation))
            .collect();
        let today = pooled.sample_count() - reference;
        // A group of few rows spans few directions, and all of them span all there are.
        let subspace = [SUBSPACE, reference.saturating_sub(1), today.saturating_sub(1), directions - 1];
        let subspace = subspace.into_iter().min().unwrap_or(0);
        Self { coordinates, deviations, reference, subspace }
    }

    /// Compares the first [`reference`](Self::reference) rows of `order` with the others.
    fn compare(&self, order: &[usize]) -> Result<Distance, StatsError> {
        let (first, second) = order.split_at(self.reference);
        let (first_mean, second_mean) = (self.mean(first), self.mean(second));
        let shift = first_mean.iter().zip(&second_mean).map(|(a, b)| (a - b).powi(2));
        let mean = shift.sum();
        if self.subspace == 0 {
            return Ok(Distance { mean, sines: 0.0, largest_angle: 0.0 });
        }
        let (first, second) = (self.leading(first, &first_mean)?, self.leading(second, &second_mean)?);
        let size = self.subspace;
        let cosines: Vec<f64> = first
            .iter()
            .flat_map(|a| second.iter().map(move |b| a.iter().zip(b).map(|(a, b)| a * b).sum()))
            .collect();
        let squares: f64 = cosines.iter().map(|value: &f64| value * value).sum();
        let product = |row: usize, column: usize| -> f64 {
            (0..size).map(|k| cosines[row * size + k] * cosines[column * size + k]).sum()
        };
        let gram = (0..size * size).map(|index| product(index / size, index % size)).collect::<Vec<_>>();
        let (values, _) = symmetric_eigen(&gram, size).ok_or_else(|| failed(size))?;
        let smallest = values.last().copied().unwrap_or(1.0).clamp(0.0, 1.0);
        Ok(Distance {
            mean,
            sines: size as f64 - squares,
            largest_angle: smallest.sqrt().acos().to_degrees(),
        })
    }

    fn row(&self, index: usize) -> &[f64] {
        let width = self.deviations.len();
        &self.coordinates[index * width..][..width]
    }

    fn mean(&self, rows: &[usize]) -> Vec<f64> {
        let mut mean = vec![0.0; self.deviations.len()];
        for index in rows {
            mean.iter_mut().zip(self.row(*index)).for_each(|(sum, value)| *sum += value);
        }
        mean.iter_mut().for_each(|sum| *sum /= rows.len() as f64);
        mean
    }

    /// The leading principal directions of a group, in the original units.
    fn leading(&self, rows: &[usize], mean: &[f64]) -> Result<Vec<Vec<f64>>, StatsError> {
        let size = self.deviations.len();
        let mut scatter = vec![0.0; size * size];
        let mut centred = vec![0.0; size];
        for index in rows {
            let row = self.row(*index).iter().zip(mean).zip(&self.deviations);
            centred.iter_mut().zip(row).for_each(|(target, ((value, mean), deviation))| {
                *target = (value - mean) * deviation / self.deviations[0];
            });
            for (a, line) in scatter.chunks_exact_mut(size).enumerate() {
                line[..=a].iter_mut().zip(&centred).for_each(|(sum, value)| *sum += centred[a] * value);
            }
        }
        let (_, mut vectors) = symmetric_eigen(&scatter, size).ok_or_else(|| failed(size))?;
        vectors.truncate(self.subspace);
        Ok(vectors)
    }
}

fn failed(size: usize) -> StatsError {
    StatsError::NotConverged { rows: size, columns: size }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): a sequence of numbers that a seed fixes.
struct Generator(u64);

impl Generator {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Permutes `order` by the method of Fisher and Yates.
    fn shuffle(&mut self, order: &mut [usize]) {
        for last in (1..order.len()).rev() {
            // The upper half of a 128-bit product is uniform up to a relative error of length / 2⁶⁴.
            let other = (u128::from(self.next()) * (last as u128 + 1)) >> 64;
            order.swap(last, other as usize);
        }
    }
}
