//! The factors of a global response norm, as in ConvNeXt V2.

use std::ops::Range;

use super::layer::{Layer, beside, blocks_of};
use crate::kernels::work::{Work, Worker};
use crate::layout::{LANES, Lanes, Placed};

/// The step behind the [norms](super::Reduction::Norm) of all channels. It makes of them
/// `1 + factor · norm / (mean of all norms + epsilon)`. The response itself is the value times this
/// number, plus a number of its channel: a [`Gate`](super::Other::Gate).
#[derive(Debug)]
pub(crate) struct Response {
    factors: Vec<Lanes>,
    epsilon: f32,
    norms: Placed,
    output: Placed,
}

impl Response {
    /// The step between two maps of one pixel, with a factor for each channel.
    ///
    /// # Panics
    ///
    /// If the shapes differ, or there is more than one pixel.
    pub(crate) fn new(factors: &[f32], epsilon: f32, [norms, output]: [Placed; 2]) -> Self {
        assert!(norms.map == output.map && norms.map.pixels() == 1 && norms.map.channels == factors.len());
        Self { factors: blocks_of(factors), epsilon, norms, output }
    }
}

impl Layer for Response {
    /// The sum over all channels makes one item of them.
    fn items(&self, _: usize) -> usize {
        1
    }

    fn reads(&self) -> Vec<Range<usize>> {
        beside(&self.output, [&self.norms])
    }

    fn writes(&self) -> Range<usize> {
        self.output.range()
    }

    unsafe fn run(&self, work: &Work<'_>, _: &mut Worker, _: usize) {
        let channels = self.norms.map.channels;
        // SAFETY: the caller vouches that nobody writes the norms. There is no other item, and the
        // slice ends before the output is written, which may lie here.
        let norms = unsafe { work.arena.slice(self.norms.range()) }.to_vec();
        let mut sum = 0.0_f64;
        for channel in 0..channels {
            sum += f64::from(norms[channel / LANES].0[channel % LANES]);
        }
        let divisor = (sum / channels as f64) as f32 + self.epsilon;
        // SAFETY: there is no other item. The caller vouches for the output.
        let output = unsafe { work.arena.slice_mut(self.output.range()) };
        for ((output, norm), factor) in output.iter_mut().zip(&norms).zip(&self.factors) {
            *output = Lanes(std::array::from_fn(|lane| 1.0 + factor.0[lane] * (norm.0[lane] / divisor)));
        }
    }
}

impl std::fmt::Display for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "response norm, {}", self.norms.map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::kernels::layers::check::{Noise, Plane, check};
    use crate::kernels::step::Step;

    #[test]
    fn factors_agree_with_a_plain_loop() {
        let mut noise = Noise(4);
        for channels in [5, 16, 100] {
            let mut norms = Plane::drawn(&mut noise, channels, 1, 1);
            norms.values.iter_mut().for_each(|value| *value = value.abs() * 9.0);
            let factors = noise.take(channels);
            let mean = norms.values.iter().copied().map(f64::from).sum::<f64>() / channels as f64 + 1e-6;
            let each = |channel: usize| 1.0 + f64::from(factors[channel]) * norms.at(channel, 0) / mean;
            let expected: Vec<f64> = (0..channels).map(each).collect();
            check(&[], &[&norms], norms.map, 1e-6, Activation::Identity, &expected, |_, inputs, output| {
                Step::Layer(Box::new(Response::new(&factors, 1e-6, [inputs[0].clone(), output])))
            });
        }
    }
}
