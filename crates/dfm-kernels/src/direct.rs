//! A convolution tap by tap: packed weights, the offsets of its taps, and how
//! its work is divided.

use rayon::prelude::*;

use crate::instructions::InstructionSet;
use crate::kernels::{Kernels, OutputGroup, Sweep};
use crate::layout::{LANES, Plane};
use crate::network::Convolution;
use crate::stem;

/// Values of input that a run of pixels may read, so that they stay in the
/// second-level cache while every output channel passes over them.
const BLOCK_VALUES: usize = 96 << 10;

/// A convolution over planes, tap by tap.
#[derive(Debug)]
pub(crate) struct DirectConvolution {
    /// The input, or for a stride of two one of its four parts.
    source: Plane,
    pub(crate) output: Plane,
    stride: usize,
    /// Which parts are read, as (row phase, column phase), in memory order.
    phases: Vec<(usize, usize)>,
    groups: Vec<OutputGroup>,
    relu: bool,
}

impl DirectConvolution {
    /// Of a padding that keeps the size, but for the stride.
    pub(crate) fn new(
        convolution: &Convolution,
        input: Plane,
        relu: bool,
        instructions: InstructionSet,
    ) -> Self {
        let side = |side: usize| side.div_ceil(convolution.stride);
        let output = Plane {
            channels: convolution.out_channels,
            height: side(input.height),
            width: side(input.width),
            padding: 1,
        };
        let source = Plane { channels: input.channels, ..output };
        Self::over(convolution, source, output, relu, instructions)
    }

    /// The first one, over folded pictures.
    pub(crate) fn stem(stem: &Convolution, folded: Plane, instructions: InstructionSet) -> Self {
        let output = Plane { channels: stem.out_channels, ..folded };
        Self::over(&stem::folded(stem), folded, output, true, instructions)
    }

    fn over(
        convolution: &Convolution,
        source: Plane,
        output: Plane,
        relu: bool,
        instructions: InstructionSet,
    ) -> Self {
        let taps = taps(convolution);
        let mut phases: Vec<(usize, usize)> = taps.iter().map(|tap| tap.phase).collect();
        phases.sort_unstable();
        phases.dedup();
        let Kernels { single, pair, .. } = Kernels::of(instructions);
        let total = output.blocks();
        let mut groups = Vec::new();
        while groups.last().is_none_or(|group: &OutputGroup| group.first_block + group.blocks < total) {
            let first_block = groups.last().map_or(0, |group| group.first_block + group.blocks);
            let (blocks, kernel) = match pair {
                // Blocks of a grouped convolution see different inputs.
                Some(pair) if convolution.groups == 1 && first_block + 2 <= total => (2, pair),
                _ => (1, single),
            };
            let depth = depth(convolution);
            let (offsets, weights) = pack(convolution, &source, &phases, &taps, first_block, blocks);
            let mut bias = vec![0.0; blocks * LANES];
            for (lane, bias) in bias.iter_mut().enumerate() {
                *bias = convolution.bias.get(first_block * LANES + lane).copied().unwrap_or(0.0);
            }
            groups.push(OutputGroup { first_block, blocks, kernel, depth, offsets, weights, bias });
        }
        Self { source, output, stride: convolution.stride, phases, groups, relu }
    }

    /// Values that [`run`](Self::run) needs to part its input.
    pub(crate) fn scratch_len(&self) -> usize {
        if self.stride == 1 { 0 } else { self.phases.len() * self.source.len() }
    }

    /// Computes `output` from `input`, adding `residual` (a plane like the
    /// output) before the ReLU.
    pub(crate) fn run(
        &self,
        input: &[f32],
        input_plane: Plane,
        residual: Option<&[f32]>,
        output: &mut [f32],
        scratch: &mut [f32],
    ) {
        if self.stride == 1 {
            self.run_on(input, residual, output);
        } else {
            let scratch = &mut scratch[..self.scratch_len()];
            part(input, input_plane, &self.phases, self.source, scratch);
            self.run_on(scratch, residual, output);
        }
    }

    fn run_on(&self, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) {
        let weights: usize = self.groups.iter().map(|group| group.weights.len()).sum();
        let per_pixel = self.groups.first().map_or(1, |group| group.offsets.len() * LANES);
        let tile = self.groups.first().map_or(1, |group| group.kernel.pixels());
        let span = (BLOCK_VALUES / per_pixel).max(4 * tile) / tile * tile;
        // Work that threads can share: runs of pixels where the input is the
        // larger side, groups of output channels where the weights are.
        let by_group = weights > input.len() || self.output.pixels() < 4 * span;
        let sweep =
            Sweep { source: self.source, parts: self.phases.len(), output: self.output, relu: self.relu };
        sweep.run(&self.groups, input, residual, output, if by_group { None } else { Some(span) });
    }
}

