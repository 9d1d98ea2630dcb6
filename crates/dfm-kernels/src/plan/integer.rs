//! A network laid out in whole numbers.

use super::placed::{Placed, TapsToCome};
use super::prepared::Plan;
use super::ranges::ActivationRanges;
use crate::buffers::Buffers;
use crate::error::{KernelError, check_size, wrong};
use crate::instructions::InstructionSet;
use crate::kernels::{
    ACTIVATION, IntegerConvolution, IntegerEnds, IntegerKernels, IntegerStem, PICTURE, Residual, Step, Values,
};
use crate::layout::Map;
use crate::network::{Block, Convolution, Network};

impl Plan {
    /// Lays out `network` as [`new`](Self::new) does, but to be computed in eight bits (the stem in
    /// 16). The steps of the whole numbers are chosen so that `ranges` fit. The result is the same
    /// on every instruction set.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new); if the ranges are not those of this network, or a sum has more
    /// products than 32 bits hold.
    pub fn int8(
        network: &Network,
        size: [usize; 2],
        instructions: InstructionSet,
        ranges: &ActivationRanges,
    ) -> Result<Self, KernelError> {
        network.check()?;
        ranges.check(network)?;
        // The values behind the stem are rounded, and features are not.
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
        check_size(size)?;
        let too_small = || KernelError::TooSmall { height: size[0], width: size[1] };
        let mut layout = Layout {
            kernels: IntegerKernels::of(instructions),
            buffers: Buffers::default(),
            steps: Vec::new(),
            outputs: ranges.outputs.iter(),
        };
        let mut input = layout.stem(network, size, step(ranges.input, PICTURE)).ok_or_else(too_small)?;
        let mut taps = TapsToCome::of(network);
        for (index, block) in network.blocks.iter().enumerate() {
            // The values that a tap takes are not rounded. The values that the next block reads are
            // rounded, as they would be without the tap.
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
    /// The size of one step of values up to `range`: one if they are not rounded.
    pub(super) fn step(self, range: f32) -> f32 {
        match self {
            Self::Bytes => step(range, ACTIVATION),
            Self::Floats => 1.0,
        }
    }
}

/// The size of one of `count` steps up to `range`. It is not so small that its inverse overflows.
pub(super) fn step(range: f32, count: f32) -> f32 {
    (range / count).max(f32::MIN_POSITIVE)
}

/// A feature map, the kind of its values, and the size of one of their steps.
#[derive(Debug, Clone)]
struct Scaled {
    placed: Placed,
    values: Values,
    step: f32,
}

/// A plan while it is made.
struct Layout<'a> {
    kernels: IntegerKernels,
    buffers: Buffers,
    steps: Vec<Step>,
    /// The ranges of the convolutions that are still to come.
    outputs: std::slice::Iter<'a, f32>,
}

impl Layout<'_> {
    /// The range of the next convolution's output.
    fn next_range(&mut self) -> f32 {
        *self.outputs.next().expect("checked ranges are as many as the convolutions")
    }

    /// Adds the step of the stem. `None` if pictures of this size leave nothing.
    fn stem(&mut self, network: &Network, size: [usize; 2], input_step: f32) -> Option<Scaled> {
        let [height, width] = size.map(|side| side.div_ceil(2));
        let convolved = Map { channels: network.stem.out_channels, height, width };
        let map = network.pool.output(convolved)?;
        let (values, step) = (Values::Bytes, Values::Bytes.step(self.next_range()));
        let at = self.buffers.take(values.len(map));
        let (to, steps) = ((at.clone(), map), [input_step, step]);
        let stem = IntegerStem::new(&network.stem, network.pool, self.kernels, size, convolved, to, steps);
        self.steps.push(Step::IntegerStem(stem));
        Some(Scaled { placed: Placed { at, map }, values, step })
    }

    /// Adds the steps of a block. The result is there in each of the `wanted` kinds of values; the
    /// last convolution is computed once for each.
    fn block(&mut self, block: &Block, input: &Scaled, wanted: &[Values]) -> Vec<Scaled> {
        // A projection also has values below zero, so it is not rounded.
        let shortcut = match &block.projection {
            Some(projection) => {
                let range = self.next_range();
                self.convolution(projection, input, (Values::Floats, range), None)
            }
            None => input.clone(),
        };
        // A checked block has two convolutions or more, so the last one does not read the shortcut.
        let (last, inner) = block.branch.split_last().expect("a checked block has convolutions");
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
        // The result that overwrites the shortcut is computed last, because the others read it, too.
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

    /// Adds the step of a convolution with results of the kind `values`, up to `range` if they are
    /// bytes. If there is a `shortcut`, it is added to the results, which overwrite it if it holds
    /// values of the same kind. Bytes always have a ReLU, floats only with a shortcut.
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
