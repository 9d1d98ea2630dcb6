//! The first convolution and the maximum behind it, in one pass, so that the rows of the
//! convolution that a row of maxima sees stay in the cache.

use std::ops::Range;

use super::maximum::{Windows, window};
use super::picture::PictureRows;
use super::set::Kernels;
use super::shared::flat_mut;
use super::sweep::{Rows, sweep};
use super::tile::PixelStep;
use super::work::{Work, Worker};
use crate::activation::Activation;
use crate::convolution::Convolution;
use crate::filters::{self, Filters, Source};
use crate::layout::{Division, LANES, Lanes, Map};
use crate::pool::MaxPool;

/// The rows of maxima for which the picture is copied between zeros at once.
pub(super) const BAND: usize = 16;

/// The rows of the convolution that are kept: those under one window.
pub(super) const KEPT: usize = 3;

/// The most rows of the picture that a band of maxima sees.
pub(super) fn band_rows(kernel: usize) -> usize {
    2 * (2 * BAND) + kernel
}

/// The stem, and where its output lies.
#[derive(Debug)]
pub(crate) struct Stem {
    kernels: Kernels,
    filters: Filters,
    /// Channels, height and width.
    picture: [usize; 3],
    kernel: usize,
    padding: usize,
    /// Rows of the picture that a band of maxima sees.
    band_rows: usize,
    /// The map that the convolution gives.
    convolved: Map,
    pool: MaxPool,
    output: Range<usize>,
    output_map: Map,
    pub(super) multiply_adds: u64,
}

impl Stem {
    /// The step for pictures of `size` (height, width), from which `stem` makes `convolved` and `pool`
    /// makes `output_map`. The result goes to `output`, a part of the arena. The stride of `stem`
    /// must be two.
    pub(crate) fn new(
        stem: &Convolution,
        pool: MaxPool,
        kernels: Kernels,
        size: [usize; 2],
        convolved: Map,
        (output, output_map): (Range<usize>, Map),
    ) -> Self {
        assert!(stem.stride == 2 && stem.groups == 1 && output.len() >= output_map.len());
        let padded_width = size[1] + 2 * stem.padding;
        let source = Source::plain(band_rows(stem.kernel[0]) * padded_width, padded_width);
        Self {
            kernels,
            filters: filters::pack_planar(stem, source, kernels.blocks()),
            picture: [stem.in_channels_per_group, size[0], size[1]],
            kernel: stem.kernel[0],
            padding: stem.padding,
            band_rows: band_rows(stem.kernel[0]),
            convolved,
            pool,
            output,
            output_map,
            multiply_adds: stem.multiply_adds(convolved.pixels()),
        }
    }

    /// The part of the arena that is written.
    pub(super) fn output(&self) -> Range<usize> {
        self.output.start..self.output.start + self.output_map.len()
    }

    /// [`Lanes`] of scratch memory: a copy of the rows that a band sees, then the rows of the
    /// convolution that are kept.
    pub(crate) fn scratch_len(&self) -> usize {
        self.copy_len() + KEPT * self.convolved.blocks() * self.convolved.width
    }

    /// How threads share the step.
    pub(crate) fn division(&self, threads: usize) -> Division {
        Division::by_pixels(threads, self.output_map.height, 4, 1)
    }

    /// As many rows of the picture as a band can need.
    fn rows(&self) -> PictureRows {
        let [channels, height, width] = self.picture;
        PictureRows {
            picture: Map { channels, height, width },
            before: [self.padding; 2],
            count: self.band_rows,
            width: width + 2 * self.padding,
        }
    }

    fn copy_len(&self) -> usize {
        self.rows().len().div_ceil(LANES)
    }

    /// Computes one item: some rows of maxima.
    ///
    /// # Safety
    ///
    /// That of [`Step::run`](super::step::Step::run).
    pub(super) unsafe fn run(&self, work: &Work<'_>, worker: &mut Worker, item: usize) {
        let (rows, _) = self.division(work.threads).item(item, self.output_map.height, 1);
        worker.kept = None;
        for begin in rows.clone().step_by(BAND) {
            // SAFETY: the caller's; these rows are some of the item's.
            unsafe { self.run_band(work, &mut worker.scratch, begin..(begin + BAND).min(rows.end)) };
        }
    }

    /// Computes some rows of maxima.
    ///
    /// # Safety
    ///
    /// Nobody else may read or write these rows of the output meanwhile.
    unsafe fn run_band(&self, work: &Work<'_>, scratch: &mut [Lanes], rows: Range<usize>) {
        let (copy, kept) = scratch.split_at_mut(self.copy_len());
        let windows = |row: usize| window(row, self.pool.before, self.convolved.height);
        let mut next = windows(rows.start).start;
        let first = next;
        self.rows().copy(work.picture, 2 * first, flat_mut(copy));
        for row in rows {
            let seen = windows(row);
            for convolved in next.max(seen.start)..seen.end {
                self.convolve(copy, convolved - first, convolved, kept);
            }
            next = seen.end;
            // SAFETY: the caller's.
            unsafe { self.maximum(work, kept, row, seen) };
        }
    }

    /// Computes row `row` of the convolution, whose windows begin at row `2 · index` of
    /// the copy.
    fn convolve(&self, copy: &[Lanes], index: usize, row: usize, kept: &mut [Lanes]) {
        let begin = 2 * index * self.rows().width;
        assert!(2 * index + self.kernel <= self.band_rows && copy.len() >= self.copy_len());
        let kept = &mut kept[row % KEPT * self.convolved.blocks() * self.convolved.width..];
        let kept = &mut kept[..self.convolved.blocks() * self.convolved.width];
        let rows = Rows {
            count: 1,
            columns: self.convolved.width,
            input: copy.as_ptr().cast::<f32>().wrapping_add(begin),
            input_pitch: 0,
            step: PixelStep::Picture,
            output: kept.as_mut_ptr(),
            output_block: self.convolved.width,
            add: false,
            activation: Activation::Relu,
        };
        // SAFETY: by the assertion, the rows that the windows of this row see are in the copy. The
        // last window ends in the last column of the padded picture, since there are half as many
        // windows as columns. The output is one row for every block.
        for group in 0..self.filters.groups.len() {
            unsafe { sweep(&self.kernels, self.filters.filter(group), rows) };
        }
    }

    /// Computes row `row` of the maxima from the rows `seen` of the convolution.
    ///
    /// # Safety
    ///
    /// Nobody else may read or write this row of the output meanwhile.
    unsafe fn maximum(&self, work: &Work<'_>, kept: &[Lanes], row: usize, seen: Range<usize>) {
        let width = self.convolved.width;
        for block in 0..self.convolved.blocks() {
            let mut inputs = [std::ptr::null(); KEPT];
            for (input, row) in inputs.iter_mut().zip(seen.clone()) {
                let begin = (row % KEPT * self.convolved.blocks() + block) * width;
                *input = kept[begin..begin + width].as_ptr().cast();
            }
            let begin = self.output.start + block * self.output_map.pixels() + row * self.output_map.width;
            let windows = Windows {
                inputs,
                rows: seen.len(),
                input_width: width,
                before: self.pool.before,
                output: work.arena.at(begin..begin + self.output_map.width).cast(),
                output_width: self.output_map.width,
            };
            // SAFETY: the slices above hold every row. The caller vouches for the output.
            unsafe { (self.kernels.maximum_row)(windows) };
        }
    }
}

impl std::fmt::Display for Stem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{0}×{0}/2 and maximum, {1} to {2}", self.kernel, self.picture[0], self.output_map)
    }
}
