//! Where the windows of a convolution lie in its input, for any kind of values.

use std::ops::Range;

use super::tile::PixelStep;
use crate::filters::Source;
use crate::layout::{Division, LANES, Map};
use crate::network::Convolution;

/// The windows of a convolution over a map. A pixel has [`LANES`] values.
#[derive(Debug)]
pub(super) struct Sliding {
    input: Map,
    output: Map,
    kernel: usize,
    stride: usize,
    padding: usize,
    /// The rows of output for which the input is copied between zeros at once. `None` for 1×1
    /// windows, which read the input where it lies.
    band: Option<usize>,
    /// The pixels of input that meet all weights before the next ones do.
    span: usize,
}

impl Sliding {
    /// The windows of `convolution` between two maps. `span` pixels of the input fit the cache.
    pub(super) fn new(convolution: &Convolution, input: Map, output: Map, span: usize) -> Self {
        let (kernel, stride, padding) = (convolution.kernel[0], convolution.stride, convolution.padding);
        let mut sliding = Self { input, output, kernel, stride, padding, band: None, span };
        if kernel > 1 {
            let per_row = input.blocks() * stride * sliding.padded_width();
            sliding.band = Some((span / per_row).clamp(1, output.height));
        }
        sliding
    }

    /// How the values that taps read lie in memory: in the input, or in its copy between zeros.
    pub(super) fn source(&self) -> Source {
        let (rows, width) = match self.band {
            Some(band) => (self.seen_rows(band), self.padded_width()),
            None => (self.input.height, self.input.width),
        };
        Source { block: rows * width * LANES, row: width * LANES }
    }

    /// The pixels of the copy between zeros.
    pub(super) fn scratch_len(&self) -> usize {
        self.band.map_or(0, |band| self.input.blocks() * self.seen_rows(band) * self.padded_width())
    }

    /// How threads share the pixels and `groups` of output channels, in tiles of `pixels`.
    pub(super) fn division(&self, threads: usize, pixels: usize, groups: usize) -> Division {
        let fewest = if self.is_flat() { 2 * pixels } else { 2 };
        Division::by_pixels(threads, self.units(), fewest, groups)
    }

    /// The number of units that are divided among threads: pixels or rows of the output.
    pub(super) fn units(&self) -> usize {
        if self.is_flat() { self.output.pixels() } else { self.output.height }
    }

    /// The pixels of output in one unit.
    pub(super) fn per_unit(&self) -> usize {
        if self.is_flat() { 1 } else { self.output.width }
    }

    /// The parts of `units` that meet all weights before the next part does. With fewer than four
    /// tiles of `pixels`, reading the weights would cost too much.
    pub(super) fn spans(&self, units: Range<usize>, pixels: usize) -> impl Iterator<Item = Range<usize>> {
        let fitting = self.span / (self.input.blocks() * self.per_unit());
        let span = self.band.unwrap_or(fitting.max((4 * pixels).div_ceil(self.per_unit())));
        units.clone().step_by(span).map(move |begin| begin..(begin + span).min(units.end))
    }

    /// The rows of output in `units`, and the pixels of each row.
    pub(super) fn rows(&self, units: &Range<usize>) -> [usize; 2] {
        if self.is_flat() { [1, units.len()] } else { [units.len(), self.output.width] }
    }

    pub(super) fn step(&self) -> PixelStep {
        if self.stride == 1 { PixelStep::Next } else { PixelStep::Second }
    }

    /// Values from the input of one row of output to that of the next.
    pub(super) fn pitch(&self) -> usize {
        self.stride * self.padded_width() * LANES
    }

    /// The number of values of the input before the first one that `unit` reads. `None` if `unit`
    /// reads a copy between zeros.
    pub(super) fn before(&self, unit: usize) -> Option<usize> {
        match self.band {
            Some(_) => None,
            None if self.is_flat() => Some(unit * LANES),
            None => Some(unit * self.pitch()),
        }
    }

    /// Copies the part of the input that some rows of output read, with `zero` around it.
    pub(super) fn copy_between_zeros<T: Copy>(
        &self,
        zero: T,
        input: &[T],
        rows: Range<usize>,
        scratch: &mut [T],
    ) {
        let Map { height, width, .. } = self.input;
        let padded = self.padded_width();
        // A block is as long as in a full band, which is what the taps are packed for.
        let block_len = self.seen_rows(self.band.unwrap_or(1)) * padded;
        let blocks = scratch.chunks_exact_mut(block_len).zip(input.chunks_exact(self.input.pixels()));
        for (block, input) in blocks.take(self.input.blocks()) {
            let copies = block.chunks_exact_mut(padded).take(self.seen_rows(rows.len()));
            for (index, copy) in copies.enumerate() {
                let from = (rows.start * self.stride + index).wrapping_sub(self.padding);
                if from >= height {
                    copy.fill(zero);
                    continue;
                }
                copy[..self.padding].fill(zero);
                copy[self.padding..self.padding + width].copy_from_slice(&input[from * width..][..width]);
                copy[self.padding + width..].fill(zero);
            }
        }
    }

    /// Whether the pixels of the whole map can be treated as one row.
    fn is_flat(&self) -> bool {
        self.band.is_none() && self.stride == 1
    }

    fn padded_width(&self) -> usize {
        self.input.width + 2 * self.padding
    }

    /// The rows of input that some rows of output see.
    fn seen_rows(&self, rows: usize) -> usize {
        (rows - 1) * self.stride + self.kernel
    }
}

impl std::fmt::Display for Sliding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{0}×{0}/{1}", self.kernel, self.stride)
    }
}
