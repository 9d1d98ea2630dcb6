//! Attention: every token takes an average of all tokens' values, weighted by how well its query
//! meets their keys.
//!
//! The tokens of a head meet some hundred keys at a time. Their scores are a matrix product of the
//! micro-kernels of 1×1 convolutions, in which queries are pixels and keys are output channels. The
//! weights that the scores become lie as these micro-kernels read pixels, so that their product with
//! the values is of the same kind. The sums over earlier keys are brought down when a larger score
//! comes (Milakov and Gimelshein, *Online normalizer calculation for softmax*, 2018). Memory therefore
//! grows with the tokens, and not with their square.

use std::ops::Range;

use super::layer::Layer;
use super::softmax::Softmax;
use crate::activation::Activation;
use crate::filters::Filter;
use crate::kernels::set::Kernels;
use crate::kernels::sweep::{Rows, sweep};
use crate::kernels::tile::PixelStep;
use crate::kernels::work::{Work, Worker};
use crate::layout::{Division, LANES, Lanes, Placed};

/// Queries that meet the keys together: four tiles of the largest micro-kernel.
const QUERIES: usize = 56;

/// Blocks of keys that meet the queries together, so that their scores stay in the second-level cache.
/// A multiple of the blocks of any micro-kernel.
const KEY_BLOCKS: usize = 32;

/// Attention, and where its input and output lie.
#[derive(Debug)]
pub(crate) struct Attention {
    kernels: Kernels,
    heads: usize,
    /// Channels of a head.
    width: usize,
    /// Queries, keys and values, one behind the other.
    input: Placed,
    output: Placed,
}

impl Attention {
    /// The step from queries, keys and values (`3 · channels`, for every head one behind the other) to
    /// averages (`channels`). The pixels of the maps are tokens.
    ///
    /// # Panics
    ///
    /// If the maps do not fit each other, or `heads` does not divide the channels.
    pub(crate) fn new(heads: usize, kernels: Kernels, [input, output]: [Placed; 2]) -> Self {
        let channels = output.map.channels;
        assert!(input.map.channels == 3 * channels && input.map.pixels() == output.map.pixels());
        assert!(heads > 0 && channels.is_multiple_of(heads), "{heads} heads of {channels} channels");
        assert!(KEY_BLOCKS.is_multiple_of(kernels.blocks()));
        Self { kernels, heads, width: channels / heads, input, output }
    }

    fn tokens(&self) -> usize {
        self.input.map.pixels()
    }

    /// Blocks of a head's channels.
    fn blocks(&self) -> usize {
        self.width.div_ceil(LANES)
    }

    /// Blocks of keys.
    fn key_blocks(&self) -> usize {
        self.tokens().div_ceil(LANES)
    }

    /// [`Lanes`] of the keys of a head, and as many of its values.
    fn packed_len(&self) -> usize {
        self.key_blocks() * self.blocks() * LANES
    }

    /// How threads share the step.
    fn division(&self, threads: usize) -> Division {
        Division::by_groups(threads, self.tokens(), 2 * QUERIES, self.heads)
    }

    /// The first of the three maps' channels of one head: 0 for queries, 1 for keys, 2 for values.
    fn channel(&self, part: usize, head: usize) -> usize {
        part * self.output.map.channels + head * self.width
    }

    /// The value of a channel of the input.
    fn value(&self, input: &[Lanes], channel: usize, token: usize) -> f32 {
        input[channel / LANES * self.tokens() + token].0[channel % LANES]
    }

    /// Writes `[groups of keys][channels][keys]`: the keys of a head as the weights of output channels.
    fn pack_keys(&self, input: &[Lanes], head: usize, keys: &mut [Lanes]) {
        let (first, rows) = (self.channel(1, head), self.blocks() * LANES);
        keys.fill(Lanes::ZERO);
        let most = self.kernels.blocks();
        for key_block in 0..self.key_blocks() {
            let group = key_block / most * most;
            let blocks = most.min(self.key_blocks() - group);
            let keys = &mut keys[group * rows + key_block - group..];
            let tokens = key_block * LANES..((key_block + 1) * LANES).min(self.tokens());
            for block in 0..self.blocks() {
                self.copy(input, first, block, tokens.clone(), 1.0, |token, lanes| {
                    let channels = keys[block * LANES * blocks..].iter_mut().step_by(blocks);
                    channels.zip(lanes.0).for_each(|(keys, value)| keys.0[token] = value);
                });
            }
        }
    }

