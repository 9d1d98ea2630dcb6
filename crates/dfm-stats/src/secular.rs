//! A diagonal matrix minus the outer product of one row: a line that divides its eigenvalues, and sums
//! over the eigenvalues on one side as integrals along the line.
//!
//! For `A = diag(d) − w · z zᵀ`, all these sums follow from the secular function (Golub 1973)
//!
//! ```text
//! f(λ) = 1 + w · Σ z_j² / (λ − d_j) = Π (λ − λ_j) / Π (λ − d_j)
//! ```
//!
//! whose zeros are the eigenvalues. They interlace with the `d_j`. A real `c` between the `k`-th
//! eigenvalue and the next is therefore found by the sign of `f`, and the eigenvalues themselves are
//! not needed: a sum over all eigenvalues on one side of `c` is an integral of `f` along `c + it`
//! (Cauchy). In `u = ln t`, such an integrand is analytic in a strip of half-width `π / 2` and
//! decreases exponentially. The error of the trapezoidal rule with step `h` is then
//! `4 · exp(−π² / h)` (Trefethen and Weideman 2014).

use std::f64::consts::PI;
use std::ops::{Add, Mul, Sub};

/// The distance of two nodes in `ln t`, which gives an error of 6e-13.
const STEP: f64 = 1.0 / 3.0;
/// How far, in `ln t`, the nodes reach beyond the nearest and the farthest eigenvalue. The rest is the
/// sum of a geometric series, up to an error of `exp(−3 · TAIL)`, 2e-12.
const TAIL: f64 = 9.0;
/// The number of halvings of an interval after which an eigenvalue counts as lying at its end.
const HALVINGS: i32 = 64;
/// The number of values that are summed side by side, so that the compiler can use vectors.
const LANES: usize = 4;

/// `diag(d) − weight · z zᵀ`, where `d` is in falling order and not below 0.
#[derive(Debug)]
pub(crate) struct Downdated<'a> {
    diagonal: &'a [f64],
    weight: f64,
    squares: Vec<f64>,
}

/// A line `c + it` in the complex plane, `c = pole + offset`. No eigenvalue and no pole of `f` is
/// nearer to it than `offset`.
#[derive(Debug)]
pub(crate) struct Line {
    pole: f64,
    offset: f64,
    /// `c − d_j`, filled up with ones to whole lanes.
    distances: Vec<f64>,
}

impl<'a> Downdated<'a> {
    pub(crate) fn new(diagonal: &'a [f64], row: &[f64], weight: f64) -> Self {
        Self { diagonal, weight, squares: products(row, row) }
    }

    pub(crate) fn weight(&self) -> f64 {
        self.weight
    }

    /// `z_j²`, filled up with zeros to whole lanes.
    pub(crate) fn squares(&self) -> &[f64] {
        &self.squares
    }

    /// The sum of all eigenvalues.
    pub(crate) fn trace(&self) -> f64 {
        self.diagonal.iter().sum::<f64>() - self.weight * self.squares.iter().sum::<f64>()
    }

    /// `f(0)`, if no `d_j` is 0. It is 0 if and only if an eigenvalue is 0, that is if only the row
    /// itself varies in some direction.
    pub(crate) fn at_zero(&self) -> f64 {
        self.at(0.0, 0.0)
    }

    /// `f(pole + offset)`, which is precise even near a `d_j`.
    fn at(&self, pole: f64, offset: f64) -> f64 {
        let terms = self.diagonal.iter().zip(&self.squares);
        let term = |(d, square): (&f64, &f64)| match (pole - d) + offset {
            0.0 if *square == 0.0 => 0.0,
            distance => square / distance,
        };
        1.0 + self.weight * terms.map(term).sum::<f64>()
    }

    /// A line between the `kept` largest eigenvalues and the others, where `kept` is from 1 to the number
    /// of all. If the eigenvalues at the border are equal, the row has no part in any of them, and the
    /// line lies beside all of them.
    pub(crate) fn line(&self, kept: usize) -> Line {
        let pole = self.diagonal.get(kept).copied().unwrap_or(0.0);
        // The nearest other values: the eigenvalues at the border lie between them.
        let above = self.diagonal.iter().rev().find(|d| **d > pole);
        let above = above.map_or(pole, |above| above - pole);
        let below = pole - self.diagonal.iter().find(|d| **d < pole).copied().unwrap_or(0.0);
        // `f` falls between two poles. It is positive above the pole up to the next eigenvalue, and
        // negative below it down to the next eigenvalue.
        let free_above = farthest(above, |step| self.at(pole, step) > 0.0);
        let free_below = farthest(below, |step| self.at(pole, -step) < 0.0);
        let offset = match free_above >= free_below {
            true => (0.5 * free_above).max(0.5_f64.powi(HALVINGS)),
            false => -0.5 * free_below,
        };
        let distances = self.diagonal.iter().map(|d| (pole - d) + offset);
        Line { pole, offset, distances: padded(distances, 1.0) }
    }

