//! Layer norm: every pixel or token is brought to mean 0 and variance 1 over its channels.

use std::ops::Range;

use super::layer::{Layer, beside, blocks_of};
use crate::kernels::functions::fold;
use crate::kernels::routine::Routine;
use crate::kernels::set::Kernels;
use crate::kernels::vector::Vector;
use crate::kernels::work::{Work, Worker};
use crate::layout::{Division, LANES, Lanes, Placed};

/// A layer norm, and where its input and output lie. The output may lie where the input does.
#[derive(Debug)]
pub(crate) struct Normalise {
    kernels: Kernels,
    factors: Vec<Lanes>,
    summands: Vec<Lanes>,
    epsilon: f32,
    input: Placed,
    output: Placed,
}

impl Normalise {
    /// The step that gives `(x − mean) / √(variance + epsilon) · factor + summand`, with a factor and
    /// a summand for each channel.
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub(crate) fn new(
        [factors, summands]: [&[f32]; 2],
        epsilon: f32,
        kernels: Kernels,
        [input, output]: [Placed; 2],
    ) -> Self {
        let channels = input.map.channels;
        assert!(factors.len() == channels && summands.len() == channels && output.map == input.map);
        let (factors, summands) = (blocks_of(factors), blocks_of(summands));
        Self { kernels, factors, summands, epsilon, input, output }
    }

    /// How threads share the step.
    fn division(&self, threads: usize) -> Division {
        Division::by_pixels(threads, self.output.map.pixels(), 8, 1)
    }
}

impl Layer for Normalise {
    fn items(&self, threads: usize) -> usize {
        self.division(threads).items()
    }

    fn reads(&self) -> Vec<Range<usize>> {
        beside(&self.output, [&self.input])
    }

    fn writes(&self) -> Range<usize> {
        self.output.range()
    }

    unsafe fn run(&self, work: &Work<'_>, _: &mut Worker, item: usize) {
        let map = self.output.map;
        let (pixels, _) = self.division(work.threads).item(item, map.pixels(), 1);
        let norm = Pixels {
            input: work.arena.at(self.input.range()).wrapping_add(pixels.start).cast(),
            output: work.arena.at(self.output.range()).wrapping_add(pixels.start).cast(),
            block: map.pixels() * LANES,
            blocks: map.blocks(),
            channels: map.channels,
            count: pixels.len(),
            factors: self.factors.as_ptr().cast(),
            summands: self.summands.as_ptr().cast(),
            epsilon: self.epsilon,
        };
        // SAFETY: the pixels are inside every block of both maps. The caller vouches that nobody writes
        // the input, and these pixels of the output are this item's.
        unsafe { self.kernels.run(norm) };
    }
}

impl std::fmt::Display for Normalise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "layer norm, {}", self.output.map)
    }
}

/// Some pixels of all channels.
struct Pixels {
    /// The first pixel, in the first block.
    input: *const f32,
    /// The first pixel, in the first block.
    output: *mut f32,
    /// Values from one block to the next.
    block: usize,
    blocks: usize,
    channels: usize,
    /// The number of pixels.
    count: usize,
    /// `[blocks][16]`.
    factors: *const f32,
    /// `[blocks][16]`.
    summands: *const f32,
    epsilon: f32,
}

impl Routine for Pixels {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller vouches for all pixels.
        unsafe {
            let mut first = 0;
            if V::SUMS >= 14 {
                first = self.tiles::<V, 8>(first);
            }
            if V::SUMS >= 7 {
                first = self.tiles::<V, 4>(first);
            }
            self.tiles::<V, 1>(first);
        }
    }
}

impl Pixels {
    /// Computes tiles of `PIXELS` from `first` on, and gives the pixel behind them.
    #[inline(always)]
    unsafe fn tiles<V: Vector, const PIXELS: usize>(&self, mut first: usize) -> usize {
        while first + PIXELS <= self.count {
            // SAFETY: the caller's.
            unsafe { self.tile::<V, PIXELS>(first) };
            first += PIXELS;
        }
        first
    }

