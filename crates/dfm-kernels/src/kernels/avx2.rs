//! AVX2 with FMA: 16 values are two registers of 16.

use std::arch::x86_64::*;

use super::maximum::{self, Windows};
use super::routine::Routine;
use super::set::Kernels;
use super::tile::{Tile, micro_kernels};
use super::transform::{self, InputBlock, OutputBlock};
use super::vector::Vector;
use crate::instructions::InstructionSet;

pub(super) const KERNELS: Kernels = Kernels {
    // 12 registers of sums, two of weights and one of a value.
    instructions: InstructionSet::Avx2,
    tiles: micro_kernels!(tile, step: values, blocks: [1], pixels: [1 2 3 4 5 6]),
    input_tiles,
    output_tiles,
    maximum_row,
};

#[target_feature(enable = "avx2,fma")]
unsafe fn tile<const PIXELS: usize, const BLOCKS: usize, const STEP: usize>(tile: Tile<'_>) {
    // SAFETY: the caller vouches for what the tile describes.
    unsafe { super::tile::tile::<Pair, PIXELS, BLOCKS, STEP>(tile) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn input_tiles(block: InputBlock) {
    // SAFETY: the caller vouches for what the block describes.
    unsafe { transform::input_tiles::<Pair>(block) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn output_tiles(block: OutputBlock) {
    // SAFETY: the caller vouches for what the block describes.
    unsafe { transform::output_tiles::<Pair>(block) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn maximum_row(windows: Windows) {
    // SAFETY: the caller vouches for what the windows describe.
    unsafe { maximum::row::<Pair>(windows) }
}

#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn routine<R: Routine>(routine: R) -> R::Output {
    // SAFETY: the caller vouches for what the routine describes.
    unsafe { routine.run::<Pair>() }
}

#[derive(Clone, Copy)]
pub(super) struct Pair(pub(super) __m256, pub(super) __m256);

// SAFETY of all: the caller vouches for the instructions and the pointers.
impl Vector for Pair {
    const SUMS: usize = 7;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        let half = unsafe { _mm256_set1_ps(value) };
        Self(half, half)
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Self(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe {
            _mm256_storeu_ps(to, self.0);
            _mm256_storeu_ps(to.add(8), self.1);
        }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        unsafe { Self(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn subtract(self, other: Self) -> Self {
        unsafe { Self(_mm256_sub_ps(self.0, other.0), _mm256_sub_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn multiply(self, other: Self) -> Self {
        unsafe { Self(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn divide(self, other: Self) -> Self {
        unsafe { Self(_mm256_div_ps(self.0, other.0), _mm256_div_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
        unsafe { Self(_mm256_fmadd_ps(self.0, factor.0, sum.0), _mm256_fmadd_ps(self.1, factor.1, sum.1)) }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        unsafe { Self(_mm256_max_ps(self.0, other.0), _mm256_max_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        unsafe { Self(_mm256_min_ps(self.0, other.0), _mm256_min_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn max_or_nan(self, other: Self) -> Self {
        unsafe {
            let half = |a: __m256, b: __m256| {
                let nan = _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a);
                _mm256_blendv_ps(_mm256_max_ps(a, b), a, nan)
            };
            Self(half(self.0, other.0), half(self.1, other.1))
        }
    }

    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        unsafe {
            let half = |exponent: __m256| {
                let biased = _mm256_add_epi32(_mm256_cvtps_epi32(exponent), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
            };
            Self(half(self.0), half(self.1))
        }
    }

    #[inline(always)]
    unsafe fn prefetch(at: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }

    #[inline(always)]
    unsafe fn prefetch_far(at: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
    }
}
