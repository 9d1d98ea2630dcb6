//! What a step works on.

use std::ops::Range;

use super::shared::Shared;
use crate::layout::Lanes;

/// What a step works on.
pub(crate) struct Work<'a> {
    /// `[channels, height, width]`.
    pub(super) picture: &'a [f32],
    /// All feature maps.
    pub(super) arena: &'a Shared<'a, Lanes>,
    /// The features of every tap, `[C, h, w]`, one tap behind the other.
    pub(super) features: Shared<'a, f32>,
    /// The number of threads that share the step.
    pub(super) threads: usize,
}

/// The memory that one thread has for itself.
#[derive(Debug)]
pub(crate) struct Worker {
    /// At least as long as any step needs.
    pub(super) scratch: Vec<Lanes>,
    /// What the scratch memory holds from the item before, if a later item can use it: the index of
    /// the step, and the tiles.
    pub(super) kept: Option<(usize, Range<usize>)>,
}
