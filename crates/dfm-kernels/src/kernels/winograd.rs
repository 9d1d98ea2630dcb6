//! 3×3 convolutions of stride one by Winograd's minimal filtering: a tile of 4×4 outputs takes 36
//! products in place of 144 (Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks*,
//! 2016, F(4×4, 3×3)).
//!
//! Inputs and weights are transformed so that the convolution becomes 36 independent
//! matrix products, which the micro-kernels of 1×1 convolutions compute; their results
//! are transformed back. A thread does all three for some tiles before it takes the next ones,
//! so that the values in between stay in its cache.

use std::ops::Range;

use super::ends::Ends;
use super::set::Kernels;
use super::sweep::{Rows, sweep};
use super::tile::PixelStep;
use super::transform::{ActivateTiles, IN, InputBlock, OutputBlock, PRODUCTS, tiles};
use super::work::{Work, Worker};
use crate::activation::Activation;
use crate::convolution::Convolution;
use crate::filters::{self, Filters, Source};
use crate::layout::{Division, LANES, Lanes};

/// [`Lanes`] of transformed input that a thread holds: about a MiB, which is half of the
/// second-level cache of the processors that this is written for.
const TRANSFORMED: usize = 9 << 10;

/// The most bytes of transformed weights for which every thread goes through all of them.
const SHARED_WEIGHTS: usize = 1 << 20;

/// A convolution, and where its input and output lie.
#[derive(Debug)]
pub(crate) struct Winograd {
    kernels: Kernels,
    /// For each group of output channels one 1×1 convolution for every product.
    filters: Filters,
    ends: Ends,
    /// Tiles that are transformed at once.
    chunk: usize,
    pub(super) multiply_adds: u64,
}

impl Winograd {
    /// The step of `convolution` between `ends`. The kernel must be 3×3, and stride and groups must
    /// be one.
    pub(crate) fn new(convolution: &Convolution, kernels: Kernels, ends: Ends) -> Self {
        assert!(convolution.kernel == [3, 3] && convolution.stride == 1 && convolution.groups == 1);
        let (input_map, output_map) = ends.maps();
        let most = (TRANSFORMED / (PRODUCTS * input_map.blocks())).max(16);
        let total = tiles(output_map);
        let chunk = total.div_ceil(total.div_ceil(most));
        let source = Source::plain(chunk * LANES, 0);
        Self {
            kernels,
            filters: filters::pack_products(
                convolution,
                source,
                kernels.blocks(),
                PRODUCTS,
                |first, write| transform_weights(convolution, first, write),
            ),
            ends,
            chunk,
            multiply_adds: convolution.multiply_adds(output_map.pixels()),
        }
    }

    /// [`Lanes`] from one product of the input to the next, one more than needed: at a power of two
    /// they would all fall into the same set of the cache.
    fn transformed_pitch(&self) -> usize {
        self.ends.input_map.blocks() * self.chunk + 1
    }

    /// [`Lanes`] from one product of the output to the next.
    fn product_pitch(&self) -> usize {
        self.kernels.blocks() * self.chunk + 1
    }

    /// The part of the arena that is read.
    pub(super) fn input(&self) -> Range<usize> {
        self.ends.read()
    }

    /// The part of the arena that is written.
    pub(super) fn output(&self) -> Range<usize> {
        self.ends.written()
    }

    /// [`Lanes`] of scratch memory.
    pub(crate) fn scratch_len(&self) -> usize {
        PRODUCTS * (self.transformed_pitch() + self.product_pitch())
    }

    /// How threads share the step.
    pub(crate) fn division(&self, threads: usize) -> Division {
        let (tiles, groups) = (tiles(self.ends.output_map), self.filters.groups.len());
        let fewest = 2 * self.kernels.pixels();
        match self.filters.bytes() > SHARED_WEIGHTS {
            true => Division::by_groups(threads, tiles, fewest, groups),
            false => Division::by_pixels(threads, tiles, fewest, groups),
        }
    }

