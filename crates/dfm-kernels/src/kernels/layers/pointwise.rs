//! Sums, products and functions of single values.

use std::ops::Range;

use super::layer::{Layer, beside, blocks_of};
use crate::activation::Activation;
use crate::kernels::functions::activate;
use crate::kernels::routine::Routine;
use crate::kernels::set::Kernels;
use crate::kernels::vector::Vector;
use crate::kernels::work::{Work, Worker};
use crate::layout::{Division, LANES, Lanes, Placed};

const ZERO: Lanes = Lanes::ZERO;

/// What each value is combined with.
#[derive(Debug)]
pub(crate) enum Other {
    /// Nothing.
    Nothing,
    /// The value of another map of the same shape is added.
    Add(Placed),
    /// The value is multiplied by that of another map of the same shape.
    Multiply(Placed),
    /// The value is multiplied by that of its channel in a map of one pixel, and a number of its
    /// channel is added, if there are such numbers.
    Gate(Placed, Option<Vec<Lanes>>),
    /// The value is multiplied by a number of its channel, and another number is added.
    Affine([Vec<Lanes>; 2]),
    /// A number is added that belongs to the value's channel and pixel: `[blocks][pixels]`.
    Constant(Vec<Lanes>),
}

impl Other {
    /// [`Affine`](Self::Affine) with a factor and a summand for each channel.
    pub(crate) fn affine(factors: &[f32], summands: &[f32]) -> Self {
        Self::Affine([blocks_of(factors), blocks_of(summands)])
    }

    /// [`Gate`](Self::Gate) with a summand for each channel.
    pub(crate) fn gate(factors: Placed, summands: &[f32]) -> Self {
        Self::Gate(factors, Some(blocks_of(summands)))
    }

    fn map(&self) -> Option<&Placed> {
        match self {
            Self::Add(map) | Self::Multiply(map) | Self::Gate(map, _) => Some(map),
            Self::Nothing | Self::Affine(_) | Self::Constant(_) => None,
        }
    }
}

/// A function of the single values of a map, and where input and output lie. The output may lie where
/// the input does, or another map of the same shape.
#[derive(Debug)]
pub(crate) struct Pointwise {
    kernels: Kernels,
    input: Placed,
    other: Other,
    output: Placed,
    activation: Activation,
}

impl Pointwise {
    /// The step that combines each value of the input with the `other` one, and takes the activation
    /// of the result.
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub(crate) fn new(
        other: Other,
        kernels: Kernels,
        [input, output]: [Placed; 2],
        activation: Activation,
    ) -> Self {
        let map = input.map;
        let fits = match &other {
            Other::Nothing => true,
            Other::Add(other) | Other::Multiply(other) => other.map == map,
            Other::Gate(other, summands) => {
                let is_one_pixel = (other.map.channels, other.map.pixels()) == (map.channels, 1);
                is_one_pixel && summands.as_ref().is_none_or(|values| values.len() == map.blocks())
            }
            Other::Affine(values) => values.iter().all(|values| values.len() == map.blocks()),
            Other::Constant(values) => values.len() == map.len(),
        };
        assert!(fits && output.map == map, "{map}, {other:?} and {}", output.map);
        Self { kernels, input, other, output, activation }
    }

    /// How threads share the step.
    fn division(&self, threads: usize) -> Division {
        Division::by_groups(threads, self.output.map.pixels(), 64, self.output.map.blocks())
    }
}

impl Layer for Pointwise {
    fn items(&self, threads: usize) -> usize {
        self.division(threads).items()
    }

    fn reads(&self) -> Vec<Range<usize>> {
        beside(&self.output, std::iter::once(&self.input).chain(self.other.map()))
    }

    fn writes(&self) -> Range<usize> {
        self.output.range()
    }

    unsafe fn run(&self, work: &Work<'_>, _: &mut Worker, item: usize) {
        let map = self.output.map;
        let (pixels, blocks) = self.division(work.threads).item(item, map.pixels(), map.blocks());
        for block in blocks {
            let part = |placed: &Placed| {
                let begin = placed.block(block).start;
                work.arena.at(begin + pixels.start..begin + pixels.end).cast::<f32>()
            };
            let operand = match &self.other {
                Other::Nothing => Operand::Nothing,
                Other::Add(other) => Operand::Add(part(other)),
                Other::Multiply(other) => Operand::Multiply(part(other)),
                Other::Gate(other, summands) => {
                    let summand = summands.as_ref().map_or(&ZERO, |summands| &summands[block]);
                    Operand::Affine([work.arena.at(other.block(block)).cast(), summand.0.as_ptr()])
                }
                Other::Affine([factors, summands]) => {
                    Operand::Affine([factors[block].0.as_ptr(), summands[block].0.as_ptr()])
                }
                Other::Constant(values) => {
                    let begin = block * map.pixels();
                    Operand::Add(values[begin + pixels.start..begin + pixels.end].as_ptr().cast())
                }
            };
            let values = Values {
                input: part(&self.input),
                operand,
                output: part(&self.output),
                count: pixels.len(),
                activation: self.activation,
            };
            // SAFETY: the parts are inside the arena. The caller vouches that nobody writes what is
            // read. These pixels and channels of the output are this item's, also where they are those
            // of an input.
            unsafe { self.kernels.run(values) };
        }
    }
}

