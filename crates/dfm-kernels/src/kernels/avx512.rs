//! AVX-512: 16 values are one register of 32.

use std::arch::x86_64::*;

use super::maximum::{self, Windows};
use super::routine::Routine;
use super::set::Kernels;
use super::tile::{Tile, micro_kernels};
use super::transform::{self, InputBlock, OutputBlock};
use super::vector::Vector;
use crate::instructions::InstructionSet;

pub(super) const KERNELS: Kernels = Kernels {
    // 28 sums, two weights and a value.
    instructions: InstructionSet::Avx512,
    tiles: micro_kernels!(tile, step: values, blocks: [1 2], pixels: [1 2 3 4 5 6 7 8 9 10 11 12 13 14]),
    input_tiles,
    output_tiles,
    maximum_row,
};

#[target_feature(enable = "avx512f")]
unsafe fn tile<const PIXELS: usize, const BLOCKS: usize, const STEP: usize>(tile: Tile<'_>) {
    // SAFETY: the caller vouches for what the tile describes.
    unsafe { super::tile::tile::<__m512, PIXELS, BLOCKS, STEP>(tile) }
}

#[target_feature(enable = "avx512f")]
unsafe fn input_tiles(block: InputBlock) {
    // SAFETY: the caller vouches for what the block describes.
    unsafe { transform::input_tiles::<__m512>(block) }
}

#[target_feature(enable = "avx512f")]
unsafe fn output_tiles(block: OutputBlock) {
    // SAFETY: the caller vouches for what the block describes.
    unsafe { transform::output_tiles::<__m512>(block) }
}

#[target_feature(enable = "avx512f")]
unsafe fn maximum_row(windows: Windows) {
    // SAFETY: the caller vouches for what the windows describe.
    unsafe { maximum::row::<__m512>(windows) }
}

#[target_feature(enable = "avx512f")]
pub(super) unsafe fn routine<R: Routine>(routine: R) -> R::Output {
    // SAFETY: the caller vouches for what the routine describes.
    unsafe { routine.run::<__m512>() }
}

// SAFETY of all: the caller vouches for the instructions and the pointers.
impl Vector for __m512 {
    const SUMS: usize = 14;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        unsafe { _mm512_add_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn subtract(self, other: Self) -> Self {
        unsafe { _mm512_sub_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn multiply(self, other: Self) -> Self {
        unsafe { _mm512_mul_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn divide(self, other: Self) -> Self {
        unsafe { _mm512_div_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
        unsafe { _mm512_fmadd_ps(self, factor, sum) }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        unsafe { _mm512_max_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        unsafe { _mm512_min_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn max_or_nan(self, other: Self) -> Self {
        unsafe {
            let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(self, self);
            _mm512_mask_mov_ps(_mm512_max_ps(self, other), nan, self)
        }
    }

    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        unsafe {
            let biased = _mm512_add_epi32(_mm512_cvtps_epi32(self), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased))
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