    /// The sum of the `kept` largest eigenvalues.
    pub(crate) fn largest(&self, kept: usize) -> f64 {
        let line = self.line(kept);
        let part = |(t, step): (f64, f64)| {
            let [own] = line.transforms([&self.squares], t);
            step * (own * self.weight).ln_1p().re
        };
        self.sum_of_largest(&line, kept, line.nodes(1.0).map(part).sum())
    }

    /// The sum of the `kept` largest eigenvalues, where `integral` is `∫₀^∞ ln |f(c + it)| dt` along the
    /// line below them.
    pub(crate) fn sum_of_largest(&self, line: &Line, kept: usize, integral: f64) -> f64 {
        self.sum_above(line, kept, integral, self.weight * self.squares.iter().sum::<f64>(), |value| value)
    }

    /// `Σ φ(λ_k)` over the `kept` eigenvalues above the line. `integral` is
    /// `∫₀^∞ Re[φ'(c + it) · ln f(c + it)] dt`, and `at_infinity` is the coefficient of `1 / λ` in
    /// `φ' · ln f`.
    ///
    /// This is an integration by parts. If there are as many poles as eigenvalues above the line,
    /// `ln f` is continuous on it. If there is one pole more, `ln f` jumps by `2π` where the line crosses
    /// the real axis.
    pub(crate) fn sum_above(
        &self,
        line: &Line,
        kept: usize,
        integral: f64,
        at_infinity: f64,
        value: impl Fn(f64) -> f64,
    ) -> f64 {
        let poles = line.distances[..self.diagonal.len()].iter().filter(|distance| **distance < 0.0).count();
        let one_more = self.at(line.pole, line.offset) < 0.0;
        let mut sum: f64 = self.diagonal[..poles].iter().map(|d| value(*d)).sum();
        sum += integral / PI - 0.5 * at_infinity;
        if one_more {
            sum -= value(line.pole + line.offset);
        }
        // Equal eigenvalues at the border, which the line does not divide.
        match kept as f64 - (poles as f64 - f64::from(u8::from(one_more))) {
            0.0 => sum,
            missing => sum + missing * value(line.pole),
        }
    }
}

impl Line {
    /// `c`: where the line crosses the real axis.
    pub(crate) fn place(&self) -> f64 {
        self.pole + self.offset
    }

    /// `c − d_j`, filled up with ones to whole lanes.
    pub(crate) fn distances(&self) -> &[f64] {
        &self.distances
    }

    /// Nodes `t` and weights of the trapezoidal rule for an integral over `t` from 0 to infinity, whose
    /// integrand has no singularity farther than `farthest` from `c`. The first and the last node also
    /// stand for all nodes beyond them: integrands are constant there, or decrease as `1 / t²`, so the
    /// rest is a geometric series.
    pub(crate) fn nodes(&self, farthest: f64) -> impl Iterator<Item = (f64, f64)> + use<> {
        let nearest = self.offset.abs();
        let first = nearest.ln() - TAIL;
        let count = (((farthest / nearest).ln().max(0.0) + 2.0 * TAIL) / STEP).ceil() as usize;
        let end = 1.0 / (1.0 - (-STEP).exp());
        (0..=count).map(move |index| {
            let t = (first + STEP * index as f64).exp();
            let share = if index == 0 || index == count { end } else { 1.0 };
            (t, STEP * t * share)
        })
    }

