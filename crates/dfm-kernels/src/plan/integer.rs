//! A network laid out in whole numbers.

use super::{ActivationRanges, Placed, Plan, Taps};
use crate::buffers::Buffers;
use crate::instructions::InstructionSet;
use crate::kernels::{
    ACTIVATION, IntegerConvolution, IntegerEnds, IntegerKernels, IntegerStem, PICTURE, Residual, Step, Values,
};
use crate::layout::Map;
use crate::network::{Block, Convolution, KernelError, Network, wrong};

impl Plan {
    /// Lays out `network` as [`new`](Self::new) does, to be computed in eight bits (the
    /// stem in 16) whose steps are such that `ranges` fit. The result is the same on
    /// every instruction set.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new); if the ranges are not this network's, or a sum has
    /// more products than 32 bits hold.
    pub fn int8(
        network: &Network,
        size: [usize; 2],
        instructions: InstructionSet,
        ranges: &ActivationRanges,
    ) -> Result<Self, KernelError> {
        network.check()?;
        ranges.check(network)?;
        // What the stem gives is rounded.
        if network.taps[0].blocks == 0 {
            return Err(wrong("taps[0]", "blocks", "1 or more in int8", 0));
        }
        for (index, (name, convolution)) in network.convolutions().into_iter().enumerate() {
            let limit = if index == 0 { IntegerStem::MOST_TAPS } else { IntegerConvolution::MOST_TAPS };
            let got = convolution.taps();
            if got > limit {
                return Err(KernelError::TooManyTaps { convolution: name, limit, got });
            }
        }
        let too_small = || KernelError::TooSmall { height: size[0], width: size[1] };
        if size.contains(&0) {
            return Err(too_small());
        }
        let mut layout = Layout {
            kernels: IntegerKernels::of(instructions),
            buffers: Buffers::default(),
            steps: Vec::new(),
            outputs: ranges.outputs.iter(),
        };
        let mut input = layout.stem(network, size, step(ranges.input, PICTURE)).ok_or_else(too_small)?;
        let mut taps = Taps::of(network);
        for (index, block) in network.blocks.iter().enumerate() {
            // What a tap takes is not rounded once more; what goes on is, as without the tap.
            let taken = taps.next_after(index + 1).then_some(Values::Floats);
            let goes_on = (index + 1 < network.blocks.len()).then_some(Values::Bytes);
            let wanted: Vec<Values> = taken.into_iter().chain(goes_on).collect();
            for result in layout.block(block, &input, &wanted) {
                match result.values {
                    Values::Floats => {
                        layout.steps.extend(taps.after(index + 1, &result.placed));
                        layout.buffers.give(result.placed.at);
                    }
                    Values::Bytes => input = result,
                }
            }
        }
        Self::assemble(network, size, layout.steps, &layout.buffers).ok_or_else(too_small)
    }
}

impl Values {
    /// What one step of values up to `range` is: one where they are not rounded.
    fn step(self, range: f32) -> f32 {
        match self {
            Self::Bytes => step(range, ACTIVATION),
            Self::Floats => 1.0,
        }
    }
}

/// What one of `count` steps up to `range` is; not so small that its inverse overflows.
fn step(range: f32, count: f32) -> f32 {
    (range / count).max(f32::MIN_POSITIVE)
}

/// A feature map, what it holds, and what one of its steps is.
#[derive(Debug, Clone)]
struct Scaled {
    placed: Placed,
    values: Values,
    step: f32,
}

/// A plan in the making.
struct Layout<'a> {
    kernels: IntegerKernels,
    buffers: Buffers,
    steps: Vec<Step>,
    /// Ranges of the convolutions to come.
    outputs: std::slice::Iter<'a, f32>,
}

impl Layout<'_> {
    /// The range of the next convolution's output.
    fn next_range(&mut self) -> f32 {
        self.outputs.next().copied().unwrap_or(0.0)
    }

    /// The stem's step; `None` if pictures of this size leave nothing.
    fn stem(&mut self, network: &Network, size: [usize; 2], input_step: f32) -> Option<Scaled> {
        let [height, width] = size.map(|side| side.div_ceil(2));
        let convolved = Map { channels: network.stem.out_channels, height, width };
        let map = network.pool.output(convolved)?;
        let (values, step) = (Values::Bytes, Values::Bytes.step(self.next_range()));
        let at = self.buffers.take(values.len(map));
        let (place, steps) = ((at.clone(), map), [input_step, step]);
        let stem = IntegerStem::new(&network.stem, network.pool, self.kernels, size, convolved, place, steps);
        self.steps.push(Step::IntegerStem(stem));
        Some(Scaled { placed: Placed { at, map }, values, step })
    }

    /// The steps of a block, and its result in each of the `wanted` kinds of values, for which
    /// its last convolution is computed anew.
    fn block(&mut self, block: &Block, input: &Scaled, wanted: &[Values]) -> Vec<Scaled> {
        // A projection has values below zero too: it is not rounded.
        let shortcut = match &block.projection {
            Some(projection) => {
                let range = self.next_range();
                self.convolution(projection, input, (Values::Floats, range), None)
            }
            None => input.clone(),
        };
        // There are two convolutions and more, so that what the last reads is no shortcut.
        let Some((last, inner)) = block.branch.split_last() else { return Vec::new() };
        let mut value = input.clone();
        for convolution in inner {
            let range = self.next_range();
            let next = self.convolution(convolution, &value, (Values::Bytes, range), None);
            if value.placed.at != shortcut.placed.at {
                self.buffers.give(value.placed.at);
            }
            value = next;
        }
        let range = self.next_range();
        // What takes the shortcut's place is the last to read it.
        let mut wanted = wanted.to_vec();
        wanted.sort_by_key(|values| *values == shortcut.values);
        let result = |values| self.convolution(last, &value, (values, range), Some(&shortcut));
        let results: Vec<Scaled> = wanted.into_iter().map(result).collect();
        self.buffers.give(value.placed.at);
        if results.iter().all(|result| result.placed.at != shortcut.placed.at) {
            self.buffers.give(shortcut.placed.at);
        }
        results
    }

    /// The step of a convolution with results in some kind of values, as bytes up to a range;
    /// to which `shortcut` is added if there is one: where that lies if it holds such values.
    /// All but projections have a ReLU.
    fn convolution(
        &mut self,
        convolution: &Convolution,
        input: &Scaled,
        (values, range): (Values, f32),
        shortcut: Option<&Scaled>,
    ) -> Scaled {
        let Placed { at, map } = &input.placed;
        let side = |side: usize| side.div_ceil(convolution.stride);
        let output_map =
            Map { channels: convolution.out_channels, height: side(map.height), width: side(map.width) };
        let step = values.step(range);
        let output = match shortcut.filter(|shortcut| shortcut.values == values) {
            Some(shortcut) => shortcut.placed.at.clone(),
            None => self.buffers.take(values.len(output_map)),
        };
        let residual = shortcut.map(|shortcut| Residual {
            at: shortcut.placed.at.clone(),
            values: shortcut.values,
            factor: shortcut.step / step,
        });
        let ends = IntegerEnds {
            input: at.clone(),
            input_map: *map,
            output: output.clone(),
            output_map,
            values,
            relu: shortcut.is_some(),
            residual,
            steps: [input.step, step],
        };
        self.steps.push(Step::Integer(IntegerConvolution::new(convolution, self.kernels, ends)));
        Scaled { placed: Placed { at: output, map: output_map }, values, step }
    }
}
