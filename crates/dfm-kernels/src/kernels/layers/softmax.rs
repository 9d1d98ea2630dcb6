//! The weights of attention: exponentials of scores, relative to the largest score so far.

use crate::kernels::functions::{exp, fold};
use crate::kernels::routine::Routine;
use crate::kernels::vector::Vector;
use crate::layout::LANES;

/// The scores of some queries for a run of keys, and what was summed for earlier keys.
///
/// Scores become `exp(score − largest)`. Where these keys have a larger score than all earlier ones,
/// the earlier sums are brought down to it.
pub(super) struct Softmax {
    /// `[blocks of keys][queries][16]`.
    pub(super) scores: *mut f32,
    /// Values from one block of keys to the next.
    pub(super) pitch: usize,
    pub(super) blocks: usize,
    /// The keys of the last block that exist.
    pub(super) in_last: usize,
    pub(super) queries: usize,
    /// The largest score so far of each query.
    pub(super) largest: *mut f32,
    /// The sum of exponentials so far of each query.
    pub(super) totals: *mut f32,
    /// `[blocks of values][queries][16]`, as far apart as the scores.
    pub(super) sums: *mut f32,
    pub(super) sum_blocks: usize,
    /// Whether there are no earlier keys.
    pub(super) is_first: bool,
}

impl Routine for Softmax {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let mask: [f32; LANES] =
            std::array::from_fn(|lane| if lane < self.in_last { f32::INFINITY } else { f32::NEG_INFINITY });
        // SAFETY: the caller vouches for the scores, the sums, and the two numbers of each query.
        unsafe {
            let mask = V::load(mask.as_ptr());
            for query in 0..self.queries {
                let at = |block: usize| block * self.pitch + query * LANES;
                let score = |block: usize| {
                    let value = V::load(self.scores.add(at(block)));
                    // A key that does not exist has no weight.
                    if block + 1 == self.blocks { mask.min(value) } else { value }
                };
                let mut largest = score(0);
                for block in 1..self.blocks {
                    largest = largest.max_or_nan(score(block));
                }
                let mut largest = fold(largest, |a, b| if a > b || a.is_nan() { a } else { b });
                let mut factor = 0.0;
                if !self.is_first {
                    let before = *self.largest.add(query);
                    if before > largest || before.is_nan() {
                        largest = before;
                    }
                    factor = first(exp(V::splat(before - largest)));
                }
                *self.largest.add(query) = largest;
                let mut total = V::splat(0.0);
                for block in 0..self.blocks {
                    let weight = exp(score(block).subtract(V::splat(largest)));
                    total = total.add(weight);
                    weight.store(self.scores.add(at(block)));
                }
                let total = fold(total, |a, b| a + b);
                if self.is_first {
                    *self.totals.add(query) = total;
                    continue;
                }
                let earlier = self.totals.add(query);
                *earlier = *earlier * factor + total;
                for block in 0..self.sum_blocks {
                    let at = self.sums.add(at(block));
                    V::load(at).multiply(V::splat(factor)).store(at);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn first<V: Vector>(values: V) -> f32 {
    // SAFETY: the caller vouches for the instructions.
    unsafe { fold(values, |a, _| a) }
}
