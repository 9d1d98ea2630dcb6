//! AVX-512: a block of channels is one register.

use std::arch::x86_64::*;

use super::maximum::{self, Maximum};
use super::transform::{self, Strided, Transforms};
use super::{Kernel, Kernels, Tile};
use crate::layout::Plane;
use crate::network::MaxPool;

pub(super) const KERNELS: Kernels = Kernels {
    single: Kernel { pixels: 24, blocks: 1, run: tile::<24, 1> },
    pair: Some(Kernel { pixels: 14, blocks: 2, run: tile::<14, 2> }),
    product: Kernel { pixels: 8, blocks: 2, run: tile::<8, 2> },
    transforms: Transforms { input: input_tiles, output: output_tiles },
    maximum: Maximum(maximum_block),
};

/// See [`Maximum::block`].
#[target_feature(enable = "avx512f")]
fn maximum_block(pool: MaxPool, plane: Plane, input: &[f32], target: Plane, output: &mut [f32]) {
    maximum::block(pool, plane, input, target, output);
}

/// See [`Transforms::input`].
#[target_feature(enable = "avx512f")]
fn input_tiles(plane: Plane, tiles: usize, input: &[f32], transformed: &mut [f32]) {
    transform::input_tiles(plane, tiles, input, transformed);
}

/// See [`Transforms::output`].
#[target_feature(enable = "avx512f")]
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

/// See [`super::MicroKernel`]. `PIXELS × BLOCKS` sums and `BLOCKS` weights must
/// fit the 32 registers.
#[target_feature(enable = "avx512f")]
unsafe fn tile<const PIXELS: usize, const BLOCKS: usize>(tile: Tile<'_>) {
    // SAFETY: the caller vouches for every address below.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); BLOCKS]; PIXELS];
        let mut weights = tile.weights;
        for offset in tile.offsets {
            let input = tile.input.offset(*offset);
            for channel in 0..tile.depth {
                let mut weight = [_mm512_setzero_ps(); BLOCKS];
                for (block, weight) in weight.iter_mut().enumerate() {
                    *weight = _mm512_loadu_ps(weights.add(16 * block));
                }
                weights = weights.add(16 * BLOCKS);
                for (pixel, sums) in sums.iter_mut().enumerate() {
                    let value = _mm512_set1_ps(*input.add(16 * pixel + channel));
                    for (sum, weight) in sums.iter_mut().zip(weight) {
                        *sum = _mm512_fmadd_ps(value, weight, *sum);
                    }
                }
            }
        }
        for block in 0..BLOCKS {
            let bias = _mm512_loadu_ps(tile.bias.add(16 * block));
            let output = tile.output.add(block * tile.output_block);
            let residual = tile.residual.wrapping_add(block * tile.output_block);
            for (pixel, sums) in sums.iter().enumerate() {
                let mut sum = _mm512_add_ps(sums[block], bias);
                if !tile.residual.is_null() {
                    sum = _mm512_add_ps(sum, _mm512_loadu_ps(residual.add(16 * pixel)));
                }
                if tile.relu {
                    sum = _mm512_max_ps(sum, _mm512_setzero_ps());
                }
                _mm512_storeu_ps(output.add(16 * pixel), sum);
            }
        }
    }
}
