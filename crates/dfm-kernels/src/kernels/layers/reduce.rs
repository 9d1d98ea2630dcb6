//! One number for each channel: the average of all pixels, or their norm.

use std::ops::Range;

use super::layer::Layer;
use crate::kernels::routine::Routine;
use crate::kernels::set::Kernels;
use crate::kernels::vector::Vector;
use crate::kernels::work::{Work, Worker};
use crate::layout::{LANES, Map, Placed};

/// What is taken of all pixels of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reduction {
    /// The average.
    Average,
    /// The square root of the sum of squares.
    Norm,
}

/// Makes a map of one pixel.
#[derive(Debug)]
pub(crate) struct Reduce {
    kernels: Kernels,
    reduction: Reduction,
    input: Placed,
    output: Placed,
}

impl Reduce {
    /// The step between a map and a map of one pixel.
    ///
    /// # Panics
    ///
    /// If the maps are not so.
    pub(crate) fn new(reduction: Reduction, kernels: Kernels, [input, output]: [Placed; 2]) -> Self {
        assert!(output.map == Map { height: 1, width: 1, ..input.map });
        Self { kernels, reduction, input, output }
    }
}

impl Layer for Reduce {
    fn items(&self, _: usize) -> usize {
        self.input.map.blocks()
    }

    fn reads(&self) -> Vec<Range<usize>> {
        vec![self.input.range()]
    }

    fn writes(&self) -> Range<usize> {
        self.output.range()
    }

    unsafe fn run(&self, work: &Work<'_>, _: &mut Worker, block: usize) {
        let channels = Channels {
            reduction: self.reduction,
            input: work.arena.at(self.input.block(block)).cast(),
            size: [self.input.map.height, self.input.map.width],
            output: work.arena.at(self.output.block(block)).cast(),
        };
        // SAFETY: these are whole blocks of the arena. The caller vouches that nobody writes the input,
        // and this block of the output is this item's.
        unsafe { self.kernels.run(channels) };
    }
}

impl std::fmt::Display for Reduce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = if self.reduction == Reduction::Average { "average" } else { "norm" };
        write!(f, "{name} of all pixels, {}", self.input.map)
    }
}

/// One block of channels.
struct Channels {
    reduction: Reduction,
    input: *const f32,
    /// Height and width.
    size: [usize; 2],
    /// 16 values.
    output: *mut f32,
}

impl Routine for Channels {
    type Output = ();

    /// The sums of rows are summed. The error therefore grows with the sides, and not with the number of
    /// pixels. Four pixels are summed apart, so that one addition does not wait for another.
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let [height, width] = self.size;
        let is_square = self.reduction == Reduction::Norm;
        // SAFETY: the caller vouches for the block.
        unsafe {
            let mut total = V::splat(0.0);
            for row in 0..height {
                let row = self.input.add(row * width * LANES);
                let mut sums = [V::splat(0.0); 4];
                let join = |sum: V, column: usize| {
                    let value = V::load(row.add(column * LANES));
                    if is_square { value.multiply_add(value, sum) } else { sum.add(value) }
                };
                let fours = width - width % 4;
                for column in (0..fours).step_by(4) {
                    for (index, sum) in sums.iter_mut().enumerate() {
                        *sum = join(*sum, column + index);
                    }
                }
                for column in fours..width {
                    sums[0] = join(sums[0], column);
                }
                total = total.add(sums[0].add(sums[1]).add(sums[2].add(sums[3])));
            }
            if is_square {
                total.store(self.output);
                for lane in 0..LANES {
                    *self.output.add(lane) = (*self.output.add(lane)).sqrt();
                }
            } else {
                total.multiply(V::splat(1.0 / (height * width) as f32)).store(self.output);
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
    fn averages_and_norms_agree_with_a_plain_loop() {
        let mut noise = Noise(3);
        for (channels, height, width) in [(16, 9, 7), (5, 1, 1), (40, 112, 113), (20, 1, 50)] {
            let input = Plane::drawn(&mut noise, channels, height, width);
            for reduction in [Reduction::Average, Reduction::Norm] {
                let pixels = input.map.pixels();
                let each = |channel: usize| {
                    let values = (0..pixels).map(|pixel| input.at(channel, pixel));
                    match reduction {
                        Reduction::Average => values.sum::<f64>() / pixels as f64,
                        Reduction::Norm => values.map(|x| x * x).sum::<f64>().sqrt(),
                    }
                };
                let expected: Vec<f64> = (0..channels).map(each).collect();
                let map = Map { height: 1, width: 1, ..input.map };
                // Norms are up to 65 here. Each has a few hundred roundings behind it.
                let step = |kernels: Kernels, inputs: &[Placed], output: Placed| {
                    Step::Layer(Box::new(Reduce::new(reduction, kernels, [inputs[0].clone(), output])))
                };
                check(&[], &[&input], map, 5e-5, Activation::Identity, &expected, step);
            }
        }
    }
}