    /// Writes `[groups of channels][keys][channels]`: the values of a head as the weights of its keys.
    fn pack_values(&self, input: &[Lanes], head: usize, values: &mut [Lanes]) {
        let (first, keys) = (self.channel(2, head), self.key_blocks() * LANES);
        values.fill(Lanes::ZERO);
        let most = self.kernels.blocks();
        for block in 0..self.blocks() {
            let group = block / most * most;
            let blocks = most.min(self.blocks() - group);
            let begin = group * keys + block - group;
            self.copy(input, first, block, 0..self.tokens(), 1.0, |token, lanes| {
                values[begin + token * blocks] = lanes;
            });
        }
    }

    /// Gives `write` the channels of one block of a head, which begins at channel `first`, for some
    /// tokens. Channels beyond the head are zero.
    fn copy(
        &self,
        input: &[Lanes],
        first: usize,
        block: usize,
        tokens: Range<usize>,
        scale: f32,
        mut write: impl FnMut(usize, Lanes),
    ) {
        let channels = first + block * LANES..first + ((block + 1) * LANES).min(self.width);
        let begin = tokens.start;
        if channels.start.is_multiple_of(LANES) && channels.len() == LANES {
            for token in tokens {
                let lanes = input[channels.start / LANES * self.tokens() + token].0;
                write(token - begin, Lanes(lanes.map(|value| value * scale)));
            }
            return;
        }
        for token in tokens {
            let mut lanes = Lanes::ZERO;
            for (lane, channel) in lanes.0.iter_mut().zip(channels.clone()) {
                *lane = self.value(input, channel, token) * scale;
            }
            write(token - begin, lanes);
        }
    }

    /// Computes the averages of up to [`QUERIES`] tokens. Returns the sum of weights of each of them;
    /// `sums` are not yet divided by it.
    fn average(&self, queries: &[Lanes], packed: [&[Lanes]; 2], count: usize, parts: Parts<'_>) -> Totals {
        let [keys, values] = packed;
        let (blocks, most) = (self.blocks(), self.kernels.blocks());
        let rows = blocks * LANES;
        let offsets: [usize; KEY_BLOCKS] = std::array::from_fn(|block| block * QUERIES * LANES);
        let many: Vec<usize>;
        let query_offsets = match offsets.get(..blocks) {
            Some(offsets) => offsets,
            None => {
                many = (0..blocks).map(|block| block * QUERIES * LANES).collect();
                &many
            }
        };
        let Parts { scores, sums } = parts;
        assert!(count <= QUERIES && queries.len() >= blocks * QUERIES && sums.len() >= blocks * QUERIES);
        assert!(scores.len() >= KEY_BLOCKS * QUERIES && most <= KEY_BLOCKS);
        let (mut largest, mut totals) = ([0.0; QUERIES], [0.0; QUERIES]);
        let total = self.key_blocks();
        for begin in (0..total).step_by(KEY_BLOCKS) {
            let chunk = begin..(begin + KEY_BLOCKS).min(total);
            let product = |input: *const Lanes, output: *mut Lanes, add: bool| Rows {
                count: 1,
                columns: count,
                input: input.cast(),
                input_pitch: 0,
                step: PixelStep::Next,
                output,
                output_block: QUERIES,
                add,
                activation: Activation::Identity,
            };
            let to_scores = product(queries.as_ptr(), scores.as_mut_ptr(), false);
            for group in chunk.clone().step_by(most) {
                let wide = most.min(total - group);
                let filter = Filter {
                    first_block: group - begin,
                    blocks: wide,
                    offsets: query_offsets,
                    depth: LANES,
                    weights: &keys[group * rows..][..wide * rows],
                    bias: None,
                };
                // SAFETY: by the assertions, all blocks of these queries are in `queries`, and all
                // blocks of these keys in `scores`.
                unsafe { sweep(&self.kernels, filter, to_scores) };
            }
            let softmax = Softmax {
                scores: scores.as_mut_ptr().cast(),
                pitch: QUERIES * LANES,
                blocks: chunk.len(),
                in_last: LANES.min(self.tokens() - (chunk.end - 1) * LANES),
                queries: count,
                largest: largest.as_mut_ptr(),
                totals: totals.as_mut_ptr(),
                sums: sums.as_mut_ptr().cast(),
                sum_blocks: blocks,
                is_first: begin == 0,
            };
            // SAFETY: by the assertions, the queries of all blocks are in `scores` and `sums`, and there
            // are as many numbers of each kind.
            unsafe { self.kernels.run(softmax) };
            let to_sums = product(scores.as_ptr(), sums.as_mut_ptr(), begin > 0);
            for group in (0..blocks).step_by(most) {
                let wide = most.min(blocks - group);
                let first = (group * total + chunk.start * wide) * LANES;
                let filter = Filter {
                    first_block: group,
                    blocks: wide,
                    offsets: &offsets[..chunk.len()],
                    depth: LANES,
                    weights: &values[first..][..chunk.len() * LANES * wide],
                    bias: None,
                };
                // SAFETY: as above, with inputs in `scores` and outputs in `sums`.
                unsafe { sweep(&self.kernels, filter, to_sums) };
            }
        }
        totals
    }

