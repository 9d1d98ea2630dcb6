//! Directions of rows: how they were found, and how their signs and lengths are fixed.

use rayon::prelude::*;

/// How directions were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Eigenvectors of the rows' inner products `[N, N]`, projected back, for `N ≤ D`. If a variance
    /// is below 1e-8 of the largest, directions are found in stages: the part of the rows that the
    /// inner products cannot resolve is decomposed again, without the directions that were found
    /// before. Stages keep singular values above `max(N, D) · ε` of the largest.
    Gram,
    /// Eigenvectors of the columns' inner products `[D, D]`, for `D < N`, if every variance is above
    /// 1e-8 of the largest.
    Scatter,
    /// A thin SVD of the rows themselves, for `D < N`, if the columns' inner products cannot resolve
    /// the rank. It keeps singular values above `max(N, D) · ε` of the largest.
    ThinSvd,
}

/// Directions of rows, by falling singular value. There are none if the rows are zero.
#[derive(Debug, Clone)]
pub(crate) struct Decomposition {
    /// `[R]`.
    pub(crate) singular_values: Vec<f64>,
    /// Orthonormal rows `[R, D]`; the largest entry of each is positive.
    pub(crate) directions: Vec<f64>,
    /// `[N, R]`: the coordinates of the rows in these directions.
    pub(crate) coordinates: Vec<f64>,
    pub(crate) route: Route,
    /// The share of the largest variance up to which a direction counts as absent; `None` if no
    /// direction was found.
    pub(crate) rank_cut: Option<f64>,
    /// The sum of the squared singular values beyond the limit.
    pub(crate) dropped: f64,
    pub(crate) largest_dropped: f64,
}

/// A decomposition whose signs and scale are not fixed yet.
pub(crate) struct Parts {
    pub(crate) singular_values: Vec<f64>,
    /// `[R, D]`, of any length.
    pub(crate) directions: Vec<f64>,
    /// `[N, R]`.
    pub(crate) coordinates: Vec<f64>,
    pub(crate) route: Route,
    /// The share of the largest variance up to which a direction counts as absent.
    pub(crate) cut: f64,
    pub(crate) dropped: Dropped,
}

/// Squared singular values that were left out although they are not absent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Dropped {
    pub(crate) sum: f64,
    pub(crate) largest: f64,
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

impl Decomposition {
    /// The decomposition of rows that do not vary. It has no direction.
    pub(crate) fn none(route: Route) -> Self {
        Self {
            singular_values: Vec::new(),
            directions: Vec::new(),
            coordinates: Vec::new(),
            route,
            rank_cut: None,
            dropped: 0.0,
            largest_dropped: 0.0,
        }
    }
}

impl Parts {
    /// Fixes the lengths and the signs of the directions, and multiplies by `scale`.
    pub(crate) fn finish(self, columns: usize, scale: f64) -> Decomposition {
        let Self { mut singular_values, mut directions, mut coordinates, route, cut, dropped } = self;
        let rank = singular_values.len();
        let turned = directions.par_chunks_exact_mut(columns).map(|direction| {
            let norm = length(direction);
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

/// The sign that makes the largest entry of a direction positive.
pub(crate) fn sign_of(direction: &[f64]) -> f64 {
    let larger = |best: f64, value: &f64| if value.abs() > best.abs() { *value } else { best };
    1.0_f64.copysign(direction.iter().fold(0.0, larger))
}

/// The root of the sum of squares.
pub(crate) fn length(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// Puts rows of `columns` values into `order`, which says for each row where it was before.
pub(crate) fn reorder(rows: &mut [f64], columns: usize, order: &[usize]) {
    for (to, place) in order.iter().enumerate() {
        // The row that was there may have been moved already.
        let mut from = *place;
        while from < to {
            from = order[from];
        }
        if from > to {
            let (before, after) = rows.split_at_mut(from * columns);
            before[to * columns..][..columns].swap_with_slice(&mut after[..columns]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_from_where_the_order_says() {
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 2, 3, 0], [3, 0, 1, 2], [2, 0, 3, 1]] {
            let mut rows = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5];
            reorder(&mut rows, 2, &order);
            let expected = order.map(|place| [place as f64, place as f64 + 0.5]);
            assert_eq!(rows, expected.as_flattened(), "{order:?}");
        }
    }
}
