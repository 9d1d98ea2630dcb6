//! How long single convolutions take. What is measured here becomes the table of
//! [`choice`](crate::choice); nothing is timed when a network runs.

use std::hint::black_box;
use std::time::Instant;

use crate::choice::Way;
use crate::instructions::InstructionSet;
use crate::kernels::{Direct, Ends, Kernels, Shared, Step, Winograd, Work, Worker};
use crate::layout::{Lanes, Map};
use crate::network::{Convolution, KernelError};

/// Values that are read between two runs, so that weights have left the second-level
/// cache as they have when a network runs: 16 MiB.
const BETWEEN: usize = 4 << 20;

/// Seconds that `convolution` takes on one thread over an input of `size` (height,
/// width): the median of `repeats` runs, each with weights and input out of the
/// second-level cache.
///
/// # Errors
///
/// If the convolution contradicts itself or cannot be computed this way.
pub fn time_convolution(
    convolution: &Convolution,
    size: [usize; 2],
    instructions: InstructionSet,
    way: Way,
    repeats: usize,
) -> Result<f64, KernelError> {
    convolution.check("convolution", convolution.in_channels_per_group * convolution.groups)?;
    if !way.suits(convolution) {
        return Err(KernelError::Way { way });
    }
    let map = |channels: usize, [height, width]: [usize; 2]| Map { channels, height, width };
    let input = map(convolution.in_channels_per_group * convolution.groups, size);
    let output = map(convolution.out_channels, size.map(|side| side.div_ceil(convolution.stride)));
    let ends = Ends {
        input: 0..input.len(),
        input_map: input,
        output: input.len()..input.len() + output.len(),
        output_map: output,
        add: false,
        relu: true,
    };
    let (mut arena, kernels) = (vec![Lanes([0.5; 16]); ends.output.end], Kernels::of(instructions));
    let step = match way {
        Way::Direct => Step::Direct(Direct::new(convolution, kernels, ends)),
        Way::Winograd => Step::Winograd(Winograd::new(convolution, kernels, ends)),
    };
    let mut worker = Worker { scratch: vec![Lanes::ZERO; step.scratch_len()], kept: None };
    let work =
        Work { picture: &[], arena: &Shared::new(&mut arena), features: Shared::new(&mut []), threads: 1 };
    let between = vec![1.0_f32; BETWEEN];
    let mut seconds: Vec<f64> = (0..repeats.max(1))
        .map(|round| {
            black_box(between.iter().sum::<f32>());
            let begin = Instant::now();
            (0..step.items(1)).for_each(|item| step.run(&work, &mut worker, round + 1, item));
            begin.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[seconds.len() / 2])
}
