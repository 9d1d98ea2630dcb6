//! Feature maps in the arena, and the taps that take features out of them.

use std::ops::Range;

use crate::kernels::{Average, Step};
use crate::layout::Map;
use crate::network::{Network, Tap};

/// A feature map and its part of the arena.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) at: Range<usize>,
    pub(super) map: Map,
}

/// The taps of a network that are still to come, and where the features of the next one begin.
pub(super) struct TapsToCome<'a> {
    left: &'a [Tap],
    begin: usize,
}

impl<'a> TapsToCome<'a> {
    /// All taps of `network`.
    pub(super) fn of(network: &'a Network) -> Self {
        Self { left: &network.taps, begin: 0 }
    }

    /// Whether the next tap is behind the first `blocks` blocks.
    pub(super) fn next_after(&self, blocks: usize) -> bool {
        self.left.first().is_some_and(|tap| tap.blocks == blocks)
    }

    /// The step that takes features out of `value`, if there is a tap behind the first `blocks`
    /// blocks.
    pub(super) fn after(&mut self, blocks: usize, value: &Placed) -> Option<Step> {
        let (tap, left) = self.left.split_first().filter(|(tap, _)| tap.blocks == blocks)?;
        let (input, map) = (value.at.clone(), value.map);
        let average = Average { input, map, window: tap.average, begin: self.begin };
        self.begin += average.len();
        self.left = left;
        Some(Step::Average(average))
    }
}
