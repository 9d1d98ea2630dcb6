//! Where the windows of a convolution lie in its input, for any kind of values.

use std::ops::Range;

use super::tile::PixelStep;
use crate::filters::Source;
use crate::layout::{Division, LANES, Map};
use crate::window::Window;

/// The windows of a convolution over a map. A pixel has [`LANES`] values.
#[derive(Debug)]
pub(super) struct Sliding {
    input: Map,
    output: Map,
    window: Window,
    /// The copies of a row in which the columns between zeros lie: those that are a multiple of
    /// `phases` apart lie together. A micro-kernel can step over one column between pixels, but no
    /// more.
    phases: usize,
    /// The rows of output for which the input is copied between zeros at once. `None` for windows
    /// that read the input where it lies.
    band: Option<usize>,
    /// The pixels of input that meet all weights before the next ones do.
    span: usize,
}

impl Sliding {
    /// The windows between two maps. `span` pixels of the input fit the cache.
    ///
    /// # Panics
    ///
    /// If the windows make another size of the input.
    pub(super) fn new(window: Window, input: Map, output: Map, span: usize) -> Self {
        let size = window.output([input.height, input.width]);
        assert_eq!(size, Some([output.height, output.width]), "{window} on {input}");
        let phases = if window.stride[1] <= 2 { 1 } else { window.stride[1] };
        let mut sliding = Self { input, output, window, phases, band: None, span };
        if phases > 1 || !window.is_unpadded() {
            let per_row = input.blocks() * window.stride[0] * sliding.row_len();
            sliding.band = Some((span / per_row).clamp(1, output.height));
        }
        sliding
    }

    /// How the values that taps read lie in memory: in the input, or in its copy between zeros.
    pub(super) fn source(&self) -> Source {
        let rows = match self.band {
            Some(band) => self.seen_rows(band),
            None => self.input.height,
        };
        Source {
            block: rows * self.row_len() * LANES,
            row: self.row_len() * LANES,
            dilation: self.window.dilation,
            phases: self.phases,
            phase: self.phase_len() * LANES,
        }
    }

    /// The pixels of the copy between zeros.
    pub(super) fn scratch_len(&self) -> usize {
        self.band.map_or(0, |band| self.input.blocks() * self.seen_rows(band) * self.row_len())
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
        if self.window.stride[1] == 2 { PixelStep::Second } else { PixelStep::Next }
    }

    /// Values from the input of one row of output to that of the next.
    pub(super) fn pitch(&self) -> usize {
        self.window.stride[0] * self.row_len() * LANES
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
        let [padding_above, padding_left] = self.window.before;
        let padded = self.row_len();
        // A block is as long as in a full band, which is what the taps are packed for.
        let block_len = self.seen_rows(self.band.unwrap_or(1)) * padded;
        let blocks = scratch.chunks_exact_mut(block_len).zip(input.chunks_exact(self.input.pixels()));
        for (block, input) in blocks.take(self.input.blocks()) {
            let copies = block.chunks_exact_mut(padded).take(self.seen_rows(rows.len()));
            for (index, copy) in copies.enumerate() {
                let from = (rows.start * self.window.stride[0] + index).wrapping_sub(padding_above);
                if from >= height {
                    copy.fill(zero);
                    continue;
                }
                let row = &input[from * width..][..width];
                if self.phases == 1 {
                    copy[..padding_left].fill(zero);
                    copy[padding_left..padding_left + width].copy_from_slice(row);
                    copy[padding_left + width..].fill(zero);
                    continue;
                }
                copy.fill(zero);
                for (column, pixel) in (padding_left..).zip(row) {
                    copy[column % self.phases * self.phase_len() + column / self.phases] = *pixel;
                }
            }
        }
    }

    /// Whether the pixels of the whole map can be treated as one row.
    fn is_flat(&self) -> bool {
        self.window.is_pixel()
    }

    /// The columns of the input between zeros that are a multiple of `phases` apart.
    fn phase_len(&self) -> usize {
        (self.input.width + self.window.before[1] + self.window.after[1]).div_ceil(self.phases)
    }

    /// The pixels of a row of the copy between zeros, or of the input if there is no copy.
    fn row_len(&self) -> usize {
        self.phases * self.phase_len()
    }

    /// The rows of input that some rows of output see.
    fn seen_rows(&self, rows: usize) -> usize {
        (rows - 1) * self.window.stride[0] + self.window.reach(0)
    }
}

impl std::fmt::Display for Sliding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.window.fmt(f)
    }
}
