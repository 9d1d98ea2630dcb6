//! The decomposition: centred rows to orthonormal directions. The one place
//! that knows the linear algebra library.

use faer::linalg::matmul::{matmul, triangular};
use faer::{Accum, Mat, MatMut, MatRef, Par, Side};

use crate::error::StatsError;

/// The smallest share of the largest variance that a Gram or scatter matrix is
/// trusted with. Its entries carry rounding of about 1e-15 of the largest variance
/// (1.7e-15 was measured at 400 × 4096 with half of the variances small), so at
/// this share 1e-6 relative is kept with a margin of a few.
const SQUARED_CUT: f64 = 1e-8;

/// How directions were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Eigenvectors of the rows' inner products `[N, N]`, projected back: for
    /// `N ≤ D`. Serves where every variance is above 1e-8 of the largest.
    Gram,
    /// Eigenvectors of the columns' inner products `[D, D]`: for `D < N`. Serves
    /// where every variance is above 1e-8 of the largest.
    Scatter,
    /// A thin SVD of the rows themselves, where the others cannot tell the rank.
    /// Keeps singular values above `max(N, D) · ε` of the largest.
    ThinSvd,
}

/// Directions of rows, by falling singular value; none where the rows are zero.
#[derive(Debug, Clone)]
pub(crate) struct Decomposition {
    /// `[R]`.
    pub(crate) singular_values: Vec<f64>,
    /// Orthonormal rows `[R, D]`; the largest entry of each is positive.
    pub(crate) directions: Vec<f64>,
    /// `[N, R]`: the rows in these directions.
    pub(crate) coordinates: Vec<f64>,
    pub(crate) route: Route,
    /// Share of the largest variance up to which directions count as absent;
    /// `None` where none was found.
    pub(crate) rank_cut: Option<f64>,
    /// Squared singular values beyond the limit: the sum, and the largest.
    pub(crate) dropped: f64,
    pub(crate) largest_dropped: f64,
}

impl Route {
    /// `gram`, `scatter` or `thin SVD`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gram => "gram",
            Self::Scatter => "scatter",
            Self::ThinSvd => "thin SVD",
        }
    }
}

/// Decomposes centred `rows` `[N, D]` that were divided by `unit` so that the
/// largest value before centring was between one and two; singular values and
/// coordinates are multiplied by it again. No more than the leading `limit`
/// directions are kept.
///
/// Cost: `O(N · D · min(N, D))`, by the squared routes with a small constant; beside
/// the rows, which are gone before the end, the directions twice.
pub(crate) fn decompose(
    mut rows: Vec<f64>,
    columns: usize,
    unit: f64,
    limit: usize,
) -> Result<Decomposition, StatsError> {
    let count = rows.len() / columns;
    let squared = if count <= columns { Route::Gram } else { Route::Scatter };
    // Centring leaves the rounding of values of about two behind: nothing below
    // can be told from it. Rows may be much smaller than that and are rescaled,
    // so that no square vanishes.
    let scale = power_of_two(&rows);
    let noise = 2.0 * f64::EPSILON * (rows.len() as f64).sqrt();
    if scale <= f64::EPSILON {
        return Ok(Decomposition {
            singular_values: Vec::new(),
            directions: Vec::new(),
            coordinates: Vec::new(),
            route: squared,
            rank_cut: None,
            dropped: 0.0,
            largest_dropped: 0.0,
        });
    }
    rows.iter_mut().for_each(|value| *value /= scale);
    let matrix = MatRef::from_row_major_slice(&rows, count, columns);
    let found = match squared {
        Route::Gram => gram(matrix, noise / scale, limit),
        _ => scatter(matrix, noise / scale, limit),
    };
    let failed = StatsError::NotConverged { rows: count, columns };
    let mut parts = found.ok_or_else(|| failed.clone())?;
    // Centring takes one direction of N away; any other that is missing may be
    // small rather than absent, and only the SVD can tell.
    // Below a limit that was reached nobody asks.
    if parts.singular_values.len() < (count - 1).min(columns).min(limit) {
        parts = thin_svd(matrix, noise / scale, limit).ok_or(failed)?;
    }
    drop(rows);
    let found = parts.finish(count, columns, scale * unit);
    match found.singular_values.iter().find(|value| !value.is_normal()) {
        Some(_) => Err(StatsError::Range { operation: "decomposition", scale: unit }),
        None => Ok(found),
    }
}

