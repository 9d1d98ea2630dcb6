//! A convolution over the picture whose windows are two columns apart, as most networks begin with.

use std::ops::Range;

use super::layer::Layer;
use crate::activation::Activation;
use crate::convolution::Convolution;
use crate::filters::{self, Filters, Source};
use crate::kernels::picture::PictureRows;
use crate::kernels::set::Kernels;
use crate::kernels::shared::flat_mut;
use crate::kernels::sweep::{Rows, sweep};
use crate::kernels::tile::PixelStep;
use crate::kernels::work::{Work, Worker};
use crate::layout::{Division, LANES, Lanes, Map, Placed};
use crate::window::Window;

/// The rows of output for which the picture is copied between zeros at once.
const BAND: usize = 8;

/// A convolution over the picture, and where its output lies. Micro-kernels read the single channels
/// of the picture, from a copy of some rows with zeros around them.
#[derive(Debug)]
pub(crate) struct Planar {
    kernels: Kernels,
    filters: Filters,
    window: Window,
    picture: Map,
    output: Placed,
    activation: Activation,
    multiply_adds: u64,
}

impl Planar {
    /// Whether the step computes such windows.
    pub(crate) fn suits(window: Window) -> bool {
        window.stride[1] == 2 && window.dilation == [1; 2]
    }

    /// The step of a convolution over pictures of the shape `picture`. Stride and padding of
    /// `convolution` are not used.
    ///
    /// # Panics
    ///
    /// If the shapes do not fit, the convolution has groups, or the windows do not
    /// [suit](Self::suits).
    pub(crate) fn new(
        (window, convolution): (Window, &Convolution),
        kernels: Kernels,
        (picture, output): (Map, Placed),
        activation: Activation,
    ) -> Self {
        assert_eq!(window.map(picture, convolution.out_channels), Some(output.map), "{window} on {picture}");
        assert!(convolution.groups == 1 && convolution.in_channels_per_group == picture.channels);
        assert!(Self::suits(window), "{window}");
        let width = picture.width + window.before[1] + window.after[1];
        let source = Source::plain(band_rows(window) * width, width);
        let filters = filters::pack_planar(convolution, source, kernels.blocks());
        let multiply_adds = convolution.multiply_adds(output.map.pixels());
        Self { kernels, filters, window, picture, output, activation, multiply_adds }
    }

    /// How threads share the step.
    fn division(&self, threads: usize) -> Division {
        Division::by_pixels(threads, self.output.map.height, 4, 1)
    }

    /// The rows of the picture that a band of output sees.
    fn rows(&self) -> PictureRows {
        let Window { before, after, .. } = self.window;
        let width = self.picture.width + before[1] + after[1];
        PictureRows { picture: self.picture, before, count: band_rows(self.window), width }
    }
}

/// The rows of the picture that a band of output sees.
fn band_rows(window: Window) -> usize {
    (BAND - 1) * window.stride[0] + window.kernel[0]
}

impl Layer for Planar {
    fn scratch_len(&self) -> usize {
        self.rows().len().div_ceil(LANES)
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
        let (rows, _) = self.division(work.threads).item(item, map.height, 1);
        worker.kept = None;
        let copy: &mut [Lanes] = &mut worker.scratch[..self.scratch_len()];
        for begin in rows.clone().step_by(BAND) {
            let count = BAND.min(rows.end - begin);
            self.rows().copy(work.picture, begin * self.window.stride[0], flat_mut(copy));
            let rows = Rows {
                count,
                columns: map.width,
                input: copy.as_ptr().cast(),
                input_pitch: self.window.stride[0] * self.rows().width,
                step: PixelStep::Picture,
                output: work.arena.at(self.output.range()).wrapping_add(begin * map.width),
                output_block: map.pixels(),
                add: false,
                activation: self.activation,
            };
            for group in 0..self.filters.groups.len() {
                // SAFETY: the windows of a band keep inside the rows that are copied for it, and inside
                // the padded columns, as `Window::output` counts them. These rows of the output are this
                // item's, for whose writes the caller vouches.
                unsafe { sweep(&self.kernels, self.filters.filter(group), rows) };
            }
        }
    }
}

impl std::fmt::Display for Planar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {} to {}", self.window, self.picture, self.output.map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::layers::check::{Noise, Plane, check, drawn_convolution, windows};
    use crate::kernels::step::Step;

    #[test]
    fn every_window_agrees_with_a_plain_loop() {
        let mut noise = Noise(16);
        for (index, window) in windows().into_iter().filter(|window| Planar::suits(*window)).enumerate() {
            for (channels, outputs, height, width) in [(3, 20, 33, 47), (1, 40, 40, 28), (6, 5, 17, 16)] {
                let input = Plane::drawn(&mut noise, channels, height, width);
                let Some(map) = window.map(input.map, outputs) else { continue };
                let convolution = drawn_convolution(&mut noise, window, [channels, outputs], 1);
                let activation = Activation::ALL[index % Activation::ALL.len()];
                let expected = input.convolve(window, &convolution, map);
                // Up to 294 products of numbers below one are summed in f32.
                check(&input.values, &[], map, 2e-5, activation, &expected, |kernels, _, output| {
                    let ends = (input.map, output);
                    Step::Layer(Box::new(Planar::new((window, &convolution), kernels, ends, activation)))
                });
            }
        }
    }
}
