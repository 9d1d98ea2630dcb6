//! A convolution over the picture whose windows are copied one behind the other, such as the embedding
//! of patches.

use std::ops::Range;

use super::layer::Layer;
use crate::activation::Activation;
use crate::convolution::Convolution;
use crate::filters::{self, Filters, Source};
use crate::kernels::set::Kernels;
use crate::kernels::shared::flat_mut;
use crate::kernels::sweep::{Rows, sweep};
use crate::kernels::tile::PixelStep;
use crate::kernels::work::{Work, Worker};
use crate::layout::{Division, LANES, Lanes, Map, Placed};
use crate::window::Window;

/// [`Lanes`] of copied windows that meet all weights before the next ones do: 256 KiB.
const SPAN: usize = 4096;

/// A convolution over the picture, and where its output lies. The values of a window become the
/// channels of one pixel, and the convolution becomes one of single pixels.
#[derive(Debug)]
pub(crate) struct Patches {
    kernels: Kernels,
    filters: Filters,
    window: Window,
    picture: Map,
    output: Placed,
    activation: Activation,
    /// The values of a window.
    values: usize,
    /// The windows that are copied at once.
    span: usize,
    multiply_adds: u64,
}

impl Patches {
    /// The step of a convolution over pictures of the shape `picture`. Stride and padding of
    /// `convolution` are not used.
    ///
    /// # Panics
    ///
    /// If the shapes do not fit, or the convolution has groups.
    pub(crate) fn new(
        (window, convolution): (Window, &Convolution),
        kernels: Kernels,
        (picture, output): (Map, Placed),
        activation: Activation,
    ) -> Self {
        assert_eq!(window.map(picture, convolution.out_channels), Some(output.map), "{window} on {picture}");
        assert!(convolution.groups == 1 && convolution.in_channels_per_group == picture.channels);
        let values = picture.channels * window.taps();
        // The weights of an output lie in the order of the copied values.
        let pixels = Convolution {
            in_channels_per_group: values,
            kernel: [1, 1],
            stride: 1,
            padding: 0,
            ..convolution.clone()
        };
        let span = (SPAN / values.div_ceil(LANES)).max(2 * kernels.pixels()).min(output.map.pixels());
        let filters = filters::pack(&pixels, Source::plain(span * LANES, 0), kernels.blocks());
        let multiply_adds = convolution.multiply_adds(output.map.pixels());
        Self { kernels, filters, window, picture, output, activation, values, span, multiply_adds }
    }

    /// How threads share the step.
    fn division(&self, threads: usize) -> Division {
        let fewest = 2 * self.kernels.pixels();
        Division::by_pixels(threads, self.output.map.pixels(), fewest, self.filters.groups.len())
    }

    /// Copies the windows of some pixels of output.
    fn copy(&self, picture: &[f32], pixels: Range<usize>, copies: &mut [Lanes]) {
        let Map { height, width, .. } = self.picture;
        let Window { kernel, stride, before, dilation, .. } = self.window;
        let copies = flat_mut(copies);
        for (index, pixel) in pixels.enumerate() {
            let (y, x) = (pixel / self.output.map.width, pixel % self.output.map.width);
            let mut value = 0;
            for channel in picture.chunks_exact(height * width) {
                for tap in 0..kernel[0] {
                    let row = (y * stride[0] + tap * dilation[0]).wrapping_sub(before[0]);
                    let row = channel.get(row.wrapping_mul(width)..).filter(|_| row < height);
                    for tap in 0..kernel[1] {
                        let column = (x * stride[1] + tap * dilation[1]).wrapping_sub(before[1]);
                        let at = (value / LANES * self.span + index) * LANES + value % LANES;
                        copies[at] = match row {
                            Some(row) if column < width => row[column],
                            _ => 0.0,
                        };
                        value += 1;
                    }
                }
            }
        }
    }
}

impl Layer for Patches {
    fn scratch_len(&self) -> usize {
        self.values.div_ceil(LANES) * self.span
    }

    fn items(&self, threads: usize) -> usize {
        self.division(threads).items()
    }

    fn reads(&self) -> Vec<Range<usize>> {
        Vec::new()
    }

    fn writes(&self) -> Range<usize> {
        self.output.range()
    }

    fn multiply_adds(&self) -> u64 {
        self.multiply_adds
    }

    unsafe fn run(&self, work: &Work<'_>, worker: &mut Worker, item: usize) {
        let map = self.output.map;
        let (pixels, groups) =
            self.division(work.threads).item(item, map.pixels(), self.filters.groups.len());
        worker.kept = None;
        let copies = &mut worker.scratch[..self.scratch_len()];
        // The lanes behind the last value meet weights of zero.
        copies.fill(Lanes::ZERO);
        for begin in pixels.clone().step_by(self.span) {
            let some = begin..(begin + self.span).min(pixels.end);
            self.copy(work.picture, some.clone(), copies);
            let rows = Rows {
                count: 1,
                columns: some.len(),
                input: copies.as_ptr().cast(),
                input_pitch: 0,
                step: PixelStep::Next,
                output: work.arena.at(self.output.range()).wrapping_add(begin),
                output_block: map.pixels(),
                add: false,
                activation: self.activation,
            };
            for group in groups.clone() {
                // SAFETY: every block of the copies has as many pixels as `span`. These pixels and
                // groups of the output are this item's, for whose writes the caller vouches.
                unsafe { sweep(&self.kernels, self.filters.filter(group), rows) };
            }
        }
    }
}

impl std::fmt::Display for Patches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} by copies, {} to {}", self.window, self.picture, self.output.map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::layers::check::{Noise, Plane, check, drawn_convolution, windows};
    use crate::kernels::step::Step;

    #[test]
    fn every_window_agrees_with_a_plain_loop() {
        let mut noise = Noise(15);
        let patches = [Window::square(14, 14, 0), Window::square(16, 16, 0)];
        for (index, window) in windows().into_iter().chain(patches).enumerate() {
            for (channels, outputs, height, width) in [(3, 20, 33, 47), (1, 40, 20, 28), (6, 5, 17, 16)] {
                let input = Plane::drawn(&mut noise, channels, height, width);
                let Some(map) = window.map(input.map, outputs) else { continue };
                let convolution = drawn_convolution(&mut noise, window, [channels, outputs], 1);
                let activation = Activation::ALL[index % Activation::ALL.len()];
                let expected = input.convolve(window, &convolution, map);
                // Up to 1536 products of numbers below one are summed in f32.
                check(&input.values, &[], map, 1e-4, activation, &expected, |kernels, _, output| {
                    let ends = (input.map, output);
                    Step::Layer(Box::new(Patches::new((window, &convolution), kernels, ends, activation)))
                });
            }
        }
    }
}
