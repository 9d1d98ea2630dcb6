//! What is done to sums, by AVX-512.

use std::arch::x86_64::*;

use super::kernels::Finish;
use crate::kernels::integer::tile::{Added, Output};
use crate::layout::LANES;

/// What is added: nothing, bytes or numbers.
const NOTHING: u8 = 0;
const BYTES: u8 = 1;
const FLOATS: u8 = 2;

pub(super) unsafe fn finish(job: &Finish<'_>) {
    // SAFETY: the caller vouches for the instructions and for what the job describes.
    unsafe {
        match (job.blocks, &job.added) {
            (2, Added::Nothing) => rows::<2, NOTHING>(job),
            (2, Added::Bytes { .. }) => rows::<2, BYTES>(job),
            (2, Added::Floats { .. }) => rows::<2, FLOATS>(job),
            (_, Added::Nothing) => rows::<1, NOTHING>(job),
            (_, Added::Bytes { .. }) => rows::<1, BYTES>(job),
            (_, Added::Floats { .. }) => rows::<1, FLOATS>(job),
        }
    }
}

#[target_feature(enable = "avx512f")]
unsafe fn rows<const BLOCKS: usize, const ADDED: u8>(job: &Finish<'_>) {
    let zero = _mm512_setzero_ps();
    // SAFETY: the caller vouches for every address.
    unsafe {
        match job.output {
            Output::Bytes(to) => values::<BLOCKS, ADDED>(job, |value, at| {
                // If the first operand is not a number, the instruction gives the second one. A
                // number beyond an `i32` becomes 2³¹, and so 255.
                let whole = _mm512_cvtps_epi32(_mm512_max_ps(value, zero));
                _mm_storeu_si128(to.add(at).cast(), _mm512_cvtusepi32_epi8(whole));
            }),
            // With the operands in this order, a value that is not a number stays so.
            Output::Floats { to, relu: true } => values::<BLOCKS, ADDED>(job, |value, at| {
                _mm512_storeu_ps(to.add(at), _mm512_max_ps(zero, value));
            }),
            Output::Floats { to, relu: false } => values::<BLOCKS, ADDED>(job, |value, at| {
                _mm512_storeu_ps(to.add(at), value);
            }),
        }
    }
}

/// Gives `store` the 16 results of every pixel and block, and their place in the output.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn values<const BLOCKS: usize, const ADDED: u8>(job: &Finish<'_>, store: impl Fn(__m512, usize)) {
    let sums = job.sums;
    assert!(BLOCKS <= sums.len() && job.first + job.count <= sums[0].len());
    // SAFETY: by the assertion, the sums are inside. The caller vouches for all other addresses.
    unsafe {
        let load = |from: *const f32| -> [__m512; BLOCKS] {
            std::array::from_fn(|block| _mm512_loadu_ps(from.add(LANES * block)))
        };
        let (multipliers, bias) = (load(job.multipliers), load(job.bias));
        let factor = _mm512_set1_ps(match job.added {
            Added::Nothing => 0.0,
            Added::Bytes { factor, .. } | Added::Floats { factor, .. } => factor,
        });
        let sums = sums.as_ptr().cast::<i32>();
        for pixel in 0..job.count {
            for block in 0..BLOCKS {
                let sums = sums.add(LANES * (block * super::kernels::PIXELS + job.first + pixel));
                let sum = _mm512_cvtepi32_ps(_mm512_load_si512(sums.cast()));
                // Each operation is rounded by itself, so that all processors give the same result.
                let mut value = _mm512_add_ps(_mm512_mul_ps(sum, multipliers[block]), bias[block]);
                let place = |[pixels, blocks]: [usize; 2]| pixel * pixels + block * blocks;
                let at = place(job.added_strides);
                let added = match job.added {
                    Added::Bytes { from, .. } if ADDED == BYTES => {
                        Some(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.add(at).cast()))))
                    }
                    Added::Floats { from, .. } if ADDED == FLOATS => Some(_mm512_loadu_ps(from.add(at))),
                    _ => None,
                };
                if let Some(added) = added {
                    value = _mm512_add_ps(value, _mm512_mul_ps(added, factor));
                }
                store(value, place(job.output_strides));
            }
        }
    }
}
