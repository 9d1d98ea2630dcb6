//! A network laid out for one input size.

mod integer;
mod ranges;

pub use ranges::ActivationRanges;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rayon::prelude::*;

use crate::buffers::Buffers;
use crate::choice::{Way, choose};
use crate::instructions::InstructionSet;
use crate::kernels::{Average, Direct, Ends, Kernels, Shared, Stem, Step, Winograd, Work, Worker};
use crate::layout::{Lanes, Map};
use crate::network::{Convolution, KernelError, MaxPool, Network, Tap};
use crate::team;

/// A network ready to run on pictures of one size.
///
/// Memory beside the packed weights: an arena in which feature maps lie for as long as
/// something reads them, and for each thread what the largest step needs in between.
/// Both are kept from run to run.
#[derive(Debug)]
pub struct Plan {
    /// Channels, height and width of a picture.
    input: [usize; 3],
    /// Channels, height and width of what every tap takes.
    outputs: Vec<[usize; 3]>,
    steps: Vec<Step>,
    arena: usize,
    scratch: usize,
    /// Memory of earlier runs, one set for each run at the same time.
    idle: Mutex<Vec<Memory>>,
}

#[derive(Debug)]
struct Memory {
    arena: Vec<Lanes>,
    workers: Vec<Worker>,
}

impl Plan {
    /// Lays out `network` for pictures of `size` (height, width) and packs its
    /// weights for `instructions`; those that this processor lacks are replaced by
    /// the portable ones.
    ///
    /// # Errors
    ///
    /// If the network contradicts itself, or pictures of this size leave nothing of
    /// the feature map.
    pub fn new(
        network: &Network,
        size: [usize; 2],
        instructions: InstructionSet,
    ) -> Result<Self, KernelError> {
        network.check()?;
        let too_small = || KernelError::TooSmall { height: size[0], width: size[1] };
        if size.contains(&0) {
            return Err(too_small());
        }
        let mut layout = Layout {
            instructions,
            kernels: Kernels::of(instructions),
            buffers: Buffers::default(),
            steps: Vec::new(),
        };
        let mut input = layout.stem(network, size).ok_or_else(too_small)?;
        let mut taps = Taps::of(network);
        layout.steps.extend(taps.after(0, &input));
        for (index, block) in network.blocks.iter().enumerate() {
            // The branch is added to the shortcut where that lies.
            let shortcut = match &block.projection {
                Some(projection) => layout.convolution(projection, &input, None, false),
                None => input.clone(),
            };
            let mut value = input.clone();
            for (place, convolution) in block.branch.iter().enumerate() {
                let onto = (place + 1 == block.branch.len()).then(|| shortcut.clone());
                let next = layout.convolution(convolution, &value, onto, true);
                if value.at != shortcut.at {
                    layout.buffers.give(value.at);
                }
                value = next;
            }
            input = value;
            layout.steps.extend(taps.after(index + 1, &input));
        }
        Self::assemble(network, size, layout.steps, &layout.buffers).ok_or_else(too_small)
    }

    /// A plan of `steps`, some of them averages; `None` if one leaves nothing.
    fn assemble(network: &Network, size: [usize; 2], steps: Vec<Step>, buffers: &Buffers) -> Option<Self> {
        let averages = steps.iter().filter_map(|step| match step {
            Step::Average(average) => Some(average.shape()),
            _ => None,
        });
        let outputs: Vec<[usize; 3]> = averages.collect();
        if outputs.iter().any(|shape| shape.contains(&0)) {
            return None;
        }
        let scratch = steps.iter().map(Step::scratch_len).max().unwrap_or(0);
        Some(Self {
            input: [network.stem.in_channels_per_group, size[0], size[1]],
            outputs,
            steps,
            arena: buffers.len(),
            scratch,
            idle: Mutex::new(Vec::new()),
        })
    }

    /// Channels, height and width of what every tap takes, in their order.
    pub fn output_shapes(&self) -> &[[usize; 3]] {
        &self.outputs
    }

    /// Values that a picture becomes.
    fn output_len(&self) -> usize {
        self.outputs.iter().map(|shape| shape.iter().product::<usize>()).sum()
    }