/// Eigenvalues, falling, and eigenvectors of a symmetric matrix of `size` rows, of which
/// the lower triangle is read; `None` if it does not converge.
pub(crate) fn symmetric_eigen(matrix: &[f64], size: usize) -> Option<(Vec<f64>, Vec<Vec<f64>>)> {
    let eigen = MatRef::from_row_major_slice(matrix, size, size).self_adjoint_eigen(Side::Lower).ok()?;
    let values = eigen.S().column_vector().iter().rev().copied().collect();
    let vectors = eigen.U();
    let vector = |column: usize| (0..size).map(|row| vectors[(row, size - 1 - column)]).collect();
    Some((values, (0..size).map(vector).collect()))
}

/// What turns a direction so that its largest entry is positive.
pub(crate) fn sign_of(direction: &[f64]) -> f64 {
    let larger = |best: f64, value: &f64| if value.abs() > best.abs() { *value } else { best };
    1.0_f64.copysign(direction.iter().fold(0.0, larger))
}

/// `left` `[N, K]` times `right` `[K, D]`, all row by row.
pub(crate) fn multiply(left: &[f64], right: &[f64], inner: usize, columns: usize) -> Vec<f64> {
    let count = left.len() / inner.max(1);
    let mut values = vec![0.0; count * columns];
    let product = MatMut::from_row_major_slice_mut(&mut values, count, columns);
    let left = MatRef::from_row_major_slice(left, count, inner);
    let right = MatRef::from_row_major_slice(right, inner, columns);
    matmul(product, Accum::Replace, left, right, 1.0, Par::rayon(0));
    values
}

/// The power of two at or below the largest absolute value; 0 where all are.
pub(crate) fn power_of_two(values: &[f64]) -> f64 {
    /// The bits of the exponent. Read off, because a logarithm rounds up next to
    /// the largest number.
    const EXPONENT: u64 = 0x7FF0_0000_0000_0000;
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    match largest.to_bits() {
        0 => 0.0,
        // Below the normal numbers the bits count up in steps of the smallest one.
        bits if bits & EXPONENT == 0 => f64::from_bits(1 << bits.ilog2()),
        bits => f64::from_bits(bits & EXPONENT),
    }
}

/// A decomposition in the library's matrices.
struct Parts {
    singular_values: Vec<f64>,
    /// `[D, R]`.
    directions: Mat<f64>,
    /// `[N, R]`.
    coordinates: Mat<f64>,
    route: Route,
    /// Share of the largest variance.
    cut: f64,
    /// Squared singular values beyond the limit, falling.
    dropped: Vec<f64>,
}

impl Parts {
    /// Fixes the signs, undoes the scaling, and lays values out by rows.
    fn finish(self, count: usize, columns: usize, scale: f64) -> Decomposition {
        let rank = self.singular_values.len();
        let mut directions = Vec::with_capacity(rank * columns);
        let mut signs = Vec::with_capacity(rank);
        for index in 0..rank {
            let column = self.directions.col(index);
            let entries = column.try_as_col_major().map_or(&[][..], |column| column.as_slice());
            let norm = entries.iter().map(|value| value * value).sum::<f64>().sqrt();
            let sign = sign_of(entries);
            directions.extend(entries.iter().map(|value| value * sign / norm));
            signs.push(sign);
        }
        let mut coordinates = Vec::with_capacity(count * rank);
        for row in 0..count {
            coordinates.extend((0..rank).map(|index| self.coordinates[(row, index)] * signs[index] * scale));
        }
        let singular_values = self.singular_values.iter().map(|value| value * scale).collect();
        let rank_cut = (rank > 0).then_some(self.cut);
        let squared = |share: f64| scale * (scale * share);
        Decomposition {
            singular_values,
            directions,
            coordinates,
            route: self.route,
            rank_cut,
            dropped: squared(self.dropped.iter().sum()),
            largest_dropped: squared(self.dropped.first().copied().unwrap_or(0.0)),
        }
    }
}