    /// The variance is the mean square of what is left when the mean is subtracted. It therefore loses
    /// no digits where the mean is large, and an error of the mean enters it only as a square.
    #[inline(always)]
    unsafe fn tile<V: Vector, const PIXELS: usize>(&self, first: usize) {
        let inside = self.channels - (self.blocks - 1) * LANES;
        let mask: [f32; LANES] = std::array::from_fn(|lane| if lane < inside { 1.0 } else { 0.0 });
        let share = 1.0 / self.channels as f32;
        // SAFETY: the caller's.
        unsafe {
            let mask = V::load(mask.as_ptr());
            let at = |block: usize, pixel: usize| block * self.block + (first + pixel) * LANES;
            // The lanes of no channel do not count.
            let counted = |block: usize, value: V| match block + 1 == self.blocks {
                true => value.multiply(mask),
                false => value,
            };
            let mut sums = [V::splat(0.0); PIXELS];
            for block in 0..self.blocks {
                for (pixel, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.add(counted(block, V::load(self.input.add(at(block, pixel)))));
                }
            }
            let means = sums.map(|sum| V::splat(fold(sum, |a, b| a + b) * share));
            let mut squares = [V::splat(0.0); PIXELS];
            for block in 0..self.blocks {
                for (pixel, square) in squares.iter_mut().enumerate() {
                    let rest = V::load(self.input.add(at(block, pixel))).subtract(means[pixel]);
                    let rest = counted(block, rest);
                    *square = rest.multiply_add(rest, *square);
                }
            }
            let scales =
                squares.map(|sum| V::splat(1.0 / (fold(sum, |a, b| a + b) * share + self.epsilon).sqrt()));
            for block in 0..self.blocks {
                let factor = V::load(self.factors.add(block * LANES));
                let summand = V::load(self.summands.add(block * LANES));
                for pixel in 0..PIXELS {
                    let rest = V::load(self.input.add(at(block, pixel))).subtract(means[pixel]);
                    let result = rest.multiply(scales[pixel]).multiply_add(factor, summand);
                    result.store(self.output.add(at(block, pixel)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::kernels::layers::check::{Noise, Plane, check};
    use crate::kernels::step::Step;

    #[test]
    fn norms_agree_with_a_plain_loop() {
        let mut noise = Noise(12);
        // The last ones have a mean that is a hundred times the deviation.
        for (channels, height, width, mean) in
            [(16, 5, 7, 0.0), (5, 3, 3, 0.5), (96, 1, 37, 0.0), (384, 1, 17, 100.0), (1000, 1, 2, 100.0)]
        {
            let mut input = Plane::drawn(&mut noise, channels, height, width);
            input.values.iter_mut().for_each(|value| *value += mean);
            let map = input.map;
            let [factors, summands] = [(); 2].map(|()| noise.take(channels));
            let mut expected = vec![0.0; input.values.len()];
            for pixel in 0..map.pixels() {
                let values: Vec<f64> = (0..channels).map(|channel| input.at(channel, pixel)).collect();
                let mean = values.iter().sum::<f64>() / channels as f64;
                let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / channels as f64;
                for (channel, value) in values.iter().enumerate() {
                    let result = (value - mean) / (variance + 1e-6).sqrt();
                    expected[channel * map.pixels() + pixel] =
                        result * f64::from(factors[channel]) + f64::from(summands[channel]);
                }
            }
            // The mean of numbers of its size is right to some of its last digits.
            let allowed = 2e-6 * f64::from(mean).max(1.0);
            check(
                &[],
                &[&input],
                map,
                allowed,
                Activation::Identity,
                &expected,
                |kernels, inputs, output| {
                    let norm =
                        Normalise::new([&factors, &summands], 1e-6, kernels, [inputs[0].clone(), output]);
                    Step::Layer(Box::new(norm))
                },
            );
        }
    }
}
