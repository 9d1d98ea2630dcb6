//! The statistic of rows, from which models and later fits are made.

use rayon::prelude::*;

use crate::blocks::centre;
use crate::compression::Compression;
use crate::decompose::{decompose, multiply, power_of_two};
use crate::directions::{Decomposition, Route};
use crate::error::{StatsError, check_values};
use crate::samples::Samples;

/// How far the length of a direction from a file may be from one. It was rounded to `f32`.
const UNIT_TOLERANCE: f64 = 1e-3;
/// The relative distance that the length of a column of coordinates may have from its singular value.
/// The coordinates were rounded to `f32`, with an error of 6e-8 each.
const COORDINATE_TOLERANCE: f64 = 1e-4;

/// The mean of `N` rows, every direction in which they vary, and the coordinates of each row in these
/// directions: `row = mean + coordinates · directions`.
#[derive(Debug, Clone, PartialEq)]
pub struct FitStatistic {
    mean: Vec<f64>,
    directions: Vec<f64>,
    singular_values: Vec<f64>,
    coordinates: Vec<f64>,
    sample_count: usize,
    route: Option<Route>,
    rank_cut: Option<f64>,
    compression: Option<Compression>,
}

impl FitStatistic {
    /// The statistics of `samples` `[N, D]`. Rows that are all the same have rank 0.
    ///
    /// Cost: as [`of_owned`](Self::of_owned), and a copy of the rows.
    ///
    /// # Errors
    ///
    /// As for [`of_owned`](Self::of_owned).
    pub fn of(samples: &Samples) -> Result<Self, StatsError> {
        Self::of_owned(samples.copy())
    }

    /// [`of`](Self::of), which consumes the rows.
    ///
    /// Cost: `O(N · D · min(N, D))` operations. The directions take the memory of the rows.
    ///
    /// # Errors
    ///
    /// If the decomposition does not converge, or the singular values are beyond the range of `f64`.
    pub fn of_owned(samples: Samples) -> Result<Self, StatsError> {
        Self::of_leading(samples, None)
    }

    /// [`of_owned`](Self::of_owned). With a `limit`, no more than that many directions are kept, there are
    /// neither stages nor an SVD, and [`Compression`] says what was left out.
    pub(crate) fn of_leading(samples: Samples, limit: Option<usize>) -> Result<Self, StatsError> {
        let (count, columns) = (samples.rows(), samples.columns());
        let mut centred = samples.into_values();
        // Dividing by a power of two changes no digit, and sums of huge values stay finite.
        let scale = power_of_two(&centred);
        let divisor = if scale == 0.0 { 1.0 } else { scale };
        let mut mean = centre(&mut centred, columns, divisor);
        mean.iter_mut().for_each(|mean| *mean = (*mean * divisor).clamp(f64::MIN, f64::MAX));
        let length = |row: &[f64]| row.iter().map(|value| value * value).sum::<f64>() * divisor * divisor;
        let lengths: Vec<f64> =
            limit.map_or_else(Vec::new, |_| centred.chunks_exact(columns).map(length).collect());
        // Centring removes one of N directions.
        let most = (count - 1).min(columns);
        let mut found = decompose(centred, columns, divisor, most, limit)?;
        let coordinates = std::mem::take(&mut found.coordinates);
        let compression = match limit {
            Some(limit) if found.dropped > 0.0 => {
                let rows = coordinates.chunks_exact(found.singular_values.len());
                let kept = rows.map(|row| row.iter().map(|value| value * value).sum::<f64>());
                let remainders = lengths.iter().zip(kept).map(|(all, kept)| (all - kept).max(0.0)).collect();
                Some(Compression::from_parts(limit, found.largest_dropped, remainders)?)
            }
            _ => None,
        };
        Ok(Self::assemble(mean, found, coordinates, count, compression))
    }

    /// A statistic from a decomposition, and the coordinates of each row in it.
    pub(crate) fn assemble(
        mean: Vec<f64>,
        found: Decomposition,
        coordinates: Vec<f64>,
        sample_count: usize,
        compression: Option<Compression>,
    ) -> Self {
        Self {
            mean,
            directions: found.directions,
            singular_values: found.singular_values,
            coordinates,
            sample_count,
            route: Some(found.route),
            rank_cut: found.rank_cut,
            compression,
        }
    }

