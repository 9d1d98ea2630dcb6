//! The steps of a graph in `f32`.

use dfm_graph::Operation;

use super::chain::{Can, Chain};
use super::source::Source;
use super::taps::Features;
use super::values::{Value, Values};
use crate::choice::choose;
use crate::error::KernelError;
use crate::instructions::InstructionSet;
use crate::kernels::{
    Depthwise, Direct, Ends, Kernels, Layer, Load, Patches, Planar, Pool, Pooling, Stem, Step, Winograd,
};
use crate::network::Convolution;
use crate::way::Way;
use crate::window::Window;

/// A plan while it is made.
pub(super) struct Layout<'s, 'p> {
    pub(super) source: &'s Source<'p>,
    features: &'s Features,
    instructions: InstructionSet,
    pub(super) kernels: Kernels,
    pub(super) values: Values,
    steps: Vec<Step>,
    /// For each step, the name of the first node that it computes.
    names: Vec<String>,
    /// For each node, whether there is a step for it.
    done: Vec<bool>,
}

impl<'s, 'p> Layout<'s, 'p> {
    /// No step yet.
    pub(super) fn new(source: &'s Source<'p>, features: &'s Features, instructions: InstructionSet) -> Self {
        let nodes = source.nodes().len();
        Self {
            source,
            features,
            instructions,
            kernels: Kernels::of(instructions),
            values: Values::new(nodes),
            steps: Vec::new(),
            names: Vec::new(),
            done: vec![false; nodes],
        }
    }

    /// All steps, the names of their nodes, and the length of the arena.
    pub(super) fn finish(self) -> (Vec<Step>, Vec<String>, usize) {
        (self.steps, self.names, self.values.len())
    }

    /// Adds the steps of a node, unless an earlier step computes it.
    ///
    /// # Errors
    ///
    /// If these kernels do not compute the node.
    pub(super) fn node(&mut self, node: usize) -> Result<(), KernelError> {
        if self.done[node] {
            return Ok(());
        }
        match self.source.operation(node) {
            Operation::Picture => self.load(),
            Operation::Convolution(convolution)
                if self.source.inputs(node) == [0] && convolution.groups == 1 =>
            {
                self.first(node, self.window(node, &convolution.window))
            }
            Operation::Convolution(convolution) => {
                self.convolution(node, self.window(node, &convolution.window), convolution.groups)
            }
            Operation::Linear { .. } => self.convolution(node, Window::square(1, 1, 0), 1),
            Operation::MaxPool(window) => self.pool(node, self.window(node, window), Pooling::Maximum),
            Operation::AveragePool { window, count_padding } => {
                let pooling = match count_padding {
                    true => Pooling::AverageWithPadding,
                    false => Pooling::Average,
                };
                self.pool(node, self.window(node, window), pooling)
            }
            _ => self.other(node),
        }
    }

    /// Adds a step that computes the `chain` of nodes as `value`.
    pub(super) fn complete(&mut self, chain: &[usize], value: Value, step: Option<Step>) {
        if let Some(step) = step {
            self.push(chain[0], step);
        }
        let end = chain[chain.len() - 1];
        let inputs: Vec<usize> = chain
            .iter()
            .filter(|node| !self.takes_picture(**node))
            .flat_map(|node| self.source.inputs(*node))
            .filter(|input| !chain.contains(input))
            .collect();
        inputs.iter().for_each(|input| self.values.read(*input));
        let readers = self.source.readers(end).iter().filter(|reader| !self.takes_picture(**reader));
        self.values.put(end, value.clone(), readers.count());
        for step in self.features.of(end, &value) {
            self.push(end, step);
        }
        inputs.iter().chain([&end]).for_each(|node| self.values.give_unread(*node));
        chain.iter().for_each(|node| self.done[*node] = true);
    }

