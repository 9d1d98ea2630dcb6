//! All steps of a network over one arena: the one place that runs them.

use std::ops::Range;

use super::shared::Shared;
use super::step::Step;
use super::work::{Work, Worker};
use crate::layout::{LANES, Lanes};
use crate::team;

/// The steps of a network in order. What they read and write has been checked.
#[derive(Debug)]
pub(crate) struct Steps {
    steps: Vec<Step>,
    /// [`Lanes`] of the arena.
    arena: usize,
    /// [`Lanes`] of scratch memory for each thread.
    scratch: usize,
    /// Values of the averages of all taps.
    features: usize,
    /// Values of those, and of the maps beside them.
    with_maps: usize,
}

/// The memory of one run.
#[derive(Debug)]
pub(crate) struct Memory {
    arena: Vec<Lanes>,
    workers: Vec<Worker>,
}

impl Memory {
    /// The number of threads that the memory is for.
    pub(crate) fn threads(&self) -> usize {
        self.workers.len()
    }

    /// Fills every feature map with `value`.
    pub(crate) fn fill(&mut self, value: f32) {
        self.arena.fill(Lanes([value; LANES]));
    }

    /// The arena, which holds the feature maps.
    #[cfg(test)]
    pub(super) fn arena_mut(&mut self) -> &mut [Lanes] {
        &mut self.arena
    }
}

impl Steps {
    /// Steps over an arena of `arena` [`Lanes`] that give `features` values, or `with_maps` values in a
    /// run that also takes the maps beside the averages.
    ///
    /// # Panics
    ///
    /// If a step reads or writes beyond the arena or the features, or writes what it reads.
    pub(crate) fn new(steps: Vec<Step>, arena: usize, features: usize, with_maps: usize) -> Self {
        for step in &steps {
            let written = step.writes();
            let taken = if step.is_beside() { with_maps } else { features };
            assert!(within(&written, arena) && within(&step.features(), taken), "{step} writes beyond");
            for read in step.reads() {
                assert!(within(&read, arena), "{step} reads beyond the arena");
                assert!(!overlap(&read, &written), "{step} writes what it reads");
            }
        }
        let scratch = steps.iter().map(Step::scratch_len).max().unwrap_or(0);
        Self { steps, arena, scratch, features, with_maps }
    }

    /// The steps, in order.
    pub(crate) fn as_slice(&self) -> &[Step] {
        &self.steps
    }

    /// Whether a run that gives so many values does this step.
    pub(crate) fn takes(&self, step: &Step, values: usize) -> bool {
        values == self.with_maps || !step.is_beside()
    }

    /// The bytes of the memory of a run on `threads` threads.
    pub(crate) fn memory(&self, threads: usize) -> usize {
        (self.arena + threads * self.scratch) * size_of::<Lanes>()
    }

    /// Memory for runs on `threads` threads.
    pub(crate) fn new_memory(&self, threads: usize) -> Memory {
        let worker = |_| Worker { scratch: vec![Lanes::ZERO; self.scratch], kept: None };
        Memory { arena: vec![Lanes::ZERO; self.arena], workers: (0..threads).map(worker).collect() }
    }

    /// Runs all steps on as many threads as `memory` is for. `note` is given the index of the step
    /// before each item.
    ///
    /// # Panics
    ///
    /// If the memory is that of other steps, or the picture or the features are too short.
    pub(crate) fn run(
        &self,
        memory: &mut Memory,
        picture: &[f32],
        features: &mut [f32],
        note: impl Fn(usize) + Sync,
    ) {
        let (threads, values) = (memory.threads(), features.len());
        let (arena, workers) = self.parts(memory, values);
        let arena = &Shared::new(arena);
        let work = Work { picture, arena, features: Shared::new(features), threads };
        team::share(
            workers,
            self.steps.len(),
            |round| match &self.steps[round - 1] {
                step if self.takes(step, values) => step.items(threads),
                _ => 0,
            },
            |worker, round, item| {
                note(round - 1);
                // SAFETY: `new` has checked that no step writes what it reads. The team does each
                // item of a round once, and begins no round before the one before is over; arena
                // and features are borrowed for the whole run.
                unsafe { self.steps[round - 1].run(&work, worker, round - 1, item) };
            },
        );
    }

