//! The messages of the ONNX format that weights are read from, declared by hand. Field numbers are
//! those of `onnx.proto3`, and all other fields are skipped.

use std::collections::{HashMap, HashSet};

use prost::Message;

use super::onnx_scan;
use crate::weights::error::WeightsError;

#[derive(Clone, PartialEq, Message)]
pub(super) struct ModelProto {
    #[prost(message, optional, tag = "7")]
    pub(super) graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    pub(super) opset_import: Vec<OperatorSetIdProto>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OperatorSetIdProto {
    #[prost(string, tag = "1")]
    pub(super) domain: String,
    #[prost(int64, tag = "2")]
    pub(super) version: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    pub(super) node: Vec<NodeProto>,
    #[prost(message, repeated, tag = "5")]
    pub(super) initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    pub(super) input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    pub(super) output: Vec<ValueInfoProto>,
    /// Sparse constants, whose numbers are not read.
    #[prost(message, repeated, tag = "15")]
    pub(super) sparse_initializer: Vec<SparseTensorProto>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SparseTensorProto {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueInfoProto {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) r#type: Option<TypeProto>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TypeProto {
    #[prost(message, optional, tag = "1")]
    pub(super) tensor_type: Option<TensorTypeProto>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorTypeProto {
    #[prost(int32, tag = "1")]
    pub(super) elem_type: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) shape: Option<ShapeProto>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ShapeProto {
    #[prost(message, repeated, tag = "1")]
    pub(super) dim: Vec<DimensionProto>,
}

/// A side: a number, a name, or neither.
#[derive(Clone, PartialEq, Message)]
pub(super) struct DimensionProto {
    #[prost(int64, optional, tag = "1")]
    pub(super) dim_value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub(super) dim_param: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    pub(super) input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(super) output: Vec<String>,
    #[prost(string, tag = "3")]
    pub(super) name: String,
    #[prost(string, tag = "4")]
    pub(super) op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) attribute: Vec<AttributeProto>,
    #[prost(string, tag = "7")]
    pub(super) domain: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AttributeProto {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(float, tag = "2")]
    pub(super) f: f32,
    #[prost(int64, tag = "3")]
    pub(super) i: i64,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) s: Vec<u8>,
    #[prost(message, optional, tag = "5")]
    pub(super) t: Option<TensorProto>,
    #[prost(float, repeated, tag = "7")]
    pub(super) floats: Vec<f32>,
    #[prost(int64, repeated, tag = "8")]
    pub(super) ints: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    pub(super) dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(super) data_type: i32,
    #[prost(float, repeated, tag = "4")]
    pub(super) float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    pub(super) int32_data: Vec<i32>,
    #[prost(int64, repeated, tag = "7")]
    pub(super) int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    pub(super) name: String,
    #[prost(bytes = "vec", tag = "9")]
    pub(super) raw_data: Vec<u8>,
    #[prost(double, repeated, tag = "10")]
    pub(super) double_data: Vec<f64>,
    #[prost(int32, tag = "14")]
    pub(super) data_location: i32,
}

/// `TensorProto.DataType.FLOAT`.
const FLOAT: i32 = 1;

impl ModelProto {
    /// The model, which has a graph with a node.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Vec<OperatorSetIdProto>, GraphProto), WeightsError> {
        let refused = |reason: String| WeightsError::Container { format: "ONNX", reason };
        onnx_scan::check(bytes)?;
        let model = Self::decode(bytes).map_err(|error| refused(error.to_string()))?;
        let graph = model.graph.filter(|graph| !graph.node.is_empty());
        Ok((model.opset_import, graph.ok_or_else(|| refused("it holds no graph".to_owned()))?))
    }
}

impl GraphProto {
    /// The graph of a model.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, WeightsError> {
        Ok(ModelProto::parse(bytes)?.1)
    }
}

