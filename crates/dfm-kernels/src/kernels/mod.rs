//! What runs for each picture: the steps of a network, and the micro-kernels that
//! they are made of. The only unsafe code of the project lies in this module.
//!
//! What all of it rests on:
//!
//! - The vector code of an instruction set is called only through the [`Kernels`]
//!   that [`Kernels::of`] hands out, which looks whether the processor has it.
//! - The steps of a plan find their feature maps in one arena that the threads
//!   share. [`Plan::new`](crate::Plan::new) gives a step's output a part of the
//!   arena that overlaps none of its inputs, and the items of a step write
//!   pixels and channels of their own.

#![expect(unsafe_code, reason = "vector instructions, and an arena shared by threads; see each block")]

mod average;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod direct;
mod integer;
mod maximum;
mod portable;
mod shared;
mod sliding;
mod stem;
mod sweep;
mod tile;
mod transform;
mod vector;
mod winograd;

pub(crate) use average::Average;
pub(crate) use direct::Direct;
pub(crate) use integer::{
    ACTIVATION, IntegerConvolution, IntegerEnds, IntegerKernels, IntegerStem, PICTURE, Residual, Values,
};
pub(crate) use shared::Shared;
pub(crate) use stem::Stem;
pub(crate) use winograd::Winograd;

use std::ops::Range;

use crate::instructions::InstructionSet;
use crate::layout::{Lanes, Map};
use maximum::MaximumRow;
use tile::{MicroKernel, PixelStep};
use transform::{InputTiles, OutputTiles};

/// The vector code of one instruction set.
#[derive(Clone, Copy)]
pub(crate) struct Kernels {
    /// By [`PixelStep`], blocks of output channels − 1, and pixels − 1.
    tiles: [&'static [&'static [MicroKernel]]; 3],
    /// Winograd's transforms.
    input_tiles: InputTiles,
    output_tiles: OutputTiles,
    /// The maximum after the stem.
    maximum_row: MaximumRow,
}

impl Kernels {
    /// Those for `instructions`, or the portable ones if this processor lacks them.
    pub(crate) fn of(instructions: InstructionSet) -> Self {
        match instructions {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 if instructions.is_available() => avx512::KERNELS,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 if instructions.is_available() => avx2::KERNELS,
            _ => portable::KERNELS,
        }
    }

    /// Blocks of output channels that a tile can have.
    pub(crate) fn blocks(&self) -> usize {
        self.tiles[0].len()
    }

    /// The most pixels that a tile can have.
    pub(crate) fn pixels(&self) -> usize {
        self.tiles[0][0].len()
    }

    fn tile(&self, step: PixelStep, blocks: usize, pixels: usize) -> MicroKernel {
        self.tiles[step as usize][blocks - 1][pixels - 1]
    }
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kernels({} pixels × {} blocks)", self.pixels(), self.blocks())
    }
}

/// What a convolution lies between.
#[derive(Debug, Clone)]
pub(crate) struct Ends {
    /// Parts of the arena, as long as their maps.
    pub(crate) input: Range<usize>,
    pub(crate) input_map: Map,
    pub(crate) output: Range<usize>,
    pub(crate) output_map: Map,
    /// Whether to add to what the output holds.
    pub(crate) add: bool,
    /// Whether negative sums become zero.
    pub(crate) relu: bool,
}

impl Ends {
    /// Both maps, input and output.
    ///
    /// # Panics
    ///
    /// If one does not fit its part.
    fn maps(&self) -> (Map, Map) {
        assert!(self.input.len() >= self.input_map.len() && self.output.len() >= self.output_map.len());
        (self.input_map, self.output_map)
    }

    /// The part that the output takes.
    fn written(&self) -> Range<usize> {
        self.output.start..self.output.start + self.output_map.len()
    }
}

/// What a step works on.
pub(crate) struct Work<'a> {
    /// `[channels, height, width]`.
    pub(crate) picture: &'a [f32],
    /// All feature maps.
    pub(crate) arena: &'a Shared<'a, Lanes>,
    /// `[C, h, w]` of every tap, one after the other.
    pub(crate) features: Shared<'a, f32>,
    /// How many threads share the step.
    pub(crate) threads: usize,
}

/// What a thread of a team has for itself.
#[derive(Debug)]
pub(crate) struct Worker {
    /// As long as the most that a step asks for.
    pub(crate) scratch: Vec<Lanes>,
    /// What the scratch holds from the item before, if a later one can use it:
    /// the round, and the tiles.
    pub(crate) kept: Option<(usize, Range<usize>)>,
}

/// One step of a network.
#[derive(Debug)]
pub(crate) enum Step {
    /// The first convolution and the maximum.
    Stem(Stem),
    /// A convolution tap by tap.
    Direct(Direct),
    /// A convolution by transforms.
    Winograd(Winograd),
    /// The first convolution and the maximum in whole numbers.
    IntegerStem(IntegerStem),
    /// A convolution in whole numbers.
    Integer(IntegerConvolution),
    /// The averages of a tap.
    Average(Average),
}

impl Step {
    /// [`Lanes`] of scratch that each thread needs.
    pub(crate) fn scratch_len(&self) -> usize {
        match self {
            Self::Stem(step) => step.scratch_len(),
            Self::Direct(step) => step.scratch_len(),
            Self::Winograd(step) => step.scratch_len(),
            Self::IntegerStem(step) => step.scratch_len(),
            Self::Integer(step) => step.scratch_len(),
            Self::Average(_) => 0,
        }
    }

    /// Items that threads can share.
    pub(crate) fn items(&self, threads: usize) -> usize {
        match self {
            Self::Stem(step) => step.division(threads).items(),
            Self::Direct(step) => step.division(threads).items(),
            Self::Winograd(step) => step.division(threads).items(),
            Self::IntegerStem(step) => step.division(threads).items(),
            Self::Integer(step) => step.division(threads).items(),
            Self::Average(step) => step.items(),
        }
    }

    /// Does one item. The result does not depend on how many there are, nor on
    /// what the worker did before.
    pub(crate) fn run(&self, work: &Work<'_>, worker: &mut Worker, round: usize, item: usize) {
        match self {
            Self::Stem(step) => step.run(work, worker, item),
            Self::Direct(step) => step.run(work, worker, item),
            Self::Winograd(step) => step.run(work, worker, round, item),
            Self::IntegerStem(step) => step.run(work, worker, item),
            Self::Integer(step) => step.run(work, worker, item),
            Self::Average(step) => step.run(work, item),
        }
    }
}

impl Step {
    /// The part of the arena that a convolution in `f32` leaves its results in.
    pub(crate) fn output(&self) -> Option<Range<usize>> {
        match self {
            Self::Stem(step) => Some(step.output()),
            Self::Direct(step) => Some(step.output()),
            Self::Winograd(step) => Some(step.output()),
            Self::IntegerStem(_) | Self::Integer(_) | Self::Average(_) => None,
        }
    }

    /// Multiplications, each with its addition, of this step computed tap by tap.
    pub(crate) fn multiply_adds(&self) -> u64 {
        match self {
            Self::Stem(step) => step.multiply_adds,
            Self::Direct(step) => step.multiply_adds,
            Self::Winograd(step) => step.multiply_adds,
            Self::IntegerStem(step) => step.multiply_adds,
            Self::Integer(step) => step.multiply_adds,
            Self::Average(_) => 0,
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
            Self::Average(step) => step.fmt(f),
        }
    }
}
