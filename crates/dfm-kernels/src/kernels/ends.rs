//! The maps that a convolution lies between.

use std::ops::Range;

use crate::activation::Activation;
use crate::layout::Map;

/// The maps that a convolution lies between.
#[derive(Debug, Clone)]
pub(crate) struct Ends {
    /// The part of the arena that holds the input; at least as long as `input_map`.
    pub(crate) input: Range<usize>,
    pub(crate) input_map: Map,
    /// The part of the arena that takes the output; at least as long as `output_map`.
    pub(crate) output: Range<usize>,
    pub(crate) output_map: Map,
    /// Whether the sums are added to the values that the output holds.
    pub(crate) add: bool,
    /// What is done to the sums before they are written.
    pub(crate) activation: Activation,
}

impl Ends {
    /// Both maps, input and output.
    ///
    /// # Panics
    ///
    /// If a map does not fit its part of the arena.
    pub(super) fn maps(&self) -> (Map, Map) {
        assert!(self.input.len() >= self.input_map.len() && self.output.len() >= self.output_map.len());
        (self.input_map, self.output_map)
    }

    /// The part of the arena that is read.
    pub(super) fn read(&self) -> Range<usize> {
        self.input.clone()
    }

    /// The part of the arena that the output takes.
    pub(super) fn written(&self) -> Range<usize> {
        self.output.start..self.output.start + self.output_map.len()
    }
}
