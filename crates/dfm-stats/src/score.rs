//! Scoring on a device, in `f32`.
//!
//! The mean is subtracted before anything is multiplied, so that the digits of `f32` go to the
//! deviation and not to the mean. The mean is held as the sum of two `f32` values, because the
//! rounding error of one value would count as a deviation. Squares are computed in units of a power
//! of two near the standard deviation, so that neither huge nor tiny features leave the range of
//! `f32`.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::error::StatsError;
use crate::gaussian::SvdGaussian;
use crate::pca::Pca;

/// Standard deviations between these powers of two can be squared as they are: squares of 2⁻⁴⁰ to
/// 2⁴⁰ leave a factor of 10¹³ to either end of `f32`.
const PLAIN_EXPONENTS: std::ops::RangeInclusive<i32> = -20..=20;

impl Pca {
    /// The same components, ready to score on a device.
    pub fn on_device(&self, device: &Device) -> PcaScorer {
        PcaScorer::new(self, device)
    }
}

impl SvdGaussian {
    /// The same Gaussian, ready to score on a device.
    pub fn on_device(&self, device: &Device) -> GaussianScorer {
        GaussianScorer::new(self, device)
    }
}

/// A [`Pca`] on a device.
///
/// There are few rows and many components, so both matrix products take as long as it takes to read
/// the components. The components are stored twice, row by row and column by column. Each product
/// then reads them in the order of memory, and neither has to transpose them first.
#[derive(Debug, Clone)]
pub struct PcaScorer {
    mean: Mean,
    /// `[K, D]`.
    components: Tensor<2>,
    /// `[D, K]`.
    columns: Tensor<2>,
    unit: Unit,
}

impl PcaScorer {
    fn new(pca: &Pca, device: &Device) -> Self {
        let (count, columns) = (pca.component_count(), pca.mean().len());
        let turned = turned(&pca.narrow_components(), columns);
        Self {
            mean: Mean::new(pca.mean(), device),
            components: pca.components_on_device(device),
            columns: Tensor::from_data(TensorData::new(turned, [columns, count]), device),
            unit: Unit::near(pca.total_variance().sqrt()),
        }
    }

    /// The coordinates of rows in the components.
    ///
    /// # Shapes
    ///
    /// - rows: `[N, D]`
    /// - result: `[N, K]`
    pub fn transform(&self, rows: Tensor<2>) -> Tensor<2> {
        self.coordinates(self.mean.remove(rows)).transpose()
    }

    /// The residual of rows, which the components cannot reconstruct: `x − x̂`.
    ///
    /// # Shapes
    ///
    /// - rows: `[N, D]`
    /// - result: `[N, D]`
    pub fn residual(&self, rows: Tensor<2>) -> Tensor<2> {
        let centred = self.mean.remove(rows);
        let coordinates = self.coordinates(centred.clone());
        centred - self.columns.clone().matmul(coordinates).transpose()
    }

    /// Computes the coordinates of centred rows `[N, D]`, as columns `[K, N]`.
    fn coordinates(&self, centred: Tensor<2>) -> Tensor<2> {
        self.components.clone().matmul(centred.transpose())
    }

    /// The squares of [`residual`](Self::residual), in units of
    /// [`square_unit`](Self::square_unit).
    ///
    /// # Shapes
    ///
    /// - rows: `[N, D]`
    /// - result: `[N, D]`
    pub fn squared_residual(&self, rows: Tensor<2>) -> Tensor<2> {
        self.unit.divide(self.residual(rows)).square()
    }

    /// The value that 1 in [`squared_residual`](Self::squared_residual) stands for: a power of four,
    /// which may lie outside of the range of `f32`.
    pub fn square_unit(&self) -> f64 {
        self.unit.value().powi(2)
    }

    /// `‖x − x̂‖²` for each row `[N, D]`, read back from the device.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn feature_reconstruction_error(&self, rows: Tensor<2>) -> Result<Vec<f64>, StatsError> {
        let sums = read(self.squared_residual(rows).sum_dim(1))?;
        Ok(sums.into_iter().map(|sum| f64::from(sum) * self.square_unit()).collect())
    }
}

/// An [`SvdGaussian`] on a device.
#[derive(Debug, Clone)]
pub struct GaussianScorer {
    mean: Mean,
    /// `[R, K]`, for rows in units of `unit`.
    whitening: Tensor<2>,
    unit: Unit,
    log_determinant: f64,
}

impl GaussianScorer {
    fn new(gaussian: &SvdGaussian, device: &Device) -> Self {
        let columns = gaussian.mean().len();
        let unit = Unit::near(gaussian.deviations().first().copied().unwrap_or(1.0));
        let axes = gaussian.basis().chunks_exact(columns).zip(gaussian.deviations());
        let whitening: Vec<f64> = axes
            .flat_map(|(axis, deviation)| axis.iter().map(move |value| value / (deviation / unit.value())))
            .collect();
        Self {
            mean: Mean::new(gaussian.mean(), device),
            whitening: upload(&whitening, [gaussian.rank(), columns], device),
            unit,
            log_determinant: gaussian.log_determinant(),
        }
    }

    /// `2 Σ log σ`, the part of the score that is the same for every row.
    pub fn log_determinant(&self) -> f64 {
        self.log_determinant
    }

