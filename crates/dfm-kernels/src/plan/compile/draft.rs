//! Steps while they are made, in whatever numbers.

use dfm_graph::Operation;

use super::source::Source;
use super::taps::Features;
use super::values::{Value, Values};
use crate::kernels::Step;
use crate::plan::prepared::{Made, Origin, Ranged};

/// The steps of a graph while they are made.
pub(super) struct Draft<'s, 'p> {
    pub(super) source: &'s Source<'p>,
    features: &'s Features,
    pub(super) values: Values,
    made: Made,
    /// For each node, whether there is a step for it.
    done: Vec<bool>,
}

impl<'s, 'p> Draft<'s, 'p> {
    /// No step yet.
    pub(super) fn new(source: &'s Source<'p>, features: &'s Features) -> Self {
        let nodes = source.nodes().len();
        Self { source, features, values: Values::new(nodes), made: Made::default(), done: vec![false; nodes] }
    }

    /// All steps, and the length of the arena.
    pub(super) fn finish(self) -> (Made, usize) {
        (self.made, self.values.len())
    }

    /// Whether there is a step for the node.
    pub(super) fn is_done(&self, node: usize) -> bool {
        self.done[node]
    }

    /// Notes that the range of a convolution is that of the value of the node `value`.
    pub(super) fn range(&mut self, convolution: usize, value: usize) {
        let convolution = self.source.node(convolution).name().to_owned();
        self.made.ranged.push(Ranged { convolution, value });
    }

    /// Adds a step that computes the `chain` of nodes as `value`.
    pub(super) fn complete(&mut self, chain: &[usize], value: Value, step: Option<Step>) {
        let end = chain[chain.len() - 1];
        if let Some(step) = step {
            self.push(chain[0], step);
            self.made.origins.last_mut().expect("the step").value = Some(end);
        }
        let inputs = self.read(chain);
        self.values.put(end, value.clone(), self.reads(end));
        self.take_features(end, &value);
        self.close(chain, &inputs);
    }

    /// Adds a step for `node`.
    pub(super) fn push(&mut self, node: usize, step: Step) {
        self.made.steps.push(step);
        self.made.origins.push(Origin { node: self.source.node(node).name().to_owned(), value: None });
    }

    /// Notes that the inputs of a chain of nodes have been read, and returns them.
    pub(super) fn read(&mut self, chain: &[usize]) -> Vec<usize> {
        let inputs: Vec<usize> = chain
            .iter()
            .filter(|node| !self.takes_picture(**node))
            .flat_map(|node| self.source.inputs(*node))
            .filter(|input| !chain.contains(input))
            .collect();
        inputs.iter().for_each(|input| self.values.read(*input));
        inputs
    }

    /// How often the value of `node` will be read from the arena.
    pub(super) fn reads(&self, node: usize) -> usize {
        self.source.readers(node).iter().filter(|reader| !self.takes_picture(**reader)).count()
    }

    /// Adds the steps that take the features of a node's value.
    pub(super) fn take_features(&mut self, node: usize, value: &Value) {
        for step in self.features.of(node, value) {
            self.push(node, step);
        }
    }

    /// Gives back what nothing reads any more, of the inputs of a chain of nodes and of its value.
    pub(super) fn close(&mut self, chain: &[usize], inputs: &[usize]) {
        inputs.iter().chain(chain.last()).for_each(|node| self.values.give_unread(*node));
        chain.iter().for_each(|node| self.done[*node] = true);
    }

    /// The value of the first input of a node.
    pub(super) fn input(&self, node: usize) -> Value {
        self.value(self.source.inputs(node)[0])
    }

    /// The value of a node.
    pub(super) fn value(&self, node: usize) -> Value {
        self.values.get(node).cloned().expect("inputs come first")
    }

    /// Whether a step of `node` reads the picture where it lies, and no map of the arena.
    pub(super) fn takes_picture(&self, node: usize) -> bool {
        let is_first = self.source.inputs(node) == [0];
        is_first && matches!(self.source.operation(node), Operation::Convolution(it) if it.groups == 1)
    }
}
