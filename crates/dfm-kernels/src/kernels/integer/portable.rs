//! Plain Rust, which the compiler turns into the vectors that it knows.

use super::set::IntegerKernels;
use super::tile::{Sums, Tile};
use super::weights::{Line, Order};
use crate::kernels::portable::Array;
use crate::kernels::tile::micro_kernels;
use crate::layout::LANES;

pub(super) const KERNELS: IntegerKernels = IntegerKernels {
    tiles: micro_kernels!(tile, step: bytes, blocks: [1], pixels: [1 2]),
    order: Order::ByInput,
};

/// 1.5 · 2²³. Adding it to a number rounds the number to a whole one, which is then in the last
/// bits.
const ROUNDING: f32 = 12_582_912.0;

unsafe fn tile<const PIXELS: usize, const BLOCKS: usize, const STEP: usize>(tile: Tile<'_>) {
    // SAFETY: the caller vouches for what the tile describes.
    unsafe { super::tile::tile::<Integers, PIXELS, BLOCKS, STEP>(tile) }
}

/// `value`, within ±2²², rounded to the nearest whole number, and halves to the even one.
pub(super) fn round(value: f32) -> i32 {
    (value + ROUNDING).to_bits() as i32 - ROUNDING.to_bits() as i32
}

#[derive(Clone, Copy)]
struct Integers([i32; LANES]);

impl Sums for Integers {
    type Floats = Array;
    type Weights = Line;
    type Value = [u8; 4];

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0; LANES])
    }

    #[inline(always)]
    unsafe fn weights(from: *const Line) -> Line {
        // SAFETY: the caller vouches for a line.
        unsafe { from.read() }
    }

    #[inline(always)]
    unsafe fn value(from: *const u8) -> [u8; 4] {
        // SAFETY: the caller vouches for four bytes.
        unsafe { from.cast::<[u8; 4]>().read() }
    }

    #[inline(always)]
    unsafe fn dot_bytes(self, value: [u8; 4], weights: Line) -> Self {
        let value = value.map(i16::from);
        let (weights, _) = weights.0.as_chunks::<LANES>();
        let mut sums = self.0;
        for lane in 0..LANES {
            // Each product is within 255 · 64, so that the sum of two fits 16 bits.
            let product = |input: usize| value[input] * i16::from(weights[input][lane]);
            sums[lane] += i32::from(product(0) + product(1)) + i32::from(product(2) + product(3));
        }
        Self(sums)
    }

    #[inline(always)]
    unsafe fn dot_words(self, [a, b, c, d]: [u8; 4], weights: Line) -> Self {
        let value = [[a, b], [c, d]].map(|bytes| i32::from(i16::from_ne_bytes(bytes)));
        let (weights, _) = weights.0.as_chunks::<2>();
        let mut sums = self.0;
        for lane in 0..LANES {
            let weight = |input: usize| {
                i32::from(i16::from_ne_bytes(weights[LANES * input + lane].map(|byte| byte as u8)))
            };
            sums[lane] += value[0] * weight(0) + value[1] * weight(1);
        }
        Self(sums)
    }

    #[inline(always)]
    unsafe fn to_floats(self) -> Array {
        Array(self.0.map(|sum| sum as f32))
    }

    #[inline(always)]
    unsafe fn multiply(a: Array, b: Array) -> Array {
        Array(std::array::from_fn(|lane| a.0[lane] * b.0[lane]))
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Array {
        // SAFETY: the caller vouches for 16 bytes.
        Array(unsafe { from.cast::<[u8; LANES]>().read() }.map(f32::from))
    }

    #[inline(always)]
    unsafe fn store_bytes(values: Array, to: *mut u8) {
        let bytes = values.0.map(|value| {
            let positive = if value > 0.0 { value } else { 0.0 };
            round(if positive < 255.0 { positive } else { 255.0 }) as u8
        });
        // SAFETY: the caller vouches for 16 bytes.
        unsafe { to.cast::<[u8; LANES]>().write(bytes) }
    }
}
