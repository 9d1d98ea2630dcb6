//! Which vector code runs on this processor.

use super::portable;
use super::set::IntegerKernels;
#[cfg(target_arch = "x86_64")]
use super::{avx2, vnni};
use crate::instructions::InstructionSet;

impl IntegerKernels {
    /// The fastest vector code that this processor has and that needs no more than `instructions`.
    pub(crate) fn of(instructions: InstructionSet) -> Self {
        let fitting = Self::available().into_iter().rfind(|(least, _)| *least <= instructions);
        fitting.map_or(portable::KERNELS, |(_, kernels)| kernels)
    }

    /// The vector code that this processor has, the fastest last, each with the instruction set that
    /// it belongs to.
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convolution::Convolution;
    use crate::kernels::integer::convolution::IntegerConvolution;
    use crate::kernels::integer::ends::IntegerEnds;
    use crate::kernels::integer::values::{Values, pixels, pixels_mut};
    use crate::kernels::step::Step;
    use crate::kernels::steps::Steps;
    use crate::layout::{LANES, Map};

    /// The result of a 3×3 convolution of 20 channels to 36 for `input`.
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
        let steps = Steps::new(vec![step], from + to, 0, 0);
        let mut memory = steps.new_memory(1);
        let bytes = pixels_mut(&mut memory.arena_mut()[..from]).as_flattened_mut();
        bytes[..input.len()].copy_from_slice(input);
        steps.run(&mut memory, &[], &mut [], |_| ());
        pixels(&memory.arena_mut()[from..]).as_flattened().to_vec()
    }

    #[test]
    fn all_vector_code_of_this_processor_gives_the_same_bytes() {
        let noise = |index: usize, seed: usize| (index * 2_654_435_761 + seed * 40_503) >> 7 & 255;
        let weight: Vec<f32> = (0..36 * 20 * 9).map(|index| noise(index, 1) as f32 - 128.0).collect();
        let input: Vec<u8> = (0..2 * 9 * 11 * LANES).map(|index| noise(index, 2) as u8).collect();
        // The largest values are tried, too: a sum of two products must hold them.
        for (weight, input) in [(&weight, &input), (&vec![1.0; weight.len()], &vec![255; input.len()])] {
            let expected = convolved(portable::KERNELS, weight, input);
            assert!(expected.iter().any(|value| *value > 0));
            for (set, kernels) in IntegerKernels::available() {
                assert!(convolved(kernels, weight, input) == expected, "{set}: {kernels:?}");
            }
        }
    }
}
