//! Convolutions in whole numbers: activations in eight bits, weights in seven and a
//! sign, sums in 32 bits.
//!
//! A `u8` activation stands for a multiple of its map's step, an `i8` weight for one
//! of its output channel's. Sums of their products are exact, and what is done to a sum
//! afterwards are single operations of `f32`, each rounded by itself: features in whole
//! numbers are the same on every instruction set. There are no transforms: their sums would
//! not fit.
//!
//! Weights stay within ±64 so that AVX2's sums of two products fit 16 bits (255 · 64 · 2
//! is below 2¹⁵). It is the weights that give way, since their error is the same for
//! every picture: another network, slightly, but for good and bad parts alike.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod convolution;
mod portable;
mod stem;
mod sweep;
mod tile;
#[cfg(target_arch = "x86_64")]
mod vnni;
mod weights;

pub(crate) use convolution::{IntegerConvolution, IntegerEnds, Residual};
pub(crate) use stem::{IntegerStem, PICTURE};

use crate::instructions::InstructionSet;
use crate::kernels::tile::PixelStep;
use crate::layout::{LANES, Lanes, Map};
use tile::MicroKernel;
use weights::Order;

/// The largest activation.
pub(crate) const ACTIVATION: f32 = 255.0;

/// Activations of 16 channels of one pixel.
pub(super) type Pixel = [u8; LANES];

/// [`Pixel`]s in as many bytes as [`Lanes`] have.
const PIXELS: usize = size_of::<Lanes>() / size_of::<Pixel>();

/// What a feature map holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// Steps, in `u8`.
    Bytes,
    /// Numbers, in `f32`.
    Floats,
}

impl Values {
    /// [`Lanes`] of memory that `map` takes.
    pub(crate) fn len(self, map: Map) -> usize {
        match self {
            Self::Bytes => map.len().div_ceil(PIXELS),
            Self::Floats => map.len(),
        }
    }
}

/// The vector code of one instruction set.
#[derive(Clone, Copy)]
pub(crate) struct IntegerKernels {
    /// By [`PixelStep`], blocks of output channels − 1, and pixels − 1.
    tiles: [&'static [&'static [MicroKernel]]; 3],
    /// The order of the weights that they read.
    order: Order,
}

impl IntegerKernels {
    /// The fastest of `instructions` and less that this processor has.
    pub(crate) fn of(instructions: InstructionSet) -> Self {
        let fitting = Self::available().into_iter().rfind(|(least, _)| *least <= instructions);
        fitting.map_or(portable::KERNELS, |(_, kernels)| kernels)
    }

    /// Those that this processor has, the fastest last, and what each is part of.
    fn available() -> Vec<(InstructionSet, Self)> {
        let mut available = vec![(InstructionSet::Portable, portable::KERNELS)];
        #[cfg(target_arch = "x86_64")]
        {
            if InstructionSet::Avx2.is_available() {
                available.push((InstructionSet::Avx2, avx2::KERNELS));
                if avx2::has_vnni() {
                    available.push((InstructionSet::Avx2, avx2::VNNI));
                }
            }
            if vnni::is_available() {
                available.push((InstructionSet::Avx512, vnni::KERNELS));
            }
        }
        available
    }

    /// Blocks of output channels that a tile can have.
    fn blocks(&self) -> usize {
        self.tiles[0].len()
    }

    /// The most pixels that a tile can have.
    fn pixels(&self) -> usize {
        self.tiles[0][0].len()
    }

    fn tile(&self, step: PixelStep, blocks: usize, pixels: usize) -> MicroKernel {
        self.tiles[step as usize][blocks - 1][pixels - 1]
    }
}

impl std::fmt::Debug for IntegerKernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IntegerKernels({} pixels × {} blocks)", self.pixels(), self.blocks())
    }
}

/// The bytes of `lanes` by pixels.
fn pixels(lanes: &[Lanes]) -> &[Pixel] {
    // SAFETY: `Lanes` are 64 bytes without gaps, of which any are a `u8`.
    unsafe { std::slice::from_raw_parts(lanes.as_ptr().cast(), lanes.len() * PIXELS) }
}

/// [`pixels`] to be written.
fn pixels_mut(lanes: &mut [Lanes]) -> &mut [Pixel] {
    // SAFETY: as above, and any bytes are an `f32`.
    unsafe { std::slice::from_raw_parts_mut(lanes.as_mut_ptr().cast(), lanes.len() * PIXELS) }
}

/// `lanes` as 16-bit numbers.
fn words_mut(lanes: &mut [Lanes]) -> &mut [i16] {
    // SAFETY: `Lanes` are 64 bytes without gaps, of which any two are an `i16`, and the
    // other way round.
    unsafe {
        std::slice::from_raw_parts_mut(lanes.as_mut_ptr().cast(), size_of_val(lanes) / size_of::<i16>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Shared, Step, Work, Worker};
    use crate::network::Convolution;

    /// What becomes of `input` by a 3×3 convolution of 20 channels to 36.
    fn convolved(kernels: IntegerKernels, weight: &[f32], input: &[u8]) -> Vec<u8> {
        let map = |channels| Map { channels, height: 9, width: 11 };
        let (from, to) = (Values::Bytes.len(map(20)), Values::Bytes.len(map(36)));
        let convolution = Convolution {
            out_channels: 36,
            in_channels_per_group: 20,
            kernel: [3, 3],
            stride: 1,
            padding: 1,
            groups: 1,
            weight: weight.to_vec(),
            bias: vec![3.0; 36],
        };
        let ends = IntegerEnds {
            input: 0..from,
            input_map: map(20),
            output: from..from + to,
            output_map: map(36),
            values: Values::Bytes,
            relu: true,
            residual: None,
            steps: [1.0, 150.0],
        };
        let step = Step::Integer(IntegerConvolution::new(&convolution, kernels, ends));
        let mut arena = vec![Lanes::ZERO; from + to];
        pixels_mut(&mut arena[..from]).as_flattened_mut()[..input.len()].copy_from_slice(input);
        let mut worker = Worker { scratch: vec![Lanes::ZERO; step.scratch_len()], kept: None };
        let shared = &Shared::new(&mut arena);
        let work = Work { picture: &[], arena: shared, features: Shared::new(&mut []), threads: 1 };
        (0..step.items(1)).for_each(|item| step.run(&work, &mut worker, 1, item));
        pixels(&arena[from..]).as_flattened().to_vec()
    }

    #[test]
    fn all_vector_code_of_this_processor_gives_the_same_bytes() {
        let noise = |index: usize, seed: usize| (index * 2_654_435_761 + seed * 40_503) >> 7 & 255;
        let weight: Vec<f32> = (0..36 * 20 * 9).map(|index| noise(index, 1) as f32 - 128.0).collect();
        let input: Vec<u8> = (0..2 * 9 * 11 * LANES).map(|index| noise(index, 2) as u8).collect();
        // The largest values too, which sums of two must hold.
        for (weight, input) in [(&weight, &input), (&vec![1.0; weight.len()], &vec![255; input.len()])] {
            let expected = convolved(portable::KERNELS, weight, input);
            assert!(expected.iter().any(|value| *value > 0));
            for (set, kernels) in IntegerKernels::available() {
                assert!(convolved(kernels, weight, input) == expected, "{set}: {kernels:?}");
            }
        }
    }
}