    /// `Σ_j weight_j / (c + it − d_j)` for each of several `weights`, which are filled up to whole lanes.
    pub(crate) fn transforms<const COUNT: usize>(
        &self,
        weights: [&[f64]; COUNT],
        t: f64,
    ) -> [Complex; COUNT] {
        let (mut real, mut imaginary) = ([[0.0; LANES]; COUNT], [[0.0; LANES]; COUNT]);
        let weights = weights.map(|weights| weights.as_chunks::<LANES>().0);
        for (index, distances) in self.distances.as_chunks::<LANES>().0.iter().enumerate() {
            let inverse = distances.map(|distance| 1.0 / (distance * distance + t * t));
            for (which, weights) in weights.iter().enumerate() {
                let weights = &weights[index];
                for lane in 0..LANES {
                    let share = weights[lane] * inverse[lane];
                    imaginary[which][lane] += share;
                    real[which][lane] += share * distances[lane];
                }
            }
        }
        std::array::from_fn(|which| {
            let sum = |lanes: &[f64; LANES]| lanes.iter().sum::<f64>();
            Complex { re: sum(&real[which]), im: -t * sum(&imaginary[which]) }
        })
    }
}

/// `left_j · right_j`, filled up with zeros to whole lanes.
pub(crate) fn products(left: &[f64], right: &[f64]) -> Vec<f64> {
    padded(left.iter().zip(right).map(|(a, b)| a * b), 0.0)
}

fn padded(values: impl Iterator<Item = f64>, filling: f64) -> Vec<f64> {
    let mut padded: Vec<f64> = values.collect();
    padded.resize(padded.len().next_multiple_of(LANES), filling);
    padded
}

/// The largest `width / 2^e`, `e ≥ 1`, for which `holds` is true. `holds` must be true up to some
/// point, and false beyond. 0 if that point is too near to be found.
fn farthest(width: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let step = |halvings: i32| width * 0.5_f64.powi(halvings);
    let (mut low, mut high) = (1, HALVINGS);
    while low < high && width > 0.0 {
        let middle = (low + high) / 2;
        if holds(step(middle)) { high = middle } else { low = middle + 1 }
    }
    if low < HALVINGS && width > 0.0 { step(low) } else { 0.0 }
}

/// A complex number with the operations that are needed here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Complex {
    pub(crate) re: f64,
    pub(crate) im: f64,
}

impl Complex {
    pub(crate) const ONE: Self = Self { re: 1.0, im: 0.0 };

    pub(crate) fn squared_norm(self) -> f64 {
        self.re * self.re + self.im * self.im
    }

    pub(crate) fn inverse(self) -> Self {
        let norm = self.squared_norm();
        Self { re: self.re / norm, im: -self.im / norm }
    }

    /// `ln(1 + self)`, which is precise even if `self` is small.
    pub(crate) fn ln_1p(self) -> Self {
        let re = 0.5 * (2.0 * self.re + self.squared_norm()).ln_1p();
        Self { re, im: self.im.atan2(1.0 + self.re) }
    }
}

impl Add for Complex {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }
}

impl Sub for Complex {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { re: self.re - other.re, im: self.im - other.im }
    }
}

impl Mul for Complex {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let re = self.re * other.re - self.im * other.im;
        Self { re, im: self.re * other.im + self.im * other.re }
    }
}

impl Mul<f64> for Complex {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        Self { re: self.re * factor, im: self.im * factor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decompose::symmetric_eigen;
    use crate::testing::Noise;

    /// The tolerance, relative to the sum of all eigenvalues. The trapezoidal rule is exact to 6e-13,
    /// and its ends to 2e-12.
    const EXACT: f64 = 1e-11;

    /// A diagonal in falling order, a row and a weight. All eigenvalues of the case are positive.
    fn case(seed: u64, size: usize) -> (Vec<f64>, Vec<f64>, f64) {
        let mut noise = Noise::new(seed);
        let mut diagonal: Vec<f64> = (0..size).map(|_| noise.next() + 0.55).collect();
        diagonal.sort_by(|a, b| b.total_cmp(a));
        let row = noise.take(size);
        // `1 − w · Σ z² / d` is a quarter.
        let taken: f64 = row.iter().zip(&diagonal).map(|(z, d)| z * z / d).sum();
        (diagonal, row, 0.75 / taken)
    }

    /// The eigenvalues, in falling order, computed from the whole matrix.
    fn eigenvalues(diagonal: &[f64], row: &[f64], weight: f64) -> Vec<f64> {
        let size = diagonal.len();
        let entry = |a: usize, b: usize| (if a == b { diagonal[a] } else { 0.0 }) - weight * row[a] * row[b];
        let matrix: Vec<f64> = (0..size * size).map(|place| entry(place / size, place % size)).collect();
        symmetric_eigen(&matrix, size).unwrap().0
    }

