//! What a fit knows of its rows: everything that later fits can be made from.

use crate::decompose::{Route, decompose, power_of_two};
use crate::error::{StatsError, check_values};
use crate::samples::Samples;

/// How far the length of a direction read from a file may be from one: it was
/// rounded to `f32`.
const UNIT_TOLERANCE: f64 = 1e-3;

/// The mean of `N` rows, every direction in which they vary, and where each row
/// lies in those directions: `row = mean + coordinates · directions`.
#[derive(Debug, Clone, PartialEq)]
pub struct FitStatistic {
    mean: Vec<f64>,
    directions: Vec<f64>,
    singular_values: Vec<f64>,
    coordinates: Vec<f64>,
    sample_count: usize,
    route: Option<Route>,
}

impl FitStatistic {
    /// Of `samples` `[N, D]`. Rows that are all the same have rank 0.
    ///
    /// Cost: a centred copy of the rows, and `O(N · D · min(N, D))` work.
    ///
    /// # Errors
    ///
    /// If the decomposition does not converge, or `f64` cannot hold the singular
    /// values.
    pub fn of(samples: &Samples) -> Result<Self, StatsError> {
        let (count, columns) = (samples.rows(), samples.columns());
        // A power of two, so that dividing changes no digit, and sums of huge
        // values stay finite.
        let scale = power_of_two(samples.as_slice());
        let divisor = if scale == 0.0 { 1.0 } else { scale };
        let mut centred: Vec<f64> = samples.as_slice().iter().map(|value| value / divisor).collect();
        let mut mean = centre(&mut centred, columns);
        // What the first pass lost to rounding: without it, columns that are all
        // the same would seem to vary.
        for (mean, rest) in mean.iter_mut().zip(centre(&mut centred, columns)) {
            *mean = (*mean + rest) * divisor;
        }
        let found = decompose(&mut centred, columns, divisor)?;
        Ok(Self {
            mean,
            directions: found.directions,
            singular_values: found.singular_values,
            coordinates: found.coordinates,
            sample_count: count,
            route: Some(found.route),
        })
    }

    /// From parts that may come from a file: `mean` `[D]`, `directions` `[R, D]`,
    /// `singular_values` `[R]`, `coordinates` `[N, R]`.
    ///
    /// # Errors
    ///
    /// If shapes contradict each other, a value is not finite, singular values
    /// are not positive and falling, or a direction is not of unit length.
    pub fn from_parts(
        mean: Vec<f64>,
        directions: Vec<f64>,
        singular_values: Vec<f64>,
        coordinates: Vec<f64>,
        sample_count: usize,
    ) -> Result<Self, StatsError> {
        let (columns, rank) = (mean.len(), singular_values.len());
        check_values("mean", &mean, columns.max(1))?;
        check_values("directions", &directions, rank.saturating_mul(columns))?;
        check_values("coordinates", &coordinates, rank.saturating_mul(sample_count))?;
        check_falling("singular values", &singular_values)?;
        check_directions(&directions, columns)?;
        Ok(Self { mean, directions, singular_values, coordinates, sample_count, route: None })
    }

    /// `N`.
    pub fn sample_count(&self) -> usize {
        self.sample_count
    }

    /// `R`: directions in which the rows vary at all.
    pub fn rank(&self) -> usize {
        self.singular_values.len()
    }

    /// How the directions were found; `None` if they were read.
    pub fn route(&self) -> Option<Route> {
        self.route
    }

    /// `[D]`.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Orthonormal rows `[R, D]`, by falling singular value.
    pub fn directions(&self) -> &[f64] {
        &self.directions
    }

    /// `[R]`: of the centred rows.
    pub fn singular_values(&self) -> &[f64] {
        &self.singular_values
    }

    /// `[N, R]`.
    pub fn coordinates(&self) -> &[f64] {
        &self.coordinates
    }
}

/// Takes the mean of each column off and returns it.
fn centre(rows: &mut [f64], columns: usize) -> Vec<f64> {
    let mut mean = vec![0.0; columns];
    for row in rows.chunks_exact(columns) {
        for (sum, value) in mean.iter_mut().zip(row) {
            *sum += value;
        }
    }
    let count = (rows.len() / columns) as f64;
    mean.iter_mut().for_each(|sum| *sum /= count);
    for row in rows.chunks_exact_mut(columns) {
        for (value, mean) in row.iter_mut().zip(&mean) {
            *value -= mean;
        }
    }
    mean
}

/// Checks that values fall and are positive and finite.
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

/// Checks that every row of `directions` has unit length.
pub(crate) fn check_directions(directions: &[f64], columns: usize) -> Result<(), StatsError> {
    for row in directions.chunks_exact(columns) {
        let norm = row.iter().map(|value| value * value).sum::<f64>().sqrt();
        if (norm - 1.0).abs() > UNIT_TOLERANCE {
            return Err(StatsError::Shape {
                what: "directions",
                expected: "rows of unit length".to_owned(),
                got: format!("length {norm}"),
            });
        }
    }
    Ok(())
}
