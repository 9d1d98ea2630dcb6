//! A convolution that keeps channels apart: each output sees one channel.

use std::ops::Range;

use super::layer::{Layer, blocks_of};
use crate::activation::Activation;
use crate::kernels::functions::{activate, clamp};
use crate::kernels::routine::Routine;
use crate::kernels::set::Kernels;
use crate::kernels::vector::Vector;
use crate::kernels::work::{Work, Worker};
use crate::layout::{Division, LANES, Lanes, Placed};
use crate::window::Window;

/// A convolution that keeps channels apart, and where its input and output lie.
#[derive(Debug)]
pub(crate) struct Depthwise {
    kernels: Kernels,
    window: Window,
    /// `[blocks][taps]`.
    weights: Vec<Lanes>,
    /// `[blocks]`.
    bias: Vec<Lanes>,
    input: Placed,
    output: Placed,
    activation: Activation,
}

impl Depthwise {
    /// The step for `weight` (`[channels, height, width]`) and `bias` (`[channels]`).
    ///
    /// # Panics
    ///
    /// If the maps do not fit the windows or each other.
    pub(crate) fn new(
        (window, weight, bias): (Window, &[f32], &[f32]),
        kernels: Kernels,
        [input, output]: [Placed; 2],
        activation: Activation,
    ) -> Self {
        let channels = input.map.channels;
        assert_eq!(window.map(input.map, channels), Some(output.map), "{window} on {}", input.map);
        assert!(weight.len() == channels * window.taps() && bias.len() == channels);
        let taps = window.taps();
        let mut weights = vec![Lanes::ZERO; input.map.blocks() * taps];
        for (channel, weight) in weight.chunks_exact(taps).enumerate() {
            let block = &mut weights[channel / LANES * taps..][..taps];
            block.iter_mut().zip(weight).for_each(|(lanes, weight)| lanes.0[channel % LANES] = *weight);
        }
        Self { kernels, window, weights, bias: blocks_of(bias), input, output, activation }
    }

    /// How threads share the step.
    fn division(&self, threads: usize) -> Division {
        Division::by_groups(threads, self.output.map.height, 4, self.output.map.blocks())
    }
}

impl Layer for Depthwise {
    fn items(&self, threads: usize) -> usize {
        self.division(threads).items()
    }

    fn reads(&self) -> Vec<Range<usize>> {
        // Windows overlap, so that the output must lie elsewhere.
        vec![self.input.range()]
    }

    fn writes(&self) -> Range<usize> {
        self.output.range()
    }

    fn multiply_adds(&self) -> u64 {
        let map = self.output.map;
        map.channels as u64 * (map.pixels() * self.window.taps()) as u64
    }

    unsafe fn run(&self, work: &Work<'_>, _: &mut Worker, item: usize) {
        let map = self.output.map;
        let (rows, blocks) = self.division(work.threads).item(item, map.height, map.blocks());
        for block in blocks {
            let channels = Channels {
                window: self.window,
                input: work.arena.at(self.input.block(block)).cast(),
                size: [self.input.map.height, self.input.map.width],
                weights: self.weights[block * self.window.taps()..][..self.window.taps()].as_ptr().cast(),
                bias: self.bias[block].0.as_ptr(),
                output: work.arena.at(self.output.block(block)).cast(),
                width: map.width,
                rows: rows.clone(),
                activation: self.activation,
            };
            // SAFETY: input and output are whole blocks of the arena. The caller vouches that nobody
            // writes the input, and these rows of the output are this item's.
            unsafe { self.kernels.run(channels) };
        }
    }
}

impl std::fmt::Display for Depthwise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "depthwise {}, {} to {}", self.window, self.input.map, self.output.map)
    }
}

/// Some rows of one block of channels.
struct Channels {
    window: Window,
    /// The first pixel of the block.
    input: *const f32,
    /// Height and width of the input.
    size: [usize; 2],
    /// `[taps][16]`.
    weights: *const f32,
    /// `[16]`.
    bias: *const f32,
    /// The first pixel of the block.
    output: *mut f32,
    /// The width of the output.
    width: usize,
    /// The rows of output.
    rows: Range<usize>,
    activation: Activation,
}

impl Routine for Channels {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        for row in self.rows.clone() {
            // SAFETY: the caller vouches for all rows of the input, and for these rows of the output.
            unsafe {
                match self.window.stride[1] {
                    1 => self.row::<V, 1>(row),
                    2 => self.row::<V, 2>(row),
                    _ => self.row::<V, 0>(row),
                }
                if let (_, Some(activation)) = self.activation.split() {
                    for column in 0..self.width {
                        let at = self.output.add((row * self.width + column) * LANES);
                        activate(V::load(at), activation).store(at);
                    }
                }
            }
        }
    }
}

