//! Maxima and averages of windows.

use std::ops::Range;

use super::layer::Layer;
use crate::kernels::routine::Routine;
use crate::kernels::set::Kernels;
use crate::kernels::vector::Vector;
use crate::kernels::work::{Work, Worker};
use crate::layout::{Division, LANES, Map, Placed};
use crate::window::Window;

/// What is taken of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// The largest value. Padding does not count.
    Maximum,
    /// The average of the values on the input.
    Average,
    /// The sum of the values on the input, divided by the number of all taps: padding counts as zero.
    AverageWithPadding,
}

/// A pool, and where its input and output lie.
#[derive(Debug)]
pub(crate) struct Pool {
    kernels: Kernels,
    window: Window,
    pooling: Pooling,
    input: Placed,
    output: Placed,
}

impl Pool {
    /// The step between two maps.
    ///
    /// # Panics
    ///
    /// If the maps do not fit the windows, or a window may hold nothing but padding.
    pub(crate) fn new(
        window: Window,
        pooling: Pooling,
        kernels: Kernels,
        [input, output]: [Placed; 2],
    ) -> Self {
        assert_eq!(window.map(input.map, input.map.channels), Some(output.map), "{window} on {}", input.map);
        assert!(Self::suits(window, input.map), "{window} on {}: a window of padding", input.map);
        Self { kernels, window, pooling, input, output }
    }

    /// Whether every window holds a pixel of `input`.
    pub(crate) fn suits(window: Window, input: Map) -> bool {
        let sides = [input.height, input.width];
        let Some(counts) = window.output(sides) else { return false };
        [0, 1].into_iter().all(|axis| {
            (0..counts[axis]).all(|index| !window.taps_inside(axis, index, sides[axis]).is_empty())
        })
    }

    /// How threads share the step.
    fn division(&self, threads: usize) -> Division {
        Division::by_groups(threads, self.output.map.height, 2, self.output.map.blocks())
    }
}

impl Layer for Pool {
    fn items(&self, threads: usize) -> usize {
        self.division(threads).items()
    }

    fn reads(&self) -> Vec<Range<usize>> {
        vec![self.input.range()]
    }

    fn writes(&self) -> Range<usize> {
        self.output.range()
    }

    unsafe fn run(&self, work: &Work<'_>, _: &mut Worker, item: usize) {
        let map = self.output.map;
        let (rows, blocks) = self.division(work.threads).item(item, map.height, map.blocks());
        for block in blocks {
            let channels = Channels {
                window: self.window,
                pooling: self.pooling,
                input: work.arena.at(self.input.block(block)).cast(),
                size: [self.input.map.height, self.input.map.width],
                output: work.arena.at(self.output.block(block)).cast(),
                width: map.width,
                rows: rows.clone(),
            };
            // SAFETY: input and output are whole blocks of the arena. The caller vouches that nobody
            // writes the input, and these rows of the output are this item's.
            unsafe { self.kernels.run(channels) };
        }
    }
}

impl std::fmt::Display for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = if self.pooling == Pooling::Maximum { "maximum" } else { "average" };
        write!(f, "{name} of {}, {} to {}", self.window, self.input.map, self.output.map)
    }
}

/// Some rows of one block of channels.
struct Channels {
    window: Window,
    pooling: Pooling,
    /// The first pixel of the block.
    input: *const f32,
    /// Height and width of the input.
    size: [usize; 2],
    /// The first pixel of the block.
    output: *mut f32,
    /// The width of the output.
    width: usize,
    /// The rows of output.
    rows: Range<usize>,
}

impl Routine for Channels {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let [height, width] = self.size;
        let Window { stride, before, dilation, .. } = self.window;
        for row in self.rows {
            let rows = self.window.taps_inside(0, row, height);
            for column in 0..self.width {
                let columns = self.window.taps_inside(1, column, width);
                let (top, left) = (row * stride[0], column * stride[1]);
                // SAFETY: `taps_inside` gives the taps on the input. The caller vouches for it, and for
                // these rows of the output.
                unsafe {
                    let each = |pixels: &mut dyn FnMut(V)| {
                        for y in rows.clone() {
                            let line = (top + y * dilation[0] - before[0]) * width;
                            for x in columns.clone() {
                                let at = line + left + x * dilation[1] - before[1];
                                pixels(V::load(self.input.add(at * LANES)));
                            }
                        }
                    };
                    let count = match self.pooling {
                        Pooling::AverageWithPadding => self.window.taps(),
                        _ => rows.len() * columns.len(),
                    };
                    let result = if self.pooling == Pooling::Maximum {
                        let mut largest = V::splat(f32::NEG_INFINITY);
                        each(&mut |value| largest = largest.max_or_nan(value));
                        largest
                    } else {
                        let mut sum = V::splat(0.0);
                        each(&mut |value| sum = sum.add(value));
                        sum.multiply(V::splat(1.0 / count as f32))
                    };
                    result.store(self.output.add((row * self.width + column) * LANES));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::kernels::layers::check::{Noise, Plane, check, windows};
    use crate::kernels::step::Step;

    #[test]
    fn every_window_agrees_with_a_plain_loop() {
        let mut noise = Noise(6);
        for window in windows() {
            for (channels, height, width) in [(16, 15, 31), (5, 9, 7), (33, 20, 14)] {
                let input = Plane::drawn(&mut noise, channels, height, width);
                let Some(map) = window.map(input.map, channels) else { continue };
                if !Pool::suits(window, input.map) {
                    continue;
                }
                for pooling in [Pooling::Maximum, Pooling::Average, Pooling::AverageWithPadding] {
                    let expected = input.windows(window, map, |_, taps| {
                        let values = taps.iter().map(|(_, value)| *value);
                        match pooling {
                            Pooling::Maximum => values.fold(f64::NEG_INFINITY, f64::max),
                            Pooling::Average => values.sum::<f64>() / taps.len() as f64,
                            Pooling::AverageWithPadding => values.sum::<f64>() / window.taps() as f64,
                        }
                    });
                    // Averages of up to 49 numbers below one.
                    let step = |kernels: Kernels, inputs: &[Placed], output: Placed| {
                        let pool = Pool::new(window, pooling, kernels, [inputs[0].clone(), output]);
                        Step::Layer(Box::new(pool))
                    };
                    check(&[], &[&input], map, 1e-6, Activation::Identity, &expected, step);
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "a window of padding")]
    fn a_window_of_nothing_but_padding_is_refused() {
        let map = |side| Map { channels: 1, height: side, width: side };
        let place = |at, map| Placed { at, map };
        let window = Window::square(2, 1, 2);
        let ends = [place(0..9, map(3)), place(9..45, map(6))];
        Pool::new(window, Pooling::Maximum, Kernels::of(crate::InstructionSet::Portable), ends);
    }
}