/// One place of the kernel: where it reads, relative to the output pixel.
struct Tap {
    at: [usize; 2],
    phase: (usize, usize),
    shift: (isize, isize),
}

fn taps(convolution: &Convolution) -> Vec<Tap> {
    let split = |k: usize| {
        let from = k as isize - convolution.padding as isize;
        let stride = convolution.stride as isize;
        (from.rem_euclid(stride) as usize, from.div_euclid(stride))
    };
    let [rows, columns] = convolution.kernel;
    let places = (0..rows).flat_map(|y| (0..columns).map(move |x| [y, x]));
    places
        .map(|at| {
            let ((row_phase, down), (column_phase, right)) = (split(at[0]), split(at[1]));
            Tap { at, phase: (row_phase, column_phase), shift: (down, right) }
        })
        .collect()
}

/// Channels of each chunk that are used: all, unless there are not even that many.
fn depth(convolution: &Convolution) -> usize {
    (convolution.groups * convolution.in_channels_per_group).min(LANES)
}

/// Offsets and weights of the output blocks `first..first + blocks`.
fn pack(
    convolution: &Convolution,
    source: &Plane,
    phases: &[(usize, usize)],
    taps: &[Tap],
    first: usize,
    blocks: usize,
) -> (Vec<isize>, Vec<f32>) {
    let per_group = convolution.in_channels_per_group;
    let outputs_per_group = convolution.out_channels / convolution.groups;
    let outputs = first * LANES..((first + blocks) * LANES).min(convolution.out_channels);
    // Input channels that these outputs see.
    let seen = outputs.start / outputs_per_group * per_group
        ..((outputs.end - 1) / outputs_per_group + 1) * per_group;
    let depth = depth(convolution);
    let chunks = seen.start / LANES..seen.end.div_ceil(LANES);
    let [rows, columns] = convolution.kernel;
    let (mut offsets, mut weights) = (Vec::new(), Vec::new());
    for chunk in chunks {
        for tap in taps {
            let phase = phases.iter().position(|phase| *phase == tap.phase).unwrap_or(0);
            let pixels = tap.shift.0 * source.stride() as isize + tap.shift.1;
            offsets
                .push((phase * source.len() + chunk * source.block_len()) as isize + pixels * LANES as isize);
            for lane in 0..depth {
                let input = chunk * LANES + lane;
                for output in first * LANES..(first + blocks) * LANES {
                    let begin = output / outputs_per_group * per_group;
                    let inside = outputs.contains(&output) && (begin..begin + per_group).contains(&input);
                    weights.push(match inside {
                        true => {
                            let place = tap.at[0] * columns + tap.at[1];
                            convolution.weight[(output * per_group + input - begin) * rows * columns + place]
                        }
                        false => 0.0,
                    });
                }
            }
        }
    }
    (offsets, weights)
}

/// Parts `input` into its even and odd rows and columns.
fn part(input: &[f32], plane: Plane, phases: &[(usize, usize)], source: Plane, parts: &mut [f32]) {
    let blocks = source.blocks();
    parts.par_chunks_mut(source.block_len()).enumerate().for_each(|(index, part)| {
        let ((row_phase, column_phase), block) = (phases[index / blocks], index % blocks);
        let (first, stride) = (source.before() * LANES, source.stride() * LANES);
        part[..first].fill(0.0);
        part[first + source.height * stride..].fill(0.0);
        for y in 0..source.height {
            let row = source.at(0, y, 0);
            part[row + source.width * LANES..][..LANES].fill(0.0);
            let row = &mut part[row..row + source.width * LANES];
            if 2 * y + row_phase >= plane.height {
                row.fill(0.0);
                continue;
            }
            let from = &input[plane.at(block, 2 * y + row_phase, 0)..][..plane.width * LANES];
            for (x, pixel) in row.chunks_exact_mut(LANES).enumerate() {
                let x = 2 * x + column_phase;
                match from.get(x * LANES..(x + 1) * LANES) {
                    Some(values) => pixel.copy_from_slice(values),
                    None => pixel.fill(0.0),
                }
            }
        }
    });
}
