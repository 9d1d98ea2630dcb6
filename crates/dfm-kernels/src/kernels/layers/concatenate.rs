//! Maps behind each other along the channels.

use std::ops::Range;

use super::layer::Layer;
use crate::kernels::work::{Work, Worker};
use crate::layout::{Division, LANES, Lanes, Placed};

/// Puts the channels of several maps behind each other. Where the channels of a map do not fill its
/// blocks, those of the next map go into other lanes than they lie in.
#[derive(Debug)]
pub(crate) struct Concatenate {
    inputs: Vec<Placed>,
    output: Placed,
}

/// Some channels of one block of the output, and where they lie.
struct Run {
    input: usize,
    block: usize,
    /// The first lane there.
    from: usize,
    /// The lanes of the output.
    to: Range<usize>,
}

impl Concatenate {
    /// The step from some maps of one size to all their channels.
    ///
    /// # Panics
    ///
    /// If the shapes do not fit.
    pub(crate) fn new(inputs: Vec<Placed>, output: Placed) -> Self {
        let size = |placed: &Placed| (placed.map.height, placed.map.width);
        assert!(inputs.iter().all(|input| size(input) == size(&output)));
        let channels: usize = inputs.iter().map(|input| input.map.channels).sum();
        assert!(channels == output.map.channels, "{channels} channels to {}", output.map);
        Self { inputs, output }
    }

    /// Where the channels of one block of the output come from.
    fn runs(&self, block: usize) -> Vec<Run> {
        let (begin, end) = (block * LANES, (block + 1) * LANES);
        let mut runs = Vec::new();
        let mut first = 0;
        for (input, placed) in self.inputs.iter().enumerate() {
            let behind = first + placed.map.channels;
            let mut channel = begin.max(first);
            while channel < end.min(behind) {
                let (source, from) = ((channel - first) / LANES, (channel - first) % LANES);
                let count = (LANES - from).min(end.min(behind) - channel);
                runs.push(Run { input, block: source, from, to: channel - begin..channel - begin + count });
                channel += count;
            }
            first = behind;
        }
        runs
    }

    /// How threads share the step.
    fn division(&self, threads: usize) -> Division {
        Division::by_groups(threads, self.output.map.pixels(), 64, self.output.map.blocks())
    }
}

impl Layer for Concatenate {
    fn items(&self, threads: usize) -> usize {
        self.division(threads).items()
    }

    fn reads(&self) -> Vec<Range<usize>> {
        self.inputs.iter().map(Placed::range).collect()
    }

    fn writes(&self) -> Range<usize> {
        self.output.range()
    }

    unsafe fn run(&self, work: &Work<'_>, _: &mut Worker, item: usize) {
        let map = self.output.map;
        let (pixels, blocks) = self.division(work.threads).item(item, map.pixels(), map.blocks());
        for block in blocks {
            let part = |placed: &Placed, block: usize| {
                let begin = placed.block(block).start;
                begin + pixels.start..begin + pixels.end
            };
            // SAFETY: the caller vouches for the output; these pixels and channels are this item's.
            let output = unsafe { work.arena.slice_mut(part(&self.output, block)) };
            output.fill(Lanes::ZERO);
            for Run { input, block, from, to } in self.runs(block) {
                // SAFETY: the caller vouches that nobody writes the inputs.
                let input = unsafe { work.arena.slice(part(&self.inputs[input], block)) };
                if to.len() == LANES {
                    output.copy_from_slice(input);
                    continue;
                }
                for (output, input) in output.iter_mut().zip(input) {
                    output.0[to.clone()].copy_from_slice(&input.0[from..from + to.len()]);
                }
            }
        }
    }
}

impl std::fmt::Display for Concatenate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} maps to {}", self.inputs.len(), self.output.map)
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
    fn channels_come_one_behind_the_other() {
        let mut noise = Noise(8);
        for channels in [vec![16, 32], vec![5, 3], vec![24, 40, 7], vec![1, 1, 15, 33, 64, 2]] {
            let (height, width) = (9, 13);
            let drawn = |channels: &usize| Plane::drawn(&mut noise, *channels, height, width);
            let inputs: Vec<Plane> = channels.iter().map(drawn).collect();
            let map = Map { channels: channels.iter().sum(), height, width };
            let values = inputs.iter().flat_map(|input| input.values.iter().copied().map(f64::from));
            let expected: Vec<f64> = values.collect();
            let inputs: Vec<&Plane> = inputs.iter().collect();
            check(&[], &inputs, map, 0.0, Activation::Identity, &expected, |_, inputs, output| {
                Step::Layer(Box::new(Concatenate::new(inputs.to_vec(), output)))
            });
        }
    }
}
