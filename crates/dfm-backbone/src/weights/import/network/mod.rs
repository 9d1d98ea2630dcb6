//! Any network from an ONNX graph.
//!
//! The graph is read once, node by node, for one size of pictures. What is constant then, such as the arithmetic
//! of shapes, is computed (`constant`, `rearrange`). What depends on the picture becomes a node of our graph, or a
//! step on the way to one: axes that move are followed (`view`), a function of one number is recognised by what it
//! computes (`expression`), a layer norm and attention by their steps (`norms`, `attention`), and factors and sums
//! for each channel are folded into the node before (`draft`).
//!
//! What is not understood is kept with its cause (`value`), and so is everything that depends on it. It is an
//! error only for who asks for it.

mod arithmetic;
mod attention;
mod broadcast;
mod call;
mod constant;
mod draft;
mod expression;
mod finish;
mod input;
mod layout;
mod maps;
mod nodes;
mod norms;
mod reader;
mod rearrange;
mod tensor;
mod tokens;
mod value;
mod view;

use std::collections::HashMap;
use std::rc::Rc;

use self::call::shown;
use self::draft::Drafts;
pub(super) use self::finish::Network;
use self::input::Input;
use self::reader::Reader;
use self::tensor::Tensor;
pub(super) use self::value::Refusal;
use self::value::Value;
use super::onnx_graph::{ModelProto, OperatorSetIdProto};
use crate::weights::error::WeightsError;

/// The versions of ONNX's operators that are read.
const OPSETS: std::ops::RangeInclusive<i64> = 11..=21;
/// The most nodes of an ONNX graph. Exporters write many for each of ours.
const MOST_ONNX_NODES: usize = 1 << 16;

/// Reads the network of an ONNX file for pictures of `size` (height, width), or of the size that the file states.
pub(super) fn network(bytes: &[u8], size: Option<[usize; 2]>) -> Result<Network, WeightsError> {
    let (opsets, graph) = ModelProto::parse(bytes)?;
    let opset = version(&opsets)?;
    if graph.node.len() > MOST_ONNX_NODES {
        let reason = format!("{} nodes, the limit is {MOST_ONNX_NODES}", graph.node.len());
        return Err(WeightsError::Network { reason });
    }
    if !graph.sparse_initializer.is_empty() {
        return Err(WeightsError::Network { reason: "a sparse constant; export it dense".to_owned() });
    }
    let mut values: HashMap<&str, Value> = HashMap::with_capacity(graph.initializer.len());
    for tensor in &graph.initializer {
        // A constant that cannot be read matters to who needs it.
        let value = Tensor::read(tensor).map_or_else(
            |reason| {
                let (node, operation) = (shown(&tensor.name), "constant".to_owned());
                Value::Refused(Rc::new(Refusal { node, operation, reason }))
            },
            Value::Constant,
        );
        if values.insert(&tensor.name, value).is_some() {
            let reason = format!("the constant '{}' is given twice", shown(&tensor.name));
            return Err(WeightsError::Network { reason });
        }
    }
    let input = Input::of(&graph, |name| values.contains_key(name))?;
    let size = input.size(size)?;
    let drafts = Drafts::new(size);
    let mut picture = drafts.whole(0);
    if input.channels_last {
        picture = picture.transpose(&[0, 2, 3, 1]).map_err(|reason| WeightsError::Network { reason })?;
    }
    values.insert(input.name, Value::Data(picture));
    let fixed = input.sides.iter().all(Option::is_some);
    let mut reader = Reader::new(&graph, drafts, values, opset, input.one_picture);
    nodes::read(&mut reader)?;
    finish::finish(reader, size, fixed)
}

/// The version of ONNX's operators.
fn version(opsets: &[OperatorSetIdProto]) -> Result<i64, WeightsError> {
    let own = opsets.iter().filter(|opset| matches!(opset.domain.as_str(), "" | "ai.onnx"));
    let version = own.map(|opset| opset.version).max().unwrap_or(1);
    match OPSETS.contains(&version) {
        true => Ok(version),
        false => {
            let (first, last) = (OPSETS.start(), OPSETS.end());
            let reason =
                format!("expected operators of version {first} to {last}, found {version}; export it again");
            Err(WeightsError::Network { reason })
        }
    }
}
