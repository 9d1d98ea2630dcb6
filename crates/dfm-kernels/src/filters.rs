//! Weights in the order in which the micro-kernels read them.

use std::ops::Range;

use rayon::prelude::*;

use crate::convolution::Convolution;
use crate::layout::{LANES, Lanes, part};

/// The weights of a convolution in one piece, in the order in which they are read.
#[derive(Debug)]
pub(crate) struct Filters {
    pub(crate) groups: Vec<OutputGroup>,
    /// The number of values of each chunk of input.
    depth: usize,
    weights: Vec<Lanes>,
    /// `[blocks]`.
    bias: Vec<Lanes>,
}

/// One or two blocks of output channels that one micro-kernel computes.
#[derive(Debug)]
pub(crate) struct OutputGroup {
    pub(crate) first_block: usize,
    pub(crate) blocks: usize,
    /// From the first input of a pixel to each chunk that it reads, in values.
    offsets: Vec<usize>,
    weights: Range<usize>,
}

/// The weights of one group, as a micro-kernel reads them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filter<'a> {
    pub(crate) first_block: usize,
    pub(crate) blocks: usize,
    pub(crate) offsets: &'a [usize],
    pub(crate) depth: usize,
    /// `[offsets.len()][depth][blocks]`.
    pub(crate) weights: &'a [Lanes],
    /// `[blocks]`; `None` adds nothing.
    pub(crate) bias: Option<&'a [Lanes]>,
}

impl Filters {
    /// The number of bytes of the weights.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.weights.as_slice())
    }

    /// The filter of one group.
    pub(crate) fn filter(&self, group: usize) -> Filter<'_> {
        let OutputGroup { first_block, blocks, offsets, weights } = &self.groups[group];
        Filter {
            first_block: *first_block,
            blocks: *blocks,
            offsets,
            depth: self.depth,
            weights: &self.weights[weights.clone()],
            bias: Some(self.bias(group)),
        }
    }

    /// The filter of the `index`-th of `products` products of one group. The results of the product
    /// have an output of their own.
    pub(crate) fn product(&self, group: usize, index: usize, products: usize) -> Filter<'_> {
        let filter = self.filter(group);
        let weights = &filter.weights[part(index, products, filter.weights.len())];
        Filter { first_block: 0, weights, bias: None, ..filter }
    }

    /// The biases of one group.
    pub(crate) fn bias(&self, group: usize) -> &[Lanes] {
        let OutputGroup { first_block, blocks, .. } = self.groups[group];
        &self.bias[first_block..first_block + blocks]
    }
}

/// How the values that windows see lie in memory. Distances are in values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    /// From one block of channels to the next.
    pub(crate) block: usize,
    /// From one row to the next.
    pub(crate) row: usize,
    /// Rows and columns from one tap to the next.
    pub(crate) dilation: [usize; 2],
    /// The columns that are a multiple of `phases` apart lie together.
    pub(crate) phases: usize,
    /// From one such part of a row to the next.
    pub(crate) phase: usize,
}

impl Source {
    /// Values without rows, or whose rows and columns are taken one after the other.
    pub(crate) fn plain(block: usize, row: usize) -> Self {
        Self { block, row, dilation: [1; 2], phases: 1, phase: 0 }
    }

    /// Where the 16 values of a block lie that a tap reads.
    fn at(&self, block: usize, [y, x]: [usize; 2]) -> usize {
        let [rows, columns] = [y * self.dilation[0], x * self.dilation[1]];
        let column = columns % self.phases * self.phase + columns / self.phases * LANES;
        block * self.block + rows * self.row + column
    }
}

/// Values that lie together in the input, and the weights that they meet.
struct Chunk {
    offset: usize,
    /// For each value: input channel, row and column of the kernel.
    taps: Vec<[usize; 3]>,
}

