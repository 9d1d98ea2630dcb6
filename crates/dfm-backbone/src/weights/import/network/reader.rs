//! What the ONNX nodes read until now were found to be.

use std::collections::HashMap;
use std::rc::Rc;

use dfm_graph::Operation;

use super::super::onnx_graph::GraphProto;
use super::call::{Call, name_of, shown};
use super::draft::Drafts;
use super::expression::{Expression, Function, Meaning, Operator, Step};
use super::tensor::Reason;
use super::value::Value;
use super::view::View;

/// Why an expression could not be made.
const TOO_LONG: &str = "a function of too many steps";

/// What the nodes of an ONNX graph were found to be.
pub(super) struct Reader<'g> {
    pub(super) graph: &'g GraphProto,
    pub(super) drafts: Drafts,
    pub(super) values: HashMap<&'g str, Value>,
    /// How many nodes read a value, its shape aside.
    pub(super) readers: HashMap<&'g str, usize>,
    /// Values that are a step of a longer function, with the index of the node that reads them.
    pub(super) steps: HashMap<String, usize>,
    /// The version of the operators.
    pub(super) opset: i64,
    /// Whether the file is for one picture at a time.
    pub(super) one_picture: bool,
    /// How many values constants were computed to.
    pub(super) computed: usize,
}

impl<'g> Reader<'g> {
    /// Before the first node: `values` has the picture and the constants.
    pub(super) fn new(
        graph: &'g GraphProto,
        drafts: Drafts,
        values: HashMap<&'g str, Value>,
        opset: i64,
        one_picture: bool,
    ) -> Self {
        let mut readers: HashMap<&str, usize> = HashMap::new();
        for node in graph.node.iter().filter(|node| !matches!(node.op_type.as_str(), "Shape" | "Size")) {
            node.input.iter().for_each(|input| *readers.entry(input).or_default() += 1);
        }
        // What leaves the graph is wanted as it is.
        graph.output.iter().for_each(|output| *readers.entry(&output.name).or_default() += 1);
        Self { graph, drafts, values, readers, steps: HashMap::new(), opset, one_picture, computed: 0 }
    }

    /// The features that an input of a node is. What has been a function until now becomes a node.
    pub(super) fn data(&mut self, call: &Call<'g>, index: usize) -> Result<View, Reason> {
        let value = call.inputs.get(index).unwrap_or(&Value::Nothing);
        let view = match value {
            Value::Data(view) => view.clone(),
            Value::Function(..) => {
                let name = call.node.input[index].as_str();
                self.settle_value(name)?
            }
            other => return Err(format!("input {index} is {}, expected features", other.kind())),
        };
        match self.is_there(&view) {
            true => Ok(view),
            // Nothing else may read what something was folded into.
            false => Err(format!("it reads '{}'; {}", shown(&call.node.input[index]), self.joined(&view))),
        }
    }

    /// Whether a view shows what its node computes: nothing was folded into the node since.
    pub(super) fn is_there(&self, view: &View) -> bool {
        view.state == self.drafts.node(view).state
    }

    /// Why a view shows no longer what its node computes, and which layer to take.
    pub(super) fn joined(&self, view: &View) -> String {
        let behind = self.name(self.drafts.node(view).origin);
        format!("that value was joined with the node behind it; take the layer '{behind}'")
    }

    /// The features of this name, once for all that read them.
    pub(super) fn settle_value(&mut self, name: &'g str) -> Result<View, Reason> {
        let (mut view, expression) = match self.values.get(name) {
            Some(Value::Function(view, expression)) => (view.clone(), expression.clone()),
            Some(Value::Data(view)) => return Ok(view.clone()),
            _ => return Err(format!("'{}' is no features", shown(name))),
        };
        let origin = self.drafts.origin;
        if self.readers.get(name).copied().unwrap_or(0) > 1 {
            view.sole = false;
        }
        let settled = self.settle(&view, &expression);
        self.drafts.origin = origin;
        let mut settled = settled?;
        settled.sole &= self.readers.get(name).copied().unwrap_or(0) <= 1;
        self.values.insert(name, Value::Data(settled.clone()));
        Ok(settled)
    }

    /// Makes nodes that compute an expression of a view.
    fn settle(&mut self, view: &View, expression: &Expression) -> Result<View, Reason> {
        if !self.is_there(view) {
            return Err(self.joined(view));
        }
        let meaning = expression.meaning();
        self.drafts.origin = expression.node;
        match (meaning, &expression.step) {
            (Some(Meaning::Activation(activation)), _) => {
                let node = self.drafts.add(Operation::Activation(activation), &[view.node], Vec::new())?;
                Ok(self.drafts.moved(view, node))
            }
            (Some(Meaning::Affine(factor, shift)), _) => {
                let channels = self.drafts.node(view).channels;
                self.drafts.affine(view, &vec![factor; channels], &vec![shift; channels])
            }
            (None, Step::With(operator, one, _) | Step::Behind(operator, _, one))
                if !one.is_value() && *operator != Operator::Power =>
            {
                let inner = self.settle(view, one)?;
                let value = Rc::new(Expression::new(Step::Value, expression.node).ok_or(TOO_LONG)?);
                let step = match &expression.step {
                    Step::Behind(_, number, _) => Step::Behind(*operator, *number, value),
                    Step::With(_, _, number) => Step::With(*operator, value, *number),
                    _ => Step::Value,
                };
                self.settle(&inner, &Expression::new(step, expression.node).ok_or(TOO_LONG)?)
            }
            (None, Step::Of(function, one)) if !one.is_value() => {
                let inner = self.settle(view, one)?;
                let value = Rc::new(Expression::new(Step::Value, expression.node).ok_or(TOO_LONG)?);
                self.settle(
                    &inner,
                    &Expression::new(Step::Of(*function, value), expression.node).ok_or(TOO_LONG)?,
                )
            }
            (None, Step::Both(Operator::Add | Operator::Multiply, one, other))
                if !(one.is_value() && other.is_value()) =>
            {
                let alone = View { sole: false, ..view.clone() };
                let (one, other) = (self.settle(&alone, one)?, self.settle(&alone, other)?);
                let operation = match &expression.step {
                    Step::Both(Operator::Add, ..) => Operation::Add,
                    _ => Operation::Multiply,
                };
                self.drafts.origin = expression.node;
                let node = self.drafts.add(operation, &[one.node, other.node], Vec::new())?;
                Ok(self.drafts.moved(view, node))
            }
            _ => Err(match &expression.step {
                Step::Of(Function::Clip(least, most), _) => {
                    format!(
                        "'{}' cuts at {least} and {most}: expected Clip from 0 to 6, or from 0 without an upper bound",
                        self.name(expression.node)
                    )
                }
                _ => format!("'{}' ends a function that is not known here", self.name(expression.node)),
            }),
        }
    }

    /// The name of an ONNX node, for people.
    pub(super) fn name(&self, node: usize) -> String {
        self.graph.node.get(node).map_or_else(String::new, |node| shown(name_of(node)))
    }
}
