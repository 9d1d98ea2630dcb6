//! AVX-512 with VNNI: one instruction for 64 products and their sums.

use std::arch::x86_64::*;

use super::set::IntegerKernels;
use super::tile::{Sums, Tile};
use super::weights::{Line, Order};
use crate::kernels::tile::micro_kernels;

pub(super) const KERNELS: IntegerKernels = IntegerKernels {
    // 28 sums, two weights and a value.
    tiles: micro_kernels!(tile, step: bytes, blocks: [1 2], pixels: [1 2 3 4 5 6 7 8 9 10 11 12 13 14]),
    order: Order::ByChannel,
};

/// Whether this processor has what [`KERNELS`] need.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni")
}

#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn tile<const PIXELS: usize, const BLOCKS: usize, const STEP: usize>(tile: Tile<'_>) {
    // SAFETY: the caller vouches for what the tile describes.
    unsafe { super::tile::tile::<Register, PIXELS, BLOCKS, STEP>(tile) }
}

#[derive(Clone, Copy)]
struct Register(__m512i);

// SAFETY of all: the caller vouches for the instructions and the pointers.
impl Sums for Register {
    type Floats = __m512;
    type Weights = __m512i;
    type Value = __m512i;

    #[inline(always)]
    unsafe fn zero() -> Self {
        unsafe { Self(_mm512_setzero_si512()) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const Line) -> __m512i {
        unsafe { _mm512_load_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn value(from: *const u8) -> __m512i {
        unsafe { _mm512_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn dot_bytes(self, value: __m512i, weights: __m512i) -> Self {
        unsafe { Self(_mm512_dpbusd_epi32(self.0, value, weights)) }
    }

    #[inline(always)]
    unsafe fn dot_words(self, value: __m512i, weights: __m512i) -> Self {
        unsafe { Self(_mm512_dpwssd_epi32(self.0, value, weights)) }
    }

    #[inline(always)]
    unsafe fn to_floats(self) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(self.0) }
    }

    #[inline(always)]
    unsafe fn multiply(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()))) }
    }

    #[inline(always)]
    unsafe fn store_bytes(values: __m512, to: *mut u8) {
        unsafe {
            // If the first operand is not a number, these instructions give the second one.
            let positive = _mm512_max_ps(values, _mm512_setzero_ps());
            let whole = _mm512_cvtps_epi32(_mm512_min_ps(positive, _mm512_set1_ps(255.0)));
            _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(whole));
        }
    }
}
