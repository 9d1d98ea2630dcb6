//! The decomposition: centred rows to orthonormal directions. The one place
//! that knows the linear algebra library.

use faer::linalg::matmul::{matmul, triangular};
use faer::{Accum, Mat, MatMut, MatRef, Par, Side};

use rayon::prelude::*;

use crate::blocks::{divide, for_each_block};
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
/// coordinates are multiplied by it again. With a `limit` no more than that many leading
/// directions are kept, and those whose variance is below the squared routes' precision
/// count as dropped; without one an SVD finds them.
///
/// Cost: `O(N · D · min(N, D))`, by the squared routes with a small constant; beside
/// the rows, whose memory becomes that of the directions, five matrices of the size of
/// the inner products. Where an SVD must run, the directions twice and some ten such
/// matrices.
pub(crate) fn decompose(
    mut rows: Vec<f64>,
    columns: usize,
    unit: f64,
    limit: Option<usize>,
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
    divide(&mut rows, scale);
    // Centring takes one direction of N away.
    let most = (count - 1).min(columns);
    let matrix = MatRef::from_row_major_slice(&rows, count, columns);
    let products = match squared {
        Route::Gram => inner_products(matrix, matrix.transpose()),
        _ => inner_products(matrix.transpose(), matrix),
    };
    let failed = || StatsError::NotConverged { rows: count, columns };
    let eigen = eigen(products, noise / scale, most, limit).ok_or_else(failed)?;
    let parts = match squared {
        // A direction that is missing may be small rather than absent, and only the SVD can
        // tell.
        _ if limit.is_none() && eigen.singular_values.len() < most => {
            drop(eigen);
            thin_svd(matrix, noise / scale).ok_or_else(failed)?
        }
        Route::Gram => gram(rows, columns, eigen),
        _ => scatter(matrix, eigen),
    };
    let found = parts.finish(columns, scale * unit);
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
    /// Values that one core looks through at a time.
    const PART: usize = 1 << 16;
    let largest_of = |some: &[f64]| some.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let largest = values.par_chunks(PART).map(largest_of).reduce(|| 0.0, f64::max);
    match largest.to_bits() {
        0 => 0.0,
        // Below the normal numbers the bits count up in steps of the smallest one.
        bits if bits & EXPONENT == 0 => f64::from_bits(1 << bits.ilog2()),
        bits => f64::from_bits(bits & EXPONENT),
    }
}

/// A decomposition before its signs and its scale.
struct Parts {
    singular_values: Vec<f64>,
    /// `[R, D]`, each as long as it came.
    directions: Vec<f64>,
    /// `[N, R]`.
    coordinates: Vec<f64>,
    route: Route,
    /// Share of the largest variance.
    cut: f64,
    dropped: Dropped,
}

impl Parts {
    /// Fixes lengths and signs, and undoes the scaling.
    fn finish(self, columns: usize, scale: f64) -> Decomposition {
        let Self { mut singular_values, mut directions, mut coordinates, route, cut, dropped } = self;
        let rank = singular_values.len();
        let turned = directions.par_chunks_exact_mut(columns).map(|direction| {
            let norm = direction.iter().map(|value| value * value).sum::<f64>().sqrt();
            let sign = sign_of(direction);
            direction.iter_mut().for_each(|value| *value *= sign / norm);
            sign * scale
        });
        let factors: Vec<f64> = turned.collect();
        for row in coordinates.chunks_exact_mut(rank.max(1)) {
            row.iter_mut().zip(&factors).for_each(|(value, factor)| *value *= factor);
        }
        singular_values.iter_mut().for_each(|value| *value *= scale);
        let squared = |share: f64| scale * (scale * share);
        Decomposition {
            singular_values,
            directions,
            coordinates,
            route,
            rank_cut: (rank > 0).then_some(cut),
            dropped: squared(dropped.sum),
            largest_dropped: squared(dropped.largest),
        }
    }
}

/// Squared singular values that were left out though they are not absent.
#[derive(Debug, Clone, Copy, Default)]
struct Dropped {
    sum: f64,
    largest: f64,
}

