//! Weights in whole numbers, in the order in which the micro-kernels read them.

use std::ops::Range;

use crate::convolution::Convolution;
use crate::filters::Filters;
use crate::layout::{LANES, Lanes};

/// The weights of 16 output channels on one line of the cache: four `i8` or two `i16` for each.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [i8; 4 * LANES]);

/// The order of the weights on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// All weights of one channel, then those of the next. Instructions that multiply and add
    /// neighbours read this order.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "no such instructions are used"))]
    ByChannel,
    /// The first weight of every channel, then the second of every channel.
    ByInput,
}

/// The number of bytes of a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// One byte: weights meet four inputs at a time.
    Byte,
    /// Two bytes: weights meet two inputs at a time.
    Word,
}

impl Width {
    /// The number of weights of one output channel on a line.
    const fn per_line(self) -> usize {
        match self {
            Self::Byte => 4,
            Self::Word => 2,
        }
    }

    /// The position on a line of the weight of a channel and an input, counted in weights.
    const fn position(self, order: Order, lane: usize, input: usize) -> usize {
        match order {
            Order::ByChannel => self.per_line() * lane + input,
            Order::ByInput => LANES * input + lane,
        }
    }

    /// The bytes of an input.
    const fn bytes(self) -> usize {
        4 / self.per_line()
    }
}

/// The weights of a convolution in one piece, in the order in which they are read.
#[derive(Debug)]
pub(super) struct Weights {
    pub(super) groups: Vec<Group>,
    depth: usize,
    lines: Vec<Line>,
    /// `[blocks]`.
    multipliers: Vec<Lanes>,
    /// `[blocks]`.
    bias: Vec<Lanes>,
}

/// One or two blocks of output channels that one micro-kernel computes.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) first_block: usize,
    pub(super) blocks: usize,
    /// From the first input of a pixel to each chunk that it reads, in bytes.
    offsets: Vec<usize>,
    lines: Range<usize>,
}

/// The weights of one group, as a micro-kernel reads them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filter<'a> {
    pub(super) first_block: usize,
    pub(super) blocks: usize,
    pub(super) offsets: &'a [usize],
    /// The number of lines for each chunk of input.
    pub(super) depth: usize,
    /// `[offsets.len()][depth][blocks]`.
    pub(super) lines: &'a [Line],
    /// `[blocks]`.
    pub(super) multipliers: &'a [Lanes],
    /// `[blocks]`.
    pub(super) bias: &'a [Lanes],
}

impl Filter<'_> {
    /// Checks the lengths that tiles of `depth` lines rely on.
    ///
    /// # Panics
    ///
    /// If one is wrong.
    pub(super) fn check(&self, depth: usize) {
        assert!(self.depth == depth && (1..=2).contains(&self.blocks) && !self.offsets.is_empty());
        assert!(self.lines.len() == self.offsets.len() * depth * self.blocks);
        assert!(self.multipliers.len() == self.blocks && self.bias.len() == self.blocks);
    }
}

impl Weights {
    /// Rounds the weights of `convolution` to whole numbers within ±`largest`, and lets `pack` put
    /// them in order. One step of a sum is `input_step` times the step of the output channel's
    /// weights, and one step of a result is `output_step`.
    pub(super) fn new(
        convolution: &Convolution,
        (width, order): (Width, Order),
        largest: f32,
        [input_step, output_step]: [f32; 2],
        pack: impl FnOnce(&Convolution) -> Filters,
    ) -> Self {
        let (rounded, weight_steps) = rounded(convolution, largest);
        let filters = pack(&rounded);
        let mut packed = Self {
            groups: Vec::new(),
            depth: 0,
            lines: Vec::new(),
            multipliers: blocks_of(
                weight_steps
                    .iter()
                    .map(|step| (f64::from(input_step) * f64::from(*step) / f64::from(output_step)) as f32),
            ),
            bias: blocks_of(
                convolution.bias.iter().map(|bias| (f64::from(*bias) / f64::from(output_step)) as f32),
            ),
        };
        for group in 0..filters.groups.len() {
            let filter = filters.filter(group);
            let begin = packed.lines.len();
            packed.depth = filter.depth.div_ceil(width.per_line());
            for chunk in filter.weights.chunks_exact(filter.depth * filter.blocks) {
                for taps in chunk.chunks(width.per_line() * filter.blocks) {
                    packed.lines.extend((0..filter.blocks).map(|block| {
                        let taps = taps.iter().skip(block).step_by(filter.blocks);
                        line(width, order, taps)
                    }));
                }
            }
            packed.groups.push(Group {
                first_block: filter.first_block,
                blocks: filter.blocks,
                offsets: filter.offsets.iter().map(|offset| offset * width.bytes()).collect(),
                lines: begin..packed.lines.len(),
            });
        }
        packed
    }

    /// The number of lines for each chunk of input.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// The filter of one group.
    pub(super) fn filter(&self, group: usize) -> Filter<'_> {
        let Group { first_block, blocks, offsets, lines } = &self.groups[group];
        let blocks_of = *first_block..first_block + blocks;
        Filter {
            first_block: *first_block,
            blocks: *blocks,
            offsets,
            depth: self.depth,
            lines: &self.lines[lines.clone()],
            multipliers: &self.multipliers[blocks_of.clone()],
            bias: &self.bias[blocks_of],
        }
    }
}

/// The same convolution with whole weights, and the size of one step for each output channel.
fn rounded(convolution: &Convolution, largest: f32) -> (Convolution, Vec<f32>) {
    let mut rounded = convolution.clone();
    let each = convolution.taps();
    let steps = rounded.weight.chunks_mut(each).map(|weights| {
        let most = weights.iter().fold(0.0_f32, |most, weight| most.max(weight.abs()));
        // The step is not so small that its inverse overflows.
        let step = (most / largest).max(f32::MIN_POSITIVE);
        for weight in weights {
            *weight = (*weight / step).round_ties_even().clamp(-largest, largest);
        }
        step
    });
    let steps = steps.collect();
    (rounded, steps)
}

/// A line of weights of 16 output channels, which `taps` gives input by input.
fn line<'a>(width: Width, order: Order, taps: impl Iterator<Item = &'a Lanes>) -> Line {
    let mut line = Line([0; 4 * LANES]);
    for (at, weights) in taps.enumerate() {
        for (lane, weight) in weights.0.iter().enumerate() {
            let position = width.position(order, lane, at);
            match width {
                Width::Byte => line.0[position] = *weight as i8,
                Width::Word => {
                    for (byte, value) in (*weight as i16).to_ne_bytes().into_iter().enumerate() {
                        line.0[2 * position + byte] = value as i8;
                    }
                }
            }
        }
    }
    line
}

/// One value for each channel, in blocks. The last block is filled up with zeros.
fn blocks_of(values: impl Iterator<Item = f32>) -> Vec<Lanes> {
    let values: Vec<f32> = values.collect();
    let block = |values: &[f32]| Lanes(std::array::from_fn(|lane| values.get(lane).copied().unwrap_or(0.0)));
    values.chunks(LANES).map(block).collect()
}
