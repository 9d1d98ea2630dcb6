//! The graph of what was read, with names.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use dfm_graph::{Builder, Graph, MOST_NODES, NodeId, Operation};

use super::call::name_of;
use super::draft::Draft;
use super::reader::Reader;
use super::value::{Refusal, Value};
use crate::layer::Layer;
use crate::weights::error::WeightsError;

/// A network as a file holds it.
#[derive(Debug)]
pub(in super::super) struct Network {
    /// Everything that was understood, for one size of pictures.
    pub(in super::super) graph: Graph,
    /// The values of each parameter, by its name.
    pub(in super::super) values: HashMap<String, Vec<f32>>,
    /// What was not understood: names of nodes and values, with the first cause.
    pub(in super::super) refused: BTreeMap<String, Refusal>,
    /// The factors that the file itself multiplies each channel of pictures with, before anything else.
    pub(in super::super) normalises: Option<Vec<f32>>,
    /// Whether the file takes pictures of one size alone.
    pub(in super::super) fixed: bool,
}

impl Network {
    /// The size (height, width) of pictures.
    pub(in super::super) fn size(&self) -> [usize; 2] {
        self.graph.size().unwrap_or_default()
    }
}

/// Names that are legal and each given once.
#[derive(Default)]
struct Names {
    taken: HashSet<String>,
    /// The next number for a name that several nodes have.
    next: HashMap<String, usize>,
}

impl Names {
    /// A name as close to `name` as can be.
    fn take(&mut self, name: &str) -> String {
        let first = legal(name);
        let mut legal = first.clone();
        while !self.taken.insert(legal.clone()) {
            let number = self.next.entry(first.clone()).or_insert(1);
            *number += 1;
            let end = format!("-{number}");
            legal = first.chars().take(Layer::LONGEST - end.len()).collect::<String>() + &end;
        }
        legal
    }
}

/// A legal name of a layer: other characters become `_`, and of a long name the end is kept, which differs.
fn legal(name: &str) -> String {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || "_-.:/".contains(c);
    let text: String = name.chars().map(|c| if is_legal(c) { c } else { '_' }).collect();
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '/');
    match text.len() {
        length if length > Layer::LONGEST => format!("_{}", &text[length - (Layer::LONGEST - 1)..]),
        length if begins || length == 0 => text,
        length => format!("_{}", &text[length.saturating_sub(Layer::LONGEST - 1)..]),
    }
}

/// The graph of everything that a name leads to.
pub(super) fn finish(mut reader: Reader<'_>, size: [usize; 2], fixed: bool) -> Result<Network, WeightsError> {
    settle_ends(&mut reader);
    let mut found: Vec<Vec<String>> = vec![Vec::new(); reader.drafts.nodes().len()];
    let mut refused = BTreeMap::new();
    for node in &reader.graph.node {
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            match reader.values.get(output.as_str()) {
                Some(Value::Data(view)) => {
                    let draft = reader.drafts.node(view);
                    let (positions, channels) = (draft.positions(), draft.channels);
                    let first = view.first[0];
                    let is_whole = (first == 0 || draft.prefix == Some(first))
                        && view.covers(positions, channels, first)
                        && view.state == draft.state;
                    if is_whole {
                        found[view.node].extend([name_of(node).to_owned(), output.clone()]);
                    }
                }
                Some(Value::Refused(refusal)) => {
                    for name in [name_of(node), output] {
                        refused.entry(legal(name)).or_insert_with(|| Rc::unwrap_or_clone(refusal.clone()));
                    }
                }
                _ => {}
            }
        }
    }
    build(&reader, &found, size).map(|(graph, values)| Network {
        normalises: normalises(&reader, &found),
        graph,
        values,
        refused,
        fixed,
    })
}

/// Makes nodes of functions at which nothing goes on.
fn settle_ends(reader: &mut Reader<'_>) {
    for index in 0..reader.graph.node.len() {
        let graph = reader.graph;
        for output in &graph.node[index].output {
            let is_end = matches!(reader.values.get(output.as_str()), Some(Value::Function(..)));
            if is_end && !reader.steps.contains(output) {
                reader.drafts.origin = index;
                // A function that is not known here has no name at which it could be asked for.
                let settled = reader.settle_value(output);
                if let Err(reason) = settled {
                    let node = &graph.node[index];
                    let refusal = Refusal {
                        node: super::call::shown(name_of(node)),
                        operation: super::call::shown(&node.op_type),
                        reason,
                    };
                    reader.values.insert(output, Value::Refused(Rc::new(refusal)));
                }
            }
        }
    }
}