/// Directions in the place of the rows.
fn gram(mut rows: Vec<f64>, columns: usize, eigen: Eigen) -> Parts {
    let Eigen { singular_values, vectors, cut, dropped } = eigen;
    let (count, rank) = (vectors.nrows(), vectors.ncols());
    for_each_block(&mut rows, columns, |block| {
        let some = block[0].len();
        let from: Vec<f64> = block.iter().flat_map(|row| row.iter().copied()).collect();
        let mut to = vec![0.0; rank * some];
        // Xᵀ U has the directions as columns, each as long as its singular value.
        let product = MatMut::from_column_major_slice_mut(&mut to, some, rank);
        let left = MatRef::from_column_major_slice(&from, some, count);
        matmul(product, Accum::Replace, left, vectors.as_ref(), 1.0, Par::Seq);
        block
            .iter_mut()
            .zip(to.chunks_exact(some))
            .for_each(|(row, direction)| row.copy_from_slice(direction));
    });
    rows.truncate(rank * columns);
    rows.shrink_to_fit();
    let coordinates = by_rows(vectors.as_ref(), |index| singular_values[index]);
    Parts { singular_values, directions: rows, coordinates, route: Route::Gram, cut, dropped }
}

fn scatter(rows: MatRef<'_, f64>, eigen: Eigen) -> Parts {
    let Eigen { singular_values, vectors, cut, dropped } = eigen;
    let (count, rank) = (rows.nrows(), singular_values.len());
    let mut coordinates = vec![0.0; count * rank];
    let product = MatMut::from_row_major_slice_mut(&mut coordinates, count, rank);
    matmul(product, Accum::Replace, rows, vectors.as_ref(), 1.0, Par::rayon(0));
    let directions = by_rows(vectors.transpose(), |_| 1.0);
    Parts { singular_values, directions, coordinates, route: Route::Scatter, cut, dropped }
}

fn thin_svd(rows: MatRef<'_, f64>, noise: f64) -> Option<Parts> {
    let svd = rows.thin_svd().ok()?;
    let values = svd.S().column_vector();
    let cut = (rows.nrows().max(rows.ncols()) as f64 * f64::EPSILON * values[0]).max(noise);
    let singular_values: Vec<f64> = values.iter().copied().take_while(|value| *value > cut).collect();
    let rank = singular_values.len();
    let directions = by_rows(svd.V().subcols(0, rank).transpose(), |_| 1.0);
    let coordinates = by_rows(svd.U().subcols(0, rank), |index| singular_values[index]);
    let (cut, dropped) = ((cut / values[0]).powi(2), Dropped::default());
    Some(Parts { singular_values, directions, coordinates, route: Route::ThinSvd, cut, dropped })
}

/// A matrix row by row, each column times its factor.
fn by_rows(matrix: MatRef<'_, f64>, factor: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut values = Vec::with_capacity(matrix.nrows() * matrix.ncols());
    for row in 0..matrix.nrows() {
        values.extend((0..matrix.ncols()).map(|column| matrix[(row, column)] * factor(column)));
    }
    values
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

/// The leading eigenvectors of a matrix of inner products.
struct Eigen {
    /// Roots of the eigenvalues above cut and noise, falling, up to the limit.
    singular_values: Vec<f64>,
    /// As columns.
    vectors: Mat<f64>,
    /// As a share of the largest eigenvalue.
    cut: f64,
    dropped: Dropped,
}

/// Of `matrix`, which has at most `most` eigenvalues that are not zero.
fn eigen(matrix: Mat<f64>, noise: f64, most: usize, limit: Option<usize>) -> Option<Eigen> {
    let eigen = matrix.self_adjoint_eigen(Side::Lower).ok()?;
    drop(matrix);
    // They come in rising order.
    let values: Vec<f64> = eigen.S().column_vector().iter().rev().copied().collect();
    let size = values.len();
    let largest = values.first().copied().unwrap_or(0.0);
    let cut = (SQUARED_CUT * largest).max(noise * noise);
    let above = values.partition_point(|value| *value > cut);
    let rank = above.min(limit.unwrap_or(usize::MAX));
    // What lies below the noise is absent; what lies between is there, but nobody knows how
    // much of it, only that it is below the cut.
    let there = if cut > noise * noise { most.max(above) } else { above };
    let left_out = &values[rank..there];
    let dropped = Dropped {
        sum: left_out.iter().map(|value| value.max(0.0)).sum(),
        largest: left_out.first().map_or(0.0, |value| value.max(cut)),
    };
    let all = eigen.U();
    let vectors = Mat::from_fn(size, rank, |row, index| all[(row, size - 1 - index)]);
    let singular_values = values[..rank].iter().map(|value| value.sqrt()).collect();
    Some(Eigen { singular_values, vectors, cut: cut / largest, dropped })
}
