//! A convolution tap by tap.

use std::ops::Range;

use super::sweep::{Rows, sweep};
use super::tile::PixelStep;
use super::{Ends, Kernels, Work, Worker};
use crate::filters::{self, Filters, Source};
use crate::layout::{Division, LANES, Lanes, Map};
use crate::network::Convolution;

/// [`Lanes`] of input that are gone through with all weights before the next, so that
/// they stay in the second-level cache: 256 KiB.
const SPAN: usize = 4096;

/// A convolution, and where its input and output lie.
#[derive(Debug)]
pub(crate) struct Direct {
    kernels: Kernels,
    filters: Filters,
    ends: Ends,
    stride: usize,
    kernel: usize,
    padding: usize,
    /// Rows of output for which the input is copied between zeros at once; none for
    /// 1×1, which reads it where it lies.
    band: Option<usize>,
    pub(super) multiply_adds: u64,
}

impl Direct {
    /// Of `convolution` between `ends`.
    pub(crate) fn new(convolution: &Convolution, kernels: Kernels, ends: Ends) -> Self {
        let (input_map, output_map) = ends.maps();
        let (kernel, stride, padding) = (convolution.kernel[0], convolution.stride, convolution.padding);
        let padded_width = input_map.width + 2 * padding;
        let band = (kernel > 1).then(|| {
            let per_row = input_map.blocks() * stride * padded_width;
            (SPAN / per_row).clamp(1, output_map.height)
        });
        let (rows, width) = match band {
            Some(band) => ((band - 1) * stride + kernel, padded_width),
            None => (input_map.height, input_map.width),
        };
        let source = Source { block: rows * width * LANES, row: width * LANES };
        let filters = filters::pack(convolution, source, kernels.blocks());
        Self {
            kernels,
            filters,
            ends,
            stride,
            kernel,
            padding,
            band,
            multiply_adds: convolution.multiply_adds(output_map.pixels()),
        }
    }

    pub(crate) fn output(&self) -> Range<usize> {
        self.ends.written()
    }

    pub(crate) fn scratch_len(&self) -> usize {
        self.band.map_or(0, |band| self.ends.input_map.blocks() * self.band_rows(band) * self.padded_width())
    }

    pub(crate) fn division(&self, threads: usize) -> Division {
        let (pixels, groups) = (self.units(), self.filters.groups.len());
        let fewest = if self.is_flat() { 2 * self.kernels.pixels() } else { 2 };
        Division::by_pixels(threads, pixels, fewest, groups)
    }

    /// Whether the pixels of the whole map are one row.
    fn is_flat(&self) -> bool {
        self.band.is_none() && self.stride == 1
    }

    /// What is divided among threads: pixels or rows.
    fn units(&self) -> usize {
        if self.is_flat() { self.ends.output_map.pixels() } else { self.ends.output_map.height }
    }

    fn padded_width(&self) -> usize {
        self.ends.input_map.width + 2 * self.padding
    }

    fn band_rows(&self, rows: usize) -> usize {
        (rows - 1) * self.stride + self.kernel
    }

    pub(crate) fn run(&self, work: &Work<'_>, worker: &mut Worker, item: usize) {
        let (units, groups) = self.division(work.threads).item(item, self.units(), self.filters.groups.len());
        // Pixels that go with one unit; of fewer than four tiles the weights cost too much.
        let per_unit = if self.is_flat() { 1 } else { self.ends.output_map.width };
        let fewest = (4 * self.kernels.pixels()).div_ceil(per_unit);
        let fitting = SPAN / (self.ends.input_map.blocks() * per_unit);
        let span = self.band.unwrap_or(fitting.max(fewest));
        // SAFETY: the output is written by nobody else than this step, whose items
        // differ in pixels or blocks.
        let output = work.arena.at(self.ends.output.clone());
        // SAFETY: no step writes its own input.
        let input = unsafe { work.arena.slice(self.ends.input.clone()) };
        for begin in units.clone().step_by(span) {
            let units = begin..(begin + span).min(units.end);
            let mut rows = Rows {
                count: units.len(),
                columns: self.ends.output_map.width,
                input: input.as_ptr().cast(),
                input_pitch: 0,
                step: if self.stride == 1 { PixelStep::Next } else { PixelStep::Second },
                output: output.wrapping_add(begin * self.ends.output_map.width),
                output_block: self.ends.output_map.pixels(),
                add: self.ends.add,
                relu: self.ends.relu,
            };
            if self.is_flat() {
                rows.count = 1;
                rows.columns = units.len();
                rows.input = rows.input.wrapping_add(begin * LANES);
                rows.output = output.wrapping_add(begin);
            } else if self.band.is_none() {
                rows.input_pitch = self.stride * self.ends.input_map.width * LANES;
                rows.input = rows.input.wrapping_add(begin * rows.input_pitch);
            } else {
                self.copy_between_zeros(input, units, &mut worker.scratch);
                worker.kept = None;
                rows.input_pitch = self.stride * self.padded_width() * LANES;
                rows.input = worker.scratch.as_ptr().cast();
            }
            // SAFETY: `filters::pack` has placed every tap inside a block of the input
            // or of the scratch, for the first pixel; `stride · (rows − 1)` rows and as
            // many columns further they still are, since a window keeps inside the
            // padded input. 1×1 windows are single pixels of the input. The output of
            // these units and groups is this item's alone.
            for group in groups.clone() {
                unsafe { sweep(&self.kernels, self.filters.filter(group), rows) };
            }
        }
    }

    /// Copies the input of some rows of output, with the zeros around it.
    fn copy_between_zeros(&self, input: &[Lanes], rows: Range<usize>, scratch: &mut [Lanes]) {
        let Map { height, width, .. } = self.ends.input_map;
        let padded = self.padded_width();
        // A block is as long as in the fullest band, for which the taps are packed.
        let block_len = self.band_rows(self.band.unwrap_or(1)) * padded;
        let blocks =
            scratch.chunks_exact_mut(block_len).zip(input.chunks_exact(self.ends.input_map.pixels()));
        for (block, input) in blocks.take(self.ends.input_map.blocks()) {
            let copies = block.chunks_exact_mut(padded).take(self.band_rows(rows.len()));
            for (index, copy) in copies.enumerate() {
                let from = (rows.start * self.stride + index).wrapping_sub(self.padding);
                if from >= height {
                    copy.fill(Lanes::ZERO);
                    continue;
                }
                copy[..self.padding].fill(Lanes::ZERO);
                copy[self.padding..self.padding + width].copy_from_slice(&input[from * width..][..width]);
                copy[self.padding + width..].fill(Lanes::ZERO);
            }
        }
    }
}

impl std::fmt::Display for Direct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{0}×{0}/{1}, {2} to {3}",
            self.kernel, self.stride, self.ends.input_map, self.ends.output_map
        )
    }
}
