//! The decomposition of centred rows into orthonormal directions. This is the only file that names
//! the linear algebra library.

use faer::linalg::matmul::{matmul, triangular};
use faer::{Accum, Mat, MatMut, MatRef, Par, Side};

use rayon::prelude::*;

use crate::blocks::{divide, for_each_block};
use crate::directions::{Decomposition, Dropped, Parts, Route, length, reorder};
use crate::error::StatsError;

/// The smallest share of the largest variance that is taken from a Gram or scatter matrix. The
/// entries of the matrix carry a rounding error of about 1e-15 of the largest variance (1.7e-15 was
/// measured at 400 × 4096 with half of the variances small). At this share, a relative precision of
/// 1e-6 is therefore kept with some margin.
const SQUARED_CUT: f64 = 1e-8;
/// The same for one stage, where everything below is decomposed again. It is larger because the
/// rounding error of the inner products, divided by it, is how far directions of one stage, and
/// coordinates of two stages, may be from right angles: 2e-10. A stage spans 2.5 decades of singular
/// values, so there are seven stages at most.
const STAGE_CUT: f64 = 1e-5;

/// Decomposes `rows` `[N, D]`, which vary in no more than `most` directions. The rows must have been
/// divided by `unit` so that the largest value before centring was between one and two; singular
/// values and coordinates are multiplied by `unit` again.
///
/// With a `limit`, no more than that many leading directions are kept, and directions whose variance
/// is below the precision of inner products count as dropped. Without one, such directions are found
/// in stages, or by an SVD if `D < N`.
///
/// Cost: `O(N · D · min(N, D))`, with a small constant by inner products. Memory: the directions take
/// that of the rows; five matrices of the size of the inner products, and a sixth in stages. If an
/// SVD must run, the directions twice and about ten such matrices.
pub(crate) fn decompose(
    mut rows: Vec<f64>,
    columns: usize,
    unit: f64,
    most: usize,
    limit: Option<usize>,
) -> Result<Decomposition, StatsError> {
    let count = rows.len() / columns;
    let squared = if count <= columns { Route::Gram } else { Route::Scatter };
    // Centring leaves the rounding error of values of about two: smaller values cannot be told from
    // it. Rows may be much smaller than two, and are rescaled so that no square vanishes.
    let scale = power_of_two(&rows);
    let noise = 2.0 * f64::EPSILON * (rows.len() as f64).sqrt();
    if scale <= f64::EPSILON {
        return Ok(Decomposition::none(squared));
    }
    divide(&mut rows, scale);
    let matrix = MatRef::from_row_major_slice(&rows, count, columns);
    let products = match squared {
        Route::Gram => inner_products(matrix, matrix.transpose()),
        _ => inner_products(matrix.transpose(), matrix),
    };
    let failed = || StatsError::NotConverged { rows: count, columns };
    let spectrum = eigen(products).ok_or_else(failed)?;
    let leading = spectrum.leading(noise / scale, most, limit);
    // A direction that is missing may be small and not absent.
    let complete = limit.is_some() || leading.singular_values.len() >= most;
    let parts = match (squared, complete) {
        (Route::Gram, true) => gram(rows, columns, &spectrum, leading),
        (Route::Gram, false) => in_stages(rows, columns, spectrum, noise / scale).ok_or_else(failed)?,
        (_, true) => scatter(matrix, &spectrum, leading),
        (_, false) => {
            drop(spectrum);
            thin_svd(matrix, noise / scale).ok_or_else(failed)?
        }
    };
    let found = parts.finish(columns, scale * unit);
    match found.singular_values.iter().find(|value| !value.is_normal()) {
        Some(_) => Err(StatsError::Range { operation: "decomposition", scale: unit }),
        None => Ok(found),
    }
}

