//! Weights in the order in which the micro-kernels read them.

use std::ops::Range;

use crate::layout::{LANES, Lanes, part};
use crate::network::Convolution;

/// The weights of a convolution, all in one piece in the order in which they are read.
#[derive(Debug)]
pub(crate) struct Filters {
    pub(crate) groups: Vec<OutputGroup>,
    /// Values of each chunk of input.
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
    /// From the first input of a pixel to each chunk of values that it reads.
    offsets: Vec<usize>,
    weights: Range<usize>,
}

/// What a micro-kernel needs of one group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filter<'a> {
    pub(crate) first_block: usize,
    pub(crate) blocks: usize,
    pub(crate) offsets: &'a [usize],
    pub(crate) depth: usize,
    /// `[offsets.len()][depth][blocks]`.
    pub(crate) weights: &'a [Lanes],
    /// `[blocks]`; none to add nothing.
    pub(crate) bias: Option<&'a [Lanes]>,
}

impl Filters {
    /// Bytes of the weights.
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

    /// The filter of the `index`-th of `products` products of one group, whose results
    /// lie by themselves.
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

/// How what the windows see lies in memory, in values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    /// From one block of channels to the next.
    pub(crate) block: usize,
    /// From one row to the next.
    pub(crate) row: usize,
}

/// Values that lie together in the input, and which weights they meet.
struct Chunk {
    offset: usize,
    /// Input channel, row and column of the kernel.
    taps: Vec<[usize; 3]>,
}

/// Packs a convolution over blocks of 16 channels.
pub(crate) fn pack(convolution: &Convolution, source: Source, most_blocks: usize) -> Filters {
    let [rows, columns] = convolution.kernel;
    let inputs = convolution.in_channels_per_group * convolution.groups;
    let depth = inputs.min(LANES);
    // Blocks of a grouped convolution see different inputs.
    let most_blocks = if convolution.groups == 1 { most_blocks } else { 1 };
    group(convolution, most_blocks, depth, |outputs| {
        let seen = inputs_of(convolution, outputs);
        let places = (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x)));
        (seen.start / LANES..seen.end.div_ceil(LANES))
            .flat_map(|block| places.clone().map(move |(y, x)| (block, y, x)))
            .map(|(block, y, x)| Chunk {
                offset: block * source.block + y * source.row + x * LANES,
                taps: (0..depth).map(|lane| [block * LANES + lane, y, x]).collect(),
            })
            .collect()
    })
}

/// Packs a convolution over single channels, whose rows lie one after the other.
pub(crate) fn pack_planar(convolution: &Convolution, source: Source, most_blocks: usize) -> Filters {
    let [rows, columns] = convolution.kernel;
    group(convolution, most_blocks, columns, |_| {
        (0..convolution.in_channels_per_group)
            .flat_map(|channel| (0..rows).map(move |y| (channel, y)))
            .map(|(channel, y)| Chunk {
                offset: channel * source.block + y * source.row,
                taps: (0..columns).map(|x| [channel, y, x]).collect(),
            })
            .collect()
    })
}

/// Packs products of `inputs` channels, whose blocks lie `source.block` apart: `weight`
/// says what they are, given the product, the output and the input.
pub(crate) fn pack_products(
    convolution: &Convolution,
    source: Source,
    most_blocks: usize,
    products: usize,
    weight: impl Fn(usize, usize, usize) -> f32,
) -> Filters {
    let blocks = convolution.in_channels_per_group.div_ceil(LANES);
    let offsets: Vec<usize> = (0..blocks).map(|block| block * source.block).collect();
    let mut filters = Filters::new(convolution, LANES);
    filters.fill(convolution, most_blocks, |outputs, weights| {
        let inputs = (0..products).flat_map(|product| (0..blocks * LANES).map(move |input| (product, input)));
        for (product, input) in inputs {
            weights.extend(lanes(&outputs, |output| {
                let there = output < convolution.out_channels && input < convolution.in_channels_per_group;
                if there { weight(product, output, input) } else { 0.0 }
            }));
        }
        offsets.clone()
    });
    filters
}

fn group(
    convolution: &Convolution,
    most_blocks: usize,
    depth: usize,
    chunks: impl Fn(Range<usize>) -> Vec<Chunk>,
) -> Filters {
    let mut filters = Filters::new(convolution, depth);
    filters.fill(convolution, most_blocks, |outputs, weights| {
        let chunks = chunks(outputs.start..outputs.end.min(convolution.out_channels));
        for tap in chunks.iter().flat_map(|chunk| &chunk.taps) {
            weights.extend(lanes(&outputs, |output| weight(convolution, output, *tap)));
        }
        chunks.iter().map(|chunk| chunk.offset).collect()
    });
    filters
}

impl Filters {
    /// Biases without weights.
    fn new(convolution: &Convolution, depth: usize) -> Self {
        let outputs = 0..convolution.out_channels.next_multiple_of(LANES);
        let value = |output: usize| convolution.bias.get(output).copied().unwrap_or(0.0);
        let bias = lanes(&outputs, value).collect();
        Self { groups: Vec::new(), depth, weights: Vec::new(), bias }
    }

    /// Packs group after group: `pack` adds the weights of some outputs, whole blocks
    /// of them, and gives back the offsets.
    fn fill(
        &mut self,
        convolution: &Convolution,
        most_blocks: usize,
        pack: impl Fn(Range<usize>, &mut Vec<Lanes>) -> Vec<usize>,
    ) {
        let total = convolution.out_channels.div_ceil(LANES);
        for first_block in (0..total).step_by(most_blocks) {
            let blocks = most_blocks.min(total - first_block);
            let begin = self.weights.len();
            let outputs = first_block * LANES..(first_block + blocks) * LANES;
            let offsets = pack(outputs, &mut self.weights);
            self.groups.push(OutputGroup {
                first_block,
                blocks,
                offsets,
                weights: begin..self.weights.len(),
            });
        }
    }
}

/// What `value` says of some outputs, a block at a time.
fn lanes(outputs: &Range<usize>, value: impl Fn(usize) -> f32) -> impl Iterator<Item = Lanes> {
    outputs.clone().step_by(LANES).map(move |first| Lanes(std::array::from_fn(|lane| value(first + lane))))
}

/// Input channels that some outputs see.
fn inputs_of(convolution: &Convolution, outputs: Range<usize>) -> Range<usize> {
    let outputs_per_group = convolution.out_channels / convolution.groups;
    let per_group = convolution.in_channels_per_group;
    outputs.start / outputs_per_group * per_group..((outputs.end - 1) / outputs_per_group + 1) * per_group
}

/// One weight; zero where the output does not see the input, or is not there.
fn weight(convolution: &Convolution, output: usize, [input, y, x]: [usize; 3]) -> f32 {
    if output >= convolution.out_channels {
        return 0.0;
    }
    let seen = inputs_of(convolution, output..output + 1);
    if !seen.contains(&input) {
        return 0.0;
    }
    let [rows, columns] = convolution.kernel;
    let per_group = convolution.in_channels_per_group;
    convolution.weight[((output * per_group + input - seen.start) * rows + y) * columns + x]
}
