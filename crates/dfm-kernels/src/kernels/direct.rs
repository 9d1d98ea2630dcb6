//! A convolution tap by tap.

use std::ops::Range;

use super::ends::Ends;
use super::set::Kernels;
use super::sliding::Sliding;
use super::sweep::{Rows, sweep};
use super::work::{Work, Worker};
use crate::convolution::Convolution;
use crate::filters::{self, Filters};
use crate::layout::{Division, Lanes};
use crate::window::Window;

/// [`Lanes`] of input that meet all weights before the next ones do, so that they stay in the
/// second-level cache: 256 KiB.
const SPAN: usize = 4096;

/// A convolution, and where its input and output lie.
#[derive(Debug)]
pub(crate) struct Direct {
    kernels: Kernels,
    filters: Filters,
    ends: Ends,
    sliding: Sliding,
    pub(super) multiply_adds: u64,
}

impl Direct {
    /// The step of `convolution` between `ends`.
    pub(crate) fn new(convolution: &Convolution, kernels: Kernels, ends: Ends) -> Self {
        Self::over(Window::of(convolution), convolution, kernels, ends)
    }

    /// The step of a convolution over any windows. Stride and padding of `convolution` are not used.
    pub(crate) fn over(window: Window, convolution: &Convolution, kernels: Kernels, ends: Ends) -> Self {
        let (input_map, output_map) = ends.maps();
        let sliding = Sliding::new(window, input_map, output_map, SPAN);
        let filters = filters::pack(convolution, sliding.source(), kernels.blocks());
        let multiply_adds = convolution.multiply_adds(output_map.pixels());
        Self { kernels, filters, ends, sliding, multiply_adds }
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
        self.sliding.scratch_len()
    }

    /// How threads share the step.
    pub(crate) fn division(&self, threads: usize) -> Division {
        self.sliding.division(threads, self.kernels.pixels(), self.filters.groups.len())
    }

    /// Computes one item: some pixels or rows of some groups of output channels.
    ///
    /// # Safety
    ///
    /// That of [`Step::run`](super::step::Step::run).
    pub(super) unsafe fn run(&self, work: &Work<'_>, worker: &mut Worker, item: usize) {
        let sliding = &self.sliding;
        let (units, groups) =
            self.division(work.threads).item(item, sliding.units(), self.filters.groups.len());
        let output = work.arena.at(self.ends.output.clone());
        // SAFETY: the caller vouches that nobody writes the input.
        let input = unsafe { work.arena.slice(self.ends.input.clone()) };
        for units in sliding.spans(units, self.kernels.pixels()) {
            let [count, columns] = sliding.rows(&units);
            let output = output.wrapping_add(units.start * sliding.per_unit());
            let input = match sliding.before(units.start) {
                Some(before) => input.as_ptr().cast::<f32>().wrapping_add(before),
                None => {
                    sliding.copy_between_zeros(Lanes::ZERO, input, units, &mut worker.scratch);
                    worker.kept = None;
                    worker.scratch.as_ptr().cast()
                }
            };
            let rows = Rows {
                count,
                columns,
                input,
                input_pitch: sliding.pitch(),
                step: sliding.step(),
                output,
                output_block: self.ends.output_map.pixels(),
                add: self.ends.add,
                activation: self.ends.activation,
            };
            // SAFETY: `filters::pack` has placed every tap of the first pixel inside a block of
            // the input or of the scratch memory. The taps of the other pixels lie up to
            // `stride · (rows − 1)` rows and as many columns further, which is still inside, since
            // a window keeps inside the padded input. 1×1 windows are single pixels of the input.
            // The outputs of these units and groups are those of this item, for whose writes the
            // caller vouches.
            for group in groups.clone() {
                unsafe { sweep(&self.kernels, self.filters.filter(group), rows) };
            }
        }
    }
}

impl std::fmt::Display for Direct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {} to {}", self.sliding, self.ends.input_map, self.ends.output_map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::kernels::layers::check::{Noise, Plane, check, drawn_convolution, windows};
    use crate::kernels::step::Step;

    /// Compares convolutions over every kind of windows with a plain loop.
    fn agrees(sizes: &[[usize; 3]], size: [usize; 2]) {
        let mut noise = Noise(21);
        for (index, window) in windows().into_iter().enumerate() {
            for [inputs, outputs, groups] in sizes {
                let input = Plane::drawn(&mut noise, *inputs, size[0], size[1]);
                let Some(map) = window.map(input.map, *outputs) else { continue };
                let convolution = drawn_convolution(&mut noise, window, [*inputs, *outputs], *groups);
                let activation = Activation::ALL[index % Activation::ALL.len()];
                let expected = input.convolve(window, &convolution, map);
                // Up to 2450 products of numbers below one are summed in f32.
                check(&[], &[&input], map, 2e-4, activation, &expected, |kernels, inputs, output| {
                    let ends = Ends {
                        input: inputs[0].at.clone(),
                        input_map: input.map,
                        output: output.at,
                        output_map: map,
                        add: false,
                        activation,
                    };
                    Step::Direct(Direct::over(window, &convolution, kernels, ends))
                });
            }
        }
    }

    #[test]
    fn every_window_agrees_with_a_plain_loop() {
        agrees(&[[16, 48, 1], [5, 20, 1], [50, 7, 1], [24, 36, 4], [12, 12, 12]], [13, 19]);
    }

    #[test]
    fn windows_over_one_row_agree_with_a_plain_loop() {
        agrees(&[[20, 33, 1]], [1, 77]);
    }
}