/// Eigenvalues, in falling order, and eigenvectors of a symmetric matrix of `size` rows. Only the
/// lower triangle is read. `None` if the iteration does not converge.
pub(crate) fn symmetric_eigen(matrix: &[f64], size: usize) -> Option<(Vec<f64>, Vec<Vec<f64>>)> {
    let eigen = MatRef::from_row_major_slice(matrix, size, size).self_adjoint_eigen(Side::Lower).ok()?;
    let values = eigen.S().column_vector().iter().rev().copied().collect();
    let vectors = eigen.U();
    let vector = |column: usize| (0..size).map(|row| vectors[(row, size - 1 - column)]).collect();
    Some((values, (0..size).map(vector).collect()))
}

/// `left` `[N, K]` times `right` `[K, D]`, where `inner` is `K`; all row by row.
pub(crate) fn multiply(left: &[f64], right: &[f64], inner: usize, columns: usize) -> Vec<f64> {
    /// Rows of one product: enough for a fast one, and few enough for several cores.
    const ROWS: usize = 32;
    let count = left.len() / inner.max(1);
    let mut values = vec![0.0; count * columns];
    let right = MatRef::from_row_major_slice(right, inner, columns);
    let blocks = values.par_chunks_mut((ROWS * columns).max(1)).zip(left.par_chunks((ROWS * inner).max(1)));
    blocks.for_each(|(values, left)| {
        let rows = left.len() / inner.max(1);
        let product = MatMut::from_row_major_slice_mut(values, rows, columns);
        let left = MatRef::from_row_major_slice(left, rows, inner);
        matmul(product, Accum::Replace, left, right, 1.0, Par::Seq);
    });
    values
}

/// The largest power of two that is not above the largest absolute value; 0 if all values are 0.
pub(crate) fn power_of_two(values: &[f64]) -> f64 {
    /// The bits of the exponent. They are read directly, because a logarithm rounds up near the
    /// largest number.
    const EXPONENT: u64 = 0x7FF0_0000_0000_0000;
    /// The number of values that one core reads at a time.
    const PART: usize = 1 << 16;
    let largest_of = |some: &[f64]| some.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let largest = values.par_chunks(PART).map(largest_of).reduce(|| 0.0, f64::max);
    match largest.to_bits() {
        0 => 0.0,
        // Below the normal numbers, the bits count in steps of the smallest number.
        bits if bits & EXPONENT == 0 => f64::from_bits(1 << bits.ilog2()),
        bits => f64::from_bits(bits & EXPONENT),
    }
}

/// Directions from the Gram matrix, in the memory of the rows.
fn gram(mut rows: Vec<f64>, columns: usize, spectrum: &Spectrum, leading: Leading) -> Parts {
    let Leading { singular_values, cut, dropped } = leading;
    let vectors = spectrum.vectors.subcols(0, singular_values.len());
    turn(&mut rows, columns, vectors);
    rows.truncate(singular_values.len() * columns);
    rows.shrink_to_fit();
    let coordinates = by_rows(vectors, |index| singular_values[index]);
    Parts { singular_values, directions: rows, coordinates, route: Route::Gram, cut, dropped }
}