/// A graph with an index of its values, so that each step along the data takes the same time
/// however many nodes there are.
#[derive(Debug)]
pub(super) struct Graph<'g> {
    nodes: &'g [NodeProto],
    /// The first node that gives each value.
    givers: HashMap<&'g str, &'g NodeProto>,
    /// The nodes that read each value, in their order.
    readers: HashMap<&'g str, Vec<&'g NodeProto>>,
    /// The first constant of each name.
    constants: HashMap<&'g str, &'g TensorProto>,
    inputs: HashSet<&'g str>,
}

impl<'g> Graph<'g> {
    /// An index of `graph`.
    pub(super) fn new(graph: &'g GraphProto) -> Self {
        let mut givers = HashMap::with_capacity(graph.node.len());
        let mut readers: HashMap<&str, Vec<&NodeProto>> = HashMap::with_capacity(graph.node.len());
        for node in &graph.node {
            for output in &node.output {
                givers.entry(output.as_str()).or_insert(node);
            }
            for input in &node.input {
                readers.entry(input).or_default().push(node);
            }
        }
        let mut constants = HashMap::with_capacity(graph.initializer.len());
        for tensor in &graph.initializer {
            constants.entry(tensor.name.as_str()).or_insert(tensor);
        }
        let inputs = graph.input.iter().map(|input| input.name.as_str()).collect();
        Self { nodes: &graph.node, givers, readers, constants, inputs }
    }

    /// The nodes, in the order of the file.
    pub(super) fn nodes(&self) -> &'g [NodeProto] {
        self.nodes
    }

    /// The node that gives `value`.
    pub(super) fn giver(&self, value: &str) -> Option<&'g NodeProto> {
        self.givers.get(value).copied()
    }

    /// The nodes that read `value`.
    pub(super) fn readers(&self, value: &str) -> &[&'g NodeProto] {
        self.readers.get(value).map_or(&[], Vec::as_slice)
    }

    /// Whether `value` is an input of the graph. Older files list their constants among the
    /// inputs.
    pub(super) fn is_input(&self, value: &str) -> bool {
        self.inputs.contains(value) && !self.constants.contains_key(value)
    }

    /// The values of the constant `name`, which must have the shape `dims`.
    pub(super) fn constant(&self, name: &str, dims: &[usize]) -> Result<Vec<f32>, WeightsError> {
        let tensor = self.constants.get(name).ok_or_else(|| WeightsError::Graph {
            what: format!("constant '{name}'"),
            expected: format!("shape {dims:?}"),
            got: "none".to_owned(),
        })?;
        let shape = |got: String| WeightsError::Shape {
            tensor: name.to_owned(),
            expected: format!("float32 {dims:?} inside the file"),
            got,
        };
        let fits = tensor.dims.len() == dims.len()
            && tensor.dims.iter().zip(dims).all(|(got, expected)| usize::try_from(*got) == Ok(*expected));
        if !fits || tensor.data_type != FLOAT {
            return Err(shape(format!("type {} {:?}", tensor.data_type, tensor.dims)));
        }
        let values: Vec<f32> = match tensor.float_data.is_empty() {
            false => tensor.float_data.clone(),
            true => tensor.raw_data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        };
        if values.len() != dims.iter().product::<usize>() {
            return Err(shape(format!("{} values", values.len())));
        }
        Ok(values)
    }
}

impl NodeProto {
    /// The input with this index; empty if it is left out.
    pub(super) fn input(&self, index: usize) -> &str {
        self.input.get(index).map_or("", String::as_str)
    }

    /// The first output.
    pub(super) fn output(&self) -> &str {
        self.output.first().map_or("", String::as_str)
    }

    /// The attribute `name`, if there is one.
    pub(super) fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// The integers of the attribute `name`, or `default` if there is none.
    pub(super) fn ints(&self, name: &str, default: &[i64]) -> Vec<i64> {
        self.attribute(name).map_or_else(|| default.to_vec(), |attribute| attribute.ints.clone())
    }
}