    /// A statistic from parts that may come from a file: `mean` `[D]`, `directions` `[R, D]`,
    /// `singular_values` `[R]`, `coordinates` `[N, R]`, and the compression if there was one.
    ///
    /// # Errors
    ///
    /// If shapes contradict each other, a value is not finite, singular values
    /// are not positive and falling, there are more of them than `sample_count`
    /// rows can vary in, directions are not orthonormal, or the coordinates in a
    /// direction are not centred or not as long as its singular value.
    pub fn from_parts(
        mean: Vec<f64>,
        directions: Vec<f64>,
        singular_values: Vec<f64>,
        coordinates: Vec<f64>,
        sample_count: usize,
        compression: Option<Compression>,
    ) -> Result<Self, StatsError> {
        let (columns, rank) = (mean.len(), singular_values.len());
        check_values("mean", &mean, columns.max(1))?;
        check_values("directions", &directions, rank.saturating_mul(columns))?;
        check_values("coordinates", &coordinates, rank.saturating_mul(sample_count))?;
        check_falling("singular values", &singular_values)?;
        // The mean removes one of N directions.
        if sample_count == 0 || rank > columns.min(sample_count - 1) {
            return Err(StatsError::Shape {
                what: "singular values",
                expected: format!("fewer than {sample_count} rows and at most {columns} columns"),
                got: format!("{rank} values"),
            });
        }
        check_directions(&directions, columns)?;
        check_coordinates(&coordinates, &singular_values, sample_count)?;
        if let Some(compression) = &compression {
            check_values("remainders", compression.remainders(), sample_count)?;
        }
        let (route, rank_cut) = (None, None);
        Ok(Self {
            mean,
            directions,
            singular_values,
            coordinates,
            sample_count,
            route,
            rank_cut,
            compression,
        })
    }

    /// The statistic of rows with other columns, which have these coordinates in directions with the same
    /// singular values.
    pub(crate) fn in_columns(
        self,
        mean: Vec<f64>,
        directions: Vec<f64>,
        coordinates: Vec<f64>,
        compression: Option<Compression>,
    ) -> Self {
        Self { mean, directions, coordinates, compression, ..self }
    }

    /// Takes the directions, and leaves none.
    pub(crate) fn take_directions(&mut self) -> Vec<f64> {
        std::mem::take(&mut self.directions)
    }

    /// The same statistic for another number of rows, which do not vary.
    pub(crate) fn of_equal_rows(&self, sample_count: usize, compression: Option<Compression>) -> Self {
        Self { sample_count, compression, ..self.clone() }
    }

    /// `N`, the number of rows.
    pub fn sample_count(&self) -> usize {
        self.sample_count
    }

    /// `R`, the number of directions in which the rows vary at all.
    pub fn rank(&self) -> usize {
        self.singular_values.len()
    }

    /// Checks that models of the rows can have so many components.
    pub(crate) fn check_components(&self, components: usize) -> Result<(), StatsError> {
        let rank = self.rank();
        match (1..=rank).contains(&components) {
            true => Ok(()),
            false => Err(StatsError::Parameter {
                name: "components",
                expected: format!("1 to {rank}, the directions of all rows"),
                got: components.to_string(),
            }),
        }
    }

    /// How the directions were found; `None` if they were read.
    pub fn route(&self) -> Option<Route> {
        self.route
    }

    /// The share of the largest variance up to which a direction counted as absent;
    /// `None` if there is no direction or they were read.
    pub fn rank_cut(&self) -> Option<f64> {
        self.rank_cut
    }

    /// The mean `[D]`.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The directions: orthonormal rows `[R, D]`, by falling singular value.
    pub fn directions(&self) -> &[f64] {
        &self.directions
    }

    /// The singular values `[R]` of the centred rows, in falling order.
    pub fn singular_values(&self) -> &[f64] {
        &self.singular_values
    }

    /// The deviations from the mean `[n, D]` of rows with these coordinates `[n, R]`.
    ///
    /// Cost: `O(n · R · D)`.
    ///
    /// # Errors
    ///
    /// If the coordinates have another number of columns.
    pub fn deviations_of(&self, coordinates: &Samples) -> Result<Vec<f64>, StatsError> {
        coordinates.check_columns(self.rank())?;
        Ok(multiply(coordinates.as_slice(), &self.directions, self.rank(), self.mean.len()))
    }

    /// The coordinates `[n, R]` of any rows `[n, D]` in the directions, and the squared length `[n]` of
    /// the part of each row outside of them.
    ///
    /// Cost: `O(n · R · D)`.
    ///
    /// # Errors
    ///
    /// If the rows have another number of columns.
    pub fn coordinates_of(&self, rows: &Samples) -> Result<(Vec<f64>, Vec<f64>), StatsError> {
        let columns = self.mean.len();
        rows.check_columns(columns)?;
        let centred =
            rows.iter().flat_map(|row| row.iter().zip(&self.mean).map(|(value, mean)| value - mean));
        let mut rest: Vec<f64> = centred.collect();
        let mut coordinates = Vec::with_capacity(rows.rows() * self.rank());
        for row in rest.chunks_exact_mut(columns) {
            for direction in self.directions.chunks_exact(columns) {
                let along: f64 = direction.iter().zip(&*row).map(|(a, b)| a * b).sum();
                row.iter_mut().zip(direction).for_each(|(value, part)| *value -= along * part);
                coordinates.push(along);
            }
        }
        let lengths = rest.chunks_exact(columns).map(|row| row.iter().map(|value| value * value).sum());
        Ok((coordinates, lengths.collect()))
    }

    /// The coordinates `[N, R]` of the rows in the directions.
    pub fn coordinates(&self) -> &[f64] {
        &self.coordinates
    }

    /// What was left out; `None` if nothing was.
    pub fn compression(&self) -> Option<&Compression> {
        self.compression.as_ref()
    }

