//! A graph in a file: nodes by name, unchecked.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{GraphError, shown};
use crate::graph::Graph;
use crate::limits::{MOST_INPUTS, MOST_SIDE};
use crate::node::NodeId;
use crate::nodes::Nodes;
use crate::operation::Operation;

/// What a file holds of a graph.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    nodes: Vec<NodeDescription>,
    /// Other names of nodes, under which features can be taken there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    taps: BTreeMap<String, String>,
    /// The one size (height, width) of pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<[usize; 2]>,
}

/// What a file holds of a node.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeDescription {
    name: String,
    operation: Operation,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<String>,
}

impl TryFrom<Description> for Graph {
    type Error = GraphError;

    fn try_from(description: Description) -> Result<Self, GraphError> {
        let names: Vec<&str> = description.nodes.iter().map(|node| node.name.as_str()).collect();
        let mut places = HashMap::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            if places.insert((*name).to_owned(), index).is_some() {
                return Err(GraphError::Duplicate { name: shown(name) });
            }
        }
        let mut nodes = Nodes::default();
        for (index, NodeDescription { name, operation, inputs }) in description.nodes.into_iter().enumerate()
        {
            let find = |input: &String| match places.get(input) {
                Some(place) if *place < index => Ok(NodeId(*place)),
                Some(_) => Err(GraphError::LaterInput { node: shown(&name), input: shown(input) }),
                None => Err(GraphError::UnknownInput { node: shown(&name), input: shown(input) }),
            };
            // A node that reads thousands of others is refused by its arity.
            let ids = inputs.iter().take(MOST_INPUTS + 1).map(find).collect::<Result<Vec<_>, _>>()?;
            nodes.push(name, operation, ids)?;
        }
        let mut taps = BTreeMap::new();
        for (tap, node) in description.taps {
            let place = places
                .get(&node)
                .ok_or_else(|| GraphError::TapAtNothing { tap: shown(&tap), node: shown(&node) })?;
            taps.insert(tap, NodeId(*place));
        }
        let graph = nodes.finish(taps)?;
        match description.size {
            None => Ok(graph),
            Some([height, width]) if [height, width].iter().all(|side| (1..=MOST_SIDE).contains(side)) => {
                Ok(graph.for_size([height, width]))
            }
            Some([height, width]) => Err(GraphError::PictureSize { height, width, limit: MOST_SIDE }),
        }
    }
}

impl From<&Graph> for Description {
    fn from(graph: &Graph) -> Self {
        let name = |id: &NodeId| graph.nodes()[id.0].name.clone();
        let nodes = graph.nodes().iter().map(|node| NodeDescription {
            name: node.name.clone(),
            operation: node.operation.clone(),
            inputs: node.inputs.iter().map(name).collect(),
        });
        let taps = graph.taps().map(|(tap, id)| (tap.to_owned(), name(&id))).collect();
        Self { nodes: nodes.collect(), taps, size: graph.size() }
    }
}

impl Serialize for Graph {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Description::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Graph {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Description::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
