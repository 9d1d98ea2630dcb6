//! The first convolution in whole numbers of 16 bits, which are finer than the pixels that were
//! recorded, and the maximum behind it in `u8`. Both are computed in one pass, so that the rows of
//! the convolution that a row of maxima sees stay in the cache.

use std::ops::Range;

use super::portable::round;
use super::set::IntegerKernels;
use super::sweep::{Rows, sweep};
use super::tile::{Added, Output};
use super::values::{PIXELS, Pixel, Values, pixels_mut, words_mut};
use super::weights::{Weights, Width};
use crate::convolution::Convolution;
use crate::filters::{self, Source};
use crate::kernels::maximum::window;
use crate::kernels::stem::{BAND, KEPT, band_rows};
use crate::kernels::tile::PixelStep;
use crate::kernels::work::{Work, Worker};
use crate::layout::{Division, LANES, Lanes, Map};
use crate::pool::MaxPool;

/// The largest value of the picture, in its steps.
pub(crate) const PICTURE: f32 = 4095.0;

/// The largest weight, unless a sum of so many products could overflow.
const WEIGHT: usize = 2047;

/// The stem, and where its output lies.
#[derive(Debug)]
pub(crate) struct IntegerStem {
    kernels: IntegerKernels,
    weights: Weights,
    /// The factor that turns a value of the picture into steps.
    inverse_step: f32,
    /// Channels, height and width.
    picture: [usize; 3],
    kernel: usize,
    padding: usize,
    /// The map that the convolution gives.
    convolved: Map,
    pool: MaxPool,
    output: Range<usize>,
    output_map: Map,
    /// The kind of bytes that the output holds.
    values: Values,
    pub(crate) multiply_adds: u64,
}

impl IntegerStem {
    /// The most products of a sum: with more, weights would be too coarse.
    pub(crate) const MOST_TAPS: usize = i32::MAX as usize / (PICTURE as usize * 127);

    /// The step for pictures of `size` (height, width), from which `stem` makes `convolved` and `pool`
    /// makes `output_map`. The result goes to `output`, a part of the arena. `steps` are the sizes of
    /// one step of the picture and of the output. The stride of `stem` must be two.
    ///
    /// # Panics
    ///
    /// If the map does not fit its part of the arena, or a sum may overflow.
    pub(crate) fn new(
        stem: &Convolution,
        pool: MaxPool,
        kernels: IntegerKernels,
        size: [usize; 2],
        convolved: Map,
        (output, output_map, values): (Range<usize>, Map, Values),
        steps: [f32; 2],
    ) -> Self {
        assert!(stem.stride == 2 && stem.groups == 1 && output.len() >= values.len(output_map));
        let taps = stem.weight.len() / stem.out_channels;
        assert!((1..=Self::MOST_TAPS).contains(&taps));
        let largest = WEIGHT.min(i32::MAX as usize / (PICTURE as usize * taps));
        let padded_width = padded_width(stem, size);
        let source = Source::plain(band_rows(stem.kernel[0]) * padded_width, padded_width);
        let weights = Weights::new(stem, (Width::Word, kernels.order), largest as f32, steps, |rounded| {
            filters::pack_planar(rounded, source, kernels.blocks())
        });
        Self {
            kernels,
            weights,
            inverse_step: 1.0 / steps[0],
            picture: [stem.in_channels_per_group, size[0], size[1]],
            kernel: stem.kernel[0],
            padding: stem.padding,
            convolved,
            pool,
            output,
            output_map,
            values,
            multiply_adds: stem.multiply_adds(convolved.pixels()),
        }
    }

    /// The part of the arena that is written.
    pub(crate) fn output(&self) -> Range<usize> {
        self.output.start..self.output.start + self.values.len(self.output_map)
    }

    /// [`Lanes`] of scratch memory: a copy of the rows that a band sees, then the rows of the
    /// convolution that are kept.
    pub(crate) fn scratch_len(&self) -> usize {
        self.copy_len() + (KEPT * self.kept_row()).div_ceil(PIXELS)
    }

    /// How threads share the step.
    pub(crate) fn division(&self, threads: usize) -> Division {
        Division::by_pixels(threads, self.output_map.height, 4, 1)
    }

    /// Columns of the copy: one more than the windows see, since weights go by twos.
    fn padded_width(&self) -> usize {
        self.picture[2] + 2 * self.padding + 1
    }

    fn copy_len(&self) -> usize {
        let words = self.picture[0] * band_rows(self.kernel) * self.padded_width();
        (words * size_of::<i16>()).div_ceil(size_of::<Lanes>())
    }

    /// Pixels of a row that is kept, with all its blocks.
    fn kept_row(&self) -> usize {
        self.convolved.blocks() * self.convolved.width
    }