    /// Adds a step for `node`.
    pub(super) fn push(&mut self, node: usize, step: Step) {
        self.steps.push(step);
        self.names.push(self.source.node(node).name().to_owned());
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
    fn takes_picture(&self, node: usize) -> bool {
        let is_first = self.source.inputs(node) == [0];
        is_first && matches!(self.source.operation(node), Operation::Convolution(it) if it.groups == 1)
    }

    /// The windows of a node over its input.
    fn window(&self, node: usize, window: &dfm_graph::Window) -> Window {
        let [before, after] = window.padding_of(self.source.sides(self.source.inputs(node)[0]));
        Window { kernel: window.kernel, stride: window.stride, before, after, dilation: window.dilation }
    }

    /// Loads the picture if a step reads it from the arena.
    fn load(&mut self) -> Result<(), KernelError> {
        let is_read = self.source.readers(0).iter().any(|reader| !self.takes_picture(*reader));
        if is_read || self.source.is_tapped(0) {
            let value = self.values.take(self.source.map(0));
            let step = Step::Layer(Box::new(Load::new(value.placed.clone())));
            self.complete(&[0], value, Some(step));
        }
        Ok(())
    }

    /// A convolution over the picture.
    fn first(&mut self, node: usize, window: Window) -> Result<(), KernelError> {
        if let Some((chain, pool)) = self.source.stem(node, window) {
            let map = self.source.map(node);
            let value = self.values.take(self.source.map(chain[2]));
            let to = (value.placed.at.clone(), value.placed.map);
            let [_, height, width] = self.source.picture();
            let stem = Convolution { stride: 2, padding: window.before[0], ..self.weights(node, &[], 1) };
            let stem = Stem::new(&stem, pool, self.kernels, [height, width], map, to);
            self.complete(&chain, value, Some(Step::Stem(stem)));
            return Ok(());
        }
        let chain = Chain::new(self.source, &self.values, node, Can::Scale)?;
        let convolution = self.weights(node, &chain.scales, 1);
        let value = self.values.take(self.source.map(node));
        let ends = (self.source.map(0), value.placed.clone());
        let (kernels, activation) = (self.kernels, chain.activation);
        let step: Box<dyn Layer> = match Planar::suits(window) {
            true => Box::new(Planar::new((window, &convolution), kernels, ends, activation)),
            false => Box::new(Patches::new((window, &convolution), kernels, ends, activation)),
        };
        self.complete(&chain.nodes, value, Some(Step::Layer(step)));
        Ok(())
    }

    /// A convolution over a map, or a matrix product at each token.
    fn convolution(&mut self, node: usize, window: Window, groups: usize) -> Result<(), KernelError> {
        let input = self.input(node).placed;
        let map = self.source.map(node);
        let is_depthwise = groups > 1 && groups == input.map.channels && groups == map.channels;
        let can = if is_depthwise { Can::Scale } else { Can::ScaleAndAdd };
        let chain = Chain::new(self.source, &self.values, node, can)?;
        let convolution = self.weights(node, &chain.scales, groups);
        let onto = chain.onto.and_then(|other| self.values.reuse(other, map));
        let value = onto.unwrap_or_else(|| self.values.take(map));
        if is_depthwise {
            let Convolution { weight, bias, .. } = &convolution;
            let ends = [input, value.placed.clone()];
            let step = Depthwise::new((window, weight, bias), self.kernels, ends, chain.activation);
            self.complete(&chain.nodes, value, Some(Step::Layer(Box::new(step))));
            return Ok(());
        }
        let ends = Ends {
            input: input.at,
            input_map: input.map,
            output: value.placed.at.clone(),
            output_map: map,
            add: chain.onto.is_some(),
            activation: chain.activation,
        };
        let way = match window == Window::square(3, 1, 1) {
            true => choose(&convolution, map, self.instructions),
            false => Way::Direct,
        };
        let step = match way {
            Way::Direct => Step::Direct(Direct::over(window, &convolution, self.kernels, ends)),
            Way::Winograd => Step::Winograd(Winograd::new(&convolution, self.kernels, ends)),
        };
        self.complete(&chain.nodes, value, Some(step));
        Ok(())
    }

    /// Weights and bias of a convolution or a matrix product, times the factors of some nodes. Stride
    /// and padding are those of Winograd's convolutions; others are in the windows.
    fn weights(&self, node: usize, scales: &[usize], groups: usize) -> Convolution {
        let [weight, bias] = [0, 1].map(|index| self.source.parameter(node, index));
        let (mut weight, mut bias) = (weight.to_vec(), bias.to_vec());
        for scale in scales {
            let factors = self.source.parameter(*scale, 0);
            let each = weight.len() / bias.len();
            for ((weights, bias), factor) in weight.chunks_exact_mut(each).zip(&mut bias).zip(factors) {
                weights.iter_mut().chain([bias]).for_each(|value| *value *= factor);
            }
        }
        let kernel = match self.source.operation(node) {
            Operation::Convolution(convolution) => convolution.window.kernel,
            _ => [1; 2],
        };
        let channels = self.source.map(self.source.inputs(node)[0]).channels;
        let in_channels_per_group = channels / groups;
        let padding = kernel[0] / 2;
        Convolution {
            out_channels: bias.len(),
            in_channels_per_group,
            kernel,
            stride: 1,
            padding,
            groups,
            weight,
            bias,
        }
    }

    fn pool(&mut self, node: usize, window: Window, pooling: Pooling) -> Result<(), KernelError> {
        let input = self.input(node).placed;
        if !Pool::suits(window, input.map) {
            return Err(self.source.unsupported(node));
        }
        let value = self.values.take(self.source.map(node));
        let step = Pool::new(window, pooling, self.kernels, [input, value.placed.clone()]);
        self.complete(&[node], value, Some(Step::Layer(Box::new(step))));
        Ok(())
    }
}