fn gram(rows: MatRef<'_, f64>, noise: f64, limit: usize) -> Option<Parts> {
    let Eigen { singular_values, vectors, cut, dropped } =
        eigen(inner_products(rows, rows.transpose()), noise, limit)?;
    let rank = singular_values.len();
    // Xᵀ U has the directions as columns, each as long as its singular value.
    let directions = product(rows.transpose(), vectors.as_ref());
    let coordinates =
        Mat::from_fn(rows.nrows(), rank, |row, index| vectors[(row, index)] * singular_values[index]);
    Some(Parts { singular_values, directions, coordinates, route: Route::Gram, cut, dropped })
}

fn scatter(rows: MatRef<'_, f64>, noise: f64, limit: usize) -> Option<Parts> {
    let Eigen { singular_values, vectors: directions, cut, dropped } =
        eigen(inner_products(rows.transpose(), rows), noise, limit)?;
    let coordinates = product(rows, directions.as_ref());
    Some(Parts { singular_values, directions, coordinates, route: Route::Scatter, cut, dropped })
}

fn thin_svd(rows: MatRef<'_, f64>, noise: f64, limit: usize) -> Option<Parts> {
    let svd = rows.thin_svd().ok()?;
    let values = svd.S().column_vector();
    let cut = (rows.nrows().max(rows.ncols()) as f64 * f64::EPSILON * values[0]).max(noise);
    let mut singular_values: Vec<f64> = values.iter().copied().take_while(|value| *value > cut).collect();
    let dropped = beyond(&mut singular_values, limit).iter().map(|value| value * value).collect();
    let rank = singular_values.len();
    let cut = (cut / values[0]).powi(2);
    let directions = svd.V().subcols(0, rank).to_owned();
    let left = svd.U();
    let coordinates =
        Mat::from_fn(rows.nrows(), rank, |row, index| left[(row, index)] * singular_values[index]);
    Some(Parts { singular_values, directions, coordinates, route: Route::ThinSvd, cut, dropped })
}

/// The lower triangle of `left · right`, which is symmetric.
fn inner_products(left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> Mat<f64> {
    let mut result = Mat::zeros(left.nrows(), right.ncols());
    triangular::matmul(
        result.as_mut(),
        triangular::BlockStructure::TriangularLower,
        Accum::Replace,
        left,
        triangular::BlockStructure::Rectangular,
        right,
        triangular::BlockStructure::Rectangular,
        1.0,
        Par::rayon(0),
    );
    result
}

fn product(left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> Mat<f64> {
    let mut result = Mat::zeros(left.nrows(), right.ncols());
    matmul(result.as_mut(), Accum::Replace, left, right, 1.0, Par::rayon(0));
    result
}

/// The leading eigenvectors of a matrix of inner products.
struct Eigen {
    /// Roots of the eigenvalues above cut and noise, falling, up to the limit.
    singular_values: Vec<f64>,
    /// As columns.
    vectors: Mat<f64>,
    /// As a share of the largest eigenvalue.
    cut: f64,
    /// The eigenvalues above cut and noise beyond the limit.
    dropped: Vec<f64>,
}

fn eigen(matrix: Mat<f64>, noise: f64, limit: usize) -> Option<Eigen> {
    let eigen = matrix.self_adjoint_eigen(Side::Lower).ok()?;
    // They come in rising order.
    let mut values: Vec<f64> = eigen.S().column_vector().iter().rev().copied().collect();
    let size = values.len();
    let largest = values.first().copied().unwrap_or(0.0);
    let cut = (SQUARED_CUT * largest).max(noise * noise);
    values.truncate(values.partition_point(|value| *value > cut));
    let dropped = beyond(&mut values, limit);
    let all = eigen.U();
    let vectors = Mat::from_fn(size, values.len(), |row, index| all[(row, size - 1 - index)]);
    let singular_values = values.iter().map(|value| value.sqrt()).collect();
    Some(Eigen { singular_values, vectors, cut: cut / largest, dropped })
}

/// Takes off what `values` hold beyond `limit`.
fn beyond(values: &mut Vec<f64>, limit: usize) -> Vec<f64> {
    values.split_off(limit.min(values.len()))
}