type Built = (Graph, HashMap<String, Vec<f32>>);

fn build(reader: &Reader<'_>, found: &[Vec<String>], size: [usize; 2]) -> Result<Built, WeightsError> {
    let drafts = reader.drafts.nodes();
    let needed = needed(drafts, found);
    let (mut names, mut builder) = (Names::default(), Builder::new());
    let mut ids: Vec<Option<NodeId>> = vec![None; drafts.len()];
    let mut primary: HashMap<String, usize> = HashMap::new();
    let mut values = HashMap::new();
    for (index, draft) in drafts.iter().enumerate().filter(|(index, _)| needed[*index]) {
        if draft.operation == Operation::Picture {
            ids[index] = Some(builder.picture());
            names.taken.insert("picture".to_owned());
            continue;
        }
        let name = match found[index].first() {
            Some(name) => names.take(name),
            None => names.take(&format!("{}.{}", reader.name(draft.origin), draft.operation.name())),
        };
        let inputs: Vec<NodeId> = draft.inputs.iter().filter_map(|input| ids[*input]).collect();
        let id = builder.add_node(&name, draft.operation.clone(), &inputs);
        ids[index] = Some(id);
        let suffixes: &[&str] = match draft.operation {
            Operation::PrefixTokens { .. } => &["tokens"],
            Operation::Positions { .. } => &["positions"],
            _ => &["weight", "bias"],
        };
        for (suffix, of_suffix) in suffixes.iter().zip(&draft.values) {
            values.insert(format!("{name}.{suffix}"), of_suffix.clone());
        }
        primary.insert(name, index);
    }
    let mut taps = 0;
    for (index, aliases) in found.iter().enumerate().filter(|(index, _)| needed[*index]) {
        for alias in aliases.iter().skip(1) {
            if taps == MOST_NODES {
                break;
            }
            let alias = legal(alias);
            // A name that several nodes have leads to none of them but the first.
            if let Some(id) = ids[index].filter(|_| names.taken.insert(alias.clone())) {
                builder.tap(&alias, id);
                taps += 1;
            }
        }
    }
    let refused = |cause: dfm_graph::GraphError| WeightsError::Network { reason: cause.to_string() };
    let graph = builder.finish().map_err(refused)?.for_size(size);
    let shapes = graph.shapes(size).map_err(refused)?;
    for (node, shape) in graph.nodes().iter().zip(&shapes) {
        let expected = primary.get(node.name()).map(|index| &drafts[*index]);
        if expected.is_some_and(|draft| (draft.channels, draft.sides) != (shape.channels(), shape.sides)) {
            let reason = format!("node '{}' has two shapes", node.name());
            return Err(WeightsError::Network { reason });
        }
    }
    Ok((graph, values))
}

/// Which nodes a name leads to, or a node that it leads to reads.
fn needed(drafts: &[Draft], found: &[Vec<String>]) -> Vec<bool> {
    let mut needed: Vec<bool> = found.iter().map(|names| !names.is_empty()).collect();
    needed[0] = true;
    for index in (0..drafts.len()).rev().filter(|index| *index > 0) {
        if needed[index] {
            drafts[index].inputs.iter().for_each(|input| needed[*input] = true);
        }
    }
    needed
}

/// The factors of a first node that multiplies and shifts the channels of pictures.
fn normalises(reader: &Reader<'_>, found: &[Vec<String>]) -> Option<Vec<f32>> {
    let drafts = reader.drafts.nodes();
    let needed = needed(drafts, found);
    let mut readers =
        drafts.iter().enumerate().filter(|(index, draft)| needed[*index] && draft.inputs == [0]);
    let (_, first) = readers.next()?;
    match &first.operation {
        Operation::Convolution(convolution)
            if convolution.groups == 3 && convolution.window.kernel == [1; 2] =>
        {
            Some(first.values[0].clone())
        }
        _ => None,
    }
}
