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

/// The most steps that are followed to the end of a function.
const MOST_STEPS: usize = 64;

/// A network as a file holds it.
#[derive(Debug)]
pub(in super::super) struct Network {
    /// Everything that was understood, for one size of pictures.
    pub(in super::super) graph: Graph,
    /// The values of each parameter, by its name.
    pub(in super::super) values: HashMap<String, Vec<f32>>,
    /// What was not understood: names of nodes and values, with the first cause.
    pub(in super::super) refused: BTreeMap<String, Refusal>,
    /// Why a name of the file leads to no layer although its node was understood.
    pub(in super::super) hidden: BTreeMap<String, String>,
    /// The factor and the sum of each channel of pictures that the file itself computes before anything else.
    pub(in super::super) normalises: Option<[Vec<f32>; 2]>,
    /// The size (height, width) of pictures.
    pub(in super::super) size: [usize; 2],
    /// Whether the file takes pictures of one size alone.
    pub(in super::super) fixed: bool,
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
    let (mut refused, mut hidden) = (BTreeMap::new(), BTreeMap::new());
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
                    } else {
                        let why = match reader.is_there(view) {
                            true => "it is a part of a value; take the layer before it".to_owned(),
                            false => reader.joined(view),
                        };
                        hide(&mut hidden, [name_of(node), output], &why);
                    }
                }
                Some(Value::Function(..)) => {
                    let why = format!("it is a step of '{}'; take that layer", end_of(&reader, output));
                    hide(&mut hidden, [name_of(node), output], &why);
                }
                Some(Value::Norm(..) | Value::Scores(_) | Value::Padded(..)) => {
                    let why = "it is a step of an operation behind it; take the layer that ends that";
                    hide(&mut hidden, [name_of(node), output], why);
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
    let (graph, values) = build(&reader, &found, size, &mut refused)?;
    let normalises = normalises(&reader, &found);
    Ok(Network { graph, values, refused, hidden, normalises, size, fixed })
}

/// Says of names why they lead to no layer.
fn hide(hidden: &mut BTreeMap<String, String>, names: [&str; 2], why: &str) {
    for name in names {
        hidden.entry(legal(name)).or_insert_with(|| why.to_owned());
    }
}

/// The name of the node that ends the function of which a value is a step.
fn end_of(reader: &Reader<'_>, output: &str) -> String {
    let (mut value, mut end) = (output, usize::MAX);
    // A chain of steps is short, except for one of arrangements.
    for _ in 0..MOST_STEPS {
        let Some(next) = reader.steps.get(value) else { break };
        end = *next;
        let Some(node) = reader.graph.node.get(end) else { break };
        value = node.output();
    }
    reader.name(end)
}

/// Makes nodes of functions at which nothing goes on.
fn settle_ends(reader: &mut Reader<'_>) {
    for index in 0..reader.graph.node.len() {
        let graph = reader.graph;
        for output in &graph.node[index].output {
            let is_end = matches!(reader.values.get(output.as_str()), Some(Value::Function(..)));
            if is_end && !reader.steps.contains_key(output) {
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

fn build(
    reader: &Reader<'_>,
    found: &[Vec<String>],
    size: [usize; 2],
    refused_names: &mut BTreeMap<String, Refusal>,
) -> Result<Built, WeightsError> {
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
        let input =
            |input: &usize| ids[*input].expect("what a needed node reads is needed, and comes before it");
        let inputs: Vec<NodeId> = draft.inputs.iter().map(input).collect();
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
    let mut owners = primary.clone();
    let mut taps = 0;
    for (index, aliases) in found.iter().enumerate().filter(|(index, _)| needed[*index]) {
        for (place, alias) in aliases.iter().enumerate().skip(1) {
            if taps == MOST_NODES {
                break;
            }
            let alias = legal(alias);
            let Some(id) = ids[index] else { continue };
            if names.taken.insert(alias.clone()) {
                builder.tap(&alias, id);
                owners.insert(alias, index);
                taps += 1;
            } else if owners.get(&alias) != Some(&index) && !aliases[..place].contains(&aliases[place]) {
                // Which of the two is meant cannot be told.
                let (node, operation) = (alias.clone(), drafts[index].operation.name().to_owned());
                let other = aliases.first().map_or_else(String::new, |name| super::call::shown(name));
                let reason = format!("two values have this name; one of them is the layer '{other}', too");
                refused_names.insert(alias, Refusal { node, operation, reason });
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

/// The factors and sums of a first node that multiplies and shifts the channels of pictures.
fn normalises(reader: &Reader<'_>, found: &[Vec<String>]) -> Option<[Vec<f32>; 2]> {
    let drafts = reader.drafts.nodes();
    let needed = needed(drafts, found);
    let mut readers =
        drafts.iter().enumerate().filter(|(index, draft)| needed[*index] && draft.inputs == [0]);
    let (_, first) = readers.next()?;
    match &first.operation {
        Operation::Convolution(convolution)
            if convolution.groups == 3 && convolution.out == 3 && convolution.window.kernel == [1; 2] =>
        {
            Some([first.values[0].clone(), first.values[1].clone()])
        }
        _ => None,
    }
}