    /// Computes one item: some tiles of some groups of output channels. `step` is the index of this
    /// step.
    ///
    /// # Safety
    ///
    /// That of [`Step::run`](super::step::Step::run).
    pub(super) unsafe fn run(&self, work: &Work<'_>, worker: &mut Worker, step: usize, item: usize) {
        let total = tiles(self.ends.output_map);
        let (tiles, groups) = self.division(work.threads).item(item, total, self.filters.groups.len());
        for begin in tiles.clone().step_by(self.chunk) {
            let tiles = begin..(begin + self.chunk).min(tiles.end);
            let (transformed, products) = worker.scratch.split_at_mut(PRODUCTS * self.transformed_pitch());
            // The same tiles for other output channels are transformed already.
            let kept = Some((step, tiles.clone()));
            if worker.kept != kept {
                // SAFETY: the caller's.
                unsafe { self.transform(work, tiles.clone(), transformed) };
                worker.kept = kept;
            }
            for group in groups.clone() {
                self.multiply(group, tiles.len(), transformed, products);
                // SAFETY: the caller's; these tiles and this group are those of the item.
                unsafe { self.transform_back(work, group, tiles.clone(), products) };
            }
        }
    }

    /// Transforms the input of some tiles.
    ///
    /// # Safety
    ///
    /// Nobody may write the input of this step meanwhile.
    unsafe fn transform(&self, work: &Work<'_>, tiles: Range<usize>, transformed: &mut [Lanes]) {
        let pitch = self.transformed_pitch();
        assert!(tiles.len() <= self.chunk && transformed.len() >= PRODUCTS * pitch);
        for block in 0..self.ends.input_map.blocks() {
            let begin = self.ends.input.start + block * self.ends.input_map.pixels();
            let block = InputBlock {
                input: work.arena.at(begin..begin + self.ends.input_map.pixels()).cast(),
                map: self.ends.input_map,
                tiles: tiles.clone(),
                transformed: transformed[block * self.chunk..].as_mut_ptr().cast(),
                pitch: pitch * LANES,
            };
            // SAFETY: the caller vouches that nobody writes the input. By the assertion, the last
            // product of the last tile of the last block is inside.
            unsafe { (self.kernels.input_tiles)(block) };
        }
    }

    /// Computes the products of `tiles` tiles with one group of output channels.
    fn multiply(&self, group: usize, tiles: usize, transformed: &[Lanes], products: &mut [Lanes]) {
        let (from, to) = (self.transformed_pitch(), self.product_pitch());
        assert!(transformed.len() >= PRODUCTS * from && products.len() >= PRODUCTS * to);
        assert!(tiles <= self.chunk && self.filters.groups[group].blocks <= self.kernels.blocks());
        for index in 0..PRODUCTS {
            let product = self.filters.product(group, index, PRODUCTS);
            let rows = Rows {
                count: 1,
                columns: tiles,
                input: transformed[index * from..].as_ptr().cast(),
                input_pitch: 0,
                step: PixelStep::Next,
                output: products[index * to..].as_mut_ptr(),
                output_block: self.chunk,
                add: false,
                activation: Activation::Identity,
            };
            // SAFETY: by the assertions every tile of every block, of the input and of
            // this group, is inside this product's part.
            unsafe { sweep(&self.kernels, product, rows) };
        }
    }

    /// Transforms the products of some tiles back, and writes one group of output channels.
    ///
    /// # Safety
    ///
    /// Nobody else may read or write the output of these tiles and this group meanwhile.
    unsafe fn transform_back(&self, work: &Work<'_>, group: usize, tiles: Range<usize>, products: &[Lanes]) {
        let pitch = self.product_pitch();
        assert!(products.len() >= PRODUCTS * pitch && tiles.len() <= self.chunk);
        let first_block = self.filters.groups[group].first_block;
        let (bounds, rest) = self.ends.activation.split();
        for (index, bias) in self.filters.bias(group).iter().enumerate() {
            let begin = self.ends.output.start + (first_block + index) * self.ends.output_map.pixels();
            let block = OutputBlock {
                products: products[index * self.chunk..].as_ptr().cast(),
                pitch: pitch * LANES,
                tiles: tiles.clone(),
                bias: bias.0.as_ptr(),
                output: work.arena.at(begin..begin + self.ends.output_map.pixels()).cast(),
                map: self.ends.output_map,
                add: self.ends.add,
                bounds,
            };
            let OutputBlock { output, map, .. } = block;
            // SAFETY: by the assertion, the last product of the last tile of this block is inside.
            // The caller vouches for the output.
            unsafe { (self.kernels.output_tiles)(block) };
            if let Some(activation) = rest {
                let tiles = tiles.clone();
                // SAFETY: these are the tiles that have just been written.
                unsafe { self.kernels.run(ActivateTiles { output, map, tiles, activation }) };
            }
        }
    }
}

