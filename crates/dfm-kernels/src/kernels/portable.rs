//! Plain Rust that a compiler can turn into whatever vectors there are.

use super::maximum::{Maximum, block};
use super::transform::{Transforms, input_tiles, output_tiles};
use super::{Kernel, Kernels, Tile};

const PIXELS: usize = 4;

const KERNEL: Kernel = Kernel { pixels: PIXELS, blocks: 1, run: tile };

pub(super) const KERNELS: Kernels = Kernels {
    single: KERNEL,
    pair: None,
    product: KERNEL,
    transforms: Transforms { input: input_tiles, output: output_tiles },
    maximum: Maximum(block),
};

/// See [`super::MicroKernel`].
unsafe fn tile(tile: Tile<'_>) {
    let mut sums = [[0.0_f32; 16]; PIXELS];
    let mut weights = tile.weights.cast::<[f32; 16]>();
    for offset in tile.offsets {
        for channel in 0..tile.depth {
            // SAFETY: the caller vouches for every address below.
            let weight = unsafe { *weights };
            weights = weights.wrapping_add(1);
            for (pixel, sums) in sums.iter_mut().enumerate() {
                // SAFETY: as above.
                let value = unsafe { *tile.input.offset(*offset).add(16 * pixel + channel) };
                for (sum, weight) in sums.iter_mut().zip(weight) {
                    *sum += value * weight;
                }
            }
        }
    }
    // SAFETY: as above.
    let bias = unsafe { *tile.bias.cast::<[f32; 16]>() };
    for (pixel, sums) in sums.iter_mut().enumerate() {
        for (lane, (sum, bias)) in sums.iter_mut().zip(bias).enumerate() {
            *sum += bias;
            if !tile.residual.is_null() {
                // SAFETY: as above; a null pointer means no residual.
                *sum += unsafe { *tile.residual.add(16 * pixel + lane) };
            }
            if tile.relu {
                *sum = sum.max(0.0);
            }
        }
        // SAFETY: as above.
        unsafe { *tile.output.cast::<[f32; 16]>().add(pixel) = *sums };
    }
}