    /// `Σ z² + 2 Σ log σ` for each row `[N, K]`, read back from the device. The constant is added in
    /// `f64`.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn negative_log_likelihood(&self, rows: Tensor<2>) -> Result<Vec<f64>, StatsError> {
        let distances = self.squared_distance(rows)?;
        Ok(distances.into_iter().map(|distance| distance + self.log_determinant).collect())
    }

    /// `Σ z²` for each row `[N, K]`, read back from the device.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn squared_distance(&self, rows: Tensor<2>) -> Result<Vec<f64>, StatsError> {
        let centred = self.unit.divide(self.mean.remove(rows));
        let whitened = centred.matmul(self.whitening.clone().transpose());
        Ok(read(whitened.square().sum_dim(1))?.into_iter().map(f64::from).collect())
    }
}

/// A mean with more digits than `f32` has, as the sum of two values.
#[derive(Debug, Clone)]
struct Mean {
    high: Tensor<2>,
    low: Tensor<2>,
}

impl Mean {
    fn new(mean: &[f64], device: &Device) -> Self {
        let low: Vec<f64> = mean.iter().map(|value| value - f64::from(*value as f32)).collect();
        let shape = [1, mean.len()];
        Self { high: upload(mean, shape, device), low: upload(&low, shape, device) }
    }

    /// `rows` minus the mean. Where a row is near the mean, the difference is exact to its last digit,
    /// because the first subtraction then does not round.
    fn remove(&self, rows: Tensor<2>) -> Tensor<2> {
        (rows - self.high.clone()) - self.low.clone()
    }
}

/// A power of two in which squares are measured.
#[derive(Debug, Clone, Copy)]
struct Unit {
    exponent: i32,
}

impl Unit {
    /// A unit near `deviation`, or 1 if squares stay in range without it.
    fn near(deviation: f64) -> Self {
        let exponent = deviation.log2().floor() as i32;
        Self { exponent: if PLAIN_EXPONENTS.contains(&exponent) { 0 } else { exponent } }
    }

    fn value(self) -> f64 {
        f64::from(self.exponent).exp2()
    }

    /// `values` divided by the unit. This takes two steps, because the whole factor may lie outside of
    /// the range of `f32`, or below what every device can represent.
    fn divide(self, values: Tensor<2>) -> Tensor<2> {
        if self.exponent == 0 {
            return values;
        }
        let half = self.exponent / 2;
        let factor = |exponent: i32| (-f64::from(exponent)).exp2() as f32;
        values.mul_scalar(factor(half)).mul_scalar(factor(self.exponent - half))
    }
}

fn read(sums: Tensor<2>) -> Result<Vec<f32>, StatsError> {
    sums.try_into_vec_as::<f32>()
        .map_err(|error| StatsError::Device { operation: "reading scores back", reason: error.to_string() })
}

/// The columns of `values` `[K, D]` row by row: `[D, K]`.
fn turned(values: &[f32], columns: usize) -> Vec<f32> {
    /// The number of rows and columns that are turned together. More rows would drive each other out of the
    /// cache if their length is a power of two.
    const SIDE: usize = 8;
    /// The number of columns that one thread transposes: a mebibyte for a thousand components.
    const COLUMNS: usize = 256;
    let count = values.len() / columns;
    let mut turned = vec![0.0; values.len()];
    turned.par_chunks_mut(COLUMNS * count).enumerate().for_each(|(part, turned)| {
        for (block, rows) in values.chunks(SIDE * columns).enumerate() {
            let first = part * COLUMNS;
            for (step, turned) in turned.chunks_mut(SIDE * count).enumerate() {
                let (at, wide) = (first + step * SIDE, turned.len() / count);
                let mut square = [[0.0; SIDE]; SIDE];
                for (line, row) in square.iter_mut().zip(rows.chunks_exact(columns)) {
                    match row[at..at + wide].first_chunk() {
                        Some(whole) => *line = *whole,
                        None => line[..wide].copy_from_slice(&row[at..at + wide]),
                    }
                }
                let high = rows.len() / columns;
                for (column, to) in turned.chunks_exact_mut(count).enumerate() {
                    let line: [f32; SIDE] = std::array::from_fn(|row| square[row][column]);
                    let to = &mut to[block * SIDE..][..high];
                    match to.first_chunk_mut() {
                        Some(whole) => *whole = line,
                        None => to.copy_from_slice(&line[..high]),
                    }
                }
            }
        }
    });
    turned
}

fn upload(values: &[f64], shape: [usize; 2], device: &Device) -> Tensor<2> {
    let narrow: Vec<f32> = values.iter().map(|value| *value as f32).collect();
    Tensor::from_data(TensorData::new(narrow, shape), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turned_values_are_those_of_the_columns() {
        for (count, columns) in [(1, 1), (3, 5), (8, 8), (17, 300), (40, 513), (9, 256)] {
            let values: Vec<f32> = (0..count * columns).map(|index| index as f32).collect();
            let turned = turned(&values, columns);
            for (column, row) in turned.chunks_exact(count).enumerate() {
                let expected: Vec<f32> = values.iter().skip(column).step_by(columns).copied().collect();
                assert_eq!(row, expected, "{count} × {columns}, column {column}");
            }
        }
    }
}
