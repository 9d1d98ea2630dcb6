//! Nodes that are checked one after the other.

use std::collections::{BTreeMap, HashMap};

use crate::error::{GraphError, shown};
use crate::form::infer;
use crate::graph::Graph;
use crate::limits::{LONGEST_NAME, MOST_NODES, MOST_PARAMETERS};
use crate::node::{Node, NodeId};
use crate::operation::Operation;
use crate::parameter::parameters;

/// Nodes that have been checked one after the other. It is the one way to a [`Graph`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Nodes {
    nodes: Vec<Node>,
    places: HashMap<String, NodeId>,
    parameters: u64,
}

impl Nodes {
    /// The checked nodes.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Checks a node that reads earlier ones, and puts it behind them.
    pub(crate) fn push(
        &mut self,
        name: String,
        operation: Operation,
        inputs: Vec<NodeId>,
    ) -> Result<NodeId, GraphError> {
        check_name(&name)?;
        if self.places.contains_key(&name) {
            return Err(GraphError::Duplicate { name: shown(&name) });
        }
        within("nodes", MOST_NODES as u64, self.nodes.len() as u64 + 1)?;
        if (operation == Operation::Picture) != self.nodes.is_empty() {
            return Err(GraphError::Picture { node: shown(&name), got: operation.name() });
        }
        let (least, most) = operation.arity();
        if !(least..=most).contains(&inputs.len()) {
            let expected = if least == most { least.to_string() } else { format!("{least} to {most}") };
            return Err(GraphError::Arity {
                node: shown(&name),
                operation: operation.name(),
                expected,
                got: inputs.len(),
            });
        }
        let forms: Vec<_> = inputs.iter().map(|input| self.nodes[input.0].form).collect();
        let form = infer(&name, &operation, &forms)?;
        for (_, dims) in parameters(&operation, forms.first().copied()) {
            // No factor exceeds 2²⁴, and there are four at most.
            let values = dims.iter().fold(1_u64, |product, side| product.saturating_mul(*side as u64));
            self.parameters = self.parameters.saturating_add(values);
        }
        within("parameters", MOST_PARAMETERS, self.parameters)?;
        let id = NodeId(self.nodes.len());
        self.places.insert(name.clone(), id);
        self.nodes.push(Node { name, operation, inputs, form });
        Ok(id)
    }

    /// The graph of all nodes, with other names for some of them.
    pub(crate) fn finish(self, mut taps: BTreeMap<String, NodeId>) -> Result<Graph, GraphError> {
        if self.nodes.is_empty() {
            return Err(GraphError::Picture { node: String::new(), got: "no node" });
        }
        within("taps", MOST_NODES as u64, taps.len() as u64)?;
        for (tap, id) in &taps {
            check_name(tap)?;
            if self.places.get(tap).is_some_and(|place| place != id) {
                return Err(GraphError::Duplicate { name: shown(tap) });
            }
        }
        // A node has its own name in any case.
        taps.retain(|tap, _| !self.places.contains_key(tap));
        Ok(Graph::checked(self.nodes, taps))
    }
}

fn check_name(name: &str) -> Result<(), GraphError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_-.:/+".contains(c);
    match (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(legal) {
        true => Ok(()),
        false => Err(GraphError::Name { name: shown(name) }),
    }
}

fn within(what: &'static str, limit: u64, got: u64) -> Result<(), GraphError> {
    if got > limit { Err(GraphError::Limit { what, limit, got }) } else { Ok(()) }
}