    /// Runs all steps on one thread, and gives `see` the output of every step in `f32` that writes
    /// to the arena, as soon as it is computed.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run); or if the memory is for no thread.
    pub(crate) fn run_step_by_step(
        &self,
        memory: &mut Memory,
        picture: &[f32],
        features: &mut [f32],
        mut see: impl FnMut(&[Lanes]),
    ) {
        let values = features.len();
        let (arena, workers) = self.parts(memory, values);
        let worker = workers.first_mut().expect("memory for a thread");
        for (index, step) in self.steps.iter().enumerate().filter(|(_, step)| self.takes(step, values)) {
            {
                let arena = &Shared::new(arena);
                let work = Work { picture, arena, features: Shared::new(features), threads: 1 };
                for item in 0..step.items(1) {
                    // SAFETY: `new` has checked that no step writes what it reads; this is the only
                    // thread.
                    unsafe { step.run(&work, worker, index, item) };
                }
            }
            if step.writes_floats() {
                see(&arena[step.writes()]);
            }
        }
    }

    /// The arena and the workers of `memory`, which remember nothing of an earlier run.
    fn parts<'m>(&self, memory: &'m mut Memory, features: usize) -> (&'m mut [Lanes], &'m mut [Worker]) {
        let is_known = features == self.features || features == self.with_maps;
        assert!(memory.arena.len() == self.arena && is_known, "memory of other steps");
        // The indices of steps begin at 0 again.
        memory.workers.iter_mut().for_each(|worker| worker.kept = None);
        (&mut memory.arena, &mut memory.workers)
    }
}

fn within(range: &Range<usize>, len: usize) -> bool {
    range.start <= range.end && range.end <= len
}

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start.max(other.start) < one.end.min(other.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::convolution::Convolution;
    use crate::instructions::InstructionSet;
    use crate::kernels::average::Average;
    use crate::kernels::direct::Direct;
    use crate::kernels::ends::Ends;
    use crate::kernels::set::Kernels;
    use crate::layout::Map;

    /// A 1×1 convolution of one channel over 2×2 pixels, from one part of the arena to another.
    fn step(input: Range<usize>, output: Range<usize>) -> Step {
        let convolution = Convolution {
            out_channels: 1,
            in_channels_per_group: 1,
            kernel: [1, 1],
            stride: 1,
            padding: 0,
            groups: 1,
            weight: vec![2.0],
            bias: vec![1.0],
        };
        let map = Map { channels: 1, height: 2, width: 2 };
        let ends = Ends {
            input,
            input_map: map,
            output,
            output_map: map,
            add: false,
            activation: Activation::Identity,
        };
        Step::Direct(Direct::new(&convolution, Kernels::of(InstructionSet::Portable), ends))
    }

    #[test]
    fn steps_between_parts_of_the_arena_run() {
        let average = |begin| {
            let map = Map { channels: 1, height: 2, width: 2 };
            Step::Average(Average { input: 4..8, skipped: 0, map, window: 1, begin, beside: begin > 0 })
        };
        let steps = Steps::new(vec![step(0..4, 4..8), average(0), average(4)], 8, 4, 8);
        let mut memory = steps.new_memory(2);
        memory.arena_mut()[..4].fill(Lanes([3.0; 16]));
        for values in [4, 8] {
            let mut features = vec![0.0; values];
            steps.run(&mut memory, &[], &mut features, |_| ());
            assert_eq!(features, vec![7.0; values]);
        }
    }

    #[test]
    #[should_panic(expected = "writes what it reads")]
    fn a_step_that_writes_what_it_reads_is_refused() {
        Steps::new(vec![step(0..4, 3..7)], 8, 0, 0);
    }

    #[test]
    #[should_panic(expected = "writes beyond")]
    fn a_step_that_writes_beyond_the_arena_is_refused() {
        Steps::new(vec![step(0..4, 4..8)], 7, 0, 0);
    }

    #[test]
    #[should_panic(expected = "memory of other steps")]
    fn memory_of_other_steps_is_refused() {
        let steps = Steps::new(vec![step(0..4, 4..8)], 8, 0, 0);
        let mut other = Steps::new(vec![step(0..4, 4..8)], 9, 0, 0).new_memory(1);
        steps.run(&mut other, &[], &mut [], |_| ());
    }
}
