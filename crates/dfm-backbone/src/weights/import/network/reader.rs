//! One ONNX node after the other: what is constant is computed, and what depends on the picture becomes a node of
//! our graph.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use dfm_graph::Operation;

use super::super::onnx_graph::{GraphProto, NodeProto};
use super::draft::Drafts;
use super::expression::{Expression, Function, Meaning, Operator, Step};
use super::tensor::{Reason, Tensor};
use super::value::{Refusal, Value};
use super::view::View;
use super::{arithmetic, constant, layout, maps, norms, tokens};
use crate::weights::error::WeightsError;

/// The most values that constants may be computed to, all together.
const MOST_COMPUTED: usize = 1 << 27;

/// What the nodes of an ONNX graph were found to be.
pub(super) struct Reader<'g> {
    pub(super) graph: &'g GraphProto,
    pub(super) drafts: Drafts,
    pub(super) values: HashMap<&'g str, Value>,
    /// How many nodes read a value, its shape aside.
    readers: HashMap<&'g str, usize>,
    /// Values that are a step of a longer function.
    pub(super) steps: HashSet<String>,
    /// The version of the operators.
    pub(super) opset: i64,
    /// Whether the file is for one picture at a time.
    pub(super) one_picture: bool,
    computed: usize,
}

/// An ONNX node with what it reads.
pub(super) struct Call<'g> {
    pub(super) node: &'g NodeProto,
    pub(super) inputs: Vec<Value>,
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
        Self { graph, drafts, values, readers, steps: HashSet::new(), opset, one_picture, computed: 0 }
    }

    /// Reads all nodes.
    pub(super) fn read(&mut self) -> Result<(), WeightsError> {
        for (index, node) in self.graph.node.iter().enumerate() {
            self.drafts.origin = index;
            let mut inputs = Vec::with_capacity(node.input.len());
            for name in &node.input {
                inputs.push(match self.values.get(name.as_str()) {
                    _ if name.is_empty() => Value::Nothing,
                    Some(value) => value.clone(),
                    None => return Err(unknown(node, name)),
                });
            }
            let refused = inputs.iter().find_map(|input| match input {
                Value::Refused(refusal) => Some(refusal.clone()),
                _ => None,
            });
            let outputs = match refused {
                Some(refusal) => Err(refusal),
                None => self.call(&Call { node, inputs }).map_err(|reason| {
                    let operation = if node.domain.is_empty() || node.domain == "ai.onnx" {
                        node.op_type.clone()
                    } else {
                        format!("{}.{}", node.domain, node.op_type)
                    };
                    Rc::new(Refusal { node: shown(name_of(node)), operation: shown(&operation), reason })
                }),
            };
            for (place, name) in node.output.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
                let mut value = match &outputs {
                    Ok(outputs) => outputs.get(place).cloned().unwrap_or(Value::Nothing),
                    Err(refusal) => Value::Refused(refusal.clone()),
                };
                if let Value::Data(view) | Value::Function(view, _) = &mut value {
                    view.sole &= self.readers.get(name.as_str()).copied().unwrap_or(0) <= 1;
                }
                if self.values.insert(name, value).is_some() {
                    return Err(WeightsError::Network {
                        reason: format!("the value '{}' is given twice", shown(name)),
                    });
                }
            }
        }
        Ok(())
    }

    fn call(&mut self, call: &Call<'g>) -> Result<Vec<Value>, Reason> {
        if !matches!(call.node.domain.as_str(), "" | "ai.onnx") {
            return Err("an operation of another domain; export with ONNX's own".to_owned());
        }
        if call.inputs.iter().all(|input| matches!(input, Value::Constant(_) | Value::Nothing)) {
            let value = constant::compute(call, self.opset)?;
            // A whole number takes as much as four others.
            let each = if value.as_wholes().is_ok() { 4 } else { 1 };
            self.computed = self.computed.saturating_add(each * value.len());
            if self.computed > MOST_COMPUTED {
                return Err(format!("constants of more than {MOST_COMPUTED} values in all"));
            }
            return Ok(vec![Value::Constant(value)]);
        }
        let value = match call.node.op_type.as_str() {
            "Shape" => layout::shape(call)?,
            "Split" => return layout::split(self, call),
            "Identity" | "Transpose" | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Slice"
            | "Gather" | "Cast" | "Expand" => layout::moved(self, call)?,
            "Dropout" => call.inputs[0].clone(),
            "Concat" => tokens::concatenate(self, call)?,
            "Add" | "Sub" | "Mul" | "Div" | "Pow" => arithmetic::binary(self, call)?,
            "Relu" | "Clip" | "Sigmoid" | "Tanh" | "Erf" | "Exp" | "Sqrt" | "Neg" | "Reciprocal"
            | "HardSigmoid" | "HardSwish" | "Gelu" | "Min" | "Max" => arithmetic::unary(self, call)?,
            "ReduceMean" => norms::mean(self, call)?,
            "LayerNormalization" => norms::layer_norm(self, call)?,
            "BatchNormalization" => norms::batch_norm(self, call)?,
            "Conv" => maps::convolution(self, call)?,
            "MaxPool" | "AveragePool" => maps::pool(self, call)?,
            "GlobalAveragePool" => maps::global_average(self, call)?,
            "Pad" => maps::pad(self, call)?,
            "MatMul" => tokens::product(self, call)?,
            "Gemm" => tokens::gemm(self, call)?,
            "Softmax" => tokens::softmax(self, call)?,
            _ => return Err("an operation that is not known here".to_owned()),
        };
        Ok(vec![value])
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
        match view.state == self.drafts.node(&view).state {
            true => Ok(view),
            // Nothing else may read what something was folded into.
            false => Err("it reads a value that is no longer there".to_owned()),
        }
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
                let value = Rc::new(Expression::new(Step::Value, expression.node).ok_or("")?);
                let step = match &expression.step {
                    Step::Behind(_, number, _) => Step::Behind(*operator, *number, value),
                    Step::With(_, _, number) => Step::With(*operator, value, *number),
                    _ => Step::Value,
                };
                self.settle(&inner, &Expression::new(step, expression.node).ok_or("")?)
            }
            (None, Step::Of(function, one)) if !one.is_value() => {
                let inner = self.settle(view, one)?;
                let value = Rc::new(Expression::new(Step::Value, expression.node).ok_or("")?);
                self.settle(&inner, &Expression::new(Step::Of(*function, value), expression.node).ok_or("")?)
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
                        "'{}' cuts at {least} and {most}: known are 0 and 6, and 0 alone",
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

/// The number that a text with so many digits as `f32` needs stands for.
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

fn unknown(node: &NodeProto, name: &str) -> WeightsError {
    WeightsError::Network {
        reason: format!(
            "node '{}' reads '{}', which no constant, no input and no node before it gives; nodes in a circle have no \
             order",
            shown(name_of(node)),
            shown(name)
        ),
    }
}