impl std::fmt::Display for Pointwise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.other {
            Other::Nothing => "values",
            Other::Add(_) => "sum",
            Other::Multiply(_) => "product",
            Other::Gate(..) => "product by channel",
            Other::Affine(_) => "scale and shift",
            Other::Constant(_) => "sum with constants",
        };
        write!(f, "{name}, {}, {}", self.activation, self.output.map)
    }
}

/// What the values of one block are combined with.
#[derive(Clone, Copy)]
enum Operand {
    Nothing,
    Add(*const f32),
    Multiply(*const f32),
    /// 16 factors and 16 summands.
    Affine([*const f32; 2]),
}

/// Some neighbours of one block of channels.
struct Values {
    input: *const f32,
    operand: Operand,
    output: *mut f32,
    /// The number of pixels.
    count: usize,
    activation: Activation,
}

impl Routine for Values {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        for at in (0..self.count).map(|pixel| pixel * LANES) {
            // SAFETY: the caller vouches for every pixel.
            unsafe {
                let value = V::load(self.input.add(at));
                let value = match self.operand {
                    Operand::Nothing => value,
                    Operand::Add(other) => value.add(V::load(other.add(at))),
                    Operand::Multiply(other) => value.multiply(V::load(other.add(at))),
                    Operand::Affine([factor, summand]) => {
                        value.multiply_add(V::load(factor), V::load(summand))
                    }
                };
                activate(value, self.activation).store(self.output.add(at));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::layers::check::{Noise, Plane, check};
    use crate::kernels::step::Step;

    #[test]
    fn sums_and_products_agree_with_a_plain_loop() {
        let mut noise = Noise(9);
        for (channels, height, width) in [(16, 9, 11), (5, 3, 1), (40, 1, 257)] {
            let [one, two] = [(); 2].map(|()| Plane::drawn(&mut noise, channels, height, width));
            let gate = Plane::drawn(&mut noise, channels, 1, 1);
            let [factors, summands] = [(); 2].map(|()| noise.take(channels));
            let map = one.map;
            let constants = Plane::drawn(&mut noise, channels, height, width);
            for kind in 0..7 {
                for activation in [Activation::Identity, Activation::Relu6, Activation::Silu] {
                    let build = |kernels: Kernels, inputs: &[Placed], output: Placed| {
                        let other = match kind {
                            0 => Other::Nothing,
                            1 => Other::Add(inputs[1].clone()),
                            2 => Other::Multiply(inputs[1].clone()),
                            3 => Other::Gate(inputs[2].clone(), None),
                            6 => Other::gate(inputs[2].clone(), &summands),
                            4 => Other::affine(&factors, &summands),
                            _ => Other::Constant(constants.lanes()),
                        };
                        let ends = [inputs[0].clone(), output];
                        Step::Layer(Box::new(Pointwise::new(other, kernels, ends, activation)))
                    };
                    let at = |index: usize| (index / map.pixels(), index % map.pixels());
                    let value = |index: usize| {
                        let (channel, pixel) = at(index);
                        let x = one.at(channel, pixel);
                        match kind {
                            0 => x,
                            1 => x + two.at(channel, pixel),
                            2 => x * two.at(channel, pixel),
                            3 => x * gate.at(channel, 0),
                            6 => x * gate.at(channel, 0) + f64::from(summands[channel]),
                            4 => x * f64::from(factors[channel]) + f64::from(summands[channel]),
                            _ => x + constants.at(channel, pixel),
                        }
                    };
                    let expected: Vec<f64> = (0..one.values.len()).map(value).collect();
                    check(&[], &[&one, &two, &gate], map, 1e-6, activation, &expected, build);
                }
            }
        }
    }

    #[test]
    fn a_sum_may_lie_where_one_of_its_maps_does() {
        let map = crate::layout::Map { channels: 3, height: 2, width: 2 };
        let [one, two] = [0..4, 4..8].map(|at| Placed { at, map });
        let kernels = Kernels::of(crate::InstructionSet::best());
        for onto in [&one, &two] {
            let ends = [one.clone(), onto.clone()];
            let sum = Pointwise::new(Other::Add(two.clone()), kernels, ends, Activation::Identity);
            let steps = crate::kernels::steps::Steps::new(vec![Step::Layer(Box::new(sum))], 8, 0, 0);
            let mut memory = steps.new_memory(2);
            memory.fill(1.5);
            steps.run(&mut memory, &[], &mut [], |_| ());
            assert!(memory.arena_mut()[onto.range()].iter().all(|lanes| lanes.0 == [3.0; LANES]));
        }
    }
}
