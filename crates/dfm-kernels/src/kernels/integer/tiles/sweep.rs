//! Running products of tiles over rows of pixels.

use super::kernels::{Finish, PIXELS, Products, Shape, Sums, TileKernels};
use crate::kernels::integer::tile::{Added, Output};
use crate::kernels::integer::values::Values;
use crate::kernels::integer::weights::Filter;
use crate::layout::{LANES, Map};

/// Rows of pixels of one length, and where their inputs and outputs lie.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub(super) count: usize,
    pub(super) columns: usize,
    /// The first byte that the first pixel of the first row reads.
    pub(super) input: *const u8,
    /// Bytes from the input of one row to that of the next.
    pub(super) input_pitch: usize,
    /// Bytes from the input of one pixel to that of the next.
    pub(super) step: usize,
    /// The index in the whole map of the first pixel of the first row. The rows of the output lie
    /// without gaps.
    pub(super) first: usize,
}

/// Whole maps that are read and written behind the sums.
#[derive(Clone, Copy)]
pub(super) struct Maps {
    pub(super) map: Map,
    /// From the first pixel of the map on.
    pub(super) added: Added,
    pub(super) added_values: Values,
    /// From the first pixel of the map on.
    pub(super) output: Output,
    pub(super) output_values: Values,
}

/// The tiles of this thread, while they are set up.
pub(super) struct Tiles {
    kernels: TileKernels,
    shape: Shape,
}

impl Tiles {
    /// Sets up the tiles of this thread for `columns` pixels in a row and chunks of `depth` lines.
    pub(super) fn new(kernels: TileKernels, columns: usize, depth: usize) -> Self {
        let shape = Shape { pixels: columns.min(PIXELS), depth };
        // SAFETY: `TileKernels::of` has looked whether the processor has the instructions.
        unsafe { (kernels.begin)(shape) };
        Self { kernels, shape }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: as in `new`.
        unsafe { (self.kernels.end)() };
    }
}

/// Sums that are computed, and not yet finished.
struct Before<'f> {
    filter: Filter<'f>,
    /// One or two tiles.
    parts: [Option<Part>; 2],
}

/// A tile of pixels of which some are computed for the first time.
#[derive(Clone, Copy)]
struct Part {
    /// The first byte that its first pixel reads.
    input: *const u8,
    /// The first pixel of the tile that counts, and their number.
    first: usize,
    count: usize,
    /// The index in the whole map of the first pixel that counts.
    pixel: usize,
}

impl Rows {
    /// The number of tiles of `pixels`.
    fn parts(&self, pixels: usize) -> usize {
        self.count * self.columns.div_ceil(pixels)
    }

    /// The `index`-th tile of `pixels`. The last one of a row begins early enough to be a whole one.
    fn part(&self, index: usize, pixels: usize) -> Part {
        let each = self.columns.div_ceil(pixels);
        let (row, wanted) = (index / each, index % each * pixels);
        let begin = wanted.min(self.columns - pixels);
        Part {
            input: self.input.wrapping_add(row * self.input_pitch + begin * self.step),
            first: wanted - begin,
            count: pixels.min(self.columns - wanted),
            pixel: self.first + row * self.columns + wanted,
        }
    }
}

/// Computes groups of output channels over `rows`.
///
/// # Safety
///
/// For every pixel of `rows`, every tap of `filters` and everything that is added must be valid for
/// reading, and every block of the output must be valid for writing, by nobody else.
pub(super) unsafe fn sweep<'f>(
    tiles: &Tiles,
    filters: impl Iterator<Item = Filter<'f>>,
    rows: Rows,
    maps: Maps,
) {
    let (kernels, shape) = (tiles.kernels, tiles.shape);
    assert!(shape.pixels <= rows.columns);
    let parts = rows.parts(shape.pixels);
    let mut sums = Sums::ZERO;
    let mut before: Option<Before<'f>> = None;
    for filter in filters {
        filter.check(shape.depth);
        for index in (0..parts).step_by(2) {
            let first = rows.part(index, shape.pixels);
            let second = (index + 1 < parts).then(|| rows.part(index + 1, shape.pixels));
            let products = Products {
                shape,
                tiles: 1 + usize::from(second.is_some()),
                blocks: filter.blocks,
                inputs: [first.input, second.unwrap_or(first).input],
                step: rows.step,
                offsets: filter.offsets,
                weights: filter.lines.as_ptr(),
            };
            // The sums before are finished while these products are computed.
            // SAFETY: the caller vouches for the inputs of all pixels, `check` for the weights, and for
            // the outputs. `Tiles` has set up the tiles of this thread.
            unsafe {
                (kernels.multiply)(&products);
                if let Some(before) = before.replace(Before { filter, parts: [Some(first), second] }) {
                    finish(kernels, &before, &sums, maps);
                }
                (kernels.store)(&mut sums);
            }
        }
    }
    if let Some(before) = before {
        // SAFETY: the caller's.
        unsafe { finish(kernels, &before, &sums, maps) };
    }
}

/// Writes the results of one or two tiles.
///
/// # Safety
///
/// Everything that is added must be valid for reading, and the output for writing, by nobody else.
unsafe fn finish(kernels: TileKernels, before: &Before<'_>, sums: &Sums, maps: Maps) {
    let filter = before.filter;
    for (sums, part) in sums.0.iter().zip(before.parts) {
        let Some(part) = part else { continue };
        let at = |values: Values| values.piece(maps.map, filter.first_block, part.pixel) * LANES;
        let strides = |values: Values| values.strides(maps.map).map(|pieces| pieces * LANES);
        let job = Finish {
            sums,
            first: part.first,
            count: part.count,
            blocks: filter.blocks,
            multipliers: filter.multipliers.as_ptr().cast(),
            bias: filter.bias.as_ptr().cast(),
            added: maps.added.skip(at(maps.added_values)),
            added_strides: strides(maps.added_values),
            output: maps.output.skip(at(maps.output_values)),
            output_strides: strides(maps.output_values),
        };
        // SAFETY: the caller vouches for the addresses. Two blocks of one filter lie in one group.
        unsafe { (kernels.finish)(&job) };
    }
}
