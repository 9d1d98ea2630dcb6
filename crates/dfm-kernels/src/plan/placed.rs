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

/// The taps of a network that are still to come, and where the features of the next one begin: its
/// averages among the averages, its map among the maps.
pub(super) struct TapsToCome<'a> {
    left: &'a [Tap],
    begin: usize,
    begin_map: usize,
}

impl<'a> TapsToCome<'a> {
    /// All taps of `network`.
    pub(super) fn of(network: &'a Network) -> Self {
        Self { left: &network.taps, begin: 0, begin_map: 0 }
    }

    /// Whether the next tap is behind the first `blocks` blocks.
    pub(super) fn next_after(&self, blocks: usize) -> bool {
        self.left.first().is_some_and(|tap| tap.blocks == blocks)
    }

    /// The steps that take features out of `value`, if there is a tap behind the first `blocks` blocks:
    /// the averages, and the map itself unless its windows are single pixels. Maps begin at 0, and the
    /// plan moves them behind all averages.
    pub(super) fn after(&mut self, blocks: usize, value: &Placed) -> impl Iterator<Item = Step> + use<> {
        let next = self.left.split_first().filter(|(tap, _)| tap.blocks == blocks);
        let steps = next.map(|(tap, left)| {
            self.left = left;
            let (input, map) = (value.at.clone(), value.map);
            let average =
                Average { input: input.clone(), map, window: tap.average, begin: self.begin, beside: false };
            self.begin += average.len();
            let whole = Average { input, map, window: 1, begin: self.begin_map, beside: true };
            let whole = (tap.average > 1).then_some(whole);
            self.begin_map += whole.as_ref().map_or(0, Average::len);
            [Some(average), whole]
        });
        steps.into_iter().flatten().flatten().map(Step::Average)
    }
}
