//! AVX2 with FMA: a block of channels is two registers.

use std::arch::x86_64::*;

use super::maximum::{self, Maximum};
use super::transform::{self, Strided, Transforms};
use super::{Kernel, Kernels, Tile};
use crate::layout::Plane;
use crate::network::MaxPool;

/// 12 sums, two weights and a value fill 15 of the 16 registers.
const PIXELS: usize = 6;

const KERNEL: Kernel = Kernel { pixels: PIXELS, blocks: 1, run: tile };

pub(super) const KERNELS: Kernels = Kernels {
    single: KERNEL,
    pair: None,
    product: KERNEL,
    transforms: Transforms { input: input_tiles, output: output_tiles },
    maximum: Maximum(maximum_block),
};

/// See [`Maximum::block`].
#[target_feature(enable = "avx2,fma")]
fn maximum_block(pool: MaxPool, plane: Plane, input: &[f32], target: Plane, output: &mut [f32]) {
    maximum::block(pool, plane, input, target, output);
}

/// See [`Transforms::input`].
#[target_feature(enable = "avx2,fma")]
fn input_tiles(plane: Plane, tiles: usize, input: &[f32], transformed: &mut [f32]) {
    transform::input_tiles(plane, tiles, input, transformed);
}

/// See [`Transforms::output`].
#[target_feature(enable = "avx2,fma")]
fn output_tiles(
    plane: Plane,
    products: Strided<'_>,
    bias: &[f32],
    residual: Option<&[f32]>,
    relu: bool,
    output: &mut [f32],
) {
    transform::output_tiles(plane, products, bias, residual, relu, output);
}

/// See [`super::MicroKernel`].
#[target_feature(enable = "avx2,fma")]
unsafe fn tile(tile: Tile<'_>) {
    // SAFETY: the caller vouches for every address below.
    unsafe {
        let mut sums = [[_mm256_setzero_ps(); 2]; PIXELS];
        let mut weights = tile.weights;
        for offset in tile.offsets {
            let input = tile.input.offset(*offset);
            for channel in 0..tile.depth {
                let weight = [_mm256_loadu_ps(weights), _mm256_loadu_ps(weights.add(8))];
                weights = weights.add(16);
                for (pixel, sums) in sums.iter_mut().enumerate() {
                    let value = _mm256_set1_ps(*input.add(16 * pixel + channel));
                    for (sum, weight) in sums.iter_mut().zip(weight) {
                        *sum = _mm256_fmadd_ps(value, weight, *sum);
                    }
                }
            }
        }
        for (pixel, sums) in sums.iter().enumerate() {
            for (half, sum) in sums.iter().enumerate() {
                let at = 16 * pixel + 8 * half;
                let mut sum = _mm256_add_ps(*sum, _mm256_loadu_ps(tile.bias.add(8 * half)));
                if !tile.residual.is_null() {
                    sum = _mm256_add_ps(sum, _mm256_loadu_ps(tile.residual.add(at)));
                }
                if tile.relu {
                    sum = _mm256_max_ps(sum, _mm256_setzero_ps());
                }
                _mm256_storeu_ps(tile.output.add(at), sum);
            }
        }
    }
}
