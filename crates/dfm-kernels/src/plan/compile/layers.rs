//! The steps of nodes that are no convolution and no pool.

use dfm_graph::Operation;

use super::chain::{Can, Chain};
use super::floats::Layout;
use super::values::Value;
use crate::activation::Activation;
use crate::error::KernelError;
use crate::kernels::{
    Attention, Concatenate, Layer, Normalise, Other, Pixels, Pointwise, Reduce, Reduction, Response, Step,
    Tokens,
};
use crate::layout::{LANES, Lanes, Map, Placed};

impl Layout<'_, '_> {
    /// The steps of a node that is no convolution and no pool.
    pub(super) fn other(&mut self, node: usize) -> Result<(), KernelError> {
        let inputs = self.draft.source.inputs(node);
        let map = self.draft.source.map(node);
        match self.draft.source.operation(node) {
            Operation::Add => {
                let other = Other::Add(self.draft.value(inputs[1]).placed);
                self.pointwise(node, other)
            }
            Operation::Multiply => {
                let other = self.draft.value(inputs[1]).placed;
                let is_gate = self.draft.source.sides(inputs[1]) != self.draft.source.sides(inputs[0]);
                let other = if is_gate { Other::Gate(other, None) } else { Other::Multiply(other) };
                self.pointwise(node, other)
            }
            Operation::Scale => {
                let factors = self.draft.source.parameter(node, 0);
                self.pointwise(node, Other::affine(factors, &vec![0.0; factors.len()]))
            }
            Operation::Activation(activation) => {
                let activation =
                    Activation::of(*activation).ok_or_else(|| self.draft.source.unsupported(node))?;
                let value = self.place(node, &inputs);
                let step = self.pointwise_step(self.draft.input(node), Other::Nothing, &value, activation);
                self.draft.complete(&[node], value, Some(step));
                Ok(())
            }
            Operation::Positions { grid, prefix, interpolation } => {
                let positions = self.draft.source.parameter(node, 0);
                let (before, cells) = positions.split_at(prefix * map.channels);
                let cells = interpolation.resample(cells, map.channels, *grid, self.draft.source.sides(node));
                let constants = blocks_of_tokens(&[before, &cells].concat(), map.channels);
                self.pointwise(node, Other::Constant(constants))
            }
            Operation::Mean => self.mean(node, &inputs),
            Operation::GlobalAverage => self.layer(node, |layout, input, output| {
                Box::new(Reduce::new(Reduction::Average, layout.kernels, [input, output]))
            }),
            Operation::GlobalResponseNorm { epsilon } => self.response(node, *epsilon as f32),
            Operation::LayerNorm { epsilon } => {
                let value = self.place(node, &inputs);
                let affine = [0, 1].map(|index| self.draft.source.parameter(node, index));
                let ends = [self.draft.input(node).placed, value.placed.clone()];
                let step = Normalise::new(affine, *epsilon as f32, self.kernels, ends);
                self.draft.complete(&[node], value, Some(Step::Layer(Box::new(step))));
                Ok(())
            }
            Operation::Attention { heads } => self.layer(node, |layout, input, output| {
                Box::new(Attention::new(*heads, layout.kernels, [input, output]))
            }),
            Operation::PrefixTokens { .. } => self.layer(node, |layout, input, output| {
                let tokens = layout.draft.source.parameter(node, 0);
                Box::new(Tokens::new(blocks_of_tokens(tokens, map.channels), [input, output]))
            }),
            Operation::ToMap if self.draft.source.prefix(inputs[0]) > 0 => {
                self.layer(node, |_, input, output| Box::new(Pixels::new([input, output])))
            }
            // Tokens without a prefix lie as the pixels of their map do.
            Operation::ToTokens | Operation::ToMap => {
                let value = self.draft.values.reuse(inputs[0], map).expect("a map of as many pixels");
                self.draft.complete(&[node], value, None);
                Ok(())
            }
            Operation::Concatenate => {
                let inputs = inputs.iter().map(|input| self.draft.value(*input).placed).collect();
                let value = self.draft.values.take(map);
                let step = Concatenate::new(inputs, value.placed.clone());
                self.draft.complete(&[node], value, Some(Step::Layer(Box::new(step))));
                Ok(())
            }
            _ => Err(self.draft.source.unsupported(node)),
        }
    }

