//! One step of a network.

use std::ops::Range;

use super::average::Average;
use super::direct::Direct;
use super::integer::{IntegerConvolution, IntegerStem, TiledConvolution};
use super::layers::Layer;
use super::stem::Stem;
use super::winograd::Winograd;
use super::work::{Work, Worker};

/// One step of a network. Its work is divided into items, which threads can share.
#[derive(Debug)]
pub(crate) enum Step {
    /// The first convolution, and the maximum behind it.
    Stem(Stem),
    /// A convolution tap by tap.
    Direct(Direct),
    /// A convolution by transforms.
    Winograd(Winograd),
    /// The first convolution, and the maximum behind it, in whole numbers.
    IntegerStem(IntegerStem),
    /// A convolution in whole numbers.
    Integer(IntegerConvolution),
    /// A convolution in whole numbers by products of tiles.
    Tiled(TiledConvolution),
    /// The averages that a tap takes.
    Average(Average),
    /// A layer of another kind.
    Layer(Box<dyn Layer>),
}

impl Step {
    /// The [`Lanes`](crate::layout::Lanes) of scratch memory that each thread needs.
    pub(super) fn scratch_len(&self) -> usize {
        match self {
            Self::Stem(step) => step.scratch_len(),
            Self::Direct(step) => step.scratch_len(),
            Self::Winograd(step) => step.scratch_len(),
            Self::IntegerStem(step) => step.scratch_len(),
            Self::Integer(step) => step.scratch_len(),
            Self::Tiled(step) => step.scratch_len(),
            Self::Average(_) => 0,
            Self::Layer(layer) => layer.scratch_len(),
        }
    }

    /// The number of items for `threads` threads.
    pub(super) fn items(&self, threads: usize) -> usize {
        match self {
            Self::Stem(step) => step.division(threads).items(),
            Self::Direct(step) => step.division(threads).items(),
            Self::Winograd(step) => step.division(threads).items(),
            Self::IntegerStem(step) => step.division(threads).items(),
            Self::Integer(step) => step.division(threads).items(),
            Self::Tiled(step) => step.division(threads).items(),
            Self::Average(step) => step.items(),
            Self::Layer(layer) => layer.items(threads),
        }
    }

    /// The parts of the arena that the step reads. A residual that is read where the results go is
    /// not among them: an item reads only the values of it that it writes itself.
    pub(super) fn reads(&self) -> Vec<Range<usize>> {
        match self {
            Self::Stem(_) | Self::IntegerStem(_) => Vec::new(),
            Self::Direct(step) => vec![step.input()],
            Self::Winograd(step) => vec![step.input()],
            Self::Integer(step) => step.inputs(),
            Self::Tiled(step) => step.inputs(),
            Self::Average(step) => vec![step.read()],
            Self::Layer(layer) => layer.reads(),
        }
    }

    /// The part of the arena that the step writes.
    pub(super) fn writes(&self) -> Range<usize> {
        match self {
            Self::Stem(step) => step.output(),
            Self::Direct(step) => step.output(),
            Self::Winograd(step) => step.output(),
            Self::IntegerStem(step) => step.output(),
            Self::Integer(step) => step.output(),
            Self::Tiled(step) => step.output(),
            Self::Average(_) => 0..0,
            Self::Layer(layer) => layer.writes(),
        }
    }

    /// The features that the step writes.
    pub(super) fn features(&self) -> Range<usize> {
        match self {
            Self::Average(step) => step.begin..step.begin + step.len(),
            _ => 0..0,
        }
    }

    /// Does one item. `index` is the index of the step among all steps. The result depends neither
    /// on the number of items nor on what the worker did before.
    ///
    /// # Panics
    ///
    /// If there is no such item, or the picture or the worker's scratch memory is too short. The
    /// parts of the arena and of the features are checked where they are used.
    ///
    /// # Safety
    ///
    /// While this runs, nobody else may write what the step reads, nor read or write what the item
    /// writes. It is therefore enough that the step writes no part of the arena that it reads, that
    /// no other step runs, and that each item is done by one thread.
    pub(super) unsafe fn run(&self, work: &Work<'_>, worker: &mut Worker, index: usize, item: usize) {
        assert!(item < self.items(work.threads), "item {item} of {}", self.items(work.threads));
        assert!(worker.scratch.len() >= self.scratch_len(), "{} of scratch memory", worker.scratch.len());
        // SAFETY: the caller vouches for reads and writes, the assertions for the rest.
        unsafe {
            match self {
                Self::Stem(step) => step.run(work, worker, item),
                Self::Direct(step) => step.run(work, worker, item),
                Self::Winograd(step) => step.run(work, worker, index, item),
                Self::IntegerStem(step) => step.run(work, worker, item),
                Self::Integer(step) => step.run(work, worker, item),
                Self::Tiled(step) => step.run(work, worker, item),
                Self::Average(step) => step.run(work, item),
                Self::Layer(layer) => layer.run(work, worker, item),
            }
        }
    }
}

impl Step {
    /// Whether the step takes a map beside the averages of the same tap.
    pub(crate) fn is_beside(&self) -> bool {
        matches!(self, Self::Average(step) if step.beside)
    }

    /// Whether the step writes a map to the arena, in `f32`.
    pub(crate) fn writes_floats(&self) -> bool {
        !self.is_integer() && !self.writes().is_empty()
    }

    /// Whether the step computes in whole numbers.
    pub(crate) fn is_integer(&self) -> bool {
        matches!(self, Self::IntegerStem(_) | Self::Integer(_) | Self::Tiled(_))
    }

    /// The number of multiplications, each with its addition, of this step computed tap by tap.
    pub(crate) fn multiply_adds(&self) -> u64 {
        match self {
            Self::Stem(step) => step.multiply_adds,
            Self::Direct(step) => step.multiply_adds,
            Self::Winograd(step) => step.multiply_adds,
            Self::IntegerStem(step) => step.multiply_adds,
            Self::Integer(step) => step.multiply_adds,
            Self::Tiled(step) => step.multiply_adds,
            Self::Average(_) => 0,
            Self::Layer(layer) => layer.multiply_adds(),
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stem(step) => step.fmt(f),
            Self::Direct(step) => step.fmt(f),
            Self::Winograd(step) => step.fmt(f),
            Self::IntegerStem(step) => step.fmt(f),
            Self::Integer(step) => step.fmt(f),
            Self::Tiled(step) => step.fmt(f),
            Self::Average(step) => step.fmt(f),
            Self::Layer(layer) => layer.fmt(f),
        }
    }
}
