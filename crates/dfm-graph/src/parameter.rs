//! The numbers that a graph needs.

use crate::form::Form;
use crate::node::NodeId;
use crate::operation::Operation;

/// One tensor of numbers that a node needs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parameter {
    /// The node.
    pub node: NodeId,
    /// What it is to the node, such as `weight`.
    pub suffix: &'static str,
    /// `NODE.suffix`, which no other parameter of the graph is called.
    pub name: String,
    /// The shape, row by row.
    pub dims: Vec<usize>,
}

impl Parameter {
    /// The number of values.
    #[expect(clippy::len_without_is_empty, reason = "a parameter of a checked graph has a value")]
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }
}

/// The parameters of a checked operation whose first input is `input`: suffixes with shapes.
pub(crate) fn parameters(operation: &Operation, input: Option<Form>) -> Vec<(&'static str, Vec<usize>)> {
    let channels = input.map_or(0, |form| form.channels);
    match operation {
        Operation::Convolution(convolution) => {
            let [rows, columns] = convolution.window.kernel;
            let inputs = channels / convolution.groups;
            vec![("weight", vec![convolution.out, inputs, rows, columns]), ("bias", vec![convolution.out])]
        }
        Operation::Linear { out } => vec![("weight", vec![*out, channels]), ("bias", vec![*out])],
        Operation::LayerNorm { .. } | Operation::GlobalResponseNorm { .. } => {
            vec![("weight", vec![channels]), ("bias", vec![channels])]
        }
        Operation::Scale => vec![("weight", vec![channels])],
        Operation::PrefixTokens { count } => vec![("tokens", vec![*count, channels])],
        Operation::Positions { grid: [rows, columns], prefix, .. } => {
            vec![("positions", vec![prefix + rows * columns, channels])]
        }
        _ => Vec::new(),
    }
}