    /// Computes one item: some rows of maxima.
    ///
    /// # Safety
    ///
    /// That of [`Step::run`](crate::kernels::step::Step::run).
    pub(crate) unsafe fn run(&self, work: &Work<'_>, worker: &mut Worker, item: usize) {
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
        let (copy, kept) = (words_mut(copy), pixels_mut(kept));
        let windows = |row: usize| window(row, self.pool.before, self.convolved.height);
        let mut next = windows(rows.start).start;
        let first = next;
        // As many rows as the last window sees.
        let seen = 2 * (windows(rows.end - 1).end - 1 - first) + self.kernel;
        self.copy_between_zeros(work.picture, first, seen, copy);
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
    fn convolve(&self, copy: &[i16], index: usize, row: usize, kept: &mut [Pixel]) {
        let rows = band_rows(self.kernel);
        assert!(2 * index + self.kernel <= rows);
        assert!(copy.len() >= self.picture[0] * rows * self.padded_width());
        let kept = &mut kept[row % KEPT * self.kept_row()..][..self.kept_row()];
        let rows = Rows {
            count: 1,
            columns: self.convolved.width,
            input: copy[2 * index * self.padded_width()..].as_ptr().cast(),
            input_pitch: 0,
            step: PixelStep::Picture,
            added: Added::Nothing,
            output: Output::Bytes(kept.as_mut_ptr().cast()),
            output_block: self.convolved.width,
        };
        // SAFETY: by the assertions, the rows that the windows of this row see are in the copy. The
        // last window, which is one column wider than the kernel, ends in the last column of the
        // copy, since there are half as many windows as columns. The output is one row for every
        // block.
        for group in 0..self.weights.groups.len() {
            unsafe { sweep(&self.kernels, self.weights.filter(group), rows) };
        }
    }

    /// Computes row `row` of the maxima from the rows `seen` of the convolution.
    ///
    /// # Safety
    ///
    /// Nobody else may read or write this row of the output meanwhile.
    unsafe fn maximum(&self, work: &Work<'_>, kept: &[Pixel], row: usize, seen: Range<usize>) {
        let (from, to) = (self.convolved.width, self.output_map.width);
        let output = work.arena.at(self.output.clone()).cast::<Pixel>();
        let together = self.values.together(self.output_map);
        for block in 0..self.convolved.blocks() {
            let first = self.values.piece(self.output_map, block, row * to);
            for x in 0..to {
                let columns = window(x, self.pool.before, from);
                let mut most = [0; LANES];
                for row in seen.clone() {
                    let row = &kept[row % KEPT * self.kept_row() + block * from..][..from];
                    for pixel in &row[columns.clone()] {
                        most = larger(most, *pixel);
                    }
                }
                // SAFETY: the map fits its part of the arena, and the caller vouches for this row.
                unsafe { output.wrapping_add(first + x * together).write(most) };
            }
        }
    }

    /// Copies `rows` rows of the picture, from the first that row `first` of the convolution sees, in
    /// steps and with zeros around them.
    fn copy_between_zeros(&self, picture: &[f32], first: usize, rows: usize, copy: &mut [i16]) {
        let [channels, height, width] = self.picture;
        let padded = self.padded_width();
        let per_channel = copy.chunks_exact_mut(band_rows(self.kernel) * padded);
        for (channel, copy) in per_channel.take(channels).enumerate() {
            for (row, copy) in copy.chunks_exact_mut(padded).take(rows).enumerate() {
                let from = (2 * first + row).wrapping_sub(self.padding);
                if from >= height {
                    copy.fill(0);
                    continue;
                }
                let row = &picture[(channel * height + from) * width..][..width];
                copy[..self.padding].fill(0);
                for (to, value) in copy[self.padding..].iter_mut().zip(row) {
                    let steps = value * self.inverse_step;
                    let steps = if steps > -PICTURE { steps } else { -PICTURE };
                    *to = round(if steps < PICTURE { steps } else { PICTURE }) as i16;
                }
                copy[self.padding + width..].fill(0);
            }
        }
    }
}

/// The larger of each two bytes.
#[cfg(target_arch = "x86_64")]
fn larger(a: Pixel, b: Pixel) -> Pixel {
    use std::arch::x86_64::{__m128i, _mm_max_epu8};
    // SAFETY: both types are any 16 bytes, and every such processor has SSE2.
    unsafe {
        let [a, b] = [a, b].map(|pixel| std::mem::transmute::<Pixel, __m128i>(pixel));
        std::mem::transmute::<__m128i, Pixel>(_mm_max_epu8(a, b))
    }
}

/// The larger of each two bytes.
#[cfg(not(target_arch = "x86_64"))]
fn larger(a: Pixel, b: Pixel) -> Pixel {
    std::array::from_fn(|lane| a[lane].max(b[lane]))
}

/// Columns of the copy of a picture of `size`; see [`IntegerStem::padded_width`].
fn padded_width(stem: &Convolution, size: [usize; 2]) -> usize {
    size[1] + 2 * stem.padding + 1
}

impl std::fmt::Display for IntegerStem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{0}×{0}/2 in int16 and maximum, {1} to {2}", self.kernel, self.picture[0], self.output_map)
    }
}