    /// Bytes that a run on `threads` threads needs beside the packed weights.
    pub fn memory(&self, threads: usize) -> usize {
        (self.arena + threads * self.scratch) * size_of::<Lanes>()
    }

    /// Runs pictures on the threads of the current rayon pool: as many at a time as
    /// there are threads, each on its own, and what is left over one after the other on
    /// all of them.
    ///
    /// # Shapes
    ///
    /// - each picture: `[channels, height, width]`
    /// - result: of each picture what every tap takes, `[C, h, w]` one after the other;
    ///   see [`output_shapes`](Self::output_shapes)
    ///
    /// # Errors
    ///
    /// If a picture is of another size.
    pub fn run(&self, pictures: &[&[f32]]) -> Result<Vec<f32>, KernelError> {
        self.fitting(pictures)?;
        let threads = rayon::current_num_threads();
        let each = self.output_len();
        let mut features = vec![0.0; pictures.len() * each];
        let apart = pictures.len() / threads * threads;
        let (of_apart, of_rest) = features.split_at_mut(apart * each);
        if threads > 1 {
            let pairs = pictures[..apart].par_iter().zip(of_apart.par_chunks_exact_mut(each));
            pairs.for_each(|(picture, features)| self.run_on(1, picture, features, |_| ()));
        } else {
            let pairs = pictures[..apart].iter().zip(of_apart.chunks_exact_mut(each));
            pairs.for_each(|(picture, features)| self.run_on(1, picture, features, |_| ()));
        }
        for (picture, features) in pictures[apart..].iter().zip(of_rest.chunks_exact_mut(each)) {
            self.run_on(threads, picture, features, |_| ());
        }
        Ok(features)
    }

    /// Whether every picture is of the size that was planned for.
    fn fitting(&self, pictures: &[&[f32]]) -> Result<(), KernelError> {
        let expected = self.input.iter().product();
        match pictures.iter().find(|picture| picture.len() != expected) {
            Some(picture) => Err(KernelError::Input { expected, got: picture.len() }),
            None => Ok(()),
        }
    }

    /// Runs one picture on some threads, and calls `note` with the round before each
    /// item.
    fn run_on(&self, threads: usize, picture: &[f32], features: &mut [f32], note: impl Fn(usize) + Sync) {
        let mut memory = self.memory_for(threads);
        {
            let arena = &Shared::new(&mut memory.arena);
            let work = Work { picture, arena, features: Shared::new(features), threads };
            team::share(
                &mut memory.workers,
                self.steps.len(),
                |round| self.steps[round - 1].items(threads),
                |worker, round, item| {
                    note(round);
                    self.steps[round - 1].run(&work, worker, round, item);
                },
            );
        }
        self.give_back(memory);
    }

    fn give_back(&self, memory: Memory) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }

    /// How long each step takes in the course of a run, the median of `repeats` runs, on
    /// every thread of the current rayon pool.
    ///
    /// # Errors
    ///
    /// If the picture is of another size.
    pub fn time_steps(&self, picture: &[f32], repeats: usize) -> Result<Vec<StepTime>, KernelError> {
        let mut times = vec![Vec::new(); self.steps.len()];
        let mut features = self.run(&[picture])?;
        for _ in 0..repeats.max(1) {
            let begin = Instant::now();
            // When the first item of each round began, and at the end the last.
            let starts: Vec<AtomicU64> = self.steps.iter().map(|_| AtomicU64::new(u64::MAX)).collect();
            let note = |round: usize| {
                starts[round - 1].fetch_min(begin.elapsed().as_nanos() as u64, Ordering::Relaxed);
            };
            self.run_on(rayon::current_num_threads(), picture, &mut features, note);
            let end = begin.elapsed().as_nanos() as u64;
            let starts: Vec<u64> = starts.into_iter().map(AtomicU64::into_inner).chain([end]).collect();
            for (times, pair) in times.iter_mut().zip(starts.windows(2)) {
                times.push(pair[1] - pair[0]);
            }
        }
        let median = |mut times: Vec<u64>| {
            times.sort_unstable();
            times[times.len() / 2] as f64 * 1e-9
        };
        let steps = self.steps.iter().zip(times).map(|(step, times)| StepTime {
            step: step.to_string(),
            multiply_adds: step.multiply_adds(),
            seconds: median(times),
        });
        Ok(steps.collect())
    }

    /// Memory of an earlier run on as many threads, or fresh.
    fn memory_for(&self, threads: usize) -> Memory {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let found = idle.iter().position(|memory| memory.workers.len() == threads);
        let mut memory = found.map(|index| idle.swap_remove(index)).unwrap_or_else(|| Memory {
            arena: vec![Lanes::ZERO; self.arena],
            workers: (0..threads)
                .map(|_| Worker { scratch: vec![Lanes::ZERO; self.scratch], kept: None })
                .collect(),
        });
        // Rounds are counted anew.
        memory.workers.iter_mut().for_each(|worker| worker.kept = None);
        memory
    }
}

