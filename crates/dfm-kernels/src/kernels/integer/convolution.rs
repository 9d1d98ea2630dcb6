//! A convolution in whole numbers, tap by tap.

use std::ops::Range;

use super::sweep::{Rows, sweep};
use super::tile::{Added, Output};
use super::weights::{Weights, Width};
use super::{IntegerKernels, PIXELS, Values, pixels, pixels_mut};
use crate::filters;
use crate::kernels::sliding::Sliding;
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
    sliding: Sliding,
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
        let sliding = Sliding::new(convolution, input_map, output_map, SPAN);
        let weights =
            Weights::new(convolution, (Width::Byte, kernels.order), WEIGHT, ends.steps, |rounded| {
                filters::pack(rounded, sliding.source(), kernels.blocks())
            });
        let multiply_adds = convolution.multiply_adds(output_map.pixels());
        Self { kernels, weights, ends, sliding, multiply_adds }
    }

    pub(crate) fn scratch_len(&self) -> usize {
        self.sliding.scratch_len().div_ceil(PIXELS)
    }

    pub(crate) fn division(&self, threads: usize) -> Division {
        self.sliding.division(threads, self.kernels.pixels(), self.weights.groups.len())
    }

    pub(crate) fn run(&self, work: &Work<'_>, worker: &mut Worker, item: usize) {
        let sliding = &self.sliding;
        let (units, groups) =
            self.division(work.threads).item(item, sliding.units(), self.weights.groups.len());
        // SAFETY: no step writes its own input.
        let input = pixels(unsafe { work.arena.slice(self.ends.input.clone()) });
        let (output, added) = (self.output(work), self.added(work));
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
}

impl std::fmt::Display for IntegerConvolution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in int8, {} to {}", self.sliding, self.ends.input_map, self.ends.output_map)
    }
}
