//! A picture as a map of the arena.

use std::ops::Range;

use super::layer::Layer;
use crate::kernels::work::{Work, Worker};
use crate::layout::{Division, LANES, Lanes, Placed};

/// Copies the picture to the arena, for layers that read nothing else.
#[derive(Debug)]
pub(crate) struct Load {
    output: Placed,
}

impl Load {
    /// The step for pictures of the shape of `output`.
    pub(crate) fn new(output: Placed) -> Self {
        Self { output }
    }

    /// How threads share the step.
    fn division(&self, threads: usize) -> Division {
        Division::by_pixels(threads, self.output.map.pixels(), 256, 1)
    }
}

impl Layer for Load {
    fn items(&self, threads: usize) -> usize {
        self.division(threads).items()
    }

    fn reads(&self) -> Vec<Range<usize>> {
        Vec::new()
    }

    fn writes(&self) -> Range<usize> {
        self.output.range()
    }

    unsafe fn run(&self, work: &Work<'_>, _: &mut Worker, item: usize) {
        let map = self.output.map;
        let (pixels, _) = self.division(work.threads).item(item, map.pixels(), 1);
        for block in 0..map.blocks() {
            let begin = self.output.block(block).start;
            // SAFETY: the caller vouches for the output; these pixels are this item's.
            let output = unsafe { work.arena.slice_mut(begin + pixels.start..begin + pixels.end) };
            output.fill(Lanes::ZERO);
            let channels = block * LANES..((block + 1) * LANES).min(map.channels);
            for (lane, channel) in channels.enumerate() {
                let values = &work.picture[channel * map.pixels()..][pixels.clone()];
                output.iter_mut().zip(values).for_each(|(lanes, value)| lanes.0[lane] = *value);
            }
        }
    }
}

impl std::fmt::Display for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "picture, {}", self.output.map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::kernels::layers::check::{Noise, Plane, check};
    use crate::kernels::step::Step;

    #[test]
    fn a_picture_lies_in_blocks() {
        for (channels, height, width) in [(3, 20, 31), (1, 1, 1), (20, 5, 5)] {
            let picture = Plane::drawn(&mut Noise(7), channels, height, width);
            let expected: Vec<f64> = picture.values.iter().copied().map(f64::from).collect();
            let identity = Activation::Identity;
            check(&picture.values, &[], picture.map, 0.0, identity, &expected, |_, _, output| {
                Step::Layer(Box::new(Load::new(output)))
            });
        }
    }
}