/// How long a step takes.
#[derive(Debug, Clone)]
pub struct StepTime {
    /// What it does.
    pub step: String,
    /// Multiplications, each with its addition, if it is computed tap by tap.
    pub multiply_adds: u64,
    /// For one picture.
    pub seconds: f64,
}

/// A feature map and its part of the arena.
#[derive(Debug, Clone)]
struct Placed {
    at: Range<usize>,
    map: Map,
}

/// The taps of a network that are still to come, and where the features of the next
/// begin.
struct Taps<'a> {
    left: &'a [Tap],
    begin: usize,
}

impl<'a> Taps<'a> {
    fn of(network: &'a Network) -> Self {
        Self { left: &network.taps, begin: 0 }
    }

    /// Whether the next tap is after so many `blocks`.
    fn next_after(&self, blocks: usize) -> bool {
        self.left.first().is_some_and(|tap| tap.blocks == blocks)
    }

    /// The step that takes features out of `value`, if there is a tap after so many
    /// `blocks`.
    fn after(&mut self, blocks: usize, value: &Placed) -> Option<Step> {
        let (tap, left) = self.left.split_first().filter(|(tap, _)| tap.blocks == blocks)?;
        let (input, map) = (value.at.clone(), value.map);
        let average = Average { input, map, window: tap.average, begin: self.begin };
        self.begin += average.len();
        self.left = left;
        Some(Step::Average(average))
    }
}

/// A plan in the making.
struct Layout {
    instructions: InstructionSet,
    kernels: Kernels,
    buffers: Buffers,
    steps: Vec<Step>,
}

impl Layout {
    /// The stem's step; `None` if pictures of this size leave nothing.
    fn stem(&mut self, network: &Network, size: [usize; 2]) -> Option<Placed> {
        let channels = network.stem.out_channels;
        let [height, width] = size.map(|side| side.div_ceil(2));
        let convolved = Map { channels, height, width };
        let map = network.pool.output(convolved)?;
        let output = Placed { at: self.buffers.take(map.len()), map };
        let place = (output.at.clone(), map);
        let step = Stem::new(&network.stem, network.pool, self.kernels, size, convolved, place);
        self.steps.push(Step::Stem(step));
        Some(output)
    }

    /// The step of a convolution that is added to `onto` if that is given, and then
    /// lies there.
    fn convolution(
        &mut self,
        convolution: &Convolution,
        input: &Placed,
        onto: Option<Placed>,
        relu: bool,
    ) -> Placed {
        let side = |side: usize| side.div_ceil(convolution.stride);
        let map = Map {
            channels: convolution.out_channels,
            height: side(input.map.height),
            width: side(input.map.width),
        };
        let add = onto.is_some();
        let output = onto.unwrap_or_else(|| Placed { at: self.buffers.take(map.len()), map });
        let ends = Ends {
            input: input.at.clone(),
            input_map: input.map,
            output: output.at.clone(),
            output_map: map,
            add,
            relu,
        };
        self.steps.push(match choose(convolution, map, self.instructions) {
            Way::Direct => Step::Direct(Direct::new(convolution, self.kernels, ends)),
            Way::Winograd => Step::Winograd(Winograd::new(convolution, self.kernels, ends)),
        });
        output
    }
}

impl MaxPool {
    /// What this pool makes of `input`; `None` if nothing is left.
    fn output(self, input: Map) -> Option<Map> {
        let side = |side: usize| Some((side + self.before + self.after).checked_sub(3)? / 2 + 1);
        Some(Map { height: side(input.height)?, width: side(input.width)?, ..input })
    }
}
