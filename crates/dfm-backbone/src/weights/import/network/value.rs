//! What a value of an ONNX graph is known to be.

use std::rc::Rc;

use super::expression::Expression;
use super::tensor::{Reason, Tensor};
use super::view::View;

/// A value of an ONNX graph.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// An input or output that is left out.
    Nothing,
    Constant(Tensor),
    /// The value of a node.
    Data(View),
    /// A function of each number of the value of a node.
    Function(View, Rc<Expression>),
    /// A map with padding around it.
    Padded(View, Padded),
    /// A step of a layer norm over an axis.
    Norm(Norm, View, usize),
    /// The products of queries and keys, and what becomes of them.
    Scores(Rc<Scores>),
    /// Something that was not understood.
    Refused(Rc<Refusal>),
}

/// Padding: before and behind, along rows and columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Padded {
    pub(super) begin: [usize; 2],
    pub(super) end: [usize; 2],
    /// What is put there.
    pub(super) number: f32,
}

/// A step of a layer norm: of a value `x`, along the axis of its channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Norm {
    /// The mean of `x`.
    Mean,
    /// `x` without its mean.
    Centred,
    /// The square of that.
    Square,
    /// The mean of that, with a number added.
    Variance(f64),
    /// The root of that.
    Deviation(f64),
    /// One divided by that.
    Inverse(f64),
}

/// Attention up to the products of queries and keys.
#[derive(Debug)]
pub(super) struct Scores {
    /// `[…, T, d]`.
    pub(super) queries: View,
    /// `[…, d, T]`.
    pub(super) keys: View,
    /// A factor of all products.
    pub(super) scale: f64,
    /// Whether the softmax is taken.
    pub(super) is_softmax: bool,
}

/// A node that was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Refusal {
    pub(in super::super) node: String,
    pub(in super::super) operation: String,
    pub(in super::super) reason: Reason,
}

impl Value {
    /// What it is, in an error.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Constant(_) => "a constant",
            Self::Data(_) | Self::Function(..) => "features",
            Self::Padded(..) => "a padded map",
            Self::Norm(..) => "a part of a layer norm",
            Self::Scores(_) => "a part of attention",
            Self::Refused(_) => "what was not understood",
        }
    }

    /// The view, of features alone.
    pub(super) fn view(&self) -> Option<&View> {
        match self {
            Self::Data(view) | Self::Function(view, _) => Some(view),
            _ => None,
        }
    }
}
