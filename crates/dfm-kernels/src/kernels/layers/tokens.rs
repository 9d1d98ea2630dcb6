//! From a map to tokens and back: tokens are put before those of the pixels, or taken away.

use std::ops::Range;

use super::layer::Layer;
use crate::kernels::work::{Work, Worker};
use crate::layout::{Lanes, Placed};

/// Puts tokens that are the same for every picture before the pixels of a map.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// `[blocks][tokens]`.
    prefix: Vec<Lanes>,
    input: Placed,
    output: Placed,
}

impl Tokens {
    /// The step between two maps. `prefix` has the tokens by which the output has more pixels, in
    /// blocks.
    ///
    /// # Panics
    ///
    /// If the shapes do not fit.
    pub(crate) fn new(prefix: Vec<Lanes>, [input, output]: [Placed; 2]) -> Self {
        assert!(input.map.channels == output.map.channels);
        assert!(prefix.len() + input.map.len() == output.map.len(), "{} to {}", input.map, output.map);
        Self { prefix, input, output }
    }
}

impl Layer for Tokens {
    fn items(&self, _: usize) -> usize {
        self.output.map.blocks()
    }

    fn reads(&self) -> Vec<Range<usize>> {
        vec![self.input.range()]
    }

    fn writes(&self) -> Range<usize> {
        self.output.range()
    }

    unsafe fn run(&self, work: &Work<'_>, _: &mut Worker, block: usize) {
        let count = self.output.map.pixels() - self.input.map.pixels();
        // SAFETY: the caller vouches for input and output; this block is this item's.
        let (input, output) = unsafe {
            let input = work.arena.slice(self.input.block(block));
            (input, work.arena.slice_mut(self.output.block(block)))
        };
        let (before, pixels) = output.split_at_mut(count);
        before.copy_from_slice(&self.prefix[block * count..][..count]);
        pixels.copy_from_slice(input);
    }
}

impl std::fmt::Display for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to tokens, {}", self.input.map, self.output.map)
    }
}

/// Takes the last pixels of a map: those of the tokens that are not of the prefix.
#[derive(Debug)]
pub(crate) struct Pixels {
    input: Placed,
    output: Placed,
}

impl Pixels {
    /// The step between two maps.
    ///
    /// # Panics
    ///
    /// If the shapes do not fit.
    pub(crate) fn new([input, output]: [Placed; 2]) -> Self {
        assert!(input.map.channels == output.map.channels && input.map.pixels() >= output.map.pixels());
        Self { input, output }
    }
}

impl Layer for Pixels {
    fn items(&self, _: usize) -> usize {
        self.output.map.blocks()
    }

    fn reads(&self) -> Vec<Range<usize>> {
        vec![self.input.range()]
    }

    fn writes(&self) -> Range<usize> {
        self.output.range()
    }

    unsafe fn run(&self, work: &Work<'_>, _: &mut Worker, block: usize) {
        let count = self.input.map.pixels() - self.output.map.pixels();
        // SAFETY: the caller vouches for input and output; this block is this item's.
        let (input, output) = unsafe {
            let input = work.arena.slice(self.input.block(block));
            (input, work.arena.slice_mut(self.output.block(block)))
        };
        output.copy_from_slice(&input[count..]);
    }
}

impl std::fmt::Display for Pixels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tokens to {}", self.output.map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::kernels::layers::check::{Noise, Plane, check};
    use crate::kernels::step::Step;
    use crate::layout::Map;

    #[test]
    fn tokens_are_put_before_the_pixels_and_taken_away_again() {
        let mut noise = Noise(2);
        for (channels, count) in [(16, 1), (5, 3), (40, 0)] {
            let pixels = Plane::drawn(&mut noise, channels, 3, 4);
            let prefix = Plane::drawn(&mut noise, channels, 1, count);
            let map = Map { channels, height: 1, width: 12 + count };
            let token = |channel: usize, token: usize| match token.checked_sub(count) {
                Some(pixel) => pixels.values[channel * 12 + pixel],
                None => prefix.values[channel * count + token],
            };
            let at = |index: usize| token(index / map.width, index % map.width);
            let values: Vec<f32> = (0..channels * map.width).map(at).collect();
            let expected: Vec<f64> = values.iter().copied().map(f64::from).collect();
            check(&[], &[&pixels], map, 0.0, Activation::Identity, &expected, |_, inputs, output| {
                Step::Layer(Box::new(Tokens::new(prefix.lanes(), [inputs[0].clone(), output])))
            });
            let tokens = Plane { map, values };
            let expected: Vec<f64> = pixels.values.iter().copied().map(f64::from).collect();
            check(&[], &[&tokens], pixels.map, 0.0, Activation::Identity, &expected, |_, inputs, output| {
                Step::Layer(Box::new(Pixels::new([inputs[0].clone(), output])))
            });
        }
    }
}
