//! The maps that a convolution in whole numbers lies between.

use std::ops::Range;

use super::values::Values;
use crate::layout::Map;

/// The maps that a convolution lies between.
#[derive(Debug, Clone)]
pub(crate) struct IntegerEnds {
    /// The part of the arena that holds the input, in bytes; at least as long as `input_map` takes.
    pub(crate) input: Range<usize>,
    pub(crate) input_map: Map,
    /// The part of the arena that takes the output; at least as long as `output_map` takes.
    pub(crate) output: Range<usize>,
    pub(crate) output_map: Map,
    /// The kind of values that the output holds.
    pub(crate) values: Values,
    /// Whether negative sums become zero. In bytes they always do.
    pub(crate) relu: bool,
    /// What is added to the sums.
    pub(crate) residual: Option<Residual>,
    /// The sizes of one step of the input and of the output.
    pub(crate) steps: [f32; 2],
}

/// A map of the same size as the output. It may lie where the output goes if it holds the same
/// kind of values.
#[derive(Debug, Clone)]
pub(crate) struct Residual {
    /// The part of the arena that holds it.
    pub(crate) at: Range<usize>,
    pub(crate) values: Values,
    /// The size of one of its steps in steps of the output.
    pub(crate) factor: f32,
}
