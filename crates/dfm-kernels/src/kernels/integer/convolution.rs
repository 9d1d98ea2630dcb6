//! A convolution in whole numbers, tap by tap.

use std::ops::Range;

use super::ends::IntegerEnds;
use super::set::IntegerKernels;
use super::sweep::{Rows, sweep};
use super::values::{ACTIVATION, PIXELS, Values, pixels, pixels_mut};
use super::weights::{Weights, Width};
use crate::convolution::Convolution;
use crate::filters;
use crate::kernels::sliding::Sliding;
use crate::kernels::work::{Work, Worker};
use crate::layout::{Division, LANES};
use crate::window::Window;

/// The largest magnitude of a weight; see the [module](super).
pub(super) const WEIGHT: f32 = 64.0;

/// Pixels of input that meet all weights before the next ones do, so that they stay in the
/// second-level cache: 256 KiB.
pub(super) const SPAN: usize = 16 << 10;

/// A convolution, and where its input and output lie.
#[derive(Debug)]
pub(crate) struct IntegerConvolution {
    kernels: IntegerKernels,
    weights: Weights,
    ends: IntegerEnds,
    sliding: Sliding,
    pub(crate) multiply_adds: u64,
}

impl IntegerConvolution {
    /// The most products of a sum: more could overflow it.
    pub(crate) const MOST_TAPS: usize = (i32::MAX as usize) / (ACTIVATION * WEIGHT) as usize;

    /// The step of `convolution` between `ends`.
    ///
    /// # Panics
    ///
    /// If a map does not fit its part, or a sum may overflow.
    pub(crate) fn new(convolution: &Convolution, kernels: IntegerKernels, ends: IntegerEnds) -> Self {
        let (input_map, output_map) = (ends.input_map, ends.output_map);
        ends.check(Values::Bytes);
        assert!(convolution.weight.len() / convolution.out_channels <= Self::MOST_TAPS);
        let sliding = Sliding::new(Window::of(convolution), input_map, output_map, SPAN);
        let weights =
            Weights::new(convolution, (Width::Byte, kernels.order), WEIGHT, ends.steps, |rounded| {
                filters::pack(rounded, sliding.source(), kernels.blocks())
            });
        let multiply_adds = convolution.multiply_adds(output_map.pixels());
        Self { kernels, weights, ends, sliding, multiply_adds }
    }

    /// The part of the arena that is written.
    pub(crate) fn output(&self) -> Range<usize> {
        self.ends.writes()
    }

    /// The parts of the arena that are read.
    pub(crate) fn inputs(&self) -> Vec<Range<usize>> {
        self.ends.reads()
    }

    /// [`Lanes`](crate::layout::Lanes) of scratch memory.
    pub(crate) fn scratch_len(&self) -> usize {
        self.sliding.scratch_len().div_ceil(PIXELS)
    }

    /// How threads share the step.
    pub(crate) fn division(&self, threads: usize) -> Division {
        self.sliding.division(threads, self.kernels.pixels(), self.weights.groups.len())
    }

    /// Computes one item: some pixels or rows of some groups of output channels.
    ///
    /// # Safety
    ///
    /// That of [`Step::run`](crate::kernels::step::Step::run).
    pub(crate) unsafe fn run(&self, work: &Work<'_>, worker: &mut Worker, item: usize) {
        let sliding = &self.sliding;
        let (units, groups) =
            self.division(work.threads).item(item, sliding.units(), self.weights.groups.len());
        // SAFETY: the caller vouches that nobody writes the input.
        let input = pixels(unsafe { work.arena.slice(self.ends.input.clone()) });
        let (output, added) = (self.ends.first_output(work), self.ends.first_added(work));
        for units in sliding.spans(units, self.kernels.pixels()) {
            let [count, columns] = sliding.rows(&units);
            // Values of the output before these units, in one block.
            let before = units.start * sliding.per_unit() * LANES;
            let input = match sliding.before(units.start) {
                Some(before) => input.as_ptr().cast::<u8>().wrapping_add(before),
                None => {
                    let scratch = pixels_mut(&mut worker.scratch);
                    sliding.copy_between_zeros([0; LANES], input, units, scratch);
                    worker.kept = None;
                    worker.scratch.as_ptr().cast()
                }
            };
            let rows = Rows {
                count,
                columns,
                input,
                input_pitch: sliding.pitch(),
                step: sliding.step(),
                added: added.skip(before),
                output: output.skip(before),
                output_block: self.ends.output_map.pixels(),
            };
            // SAFETY: `filters::pack` has placed every tap of the first pixel inside a block of
            // the input or of the scratch memory. The taps of the other pixels lie up to
            // `stride · (rows − 1)` rows and as many columns further, which is still inside, since
            // a window keeps inside the padded input. 1×1 windows are single pixels of the input.
            // The outputs of these units and groups are those of this item, for whose writes the
            // caller vouches. The residual lies either there or where nobody writes.
            for group in groups.clone() {
                unsafe { sweep(&self.kernels, self.weights.filter(group), rows) };
            }
        }
    }
}

impl std::fmt::Display for IntegerConvolution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in int8, {} to {}", self.sliding, self.ends.input_map, self.ends.output_map)
    }
}
