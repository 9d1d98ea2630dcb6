//! 3×3 convolutions of stride one by Winograd's minimal filtering: tiles of 4×4
//! outputs from 36 products in place of 144 (Lavin and Gray, *Fast Algorithms for
//! Convolutional Neural Networks*, 2016, F(4×4, 3×3)).
//!
//! Inputs and weights are transformed so that the convolution becomes 36
//! independent matrix products, which the same micro-kernels compute as before;
//! their results are transformed back.

use rayon::prelude::*;

use crate::instructions::InstructionSet;
use crate::kernels::{IN, Kernels, OUT, OutputGroup, PRODUCTS, Product, Strided, Transforms};
use crate::layout::{LANES, Plane};
use crate::network::Convolution;

/// With fewer channels the transforms cost what the products save: below this,
/// `dfm bench` shows no gain for `resnet50_1by2` and a loss at half of it.
const FEWEST_CHANNELS: usize = 64;

/// A convolution by transforms.
#[derive(Debug)]
pub(crate) struct WinogradConvolution {
    plane: Plane,
    output: Plane,
    /// Tiles, filled up to a whole number of the micro-kernel's.
    tiles: usize,
    groups: Vec<OutputGroup>,
    transforms: Transforms,
    relu: bool,
}

impl WinogradConvolution {
    /// Whether `convolution` can be computed this way, and gains by it: with few
    /// channels the transforms cost more than the products save.
    pub(crate) fn suits(convolution: &Convolution) -> bool {
        let channels = convolution.in_channels_per_group.min(convolution.out_channels);
        convolution.kernel == [3, 3]
            && convolution.stride == 1
            && convolution.groups == 1
            && channels >= FEWEST_CHANNELS
    }

    pub(crate) fn new(
        convolution: &Convolution,
        input: Plane,
        relu: bool,
        instructions: InstructionSet,
    ) -> Self {
        let output = Plane { channels: convolution.out_channels, ..input };
        let kernels = Kernels::of(instructions);
        let kernel = kernels.product;
        let tiles =
            (output.height.div_ceil(OUT) * output.width.div_ceil(OUT)).next_multiple_of(kernel.pixels());
        let blocks = kernel.blocks();
        let in_blocks = input.blocks();
        let offsets: Vec<isize> =
            (0..in_blocks).map(|block| (block * PRODUCTS * tiles * LANES) as isize).collect();
        let groups = (0..output.blocks())
            .step_by(blocks)
            .map(|first_block| OutputGroup {
                first_block,
                blocks,
                kernel,
                depth: LANES,
                offsets: offsets.clone(),
                weights: transformed_weights(convolution, first_block, blocks, in_blocks),
                bias: (0..blocks * LANES)
                    .map(|lane| convolution.bias.get(first_block * LANES + lane).copied().unwrap_or(0.0))
                    .collect(),
            })
            .collect();
        Self { plane: input, output, tiles, groups, transforms: kernels.transforms, relu }
    }

    pub(crate) fn output(&self) -> Plane {
        self.output
    }

    /// Values that [`run`](Self::run) needs beside input and output.
    pub(crate) fn scratch_len(&self) -> usize {
        self.transformed_len() + self.groups.len() * self.products_len()
    }

    fn transformed_len(&self) -> usize {
        self.plane.blocks() * PRODUCTS * self.tiles * LANES
    }

    fn products_len(&self) -> usize {
        PRODUCTS * self.groups[0].blocks * self.tiles * LANES
    }

    /// Computes `output` from `input`, adding `residual` before the ReLU.
    pub(crate) fn run(
        &self,
        input: &[f32],
        residual: Option<&[f32]>,
        output: &mut [f32],
        scratch: &mut [f32],
    ) {
        let (transformed, products) = scratch[..self.scratch_len()].split_at_mut(self.transformed_len());
        let in_block = self.plane.block_len();
        let per_block = PRODUCTS * self.tiles * LANES;
        transformed.par_chunks_mut(per_block).zip(input.par_chunks(in_block)).for_each(
            |(transformed, input)| {
                self.transforms.input(self.plane, self.tiles, input, transformed);
            },
        );
        let transformed = &*transformed;
        let out_block = self.output.block_len();
        let blocks = self.groups[0].blocks;
        let outputs = output[..self.output.len()].par_chunks_mut(blocks * out_block);
        let units = self.groups.par_iter().zip(products.par_chunks_mut(self.products_len())).zip(outputs);
        units.with_max_len(1).for_each(|((group, products), output)| {
            let width = group.weights.len() / PRODUCTS;
            for index in 0..PRODUCTS {
                Product {
                    kernel: group.kernel,
                    input: &transformed[index * self.tiles * LANES..],
                    offsets: &group.offsets,
                    weights: &group.weights[index * width..][..width],
                    rows: self.tiles,
                }
                .run(&mut products[index * blocks * self.tiles * LANES..][..blocks * self.tiles * LANES]);
            }
            for (block, output) in output.chunks_exact_mut(out_block).enumerate() {
                let place = (group.first_block + block) * out_block;
                let residual = residual.map(|residual| &residual[place..place + out_block]);
                let bias = &group.bias[block * LANES..][..LANES];
                let products =
                    Strided { values: products, first: block * self.tiles, step: blocks * self.tiles };
                self.transforms.output(self.output, products, bias, residual, self.relu, output);
            }
        });
    }
}

/// `[PRODUCTS][in blocks][16][blocks · 16]`: `G w Gᵀ` of each pair of channels.
fn transformed_weights(convolution: &Convolution, first: usize, blocks: usize, in_blocks: usize) -> Vec<f32> {
    let width = blocks * LANES;
    let mut weights = vec![0.0; PRODUCTS * in_blocks * LANES * width];
    let inputs = convolution.in_channels_per_group;
    for lane in 0..width {
        let output = first * LANES + lane;
        if output >= convolution.out_channels {
            break;
        }
        for input in 0..inputs {
            let window = &convolution.weight[(output * inputs + input) * 9..][..9];
            for (product, value) in transform_window(window).into_iter().enumerate() {
                weights[(product * in_blocks * LANES + input) * width + lane] = value as f32;
            }
        }
    }
    weights
}

/// `G w Gᵀ`, in `f64` and rounded once.
fn transform_window(window: &[f32]) -> [f64; PRODUCTS] {
    let across: Vec<[f64; IN]> =
        window.chunks_exact(3).map(|row| transform_row([row[0], row[1], row[2]].map(f64::from))).collect();
    let mut result = [0.0; PRODUCTS];
    for column in 0..IN {
        let down = transform_row([across[0][column], across[1][column], across[2][column]]);
        for (row, value) in down.into_iter().enumerate() {
            result[row * IN + column] = value;
        }
    }
    result
}

/// `G` times a column.
fn transform_row([a, b, c]: [f64; 3]) -> [f64; IN] {
    let (outer, inner) = (a / 24.0 + c / 6.0, b / 12.0);
    [a / 4.0, -(a + b + c) / 6.0, -(a - b + c) / 6.0, outer + inner, outer - inner, c]
}
