//! The nodes that one step computes together.

use dfm_graph::Operation;

use super::source::Source;
use super::values::Values;
use crate::activation::Activation;
use crate::error::KernelError;

/// A node, and the nodes behind it that the same step computes.
#[derive(Debug)]
pub(super) struct Chain {
    /// All of them, in order.
    pub(super) nodes: Vec<usize>,
    /// The nodes whose factors are multiplied into the weights.
    pub(super) scales: Vec<usize>,
    /// The node to whose value the sums are added.
    pub(super) onto: Option<usize>,
    pub(super) activation: Activation,
}

/// What a step can do besides its own operation and an activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Can {
    /// Nothing.
    Nothing,
    /// Multiply factors into its weights.
    Scale,
    /// Add its sums to a value, in whatever place.
    Add,
    /// Multiply factors into its weights, and add its sums to a value in the place of that value.
    ScaleAndAdd,
}

impl Chain {
    /// The chain that begins with `node`. A value inside the chain is read by the next node alone.
    ///
    /// # Errors
    ///
    /// If an activation is not known.
    pub(super) fn new(
        source: &Source<'_>,
        values: &Values,
        node: usize,
        can: Can,
    ) -> Result<Self, KernelError> {
        let mut chain =
            Self { nodes: vec![node], scales: Vec::new(), onto: None, activation: Activation::Identity };
        let mut end = node;
        while let Some(next) = source.only_reader(end) {
            match source.operation(next) {
                // A sum behind a factor can be added, but not the other way round.
                Operation::Scale if matches!(can, Can::Scale | Can::ScaleAndAdd) && chain.onto.is_none() => {
                    chain.scales.push(next);
                }
                Operation::Add if matches!(can, Can::Add | Can::ScaleAndAdd) && chain.onto.is_none() => {
                    let other = source.inputs(next).into_iter().find(|input| *input != end);
                    // A sum that overwrites the other value must be the last that reads it.
                    let fits = |other: &usize| match can {
                        Can::Add => values.get(*other).is_some(),
                        _ => values.is_read_once(*other),
                    };
                    match other.filter(fits) {
                        Some(other) => chain.onto = Some(other),
                        None => break,
                    }
                }
                Operation::Activation(activation) => {
                    chain.activation = Activation::of(*activation).ok_or_else(|| source.unsupported(next))?;
                    chain.nodes.push(next);
                    break;
                }
                _ => break,
            }
            chain.nodes.push(next);
            end = next;
        }
        Ok(chain)
    }
}
