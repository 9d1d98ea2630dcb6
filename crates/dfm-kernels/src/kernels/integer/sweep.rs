//! Running micro-kernels over rows of pixels.

use super::set::IntegerKernels;
use super::tile::{Added, Output, Tile};
use super::weights::Filter;
use crate::kernels::tile::PixelStep;
use crate::layout::{LANES, part};

/// Rows of pixels of one length, and where their inputs and outputs lie.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub(super) count: usize,
    pub(super) columns: usize,
    /// The first byte that the first pixel of the first row reads.
    pub(super) input: *const u8,
    /// Bytes from the input of one row to that of the next.
    pub(super) input_pitch: usize,
    pub(super) step: PixelStep,
    /// What is added, from the first pixel of the first row on, in the first block of the whole map.
    pub(super) added: Added,
    /// The first pixel of the first row, in the first block of the whole output. The rows of the
    /// output lie without gaps.
    pub(super) output: Output,
    /// Pixels from one block of the output to the next.
    pub(super) output_block: usize,
}

/// Computes one group of output channels over `rows`.
///
/// # Safety
///
/// For every pixel of `rows`, every tap of `filter` and everything that is added must be valid for
/// reading, and every block of the output must be valid for writing, by nobody else.
pub(super) unsafe fn sweep(kernels: &IntegerKernels, filter: Filter<'_>, rows: Rows) {
    let lines = filter.offsets.len() * filter.depth;
    assert!(filter.lines.len() == lines * filter.blocks);
    assert!(filter.multipliers.len() == filter.blocks && filter.bias.len() == filter.blocks);
    let tiles = rows.columns.div_ceil(kernels.pixels());
    for row in 0..rows.count {
        for tile in 0..tiles {
            let columns = part(tile, tiles, rows.columns);
            let run = kernels.tile(rows.step, filter.blocks, columns.len());
            let pixel = filter.first_block * rows.output_block + row * rows.columns + columns.start;
            let input = row * rows.input_pitch + columns.start * rows.step.bytes();
            let tile = Tile {
                input: rows.input.wrapping_add(input),
                offsets: filter.offsets,
                depth: filter.depth,
                weights: filter.lines.as_ptr(),
                // The weights of the next group lie behind these, and two tiles have time to fetch
                // all of them.
                ahead: filter.lines.as_ptr().wrapping_add(match tile {
                    0 | 1 => filter.lines.len() + tile * lines,
                    _ => 0,
                }),
                multipliers: filter.multipliers.as_ptr().cast(),
                bias: filter.bias.as_ptr().cast(),
                added: rows.added.skip(pixel * LANES),
                output: rows.output.skip(pixel * LANES),
                output_block: rows.output_block * LANES,
            };
            // SAFETY: the caller vouches for inputs and outputs, and the assertions above for
            // weights, multipliers and bias. The kernels are those of an instruction set that this
            // processor has.
            unsafe { run(tile) };
        }
    }
}