/// All directions, however small, in the memory of the rows. Each stage finds the directions that the
/// inner products of the rest can resolve, and removes them from the rest. The inner products of the
/// next stage are then precise relative to what is left.
///
/// Cost: one decomposition of all rows, and one of the rest in every later stage, of which there are
/// six at most; and `4 · D` operations for each direction that is found and each row of the rest.
fn in_stages(mut rows: Vec<f64>, columns: usize, spectrum: Spectrum, noise: f64) -> Option<Parts> {
    let Spectrum { mut values, vectors: mut basis } = spectrum;
    let count = basis.nrows();
    let largest = values[0].max(0.0).sqrt();
    let floor = (count.max(columns) as f64 * f64::EPSILON * largest).max(noise);
    turn(&mut rows, columns, basis.as_ref());
    let mut lengths: Vec<f64> = Vec::new();
    // From here on, the product of the basis and the memory of the rows is the original rows.
    loop {
        let before = lengths.len();
        let cut = (STAGE_CUT * values[0]).max(floor * floor);
        let found = before + values.partition_point(|value| *value > cut);
        if found == before {
            break;
        }
        let (directions, rest) = rows.split_at_mut(found * columns);
        lengths.extend(normalise(&mut directions[before * columns..], columns));
        for (index, length) in lengths.iter().enumerate().skip(before) {
            basis.col_mut(index).iter_mut().for_each(|value| *value *= length);
        }
        if take_out(directions, rest, columns, &mut basis, floor) <= floor {
            break;
        }
        let matrix = MatRef::from_row_major_slice(rest, count - found, columns);
        let next = eigen(inner_products(matrix, matrix.transpose()))?;
        turn(rest, columns, next.vectors.as_ref());
        let turned = basis.subcols(found, count - found) * &next.vectors;
        basis.subcols_mut(found, count - found).copy_from(&turned);
        values = next.values;
    }
    // The largest singular value of a stage may round to more than the smallest of the stage before.
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by(|a, b| lengths[*b].total_cmp(&lengths[*a]));
    reorder(&mut rows, columns, &order);
    rows.truncate(order.len() * columns);
    rows.shrink_to_fit();
    let places = |row: usize| order.iter().map(move |index| (row, *index));
    let coordinates = (0..count).flat_map(places).map(|place| basis[place]).collect();
    let singular_values = order.iter().map(|index| lengths[*index]).collect();
    let (cut, dropped) = ((floor / largest).powi(2), Dropped::default());
    Some(Parts { singular_values, directions: rows, coordinates, route: Route::Gram, cut, dropped })
}

/// Moves the part of `rest` along `directions` into the coordinates that `basis` begins with.
/// Returns the length of what is left.
fn take_out(directions: &[f64], rest: &mut [f64], columns: usize, basis: &mut Mat<f64>, floor: f64) -> f64 {
    let found = directions.len() / columns;
    let count = basis.ncols() - found;
    let directions = MatRef::from_row_major_slice(directions, found, columns);
    let (mut coordinates, others) = basis.split_at_col_mut(found);
    let mut before = size(rest, columns);
    loop {
        let mut matrix = MatMut::from_row_major_slice_mut(rest, count, columns);
        let along = &matrix * directions.transpose();
        matmul(&mut matrix, Accum::Add, &along, directions, -1.0, Par::rayon(0));
        matmul(&mut coordinates, Accum::Add, &others, &along, 1.0, Par::rayon(0));
        let left = size(rest, columns);
        // If most of the rest was removed, the little that is left carries the error of the
        // directions.
        if left <= floor || left > 0.5 * before {
            return left;
        }
        before = left;
    }
}

/// Replaces the first `R` of `rows` `[N, D]` by `Vᵀ · rows`, with the `vectors` `V` `[N, R]`. The
/// other rows stay as they are.
fn turn(rows: &mut [f64], columns: usize, vectors: MatRef<'_, f64>) {
    let (count, rank) = (vectors.nrows(), vectors.ncols());
    for_each_block(rows, columns, |block| {
        let some = block[0].len();
        let from: Vec<f64> = block.iter().flat_map(|row| row.iter().copied()).collect();
        let mut to = vec![0.0; rank * some];
        let product = MatMut::from_column_major_slice_mut(&mut to, some, rank);
        let left = MatRef::from_column_major_slice(&from, some, count);
        matmul(product, Accum::Replace, left, vectors, 1.0, Par::Seq);
        block
            .iter_mut()
            .zip(to.chunks_exact(some))
            .for_each(|(row, direction)| row.copy_from_slice(direction));
    });
}

/// Divides each row by its length, and returns the lengths.
fn normalise(rows: &mut [f64], columns: usize) -> Vec<f64> {
    let divided = rows.par_chunks_exact_mut(columns).map(|row| {
        let length = length(row);
        row.iter_mut().for_each(|value| *value /= length);
        length
    });
    divided.collect()
}

