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
    /// The node to whose value the sums are added, in its place.
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
    /// That, and add its sums to a value.
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
                Operation::Scale if can != Can::Nothing && chain.onto.is_none() => chain.scales.push(next),
                Operation::Add if can == Can::ScaleAndAdd && chain.onto.is_none() => {
                    let other = source.inputs(next).into_iter().find(|input| *input != end);
                    // This sum is the last that reads the other value, so that it may be overwritten.
                    match other.filter(|other| values.is_read_once(*other)) {
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
