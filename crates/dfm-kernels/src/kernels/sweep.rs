//! Running micro-kernels over rows of pixels.

use super::activate::Activate;
use super::set::Kernels;
use super::tile::{PixelStep, Tile};
use crate::activation::Activation;
use crate::filters::Filter;
use crate::layout::{LANES, Lanes, part};

/// Rows of pixels of one length, and where their inputs and outputs lie.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub(super) count: usize,
    pub(super) columns: usize,
    /// The first value that the first pixel of the first row reads.
    pub(super) input: *const f32,
    /// Values from the input of one row to that of the next.
    pub(super) input_pitch: usize,
    pub(super) step: PixelStep,
    /// The first pixel of the first row, in the first block of the whole output. The rows of the
    /// output lie without gaps.
    pub(super) output: *mut Lanes,
    /// [`Lanes`] from one block of the output to the next.
    pub(super) output_block: usize,
    pub(super) add: bool,
    pub(super) activation: Activation,
}

/// Computes one group of output channels over `rows`.
///
/// # Safety
///
/// For every pixel of `rows`, every tap of `filter` must be valid for reading, and every block of
/// it must be valid for writing, by nobody else.
pub(super) unsafe fn sweep(kernels: &Kernels, filter: Filter<'_>, rows: Rows) {
    const ZEROS: [Lanes; 2] = [Lanes::ZERO; 2];
    let bias = filter.bias.unwrap_or(&ZEROS[..filter.blocks]);
    let taps = filter.offsets.len() * filter.depth;
    assert!(filter.weights.len() == taps * filter.blocks && bias.len() == filter.blocks);
    let tiles = rows.columns.div_ceil(kernels.pixels());
    let (bounds, rest) = rows.activation.split();
    for row in 0..rows.count {
        for tile in 0..tiles {
            let columns = part(tile, tiles, rows.columns);
            let run = kernels.tile(rows.step, filter.blocks, columns.len());
            let pixel = filter.first_block * rows.output_block + row * rows.columns + columns.start;
            let input = row * rows.input_pitch + columns.start * rows.step.values();
            let tile = Tile {
                input: rows.input.wrapping_add(input),
                offsets: filter.offsets,
                depth: filter.depth,
                weights: filter.weights.as_ptr().cast(),
                // Weights are read once for each picture, from far away. Those of the next group
                // lie behind these, and two tiles have time to fetch all of them.
                ahead: filter
                    .weights
                    .as_ptr()
                    .wrapping_add(match tile {
                        0 | 1 => filter.weights.len() + tile * taps,
                        _ => 0,
                    })
                    .cast(),
                bias: bias.as_ptr().cast(),
                output: rows.output.wrapping_add(pixel).cast(),
                output_block: rows.output_block * LANES,
                add: rows.add,
                bounds,
            };
            // SAFETY: the caller vouches for inputs and outputs, and the assertion above for
            // weights and bias. The kernels are those of an instruction set that this processor
            // has.
            unsafe { run(tile) };
            // The results are still in the first-level cache.
            let Some(activation) = rest else { continue };
            for block in 0..filter.blocks {
                let values = rows.output.wrapping_add(pixel + block * rows.output_block).cast();
                // SAFETY: these are the outputs that the tile has just written.
                unsafe { kernels.run(Activate { values, count: columns.len(), activation }) };
            }
        }
    }
}
