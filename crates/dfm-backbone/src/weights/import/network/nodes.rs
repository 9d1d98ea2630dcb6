//! One ONNX node after the other: what is constant is computed, and what depends on the picture becomes a node of
//! our graph.

use std::rc::Rc;

use super::super::onnx_graph::NodeProto;
use super::broadcast::common;
use super::call::{Call, name_of, shown};
use super::reader::Reader;
use super::tensor::{Reason, Tensor, made};
use super::value::{Refusal, Value};
use super::{arithmetic, constant, layout, maps, norms, tokens};
use crate::weights::error::WeightsError;

/// The most values that the computation of constants may read or give, all together.
const MOST_COMPUTED: usize = 1 << 28;

/// Reads all nodes.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<(), WeightsError> {
    for (index, node) in reader.graph.node.iter().enumerate() {
        reader.drafts.origin = index;
        let mut inputs = Vec::with_capacity(node.input.len());
        for name in &node.input {
            inputs.push(match reader.values.get(name.as_str()) {
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
            None => operation(reader, &Call { node, inputs }).map_err(|reason| {
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
                view.sole &= reader.readers.get(name.as_str()).copied().unwrap_or(0) <= 1;
            }
            if reader.values.insert(name, value).is_some() {
                return Err(WeightsError::Network {
                    reason: format!("the value '{}' is given twice", shown(name)),
                });
            }
        }
    }
    Ok(())
}

fn operation<'g>(reader: &mut Reader<'g>, call: &Call<'g>) -> Result<Vec<Value>, Reason> {
    if !matches!(call.node.domain.as_str(), "" | "ai.onnx") {
        return Err("an operation of another domain; export with ONNX's own".to_owned());
    }
    if call.inputs.iter().all(|input| matches!(input, Value::Constant(_) | Value::Nothing)) {
        let work = work(call);
        reader.computed = reader.computed.saturating_add(work);
        let within = |computed: usize| match computed > MOST_COMPUTED {
            true => Err(format!("constants of more than {MOST_COMPUTED} values in all")),
            false => Ok(()),
        };
        within(reader.computed)?;
        let value = constant::compute(call, reader.opset)?;
        reader.computed = reader.computed.saturating_add(size(&value).saturating_sub(work));
        within(reader.computed)?;
        return Ok(vec![Value::Constant(value)]);
    }
    let value = match call.node.op_type.as_str() {
        "Shape" => layout::shape(call)?,
        "Split" => return layout::split(reader, call),
        "Identity" | "Transpose" | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Slice" | "Gather"
        | "Cast" | "Expand" => layout::moved(reader, call)?,
        "Dropout" => layout::dropout(reader, call)?,
        "Concat" => tokens::concatenate(reader, call)?,
        "Add" | "Sub" | "Mul" | "Div" | "Pow" => arithmetic::binary(reader, call)?,
        "Relu" | "Clip" | "Sigmoid" | "Tanh" | "Erf" | "Exp" | "Sqrt" | "Neg" | "Reciprocal"
        | "HardSigmoid" | "HardSwish" | "Gelu" | "Min" | "Max" => arithmetic::unary(reader, call)?,
        "ReduceMean" => norms::mean(reader, call)?,
        "LayerNormalization" => norms::layer_norm(reader, call)?,
        "BatchNormalization" => norms::batch_norm(reader, call)?,
        "Conv" => maps::convolution(reader, call)?,
        "MaxPool" | "AveragePool" => maps::pool(reader, call)?,
        "GlobalAveragePool" => maps::global_average(reader, call)?,
        "Pad" => maps::pad(reader, call)?,
        "MatMul" => tokens::product(reader, call)?,
        "Gemm" => tokens::gemm(reader, call)?,
        "Softmax" => tokens::softmax(reader, call)?,
        _ => return Err("an operation that is not known here".to_owned()),
    };
    Ok(vec![value])
}

/// The values that an operation of constants reads, or those of the shape that they have together. They count
/// whether or not it can be computed.
fn work(call: &Call<'_>) -> usize {
    if matches!(call.node.op_type.as_str(), "Shape" | "Size" | "Identity" | "Dropout") {
        return 0;
    }
    let tensors = call.inputs.iter().filter_map(|input| match input {
        Value::Constant(tensor) => Some(tensor),
        _ => None,
    });
    let dims: Vec<&[usize]> = tensors.clone().map(|tensor| tensor.dims.as_slice()).collect();
    let together = common(&dims).ok().and_then(|dims| made(&dims).ok()).unwrap_or(0);
    tensors.map(size).fold(0, usize::saturating_add).max(together)
}

/// The size of a constant. A whole number takes as much as four others.
fn size(tensor: &Tensor) -> usize {
    if tensor.as_wholes().is_ok() { 4 * tensor.len() } else { tensor.len() }
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
