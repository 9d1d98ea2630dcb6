//! An ONNX node as the operations read it: its inputs, its attributes and its name.

use super::super::onnx_graph::NodeProto;
use super::tensor::{Reason, Tensor};
use super::value::Value;

/// An ONNX node with what it reads.
pub(super) struct Call<'g> {
    pub(super) node: &'g NodeProto,
    pub(super) inputs: Vec<Value>,
}

impl<'g> Call<'g> {
    /// An input that must be a constant.
    pub(super) fn constant(&self, index: usize) -> Result<&Tensor, Reason> {
        match self.inputs.get(index) {
            Some(Value::Constant(tensor)) => Ok(tensor),
            other => {
                let got = other.unwrap_or(&Value::Nothing).kind();
                Err(format!("input {index} is {got}, expected a constant"))
            }
        }
    }

    /// An input that may be left out, and must be a constant otherwise.
    pub(super) fn optional(&self, index: usize) -> Result<Option<&Tensor>, Reason> {
        match self.inputs.get(index) {
            None | Some(Value::Nothing) => Ok(None),
            _ => self.constant(index).map(Some),
        }
    }

    /// A whole number of the node.
    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.node.attribute(name).map_or(default, |attribute| attribute.i)
    }

    /// A floating-point number of the node.
    pub(super) fn float(&self, name: &str, default: f64) -> f64 {
        // The shortest decimal number is what was meant: 1e-5, not 9.99999974e-6.
        self.node.attribute(name).map_or(default, |attribute| decimal(attribute.f))
    }

    /// A text of the node.
    pub(super) fn text(&self, name: &str, default: &str) -> String {
        let attribute = self.node.attribute(name);
        attribute.map_or_else(|| default.to_owned(), |text| shown(&String::from_utf8_lossy(&text.s)))
    }

    /// Axes, which older versions have as an attribute and later ones as an input.
    pub(super) fn axes(&self, name: &str, input: usize) -> Result<Option<Vec<i64>>, Reason> {
        if let Some(attribute) = self.node.attribute(name) {
            return Ok(Some(attribute.ints.clone()));
        }
        self.optional(input)?.map(Tensor::as_known).transpose()
    }
}

/// The shortest decimal number that rounds to this `f32`.
pub(super) fn decimal(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

/// The name of a node, or of what it gives.
pub(super) fn name_of(node: &NodeProto) -> &str {
    if node.name.is_empty() { node.output() } else { &node.name }
}

/// The beginning of a text that may be hostile.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}
