//! The steps of a graph in `f32`.

use dfm_graph::Operation;

use super::chain::{Can, Chain};
use super::draft::Draft;
use super::source::Source;
use super::taps::Features;
use super::weights::weights;
use crate::choice::choose;
use crate::convolution::Convolution;
use crate::error::KernelError;
use crate::instructions::InstructionSet;
use crate::kernels::{
    Depthwise, Direct, Ends, Kernels, Layer, Load, Patches, Planar, Pool, Pooling, Stem, Step, Winograd,
};
use crate::way::Way;
use crate::window::Window;

/// A plan while it is made.
pub(super) struct Layout<'s, 'p> {
    pub(super) draft: Draft<'s, 'p>,
    instructions: InstructionSet,
    pub(super) kernels: Kernels,
}

impl<'s, 'p> Layout<'s, 'p> {
    /// No step yet.
    pub(super) fn new(source: &'s Source<'p>, features: &'s Features, instructions: InstructionSet) -> Self {
        let draft = Draft::new(source, features);
        Self { draft, instructions, kernels: Kernels::of(instructions) }
    }

    /// Adds the steps of a node that no earlier step computes.
    ///
    /// # Errors
    ///
    /// If these kernels do not compute the node.
    pub(super) fn node(&mut self, node: usize) -> Result<(), KernelError> {
        self.note_range(node)?;
        match self.draft.source.operation(node) {
            Operation::Picture => self.load(),
            Operation::Convolution(convolution)
                if self.draft.source.inputs(node) == [0] && convolution.groups == 1 =>
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

    /// Notes whose value is the range of a convolution: that of the last node that int8 computes with it,
    /// which may be a step of its own here.
    fn note_range(&mut self, node: usize) -> Result<(), KernelError> {
        let Operation::Convolution(convolution) = self.draft.source.operation(node) else { return Ok(()) };
        let stem = self.draft.source.stem(node, self.window(node, &convolution.window));
        let value = match stem.filter(|_| self.draft.takes_picture(node)) {
            Some((chain, _)) => chain[2],
            None => {
                let chain = Chain::new(self.draft.source, &self.draft.values, node, Can::Add)?;
                chain.nodes[chain.nodes.len() - 1]
            }
        };
        self.draft.range(node, value);
        Ok(())
    }

    /// The windows of a node over its input.
    fn window(&self, node: usize, window: &dfm_graph::Window) -> Window {
        let [before, after] = window.padding_of(self.draft.source.sides(self.draft.source.inputs(node)[0]));
        Window { kernel: window.kernel, stride: window.stride, before, after, dilation: window.dilation }
    }

    /// Loads the picture if a step reads it from the arena.
    fn load(&mut self) -> Result<(), KernelError> {
        let is_read = self.draft.source.readers(0).iter().any(|reader| !self.draft.takes_picture(*reader));
        if is_read || self.draft.source.is_tapped(0) {
            let value = self.draft.values.take(self.draft.source.map(0));
            let step = Step::Layer(Box::new(Load::new(value.placed.clone())));
            self.draft.complete(&[0], value, Some(step));
        }
        Ok(())
    }

    /// A convolution over the picture.
    fn first(&mut self, node: usize, window: Window) -> Result<(), KernelError> {
        if let Some((chain, pool)) = self.draft.source.stem(node, window) {
            let map = self.draft.source.map(node);
            let value = self.draft.values.take(self.draft.source.map(chain[2]));
            let to = (value.placed.at.clone(), value.placed.map);
            let [_, height, width] = self.draft.source.picture();
            let stem = Convolution {
                stride: 2,
                padding: window.before[0],
                ..weights(self.draft.source, node, &[], 1)
            };
            let stem = Stem::new(&stem, pool, self.kernels, [height, width], map, to);
            self.draft.complete(&chain, value, Some(Step::Stem(stem)));
            return Ok(());
        }
        let chain = Chain::new(self.draft.source, &self.draft.values, node, Can::Scale)?;
        let convolution = weights(self.draft.source, node, &chain.scales, 1);
        let value = self.draft.values.take(self.draft.source.map(node));
        let ends = (self.draft.source.map(0), value.placed.clone());
        let (kernels, activation) = (self.kernels, chain.activation);
        let step: Box<dyn Layer> = match Planar::suits(window) {
            true => Box::new(Planar::new((window, &convolution), kernels, ends, activation)),
            false => Box::new(Patches::new((window, &convolution), kernels, ends, activation)),
        };
        self.draft.complete(&chain.nodes, value, Some(Step::Layer(step)));
        Ok(())
    }

    /// A convolution over a map, or a matrix product at each token.
    fn convolution(&mut self, node: usize, window: Window, groups: usize) -> Result<(), KernelError> {
        let input = self.draft.input(node).placed;
        let map = self.draft.source.map(node);
        let is_depthwise = groups > 1 && groups == input.map.channels && groups == map.channels;
        let can = if is_depthwise { Can::Scale } else { Can::ScaleAndAdd };
        let chain = Chain::new(self.draft.source, &self.draft.values, node, can)?;
        let convolution = weights(self.draft.source, node, &chain.scales, groups);
        let onto = chain.onto.and_then(|other| self.draft.values.reuse(other, map));
        let value = onto.unwrap_or_else(|| self.draft.values.take(map));
        if is_depthwise {
            let Convolution { weight, bias, .. } = &convolution;
            let ends = [input, value.placed.clone()];
            let step = Depthwise::new((window, weight, bias), self.kernels, ends, chain.activation);
            self.draft.complete(&chain.nodes, value, Some(Step::Layer(Box::new(step))));
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
        self.draft.complete(&chain.nodes, value, Some(step));
        Ok(())
    }

    fn pool(&mut self, node: usize, window: Window, pooling: Pooling) -> Result<(), KernelError> {
        let input = self.draft.input(node).placed;
        if !Pool::suits(window, input.map) {
            return Err(self.draft.source.unsupported(node));
        }
        let value = self.draft.values.take(self.draft.source.map(node));
        let step = Pool::new(window, pooling, self.kernels, [input, value.placed.clone()]);
        self.draft.complete(&[node], value, Some(Step::Layer(Box::new(step))));
        Ok(())
    }
}
