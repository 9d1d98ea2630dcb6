//! Shapes that no tile divides.

use std::ops::Range;

use super::support::{MaxPool, Noise};

pub(crate) const SYMMETRIC: MaxPool = MaxPool { before: 1, after: 1 };
pub(crate) const END_ONLY: MaxPool = MaxPool { before: 0, after: 1 };

/// Calls `each` with forty drawn cases, under Miri with one: how large inputs are (ten to
/// one of `exponents`), the network's width, groups and pool, and the picture's size.
pub(crate) fn drawn(exponents: Range<i32>, mut each: impl FnMut(f32, usize, usize, MaxPool, [usize; 2])) {
    let mut noise = Noise(11);
    let mut below = |end: usize| ((f64::from(noise.next()) + 1.0) / 2.0 * end as f64) as usize;
    for _ in 0..if cfg!(miri) { 1 } else { 40 } {
        let groups = [1, 1, 1, 2, 5][below(5)];
        let width = groups * (1 + below(72 / groups));
        let pool = [SYMMETRIC, END_ONLY][below(2)];
        let size = [3 + below(40), 3 + below(40)];
        let scale = 10.0_f32.powi(exponents.start + below(exponents.len()) as i32);
        each(scale, width, groups, pool, size);
    }
}