    /// The share of the squared deviations from the mean that [`compression`](Self::compression) left
    /// out, in [0, 1]; 0 if nothing was left out.
    pub fn dropped_share(&self) -> f64 {
        let dropped = self.compression.as_ref().map_or(0.0, Compression::dropped);
        if dropped > 0.0 {
            dropped / (dropped + dot(&self.singular_values, &self.singular_values))
        } else {
            0.0
        }
    }
}

/// Checks that values are in falling order, positive and finite.
pub(crate) fn check_falling(what: &'static str, values: &[f64]) -> Result<(), StatsError> {
    check_values(what, values, values.len())?;
    let falls = values.windows(2).all(|pair| pair[0] >= pair[1]);
    if falls && values.last().is_none_or(|last| *last > 0.0) {
        return Ok(());
    }
    Err(StatsError::Shape {
        what,
        expected: "positive values in falling order".to_owned(),
        got: "others".to_owned(),
    })
}

/// Checks that the rows of `directions` have unit length and are at right angles, in `O(R · D)`. For a
/// sum of the rows with signs `s`, the product of row `k` with that sum is `s_k` if and only if the
/// other terms cancel. Rows that are not orthogonal cancel only for a few choices of signs.
///
/// Values that are not finite do not pass: the length of their row is none.
pub(crate) fn check_directions<T: Copy + Into<f64> + Sync>(
    directions: &[T],
    columns: usize,
) -> Result<(), StatsError> {
    /// Rows that one thread sums up. The result is the same for every number of threads.
    const ROWS: usize = 32;
    let wrong =
        |got: String| StatsError::Shape { what: "directions", expected: "orthonormal rows".to_owned(), got };
    let parts = directions.par_chunks(ROWS * columns).enumerate().map(|(part, rows)| {
        let mut sum = vec![0.0; columns];
        for (index, row) in rows.chunks_exact(columns).enumerate() {
            let norm = dot(row, row).sqrt();
            // The length of a row with a value that is not a number is not a number.
            let is_unit = (norm - 1.0).abs() <= UNIT_TOLERANCE;
            if !is_unit {
                return Err(format!("length {norm}"));
            }
            let sign = sign(part * ROWS + index);
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += sign * (*value).into());
        }
        Ok(sum)
    });
    let mut sum = vec![0.0; columns];
    for part in parts.collect::<Vec<_>>() {
        sum.iter_mut().zip(part.map_err(wrong)?).for_each(|(sum, part)| *sum += part);
    }
    let rows = directions.par_chunks_exact(columns).enumerate();
    let astray = rows.find_first(|(index, row)| (dot(row, &sum) - sign(*index)).abs() > 2.0 * UNIT_TOLERANCE);
    match astray {
        Some((index, _)) => Err(wrong(format!("row {index} along others"))),
        None => Ok(()),
    }
}

/// The inner product, as several sums side by side: additions that wait for each other would take most
/// of the time.
fn dot<A: Copy + Into<f64>, B: Copy + Into<f64>>(a: &[A], b: &[B]) -> f64 {
    const PLACES: usize = 8;
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<PLACES>(), b.as_chunks::<PLACES>());
    let mut sums = [0.0; PLACES];
    for (a, b) in a.iter().zip(b) {
        for place in 0..PLACES {
            sums[place] += a[place].into() * b[place].into();
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| (*a).into() * (*b).into());
    sums.into_iter().chain(rest).sum()
}

/// A sign for each index, without a pattern: the top bit of a multiplicative hash.
fn sign(index: usize) -> f64 {
    if (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 63 == 0 { 1.0 } else { -1.0 }
}

/// Checks that the columns of `coordinates` `[N, R]` sum to zero and are as long as their singular
/// values.
fn check_coordinates(
    coordinates: &[f64],
    singular_values: &[f64],
    sample_count: usize,
) -> Result<(), StatsError> {
    let Some(&largest) = singular_values.first() else {
        return Ok(());
    };
    let rank = singular_values.len();
    let (mut sums, mut squares) = (vec![0.0; rank], vec![0.0; rank]);
    for row in coordinates.chunks_exact(rank) {
        for (index, value) in row.iter().enumerate() {
            // In units of the singular value, so that no square overflows.
            let share = value / singular_values[index];
            sums[index] += share;
            squares[index] += share * share;
        }
    }
    let root = (sample_count as f64).sqrt();
    for (index, value) in singular_values.iter().enumerate() {
        let length = squares[index].sqrt();
        // If a singular value is near the rounding error of the largest, the mean that was subtracted
        // is only as precise as that.
        let tolerance = COORDINATE_TOLERANCE + 1e3 * f64::EPSILON * (largest / value);
        if sums[index].abs() > tolerance * root || (length - 1.0).abs() > tolerance {
            return Err(StatsError::Shape {
                what: "coordinates",
                expected: "centred columns as long as their singular values".to_owned(),
                got: format!("column {index} of sum {} and length {length} in its units", sums[index]),
            });
        }
    }
    Ok(())
}