    /// Writes the averages of one head for some tokens.
    ///
    /// # Safety
    ///
    /// Nobody else may access these tokens and channels of the output.
    unsafe fn write(
        &self,
        work: &Work<'_>,
        head: usize,
        tokens: Range<usize>,
        sums: &[Lanes],
        totals: &Totals,
    ) {
        let first = head * self.width;
        // The last head also fills the lanes of no channel.
        let end = match head + 1 == self.heads {
            true => self.output.map.blocks() * LANES,
            false => first + self.width,
        };
        let shares = totals.map(|total| 1.0 / total);
        let output = work.arena.at(self.output.range());
        for begin in (first..end).step_by(LANES) {
            // The sums of a head begin with a block, but its channels may begin inside one.
            let sums = sums.get((begin - first) / LANES * QUERIES..).unwrap_or_default();
            let channels = begin..(begin + LANES).min(end);
            for (index, token) in tokens.clone().enumerate() {
                let sum = if begin < first + self.width { sums[index] } else { Lanes::ZERO };
                let average = sum.0.map(|sum| sum * shares[index]);
                if begin.is_multiple_of(LANES) && channels.len() == LANES {
                    let lanes = output.wrapping_add(begin / LANES * self.tokens() + token);
                    // SAFETY: the lanes are those of 16 channels and a token of the output, for whose
                    // writes the caller vouches.
                    unsafe { lanes.write(Lanes(average)) };
                    continue;
                }
                for (channel, value) in channels.clone().zip(average) {
                    let lanes = output.wrapping_add(channel / LANES * self.tokens() + token);
                    // SAFETY: the lane is that of a channel and a token of the output, for whose writes
                    // the caller vouches.
                    unsafe { lanes.cast::<f32>().add(channel % LANES).write(value) };
                }
            }
        }
    }
}

/// One number for each query.
type Totals = [f32; QUERIES];

/// Scratch memory for some queries, in blocks that are [`QUERIES`] apart.
struct Parts<'a> {
    /// `[blocks of keys][queries]`.
    scores: &'a mut [Lanes],
    /// `[blocks of channels][queries]`.
    sums: &'a mut [Lanes],
}

impl Layer for Attention {
    /// Keys and values of a head, then queries, scores and sums.
    fn scratch_len(&self) -> usize {
        2 * self.packed_len() + QUERIES * (2 * self.blocks() + KEY_BLOCKS)
    }

    fn items(&self, threads: usize) -> usize {
        self.division(threads).items()
    }

    fn reads(&self) -> Vec<Range<usize>> {
        vec![self.input.range()]
    }

    fn writes(&self) -> Range<usize> {
        self.output.range()
    }

    fn multiply_adds(&self) -> u64 {
        2 * (self.tokens() * self.tokens()) as u64 * self.output.map.channels as u64
    }