/// Packs a convolution over blocks of 16 channels.
pub(crate) fn pack(convolution: &Convolution, source: Source, most_blocks: usize) -> Filters {
    let [rows, columns] = convolution.kernel;
    let inputs = convolution.in_channels_per_group * convolution.groups;
    let depth = inputs.min(LANES);
    // Blocks of a grouped convolution see different inputs.
    let most_blocks = if convolution.groups == 1 { most_blocks } else { 1 };
    pack_chunks(convolution, most_blocks, depth, |outputs| {
        let seen = inputs_of(convolution, outputs);
        let cells = (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x)));
        (seen.start / LANES..seen.end.div_ceil(LANES))
            .flat_map(|block| cells.clone().map(move |(y, x)| (block, y, x)))
            .map(|(block, y, x)| Chunk {
                offset: source.at(block, [y, x]),
                taps: (0..depth).map(|lane| [block * LANES + lane, y, x]).collect(),
            })
            .collect()
    })
}

/// Packs a convolution of one group over pixels of up to `pixel` channels that lie together. Neighbouring
/// pixels lie without gaps, so that a row of taps is read in chunks of `chunk` values, whole or not.
pub(crate) fn pack_rows(
    convolution: &Convolution,
    source: Source,
    pixel: usize,
    chunk: usize,
    most_blocks: usize,
) -> Filters {
    let [rows, columns] = convolution.kernel;
    let groups = convolution.in_channels_per_group.div_ceil(pixel);
    pack_chunks(convolution, most_blocks, chunk, |_| {
        (0..groups)
            .flat_map(|group| (0..rows).map(move |y| (group, y)))
            .flat_map(|(group, y)| (0..columns * pixel).step_by(chunk).map(move |first| (group, y, first)))
            .map(|(group, y, first)| Chunk {
                offset: group * source.block + y * source.row + first,
                taps: (first..first + chunk).map(|at| [group * pixel + at % pixel, y, at / pixel]).collect(),
            })
            .collect()
    })
}

/// Packs a convolution over single channels, whose rows lie without gaps.
pub(crate) fn pack_planar(convolution: &Convolution, source: Source, most_blocks: usize) -> Filters {
    let [rows, columns] = convolution.kernel;
    pack_chunks(convolution, most_blocks, columns, |_| {
        (0..convolution.in_channels_per_group)
            .flat_map(|channel| (0..rows).map(move |y| (channel, y)))
            .map(|(channel, y)| Chunk {
                offset: channel * source.block + y * source.row,
                taps: (0..columns).map(|x| [channel, y, x]).collect(),
            })
            .collect()
    })
}

/// Packs products over the blocks of input channels, which lie `source.block` apart. `fill` is
/// given the first of 16 outputs and writes their weights: those of product `p` and input `i` to
/// `[p · inputs + i]`, where `inputs` is rounded up to whole blocks.
pub(crate) fn pack_products(
    convolution: &Convolution,
    source: Source,
    most_blocks: usize,
    products: usize,
    fill: impl Fn(usize, &mut dyn FnMut(usize, Lanes)) + Sync,
) -> Filters {
    let blocks = convolution.in_channels_per_group.div_ceil(LANES);
    let offsets: Vec<usize> = (0..blocks).map(|block| block * source.block).collect();
    let offsets = |_: Range<usize>| offsets.clone();
    Filters::new(convolution, LANES, products, most_blocks, offsets, |outputs, weights| {
        let wide = outputs.len() / LANES;
        for (block, first) in outputs.step_by(LANES).enumerate() {
            fill(first, &mut |at, lanes| weights[at * wide + block] = lanes);
        }
    })
}