/// `G w Gᵀ` for 16 outputs from `first` on, and every input.
#[expect(clippy::needless_range_loop, reason = "a transpose, both indices of one array")]
fn transform_weights(convolution: &Convolution, first: usize, write: &mut dyn FnMut(usize, Lanes)) {
    let inputs = convolution.in_channels_per_group;
    let padded = inputs.next_multiple_of(LANES);
    for input in 0..inputs {
        let mut windows = [[[0.0; LANES]; 3]; 3];
        for lane in 0..LANES.min(convolution.out_channels - first) {
            let window = &convolution.weight[((first + lane) * inputs + input) * 9..][..9];
            for (tap, weight) in window.iter().enumerate() {
                windows[tap / 3][tap % 3][lane] = f64::from(*weight);
            }
        }
        let across = windows.map(transform_row);
        for column in 0..IN {
            let down = transform_row([across[0][column], across[1][column], across[2][column]]);
            for (row, values) in down.into_iter().enumerate() {
                let product = row * IN + column;
                write(product * padded + input, Lanes(values.map(|value| value as f32)));
            }
        }
    }
}

/// `G` times a column, in `f64` so that only the results are rounded.
fn transform_row([a, b, c]: [[f64; LANES]; 3]) -> [[f64; LANES]; IN] {
    let mut result = [[0.0; LANES]; IN];
    for lane in 0..LANES {
        let (a, b, c) = (a[lane], b[lane], c[lane]);
        let (outer, inner) = (a * (1.0 / 24.0) + c * (1.0 / 6.0), b * (1.0 / 12.0));
        let values = [
            a * 0.25,
            (a + b + c) * (-1.0 / 6.0),
            (a - b + c) * (-1.0 / 6.0),
            outer + inner,
            outer - inner,
            c,
        ];
        values.into_iter().zip(&mut result).for_each(|(value, result)| result[lane] = value);
    }
    result
}

impl std::fmt::Display for Winograd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "3×3 by transforms, {} to {}", self.ends.input_map, self.ends.output_map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::layers::check::{Noise, Plane, check, drawn_convolution};
    use crate::kernels::step::Step;
    use crate::layout::Map;
    use crate::window::Window;

    #[test]
    fn every_activation_follows_the_sums() {
        let mut noise = Noise(22);
        let window = Window::square(3, 1, 1);
        for (inputs, outputs, height, width) in [(20, 33, 9, 13), (16, 16, 4, 4), (5, 40, 3, 22)] {
            let input = Plane::drawn(&mut noise, inputs, height, width);
            let map = Map { channels: outputs, ..input.map };
            let convolution =
                Convolution { padding: 1, ..drawn_convolution(&mut noise, window, [inputs, outputs], 1) };
            let expected = input.convolve(window, &convolution, map);
            for activation in Activation::ALL {
                // Up to 180 products of numbers below one are summed in f32, and the transforms multiply
                // by up to 8.
                check(&[], &[&input], map, 2e-4, activation, &expected, |kernels, inputs, output| {
                    let ends = Ends {
                        input: inputs[0].at.clone(),
                        input_map: input.map,
                        output: output.at,
                        output_map: map,
                        add: false,
                        activation,
                    };
                    Step::Winograd(Winograd::new(&convolution, kernels, ends))
                });
            }
        }
    }
}
