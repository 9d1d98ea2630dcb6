//! What every layer can do.

use std::fmt::{Debug, Display};
use std::ops::Range;

use crate::kernels::work::{Work, Worker};
use crate::layout::{LANES, Lanes, Placed};

/// A layer between maps of the arena. Its work is divided into items, which threads can share.
pub(crate) trait Layer: Debug + Display + Send + Sync {
    /// The [`Lanes`] of scratch memory that each thread needs.
    fn scratch_len(&self) -> usize {
        0
    }

    /// The number of items for `threads` threads.
    fn items(&self, threads: usize) -> usize;

    /// The parts of the arena that are read. A map that lies where the output goes is not among them:
    /// an item reads only the values of it that it writes itself.
    fn reads(&self) -> Vec<Range<usize>>;

    /// The part of the arena that is written.
    fn writes(&self) -> Range<usize>;

    /// The number of multiplications, each with its addition.
    fn multiply_adds(&self) -> u64 {
        0
    }

    /// Does one item. The result does not depend on the number of items.
    ///
    /// # Safety
    ///
    /// That of [`Step::run`](crate::kernels::step::Step::run), which also checks the item and the
    /// scratch memory.
    unsafe fn run(&self, work: &Work<'_>, worker: &mut Worker, item: usize);
}

/// The maps of `inputs` that do not lie exactly where `output` goes.
pub(super) fn beside<'a>(output: &Placed, inputs: impl IntoIterator<Item = &'a Placed>) -> Vec<Range<usize>> {
    inputs.into_iter().map(Placed::range).filter(|range| *range != output.range()).collect()
}

/// One value for each channel, in blocks. The last block is filled up with zeros.
pub(super) fn blocks_of(values: &[f32]) -> Vec<Lanes> {
    let lanes = |chunk: &[f32]| Lanes(std::array::from_fn(|lane| chunk.get(lane).copied().unwrap_or(0.0)));
    values.chunks(LANES).map(lanes).collect()
}