fn pack_chunks(
    convolution: &Convolution,
    most_blocks: usize,
    depth: usize,
    chunks: impl Fn(Range<usize>) -> Vec<Chunk> + Sync,
) -> Filters {
    let chunks = |outputs: Range<usize>| chunks(outputs.start..outputs.end.min(convolution.out_channels));
    let offsets = |outputs| chunks(outputs).iter().map(|chunk| chunk.offset).collect();
    Filters::new(convolution, depth, 1, most_blocks, offsets, |outputs, weights| {
        let chunks = chunks(outputs.clone());
        let taps = chunks.iter().flat_map(|chunk| &chunk.taps);
        for (weights, tap) in weights.chunks_exact_mut(outputs.len() / LANES).zip(taps) {
            for (weights, first) in weights.iter_mut().zip(outputs.clone().step_by(LANES)) {
                *weights = weights_of(convolution, first, *tap);
            }
        }
    })
}

impl Filters {
    /// Packs every group of outputs, which has whole blocks. `offsets` says what the outputs read, and
    /// `pack` writes their weights over zeros.
    fn new(
        convolution: &Convolution,
        depth: usize,
        products: usize,
        most_blocks: usize,
        offsets: impl Fn(Range<usize>) -> Vec<usize>,
        pack: impl Fn(Range<usize>, &mut [Lanes]) + Sync,
    ) -> Self {
        let total = convolution.out_channels.div_ceil(LANES);
        let mut groups: Vec<OutputGroup> = Vec::new();
        for first_block in (0..total).step_by(most_blocks) {
            let mut group = OutputGroup {
                first_block,
                blocks: most_blocks.min(total - first_block),
                offsets: Vec::new(),
                weights: 0..0,
            };
            group.offsets = offsets(group.outputs());
            let begin = groups.last().map_or(0, |group| group.weights.end);
            group.weights = begin..begin + products * group.offsets.len() * depth * group.blocks;
            groups.push(group);
        }
        let mut weights = vec![Lanes::ZERO; groups.last().map_or(0, |group| group.weights.end)];
        let mut rest = weights.as_mut_slice();
        let mut parts = Vec::new();
        for group in &groups {
            let (part, others) = rest.split_at_mut(group.weights.len());
            parts.push((group.outputs(), part));
            rest = others;
        }
        parts.into_par_iter().for_each(|(outputs, weights)| pack(outputs, weights));
        let bias = |output: usize| convolution.bias.get(output).copied().unwrap_or(0.0);
        let bias = |block: usize| Lanes(std::array::from_fn(|lane| bias(block * LANES + lane)));
        Self { groups, depth, weights, bias: (0..total).map(bias).collect() }
    }
}

impl OutputGroup {
    fn outputs(&self) -> Range<usize> {
        self.first_block * LANES..(self.first_block + self.blocks) * LANES
    }
}

/// The input channels that some outputs see.
fn inputs_of(convolution: &Convolution, outputs: Range<usize>) -> Range<usize> {
    let outputs_per_group = convolution.out_channels / convolution.groups;
    let per_group = convolution.in_channels_per_group;
    outputs.start / outputs_per_group * per_group..((outputs.end - 1) / outputs_per_group + 1) * per_group
}

/// The weights of 16 outputs from `first` on. A weight is zero if the output does not see the
/// input, or is not there.
fn weights_of(convolution: &Convolution, first: usize, [input, y, x]: [usize; 3]) -> Lanes {
    let [rows, columns] = convolution.kernel;
    let per_group = convolution.in_channels_per_group;
    let each = per_group * rows * columns;
    let tap = y * columns + x;
    let outputs = first..(first + LANES).min(convolution.out_channels);
    let mut lanes = Lanes::ZERO;
    if convolution.groups == 1 {
        if input < per_group {
            let weights = convolution.weight[first * each + input * rows * columns + tap..].iter();
            lanes.0.iter_mut().zip(weights.step_by(each)).for_each(|(lane, weight)| *lane = *weight);
        }
        return lanes;
    }
    for (lane, output) in lanes.0.iter_mut().zip(outputs) {
        let seen = inputs_of(convolution, output..output + 1);
        if seen.contains(&input) {
            *lane = convolution.weight[output * each + (input - seen.start) * rows * columns + tap];
        }
    }
    lanes
}
