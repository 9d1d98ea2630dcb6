//! A convolution in whole numbers, tap by tap.

use std::ops::Range;

use super::sweep::{Rows, sweep};
use super::tile::{Added, Output, PixelStep};
use super::weights::{Weights, Width};
use super::{IntegerKernels, PIXELS, Pixel, Values, pixels, pixels_mut};
use crate::filters::{self, Source};
use crate::kernels::{Work, Worker};
use crate::layout::{Division, LANES, Map};
use crate::network::Convolution;

/// Weights are within this, either way; see the [module](super).
const WEIGHT: f32 = 64.0;

/// [`Pixel`]s of input that are gone through with all weights before the next, so that
/// they stay in the second-level cache: 256 KiB.
const SPAN: usize = 16 << 10;

/// What a convolution lies between.
#[derive(Debug, Clone)]
pub(crate) struct IntegerEnds {
    /// Parts of the arena, as long as their maps take. The input holds bytes.
    pub(crate) input: Range<usize>,
    pub(crate) input_map: Map,
    pub(crate) output: Range<usize>,
    pub(crate) output_map: Map,
    /// What the output holds.
    pub(crate) values: Values,
    /// Whether negative sums become zero; in bytes they always do.
    pub(crate) relu: bool,
    /// What is added before.
    pub(crate) residual: Option<Residual>,
    /// What one step of the input and of the output is.
    pub(crate) steps: [f32; 2],
}

/// A map as large as the output; it may lie where the output goes if it holds the same
/// kind of values.
#[derive(Debug, Clone)]
pub(crate) struct Residual {
    pub(crate) at: Range<usize>,
    pub(crate) values: Values,
    /// What one of its steps is, in the output's.
    pub(crate) factor: f32,
}

/// A convolution, and where its input and output lie.
#[derive(Debug)]
pub(crate) struct IntegerConvolution {
    kernels: IntegerKernels,
    weights: Weights,
    ends: IntegerEnds,
    stride: usize,
    kernel: usize,
    padding: usize,
    /// Rows of output for which the input is copied between zeros at once; none for
    /// 1×1, which reads it where it lies.
    band: Option<usize>,
    pub(in crate::kernels) multiply_adds: u64,
}

impl IntegerConvolution {
    /// The most products to a sum: more could overflow it.
    pub(crate) const MOST_TAPS: usize = (i32::MAX as usize) / (super::ACTIVATION * WEIGHT) as usize;

    /// Of `convolution` between `ends`.
    ///
    /// # Panics
    ///
    /// If a map does not fit its part, or a sum may overflow.
    pub(crate) fn new(convolution: &Convolution, kernels: IntegerKernels, ends: IntegerEnds) -> Self {
        let (input_map, output_map) = (ends.input_map, ends.output_map);
        assert!(ends.input.len() >= Values::Bytes.len(input_map));
        assert!(ends.output.len() >= ends.values.len(output_map));
        let residual = ends.residual.as_ref();
        assert!(residual.is_none_or(|residual| residual.at.len() >= residual.values.len(output_map)));
        assert!(convolution.weight.len() / convolution.out_channels <= Self::MOST_TAPS);
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
        let weights =
            Weights::new(convolution, (Width::Byte, kernels.order), WEIGHT, ends.steps, |rounded| {
                filters::pack(rounded, source, kernels.blocks())
            });
        let multiply_adds = convolution.multiply_adds(output_map.pixels());
        Self { kernels, weights, ends, stride, kernel, padding, band, multiply_adds }
    }

    pub(crate) fn scratch_len(&self) -> usize {
        let pixels = |band| self.ends.input_map.blocks() * self.band_rows(band) * self.padded_width();
        self.band.map_or(0, pixels).div_ceil(PIXELS)
    }

    pub(crate) fn division(&self, threads: usize) -> Division {
        let fewest = if self.is_flat() { 2 * self.kernels.pixels() } else { 2 };
        Division::by_pixels(threads, self.units(), fewest, self.weights.groups.len())
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
        let (units, groups) = self.division(work.threads).item(item, self.units(), self.weights.groups.len());
        // Pixels that go with one unit; of fewer than four tiles the weights cost too much.
        let per_unit = if self.is_flat() { 1 } else { self.ends.output_map.width };
        let fewest = (4 * self.kernels.pixels()).div_ceil(per_unit);
        let fitting = SPAN / (self.ends.input_map.blocks() * per_unit);
        let span = self.band.unwrap_or(fitting.max(fewest));
        // SAFETY: no step writes its own input.
        let input = pixels(unsafe { work.arena.slice(self.ends.input.clone()) });
        let (output, added) = (self.output(work), self.added(work));
        for begin in units.clone().step_by(span) {
            let units = begin..(begin + span).min(units.end);
            // Values of the output before these units, in one block.
            let before = begin * per_unit * LANES;
            let mut rows = Rows {
                count: units.len(),
                columns: self.ends.output_map.width,
                input: input.as_ptr().cast(),
                input_pitch: self.stride * self.padded_width() * LANES,
                step: if self.stride == 1 { PixelStep::Next } else { PixelStep::Second },
                added: added.skip(before),
                output: output.skip(before),
                output_block: self.ends.output_map.pixels(),
            };
            if self.is_flat() {
                (rows.count, rows.columns) = (1, units.len());
                rows.input = rows.input.wrapping_add(before);
            } else if self.band.is_none() {
                rows.input = rows.input.wrapping_add(begin * rows.input_pitch);
            } else {
                let scratch = pixels_mut(&mut worker.scratch);
                self.copy_between_zeros(input, units, scratch);
                worker.kept = None;
                rows.input = worker.scratch.as_ptr().cast();
            }
            // SAFETY: `filters::pack` has placed every tap inside a block of the input
            // or of the scratch, for the first pixel; `stride · (rows − 1)` rows and as
            // many columns further they still are, since a window keeps inside the
            // padded input. 1×1 windows are single pixels of the input. The output of
            // these units and groups is this item's alone, and so is what is added if it
            // lies there; elsewhere nobody writes it.
            for group in groups.clone() {
                unsafe { sweep(&self.kernels, self.weights.filter(group), rows) };
            }
        }
    }

    /// The output's first pixel.
    fn output(&self, work: &Work<'_>) -> Output {
        let to = work.arena.at(self.ends.output.clone());
        match self.ends.values {
            Values::Bytes => Output::Bytes(to.cast()),
            Values::Floats => Output::Floats { to: to.cast(), relu: self.ends.relu },
        }
    }

    /// The residual's first pixel.
    fn added(&self, work: &Work<'_>) -> Added {
        let Some(residual) = &self.ends.residual else { return Added::Nothing };
        let from = work.arena.at(residual.at.clone()).cast_const();
        match residual.values {
            Values::Bytes => Added::Bytes { from: from.cast(), factor: residual.factor },
            Values::Floats => Added::Floats { from: from.cast(), factor: residual.factor },
        }
    }

    /// Copies the input of some rows of output, with the zeros around it.
    fn copy_between_zeros(&self, input: &[Pixel], rows: Range<usize>, scratch: &mut [Pixel]) {
        const ZERO: Pixel = [0; LANES];
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
                    copy.fill(ZERO);
                    continue;
                }
                copy[..self.padding].fill(ZERO);
                copy[self.padding..self.padding + width].copy_from_slice(&input[from * width..][..width]);
                copy[self.padding + width..].fill(ZERO);
            }
        }
    }
}

impl std::fmt::Display for IntegerConvolution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{0}×{0}/{1} in int8, {2} to {3}",
            self.kernel, self.stride, self.ends.input_map, self.ends.output_map
        )
    }
}