    unsafe fn run(&self, work: &Work<'_>, worker: &mut Worker, item: usize) {
        let (tokens, heads) = self.division(work.threads).item(item, self.tokens(), self.heads);
        // SAFETY: the caller vouches that nobody writes the input.
        let input = unsafe { work.arena.slice(self.input.range()) };
        worker.kept = None;
        let (keys, rest) = worker.scratch.split_at_mut(self.packed_len());
        let (values, rest) = rest.split_at_mut(self.packed_len());
        let (queries, rest) = rest.split_at_mut(self.blocks() * QUERIES);
        let (sums, scores) = rest.split_at_mut(self.blocks() * QUERIES);
        let scale = 1.0 / (self.width as f32).sqrt();
        for head in heads {
            self.pack_keys(input, head, keys);
            self.pack_values(input, head, values);
            for begin in tokens.clone().step_by(QUERIES) {
                let some = begin..(begin + QUERIES).min(tokens.end);
                for block in 0..self.blocks() {
                    self.copy(input, self.channel(0, head), block, some.clone(), scale, |token, lanes| {
                        queries[block * QUERIES + token] = lanes;
                    });
                }
                let parts = Parts { scores, sums };
                let totals = self.average(queries, [keys, values], some.len(), parts);
                // SAFETY: these tokens and channels are this item's.
                unsafe { self.write(work, head, some, sums, &totals) };
            }
        }
    }
}

impl std::fmt::Display for Attention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "attention, {} heads of {}, {} tokens", self.heads, self.width, self.tokens())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::layers::check::{Noise, Plane, check};
    use crate::kernels::step::Step;
    use crate::layout::Map;

    fn expected(input: &Plane, heads: usize) -> Vec<f64> {
        let (channels, tokens) = (input.map.channels / 3, input.map.pixels());
        let width = channels / heads;
        let mut results = vec![0.0; channels * tokens];
        for head in 0..heads {
            let at = |part: usize, channel: usize, token: usize| {
                input.at(part * channels + head * width + channel, token)
            };
            for query in 0..tokens {
                let score = |key: usize| {
                    let products = (0..width).map(|channel| at(0, channel, query) * at(1, channel, key));
                    products.sum::<f64>() / (width as f64).sqrt()
                };
                let scores: Vec<f64> = (0..tokens).map(score).collect();
                let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
                let total: f64 = weights.iter().sum();
                for channel in 0..width {
                    let sum: f64 = (0..tokens).map(|key| weights[key] * at(2, channel, key)).sum();
                    results[(head * width + channel) * tokens + query] = sum / total;
                }
            }
        }
        results
    }

    #[test]
    fn attention_agrees_with_a_plain_loop() {
        let mut noise = Noise(31);
        // Heads that fill blocks and heads that do not; tokens of one run of keys and of several.
        for (heads, width, tokens, scale) in [
            (2, 32, 50, 3.0),
            (3, 64, 17, 1.0),
            (1, 80, 3, 1.0),
            (3, 24, 33, 4.0),
            (5, 7, 40, 2.0),
            (1, 16, 1, 1.0),
            (1, 600, 20, 1.0),
            (2, 16, 1100, 6.0),
        ] {
            let mut input = Plane::drawn(&mut noise, 3 * heads * width, 1, tokens);
            input.values.iter_mut().for_each(|value| *value *= scale);
            // The scores rise with the keys, so that later runs of keys have larger ones.
            for channel in heads * width..2 * heads * width {
                for token in 0..tokens {
                    input.values[channel * tokens + token] *= 0.3 + token as f32 / tokens as f32;
                }
            }
            let map = Map { channels: heads * width, height: 1, width: tokens };
            let expected = expected(&input, heads);
            // Scores are up to some tens, so that their exponentials are right to 1e-6 of themselves.
            let allowed = 1e-5 * f64::from(scale);
            check(
                &[],
                &[&input],
                map,
                allowed,
                Activation::Identity,
                &expected,
                |kernels, inputs, output| {
                    Step::Layer(Box::new(Attention::new(heads, kernels, [inputs[0].clone(), output])))
                },
            );
        }
    }

    #[test]
    fn memory_grows_with_the_tokens_and_not_with_their_square() {
        let scratch = |tokens: usize| {
            let map = |channels: usize| Map { channels, height: 1, width: tokens };
            let place = |map: Map| Placed { at: 0..map.len(), map };
            let kernels = Kernels::of(crate::InstructionSet::best());
            Attention::new(6, kernels, [place(map(3 * 384)), place(map(384))]).scratch_len()
        };
        // Twice the tokens take less than twice the memory, and a head's keys and values most of it.
        assert!(scratch(8192) < 2 * scratch(4096));
        assert!(scratch(8192) < 3 * 8192 * 64 / LANES);
    }
}
