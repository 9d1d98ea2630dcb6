//! How long single convolutions take. The results become the table of
//! [`choice`](crate::choice). Nothing is timed when a network runs.

use std::hint::black_box;
use std::time::Instant;

use crate::activation::Activation;
use crate::convolution::Convolution;
use crate::error::{KernelError, check_size};
use crate::instructions::InstructionSet;
use crate::kernels::{Direct, Ends, Kernels, Step, Steps, Winograd};
use crate::layout::Map;
use crate::way::Way;

/// The number of values that are read between two runs, so that weights have left the second-level
/// cache, as they have when a network runs: 16 MiB.
const BETWEEN: usize = 4 << 20;

/// The seconds that `convolution` takes on one thread over an input of `size` (height, width): the
/// median of `repeats` runs, or of one if that is 0. Weights and input are not in the second-level
/// cache when a run begins.
///
/// # Errors
///
/// If the convolution contradicts itself or cannot be computed this way, or a side is 0 or longer
/// than 65 536 pixels.
pub fn time_convolution(
    convolution: &Convolution,
    size: [usize; 2],
    instructions: InstructionSet,
    way: Way,
    repeats: usize,
) -> Result<f64, KernelError> {
    let channels = convolution.in_channels_per_group.saturating_mul(convolution.groups);
    convolution.check("convolution", channels)?;
    check_size(size)?;
    if !way.suits(convolution) {
        return Err(KernelError::Way { way });
    }
    let map = |channels: usize, [height, width]: [usize; 2]| Map { channels, height, width };
    let input = map(channels, size);
    let output = map(convolution.out_channels, size.map(|side| side.div_ceil(convolution.stride)));
    let arena = input.len() + output.len();
    let ends = Ends {
        input: 0..input.len(),
        input_map: input,
        output: input.len()..arena,
        output_map: output,
        add: false,
        activation: Activation::Relu,
    };
    let kernels = Kernels::of(instructions);
    let step = match way {
        Way::Direct => Step::Direct(Direct::new(convolution, kernels, ends)),
        Way::Winograd => Step::Winograd(Winograd::new(convolution, kernels, ends)),
    };
    let steps = Steps::new(vec![step], arena, 0, 0);
    let mut memory = steps.new_memory(1);
    memory.fill(0.5);
    let between = vec![1.0_f32; BETWEEN];
    let mut seconds: Vec<f64> = (0..repeats.max(1))
        .map(|_| {
            black_box(between.iter().sum::<f32>());
            let begin = Instant::now();
            steps.run(&mut memory, &[], &mut [], |_| ());
            begin.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[seconds.len() / 2])
}