impl Channels {
    /// Computes a row of output. The columns of two neighbouring windows are `STRIDE` apart; 0 stands
    /// for any other stride.
    #[inline(always)]
    unsafe fn row<V: Vector, const STRIDE: usize>(&self, row: usize) {
        // Tiles of 14 pixels where they waste no more than tiles of 7.
        let wide = self.width >= 14 && 2 * self.width.div_ceil(14) <= self.width.div_ceil(7);
        // SAFETY: the caller's.
        unsafe {
            if V::SUMS >= 14 && wide {
                self.tiles::<V, STRIDE, 14>(row);
            } else if V::SUMS >= 7 && self.width >= 7 {
                self.tiles::<V, STRIDE, 7>(row);
            } else {
                self.tiles::<V, STRIDE, 1>(row);
            }
        }
    }

    /// Computes a row in tiles of `PIXELS`; the row is no shorter. The last tile may begin inside the
    /// one before, and computes the same results again.
    #[inline(always)]
    unsafe fn tiles<V: Vector, const STRIDE: usize, const PIXELS: usize>(&self, row: usize) {
        let stride = if STRIDE == 0 { self.window.stride[1] } else { STRIDE };
        let before = self.window.before[1];
        for tile in 0..self.width.div_ceil(PIXELS) {
            let first = (tile * PIXELS).min(self.width - PIXELS);
            let last = (first + PIXELS - 1) * stride + self.window.reach(1);
            let is_inside = first * stride >= before && last <= before + self.size[1];
            // SAFETY: the caller's.
            unsafe {
                match is_inside {
                    true => self.tile::<V, STRIDE, PIXELS, false>(row, first),
                    false => self.tile::<V, STRIDE, PIXELS, true>(row, first),
                }
            }
        }
    }

    /// Computes `PIXELS` neighbours in registers. At an `EDGE`, taps may lie beside the input.
    #[inline(always)]
    unsafe fn tile<V: Vector, const STRIDE: usize, const PIXELS: usize, const EDGE: bool>(
        &self,
        row: usize,
        first: usize,
    ) {
        let Window { kernel, stride, before, dilation, .. } = self.window;
        let [height, width] = self.size;
        let step = if STRIDE == 0 { stride[1] } else { STRIDE };
        // SAFETY: `taps_inside` leaves out the taps above and below the input. At an edge, those on
        // its left and right are left out below; elsewhere there are none.
        unsafe {
            let mut sums = [V::load(self.bias); PIXELS];
            for y in self.window.taps_inside(0, row, height) {
                let line = (row * stride[0] + y * dilation[0] - before[0]) * width;
                for x in 0..kernel[1] {
                    let weight = V::load(self.weights.add((y * kernel[1] + x) * LANES));
                    let column = (first * step + x * dilation[1]).wrapping_sub(before[1]);
                    let input = self.input.wrapping_add(line.wrapping_add(column).wrapping_mul(LANES));
                    for (pixel, sum) in sums.iter_mut().enumerate() {
                        if !EDGE || column.wrapping_add(pixel * step) < width {
                            let value = V::load(input.wrapping_add(pixel * step * LANES));
                            *sum = value.multiply_add(weight, *sum);
                        }
                    }
                }
            }
            let output = self.output.add((row * self.width + first) * LANES);
            for (pixel, sum) in sums.into_iter().enumerate() {
                clamp(sum, self.activation.split().0).store(output.add(pixel * LANES));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::layers::check::{Noise, Plane, check, windows};
    use crate::kernels::step::Step;

    #[test]
    fn every_window_agrees_with_a_plain_loop() {
        let mut noise = Noise(5);
        for (index, window) in windows().into_iter().enumerate() {
            for (channels, height, width) in [(16, 15, 31), (5, 9, 7), (40, 20, 14), (17, 8, 70)] {
                let input = Plane::drawn(&mut noise, channels, height, width);
                let Some(map) = window.map(input.map, channels) else { continue };
                let weight = noise.take(channels * window.taps());
                let bias = noise.take(channels);
                let activation = Activation::ALL[index % Activation::ALL.len()];
                let expected = input.windows(window, map, |channel, taps| {
                    let weight = &weight[channel * window.taps()..];
                    let products = taps.iter().map(|(tap, value)| f64::from(weight[*tap]) * value);
                    f64::from(bias[channel]) + products.sum::<f64>()
                });
                // Up to 49 products of numbers below one are summed in f32.
                check(&[], &[&input], map, 2e-5, activation, &expected, |kernels, inputs, output| {
                    let ends = [inputs[0].clone(), output];
                    let layer = Depthwise::new((window, &weight, &bias), kernels, ends, activation);
                    Step::Layer(Box::new(layer))
                });
            }
        }
    }
}