    /// A layer from the first input to a new part of the arena.
    fn layer(
        &mut self,
        node: usize,
        make: impl FnOnce(&Self, Placed, Placed) -> Box<dyn Layer>,
    ) -> Result<(), KernelError> {
        let value = self.draft.values.take(self.draft.source.map(node));
        let step = make(self, self.draft.input(node).placed, value.placed.clone());
        self.draft.complete(&[node], value, Some(Step::Layer(step)));
        Ok(())
    }

    /// A step over single values, with the activation behind it.
    fn pointwise(&mut self, node: usize, other: Other) -> Result<(), KernelError> {
        let chain = Chain::new(self.draft.source, &self.draft.values, node, Can::Nothing)?;
        let value = self.place(node, &self.draft.source.inputs(node));
        let step = self.pointwise_step(self.draft.input(node), other, &value, chain.activation);
        self.draft.complete(&chain.nodes, value, Some(step));
        Ok(())
    }

    fn pointwise_step(&self, input: Value, other: Other, output: &Value, activation: Activation) -> Step {
        let ends = [input.placed, output.placed.clone()];
        Step::Layer(Box::new(Pointwise::new(other, self.kernels, ends, activation)))
    }

    /// Where the value of a node goes whose step reads only what it writes: onto an input of the same
    /// shape that nothing else will read, or to a new part of the arena.
    fn place(&mut self, node: usize, inputs: &[usize]) -> Value {
        let map = self.draft.source.map(node);
        let fits =
            |input: &&usize| self.draft.source.map(**input) == map && self.draft.values.is_read_once(**input);
        let onto = inputs.iter().find(fits).and_then(|input| self.draft.values.reuse(*input, map));
        onto.unwrap_or_else(|| self.draft.values.take(map))
    }

    /// The average of several values: their sum, times a factor.
    fn mean(&mut self, node: usize, inputs: &[usize]) -> Result<(), KernelError> {
        let value = self.draft.values.take(self.draft.source.map(node));
        let mut sum = self.draft.value(inputs[0]);
        for input in &inputs[1..] {
            let other = Other::Add(self.draft.value(*input).placed);
            let step = self.pointwise_step(sum, other, &value, Activation::Identity);
            self.draft.push(node, step);
            sum = value.clone();
        }
        let channels = value.placed.map.channels;
        let share = vec![1.0 / inputs.len() as f32; channels];
        let other = Other::affine(&share, &vec![0.0; channels]);
        let step = self.pointwise_step(sum, other, &value, Activation::Identity);
        self.draft.complete(&[node], value, Some(step));
        Ok(())
    }

    /// Norms of channels, the factors that follow from them, and their product with the value.
    fn response(&mut self, node: usize, epsilon: f32) -> Result<(), KernelError> {
        let map = Map { height: 1, width: 1, ..self.draft.source.map(node) };
        let [factors, summands] = [0, 1].map(|index| self.draft.source.parameter(node, index));
        let gate = self.draft.values.take(map);
        let input = self.draft.input(node);
        let ends = [input.placed, gate.placed.clone()];
        self.draft.push(node, Step::Layer(Box::new(Reduce::new(Reduction::Norm, self.kernels, ends))));
        let ends = [gate.placed.clone(), gate.placed.clone()];
        self.draft.push(node, Step::Layer(Box::new(Response::new(factors, epsilon, ends))));
        let other = Other::gate(gate.placed.clone(), summands);
        self.pointwise(node, other)?;
        self.draft.values.give(gate);
        Ok(())
    }
}

/// Tokens `[tokens, channels]` in blocks `[blocks][tokens]`. The last block is filled up with zeros.
fn blocks_of_tokens(tokens: &[f32], channels: usize) -> Vec<Lanes> {
    let count = tokens.len() / channels;
    let mut blocks = vec![Lanes::ZERO; channels.div_ceil(LANES) * count];
    for (token, values) in tokens.chunks_exact(channels).enumerate() {
        for (channel, value) in values.iter().enumerate() {
            blocks[channel / LANES * count + token].0[channel % LANES] = *value;
        }
    }
    blocks
}
