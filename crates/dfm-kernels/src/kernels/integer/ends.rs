//! The maps that a convolution in whole numbers lies between.

use std::ops::Range;

use super::tile::{Added, Output};
use super::values::Values;
use crate::kernels::work::Work;
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

impl IntegerEnds {
    /// Checks that the maps fit their parts, where `input` is the kind of values that the input holds.
    ///
    /// # Panics
    ///
    /// If one does not.
    pub(super) fn check(&self, input: Values) {
        assert!(self.input.len() >= input.len(self.input_map));
        assert!(self.output.len() >= self.values.len(self.output_map));
        let fits = |residual: &Residual| residual.at.len() >= residual.values.len(self.output_map);
        assert!(self.residual.as_ref().is_none_or(fits));
    }

    /// The part of the arena that is written.
    pub(super) fn writes(&self) -> Range<usize> {
        self.output.start..self.output.start + self.values.len(self.output_map)
    }

    /// The parts of the arena that are read: the input, and the residual unless the results overwrite
    /// it.
    pub(super) fn reads(&self) -> Vec<Range<usize>> {
        let mut reads = vec![self.input.clone()];
        let overwritten = |it: &Residual| it.at.start == self.output.start && it.values == self.values;
        if let Some(residual) = self.residual.as_ref().filter(|it| !overwritten(it)) {
            reads.push(residual.at.start..residual.at.start + residual.values.len(self.output_map));
        }
        reads
    }

    /// The first pixel of the output.
    pub(super) fn first_output(&self, work: &Work<'_>) -> Output {
        let to = work.arena.at(self.output.clone());
        match self.values {
            Values::Bytes | Values::Groups => Output::Bytes(to.cast()),
            Values::Floats => Output::Floats { to: to.cast(), relu: self.relu },
        }
    }

    /// The first pixel of the residual.
    pub(super) fn first_added(&self, work: &Work<'_>) -> Added {
        let Some(residual) = &self.residual else { return Added::Nothing };
        let from = work.arena.at(residual.at.clone()).cast_const();
        match residual.values {
            Values::Bytes | Values::Groups => Added::Bytes { from: from.cast(), factor: residual.factor },
            Values::Floats => Added::Floats { from: from.cast(), factor: residual.factor },
        }
    }
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
