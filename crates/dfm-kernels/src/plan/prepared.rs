//! A plan that is ready to run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rayon::prelude::*;

use crate::error::KernelError;
use crate::kernels::{Memory, Step, Steps};
use crate::layout::Lanes;

/// A network that is ready to run on pictures of one size.
///
/// Memory besides the packed weights: an arena, in which each feature map lies for as long as
/// something reads it, and for each thread the scratch memory of the largest step. Both are kept
/// from run to run.
#[derive(Debug)]
pub struct Plan {
    /// Channels, height and width of a picture.
    input: [usize; 3],
    /// Channels, height and width of the features of every tap.
    outputs: Vec<[usize; 3]>,
    /// Channels, height and width of the maps that can be taken beside the features.
    maps: Vec<[usize; 3]>,
    steps: Steps,
    /// For each step, what it computes.
    origins: Vec<Origin>,
    /// For each convolution, in order, whose value is its range; empty in int8.
    pub(super) ranged: Vec<Ranged>,
    /// Memory of earlier runs: one set for each run that went on at the same time.
    idle: Mutex<Vec<Memory>>,
}

/// The steps of a plan, and what they compute.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) steps: Vec<Step>,
    /// For each step, what it computes.
    pub(super) origins: Vec<Origin>,
    /// For each convolution, in order, whose value is its range; empty in int8.
    pub(super) ranged: Vec<Ranged>,
}

/// What a step computes.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// The name of the first node that it computes.
    pub(super) node: String,
    /// The index of the node whose whole value it computes, if it is the last step of one.
    pub(super) value: Option<usize>,
}

/// The value whose largest number is the range of a convolution.
#[derive(Debug, Clone)]
pub(super) struct Ranged {
    /// The name of the convolution.
    pub(super) convolution: String,
    /// The index of the node of the value: the last one that int8 computes with the convolution.
    pub(super) value: usize,
}

/// How long one step takes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StepTime {
    /// The first node of the graph that the step computes.
    pub node: String,
    /// What the step does.
    pub step: String,
    /// The number of multiplications, each with its addition, if the step is computed tap by tap.
    pub multiply_adds: u64,
    /// Seconds for one picture.
    pub seconds: f64,
}

impl Plan {
    /// A plan of `steps` with what they compute, over an arena of so many [`Lanes`], with the shapes of its
    /// features and of the maps beside them.
    pub(super) fn of_steps(
        input: [usize; 3],
        [outputs, maps]: [Vec<[usize; 3]>; 2],
        Made { steps, origins, ranged }: Made,
        arena: usize,
    ) -> Self {
        let averages = values(&outputs);
        let steps = Steps::new(steps, arena, averages, averages + values(&maps));
        Self { input, outputs, maps, steps, origins, ranged, idle: Mutex::new(Vec::new()) }
    }

    /// Channels, height and width of the features of every tap, in order.
    pub fn output_shapes(&self) -> &[[usize; 3]] {
        &self.outputs
    }

    /// The number of values that a picture becomes: the sum over all taps.
    pub fn output_len(&self) -> usize {
        values(&self.outputs)
    }

    /// Channels, height and width of the map of every tap whose windows are larger than a pixel, in
    /// order: what [`run_with_maps`](Self::run_with_maps) gives beside the features.
    pub fn map_shapes(&self) -> &[[usize; 3]] {
        &self.maps
    }

    /// The bytes that a run on `threads` threads needs besides the packed weights.
    pub fn memory(&self, threads: usize) -> usize {
        self.steps.memory(threads)
    }

    /// Runs pictures on the threads of the current rayon pool. As many pictures as there are
    /// threads run at a time, each on a thread of its own. The pictures that are left over run one
    /// by one on all threads.
    ///
    /// # Shapes
    ///
    /// - each picture: `[channels, height, width]`
    /// - result: for each picture the features of every tap, `[C, h, w]`, one tap behind the
    ///   other; see [`output_shapes`](Self::output_shapes)
    ///
    /// # Errors
    ///
    /// If a picture has another size.
    pub fn run(&self, pictures: &[&[f32]]) -> Result<Vec<f32>, KernelError> {
        self.run_for(pictures, self.output_len())
    }

    /// [`run`](Self::run), and behind the features of each picture the maps that they are averages of,
    /// `[C, H, W]`, one behind the other; see [`map_shapes`](Self::map_shapes). The features have the
    /// same bits as without the maps.
    ///
    /// # Errors
    ///
    /// If a picture has another size.
    pub fn run_with_maps(&self, pictures: &[&[f32]]) -> Result<Vec<f32>, KernelError> {
        self.run_for(pictures, self.output_len() + values(&self.maps))
    }