    #[test]
    fn the_largest_sum_to_what_an_eigenvalue_decomposition_says() {
        for (seed, size) in [(1, 1), (2, 2), (3, 5), (4, 16), (5, 33)] {
            let (diagonal, row, weight) = case(seed, size);
            let matrix = Downdated::new(&diagonal, &row, weight);
            let all = eigenvalues(&diagonal, &row, weight);
            let trace = matrix.trace();
            assert!((trace - all.iter().sum::<f64>()).abs() < EXACT * trace, "{size}");
            for kept in 1..=size {
                let (found, expected) = (matrix.largest(kept), all[..kept].iter().sum::<f64>());
                assert!((found - expected).abs() < EXACT * trace, "{kept} of {size}: {found} {expected}");
            }
        }
    }

    #[test]
    fn equal_entries_and_nothing_of_a_row_change_no_sum() {
        let diagonal = [1.0, 0.5, 0.5, 0.5, 0.25, 0.25];
        for row in [[0.1, 0.2, 0.0, 0.1, 0.0, 0.0], [0.0; 6], [0.3, 0.0, 0.0, 0.0, 0.2, 0.2]] {
            let matrix = Downdated::new(&diagonal, &row, 1.1);
            let all = eigenvalues(&diagonal, &row, 1.1);
            for kept in 1..=6 {
                let (found, expected) = (matrix.largest(kept), all[..kept].iter().sum::<f64>());
                assert!(
                    (found - expected).abs() < EXACT * matrix.trace(),
                    "{row:?}, {kept}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn a_line_divides_the_eigenvalues_where_it_should() {
        for (seed, size) in [(6, 4), (7, 20)] {
            let (diagonal, row, weight) = case(seed, size);
            let matrix = Downdated::new(&diagonal, &row, weight);
            let all = eigenvalues(&diagonal, &row, weight);
            for kept in 1..=size {
                let place = matrix.line(kept).place();
                let below = all.get(kept).copied().unwrap_or(0.0);
                // The eigenvalues themselves are known to about 1e-15.
                assert!(below <= place + 1e-14 && place <= all[kept - 1] + 1e-14, "{kept} of {size}");
            }
        }
    }

    #[test]
    fn a_direction_of_one_row_alone_is_told_at_zero() {
        let (diagonal, row, weight) = case(8, 6);
        assert!((Downdated::new(&diagonal, &row, weight).at_zero() - 0.25).abs() < 1e-14);
        // Only the row has a part along the last axis.
        let alone = Downdated::new(&[1.0, 0.5, 0.25], &[0.0, 0.0, 0.5], 1.0);
        assert!(alone.at_zero().abs() < 1e-15);
    }

    #[test]
    fn sums_in_lanes_are_plain_sums() {
        let (diagonal, row, weight) = case(9, 7);
        let matrix = Downdated::new(&diagonal, &row, weight);
        let line = matrix.line(3);
        for t in [0.0, 0.1, 3.0] {
            let [found] = line.transforms([matrix.squares()], t);
            let mut expected = Complex { re: 0.0, im: 0.0 };
            for (d, z) in diagonal.iter().zip(&row) {
                expected = expected + Complex { re: line.place() - d, im: t }.inverse() * (z * z);
            }
            let apart = (found - expected).squared_norm().sqrt();
            assert!(apart < 1e-13 * (1.0 + expected.squared_norm().sqrt()), "{t}: {found:?} {expected:?}");
        }
    }

    #[test]
    fn complex_numbers_obey_their_laws() {
        let mut noise = Noise::new(10);
        for _ in 0..20 {
            let number = Complex { re: noise.next(), im: noise.next() };
            let one = number * number.inverse() - Complex::ONE;
            assert!(one.squared_norm() < 1e-28, "{number:?}");
            // exp(ln(1 + z)) − 1 = z
            let Complex { re, im } = number.ln_1p();
            let back = Complex { re: re.exp() * im.cos() - 1.0, im: re.exp() * im.sin() };
            assert!((back - number).squared_norm() < 1e-28, "{number:?}");
        }
        let small = Complex { re: 1e-20, im: 0.0 };
        assert_eq!(small.ln_1p(), small);
    }

    #[test]
    fn the_farthest_step_is_the_last_that_holds() {
        for end in [0.9, 0.3, 0.01, 1e-12] {
            let found = farthest(1.0, |step| step <= end);
            assert!(found <= end && (found == 0.5 || 2.0 * found > end), "{end}: {found}");
        }
        assert_eq!(farthest(1.0, |_| false), 0.0);
        assert_eq!(farthest(0.0, |_| true), 0.0);
    }
}
