//! AVX2. Without VNNI, two products are summed in 16 bits, which weights within ±64 cannot overflow.
//! With VNNI, one instruction computes 32 products and their sums.

use std::arch::x86_64::*;

use super::set::IntegerKernels;
use super::tile::{Sums, Tile};
use super::weights::{Line, Order};
use crate::kernels::avx2::Pair;
use crate::kernels::tile::micro_kernels;

pub(super) const KERNELS: IntegerKernels = IntegerKernels {
    // Eight registers of sums, two of weights, a value, ones and two in between.
    tiles: micro_kernels!(tile, step: bytes, blocks: [1], pixels: [1 2 3 4]),
    order: Order::ByChannel,
};

/// With AVX-VNNI.
pub(super) const VNNI: IntegerKernels = IntegerKernels {
    // 12 registers of sums, two of weights and one of a value.
    tiles: micro_kernels!(vnni_tile, step: bytes, blocks: [1], pixels: [1 2 3 4 5 6]),
    order: Order::ByChannel,
};

/// Whether this processor has what [`VNNI`] needs beside AVX2.
pub(super) fn has_vnni() -> bool {
    is_x86_feature_detected!("avxvnni")
}

#[target_feature(enable = "avx2,fma")]
unsafe fn tile<const PIXELS: usize, const BLOCKS: usize, const STEP: usize>(tile: Tile<'_>) {
    // SAFETY: the caller vouches for what the tile describes.
    unsafe { super::tile::tile::<Registers<false>, PIXELS, BLOCKS, STEP>(tile) }
}

#[target_feature(enable = "avx2,fma,avxvnni")]
unsafe fn vnni_tile<const PIXELS: usize, const BLOCKS: usize, const STEP: usize>(tile: Tile<'_>) {
    // SAFETY: the caller vouches for what the tile describes.
    unsafe { super::tile::tile::<Registers<true>, PIXELS, BLOCKS, STEP>(tile) }
}

#[derive(Clone, Copy)]
struct Registers<const VNNI: bool>(__m256i, __m256i);

// SAFETY of all: the caller vouches for the instructions and the pointers.
impl<const VNNI: bool> Sums for Registers<VNNI> {
    type Floats = Pair;
    type Weights = Self;
    type Value = __m256i;

    #[inline(always)]
    unsafe fn zero() -> Self {
        unsafe { Self(_mm256_setzero_si256(), _mm256_setzero_si256()) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const Line) -> Self {
        let from = from.cast::<__m256i>();
        unsafe { Self(_mm256_load_si256(from), _mm256_load_si256(from.add(1))) }
    }

    #[inline(always)]
    unsafe fn value(from: *const u8) -> __m256i {
        unsafe { _mm256_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn dot_bytes(self, value: __m256i, weights: Self) -> Self {
        unsafe {
            if VNNI {
                return Self(
                    _mm256_dpbusd_avx_epi32(self.0, value, weights.0),
                    _mm256_dpbusd_avx_epi32(self.1, value, weights.1),
                );
            }
            let ones = _mm256_set1_epi16(1);
            let first = _mm256_madd_epi16(_mm256_maddubs_epi16(value, weights.0), ones);
            let second = _mm256_madd_epi16(_mm256_maddubs_epi16(value, weights.1), ones);
            Self(_mm256_add_epi32(self.0, first), _mm256_add_epi32(self.1, second))
        }
    }

    #[inline(always)]
    unsafe fn dot_words(self, value: __m256i, weights: Self) -> Self {
        unsafe {
            if VNNI {
                return Self(
                    _mm256_dpwssd_avx_epi32(self.0, value, weights.0),
                    _mm256_dpwssd_avx_epi32(self.1, value, weights.1),
                );
            }
            Self(
                _mm256_add_epi32(self.0, _mm256_madd_epi16(value, weights.0)),
                _mm256_add_epi32(self.1, _mm256_madd_epi16(value, weights.1)),
            )
        }
    }

    #[inline(always)]
    unsafe fn to_floats(self) -> Pair {
        unsafe { Pair(_mm256_cvtepi32_ps(self.0), _mm256_cvtepi32_ps(self.1)) }
    }

    #[inline(always)]
    unsafe fn multiply(a: Pair, b: Pair) -> Pair {
        unsafe { Pair(_mm256_mul_ps(a.0, b.0), _mm256_mul_ps(a.1, b.1)) }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Pair {
        unsafe {
            let bytes = _mm_loadu_si128(from.cast());
            Pair(
                _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)),
                _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_unpackhi_epi64(bytes, bytes))),
            )
        }
    }

    #[inline(always)]
    unsafe fn store_bytes(values: Pair, to: *mut u8) {
        unsafe {
            let (zero, most) = (_mm256_setzero_ps(), _mm256_set1_ps(255.0));
            // If the first operand is not a number, these instructions give the second one.
            let first = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(values.0, zero), most));
            let second = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(values.1, zero), most));
            // Packed by halves, then put in order.
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(first, second));
            let bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.cast(), bytes);
        }
    }
}