    /// Runs pictures that become `each` values.
    fn run_for(&self, pictures: &[&[f32]], each: usize) -> Result<Vec<f32>, KernelError> {
        self.fitting(pictures)?;
        let threads = rayon::current_num_threads();
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

    /// How long each step takes during a run on every thread of the current rayon pool: the median
    /// of `repeats` runs.
    ///
    /// # Errors
    ///
    /// If the picture has another size.
    pub fn time_steps(&self, picture: &[f32], repeats: usize) -> Result<Vec<StepTime>, KernelError> {
        let steps = self.steps.as_slice();
        let mut features = self.run(&[picture])?;
        let named = || steps.iter().zip(&self.origins);
        let taken = || named().filter(|(step, _)| self.steps.takes(step, self.output_len()));
        let mut times = vec![Vec::new(); taken().count()];
        for _ in 0..repeats.max(1) {
            let begin = Instant::now();
            // The time at which the first item of each round began. The last entry is the end of the
            // last round. A step that this run does not take has no item.
            let starts: Vec<AtomicU64> = steps.iter().map(|_| AtomicU64::new(u64::MAX)).collect();
            let note = |step: usize| {
                starts[step].fetch_min(begin.elapsed().as_nanos() as u64, Ordering::Relaxed);
            };
            self.run_on(rayon::current_num_threads(), picture, &mut features, note);
            let end = begin.elapsed().as_nanos() as u64;
            let starts = starts.into_iter().map(AtomicU64::into_inner).zip(steps);
            let taken = starts.filter(|(_, step)| self.steps.takes(step, features.len()));
            let starts: Vec<u64> = taken.map(|(start, _)| start).chain([end]).collect();
            for (times, pair) in times.iter_mut().zip(starts.windows(2)) {
                times.push(pair[1] - pair[0]);
            }
        }
        let median = |mut times: Vec<u64>| {
            times.sort_unstable();
            times[times.len() / 2] as f64 * 1e-9
        };
        let times = taken().zip(times).map(|((step, origin), times)| StepTime {
            node: origin.node.clone(),
            step: step.to_string(),
            multiply_adds: step.multiply_adds(),
            seconds: median(times),
        });
        Ok(times.collect())
    }

    /// Checks that every picture has the size of the plan.
    pub(super) fn fitting(&self, pictures: &[&[f32]]) -> Result<(), KernelError> {
        let expected = self.input.iter().product();
        match pictures.iter().find(|picture| picture.len() != expected) {
            Some(picture) => Err(KernelError::Input { expected, got: picture.len() }),
            None => Ok(()),
        }
    }

    /// What the steps that write to the arena in `f32` compute, in order.
    pub(super) fn written(&self) -> impl Iterator<Item = &Origin> {
        let steps = self.steps.as_slice().iter().zip(&self.origins);
        steps.filter(|(step, _)| step.writes_floats()).map(|(_, origin)| origin)
    }

    /// Whether the network is computed in whole numbers.
    pub(super) fn is_int8(&self) -> bool {
        self.steps.as_slice().iter().any(Step::is_integer)
    }

    /// Runs one picture on one thread, and gives `see` what each step writes to the arena in `f32` as
    /// soon as it is computed.
    pub(super) fn run_step_by_step(&self, picture: &[f32], see: impl FnMut(&[Lanes])) {
        let mut memory = self.take_memory(1);
        let mut features = vec![0.0; self.output_len()];
        self.steps.run_step_by_step(&mut memory, picture, &mut features, see);
        self.give_back(memory);
    }

    /// Runs one picture on `threads` threads, and gives `note` the index of the step before each
    /// item.
    fn run_on(&self, threads: usize, picture: &[f32], features: &mut [f32], note: impl Fn(usize) + Sync) {
        let mut memory = self.take_memory(threads);
        self.steps.run(&mut memory, picture, features, note);
        self.give_back(memory);
    }

    /// Memory of an earlier run on as many threads, or new memory.
    fn take_memory(&self, threads: usize) -> Memory {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let found = idle.iter().position(|memory| memory.threads() == threads);
        let memory = found.map(|index| idle.swap_remove(index));
        drop(idle);
        memory.unwrap_or_else(|| self.steps.new_memory(threads))
    }

    fn give_back(&self, memory: Memory) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}

/// The number of values in all `shapes`.
fn values(shapes: &[[usize; 3]]) -> usize {
    shapes.iter().map(|shape| shape.iter().product::<usize>()).sum()
}