/// The length of all rows together, summed in the same order for any number of threads.
fn size(rows: &[f64], columns: usize) -> f64 {
    let lengths: Vec<f64> = rows.par_chunks_exact(columns).map(length).collect();
    length(&lengths)
}

fn scatter(rows: MatRef<'_, f64>, spectrum: &Spectrum, leading: Leading) -> Parts {
    let Leading { singular_values, cut, dropped } = leading;
    let (count, rank) = (rows.nrows(), singular_values.len());
    let vectors = spectrum.vectors.subcols(0, rank);
    let mut coordinates = vec![0.0; count * rank];
    let product = MatMut::from_row_major_slice_mut(&mut coordinates, count, rank);
    matmul(product, Accum::Replace, rows, vectors, 1.0, Par::rayon(0));
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

/// The values of a matrix row by row, with each column times its factor.
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

/// All eigenvalues and eigenvectors of a matrix of inner products.
struct Spectrum {
    /// Eigenvalues, in falling order.
    values: Vec<f64>,
    /// Eigenvectors, as columns.
    vectors: Mat<f64>,
}

/// The leading part of a spectrum that inner products can resolve.
struct Leading {
    /// The roots of the eigenvalues above cut and noise, in falling order, up to the limit.
    singular_values: Vec<f64>,
    /// The cut, as a share of the largest eigenvalue.
    cut: f64,
    dropped: Dropped,
}

impl Spectrum {
    /// The leading eigenvalues, of which at most `most` are not zero.
    fn leading(&self, noise: f64, most: usize, limit: Option<usize>) -> Leading {
        let values = &self.values;
        let largest = values.first().copied().unwrap_or(0.0);
        let cut = (SQUARED_CUT * largest).max(noise * noise);
        let above = values.partition_point(|value| *value > cut);
        let rank = above.min(limit.unwrap_or(usize::MAX));
        // Eigenvalues below the noise are absent. Those between noise and cut are there, but only
        // known to be below the cut.
        let there = if cut > noise * noise { most.max(above) } else { above };
        let left_out = &values[rank..there];
        let dropped = Dropped {
            sum: left_out.iter().map(|value| value.max(0.0)).sum(),
            largest: left_out.first().map_or(0.0, |value| value.max(cut)),
        };
        let singular_values = values[..rank].iter().map(|value| value.sqrt()).collect();
        Leading { singular_values, cut: cut / largest, dropped }
    }
}

/// Decomposes a matrix of inner products, whose lower triangle is read; `None` if that does not
/// converge.
fn eigen(mut matrix: Mat<f64>) -> Option<Spectrum> {
    // LAPACK scales matrices to about one. This library does not, and treats values that are small
    // compared with one as zero. Scaling by a power of two loses no digit.
    let largest = matrix.diagonal().column_vector().iter().fold(0.0, |most: f64, value| most.max(*value));
    let unit = power_of_two(&[largest]).min(1.0);
    if unit > 0.0 && unit < 1.0 {
        matrix.col_iter_mut().for_each(|column| column.iter_mut().for_each(|value| *value /= unit));
    }
    let eigen = matrix.self_adjoint_eigen(Side::Lower).ok()?;
    drop(matrix);
    // The library gives them in rising order.
    let values = eigen.S().column_vector().iter().rev().map(|value| value * unit).collect();
    let vectors = eigen.U().reverse_cols().to_owned();
    Some(Spectrum { values, vectors })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Noise, apart, dot, rows, skew};

    /// Centred rows, and the most directions in which they can vary.
    fn centred(seed: u64, count: usize, columns: usize) -> (Vec<f64>, usize) {
        let mut values = rows(seed, count, columns).into_values();
        crate::blocks::centre(&mut values, columns, 1.0);
        (values, (count - 1).min(columns))
    }

    /// Rows with these singular values: `Σ s_k · u_k · e_kᵀ`. The `u_k` are cosines, which are
    /// orthonormal and sum to zero. The `e_k` are the first axes.
    fn with_singular_values(values: &[f64], count: usize, columns: usize) -> Vec<f64> {
        let step = std::f64::consts::PI / count as f64;
        let cosine = |row: usize, index: usize| ((row as f64 + 0.5) * (index + 1) as f64 * step).cos();
        let length = (2.0 / count as f64).sqrt();
        let entry = |row: usize, column: usize| {
            values.get(column).map_or(0.0, |value| value * length * cosine(row, column))
        };
        (0..count * columns).map(|place| entry(place / columns, place % columns)).collect()
    }

    fn check(what: &str, given: &[f64], columns: usize, found: &Decomposition, tolerance: f64) {
        assert!(skew(&found.directions, columns) < tolerance, "{what}: directions");
        let rank = found.singular_values.len();
        let again = multiply(&found.coordinates, &found.directions, rank, columns);
        assert!(apart(&again, given) < tolerance, "{what}: rows");
        assert!(found.singular_values.is_sorted_by(|a, b| a >= b), "{what}: order");
        for (index, value) in found.singular_values.iter().enumerate() {
            let column: Vec<f64> = found.coordinates.iter().skip(index).step_by(rank).copied().collect();
            let length = dot(&column, &column).sqrt();
            assert!((length - value).abs() < tolerance * value, "{what}: {value} of length {length}");
        }
    }

    #[test]
    fn every_route_gives_orthonormal_directions_that_rebuild_the_rows() {
        // The variances here span less than three decades, so the squared routes lose about three of
        // some fifteen digits.
        const DIGITS: f64 = 1e-11;
        for (count, columns, route) in [(7, 30, Route::Gram), (9, 9, Route::Gram), (40, 6, Route::Scatter)] {
            let (given, most) = centred(1, count, columns);
            let found = decompose(given.clone(), columns, 1.0, most, None).unwrap();
            assert_eq!((found.route, found.singular_values.len()), (route, most));
            check(&format!("{count} × {columns}"), &given, columns, &found, DIGITS);
        }
        // Each column occurs twice, so half of the directions are absent. Only an SVD can tell that.
        let (half, _) = centred(2, 20, 4);
        let twice: Vec<f64> = half.chunks_exact(4).flat_map(|row| row.iter().chain(row)).copied().collect();
        let found = decompose(twice.clone(), 8, 1.0, 8, None).unwrap();
        assert_eq!((found.route, found.singular_values.len()), (Route::ThinSvd, 4));
        check("columns twice", &twice, 8, &found, DIGITS);
    }

    #[test]
    fn small_singular_values_are_found_in_stages() {
        let values: Vec<f64> = (0..8).map(|index| 10.0_f64.powf(-1.5 * f64::from(index))).collect();
        let mut given = with_singular_values(&values, 12, 30);
        // The rows are mirrored, so that no direction lies along an axis.
        let mirror = Noise::new(7).take(30);
        for row in given.chunks_exact_mut(30) {
            let along = 2.0 * dot(row, &mirror) / dot(&mirror, &mirror);
            row.iter_mut().zip(&mirror).for_each(|(value, part)| *value -= along * part);
        }
        let found = decompose(given.clone(), 30, 1.0, 11, None).unwrap();
        assert_eq!((found.route, found.singular_values.len()), (Route::Gram, 8));
        // Between stages, angles are right to 2e-10 (see `STAGE_CUT`).
        assert!(skew(&found.directions, 30) < 1e-9);
        for (found, value) in found.singular_values.iter().zip(&values) {
            // The rows themselves are rounded, to 1e-16 of the largest.
            assert!((found - value).abs() < 1e-9 * value + 1e-15, "{found} {value}");
        }
    }

    #[test]
    fn a_limit_keeps_the_leading_directions_and_accounts_for_the_others() {
        for (count, columns) in [(9, 25), (30, 8)] {
            let (given, most) = centred(3, count, columns);
            let whole = decompose(given.clone(), columns, 1.0, most, None).unwrap();
            let some = decompose(given.clone(), columns, 1.0, most, Some(3)).unwrap();
            assert!(apart(&some.singular_values, &whole.singular_values[..3]) < 1e-12);
            let kept = dot(&some.singular_values, &some.singular_values);
            let all = dot(&given, &given);
            assert!((kept + some.dropped - all).abs() < 1e-12 * all, "{kept} {} {all}", some.dropped);
            let next = whole.singular_values[3].powi(2);
            assert!((some.largest_dropped - next).abs() < 1e-12 * all, "{} {next}", some.largest_dropped);
        }
    }

    #[test]
    fn a_power_of_two_changes_nothing_but_the_scale() {
        let (given, most) = centred(4, 6, 15);
        let plain = decompose(given.clone(), 15, 1.0, most, None).unwrap();
        let scaled = decompose(given, 15, 0.125, most, None).unwrap();
        assert_eq!(plain.directions, scaled.directions);
        let eighth = |values: &[f64]| values.iter().map(|value| value / 8.0).collect::<Vec<_>>();
        assert_eq!(scaled.singular_values, eighth(&plain.singular_values));
        assert_eq!(scaled.coordinates, eighth(&plain.coordinates));
    }

    #[test]
    fn rows_of_nothing_have_no_direction() {
        for (count, columns) in [(3, 5), (5, 3)] {
            let found = decompose(vec![0.0; 15], columns, 1.0, 2, None).unwrap();
            assert_eq!((found.singular_values.len(), found.dropped), (0, 0.0), "{count}");
        }
    }

    #[test]
    fn an_eigenvector_is_stretched_by_its_eigenvalue() {
        let size = 9;
        let mut noise = Noise::new(5);
        let mut matrix = vec![0.0; size * size];
        for row in 0..size {
            for column in 0..=row {
                matrix[row * size + column] = noise.next();
                matrix[column * size + row] = matrix[row * size + column];
            }
        }
        let (values, vectors) = symmetric_eigen(&matrix, size).unwrap();
        assert!(values.is_sorted_by(|a, b| a >= b));
        assert!(skew(&vectors.concat(), size) < 1e-13);
        for (value, vector) in values.iter().zip(&vectors) {
            let stretched: Vec<f64> = vector.iter().map(|entry| entry * value).collect();
            assert!(apart(&multiply(&matrix, vector, size, 1), &stretched) < 1e-12);
        }
    }

    #[test]
    fn a_product_is_that_of_plain_sums() {
        let mut noise = Noise::new(6);
        let (left, right) = (noise.take(4 * 3), noise.take(3 * 5));
        let sum = |row: usize, column: usize| {
            (0..3).map(|inner| left[row * 3 + inner] * right[inner * 5 + column]).sum()
        };
        let expected: Vec<f64> = (0..20).map(|place| sum(place / 5, place % 5)).collect();
        assert!(apart(&multiply(&left, &right, 3, 5), &expected) < 1e-15);
    }

    #[test]
    fn the_power_of_two_lies_at_or_below_the_largest_value() {
        for value in [1.0, 1.5, -2.0, 1e300, f64::MAX, f64::MIN_POSITIVE, 3.0 * 5e-324, 5e-324] {
            let power = power_of_two(&[0.0, value, -value / 2.0]);
            assert!(power <= value.abs() && value.abs() - power < power, "{value:e}: {power:e}");
            let mantissa = power.to_bits() & ((1 << 52) - 1);
            assert!(mantissa == 0 || mantissa.is_power_of_two(), "{value:e}: {power:e}");
        }
        assert_eq!(power_of_two(&[0.0, -0.0]), 0.0);
        assert_eq!(power_of_two(&[]), 0.0);
    }
}
