//! The steps of a graph in whole numbers: residual networks of convolutions, sums and ReLUs.

use dfm_graph::{Graph, Operation};

use super::chain::{Can, Chain};
use super::draft::Draft;
use super::source::Source;
use super::tap::GraphTap;
use super::taps::Features;
use super::values::Value;
use super::weights::weights;
use crate::activation::Activation;
use crate::convolution::Convolution;
use crate::error::KernelError;
use crate::instructions::InstructionSet;
use crate::kernels::{
    ACTIVATION, IntegerConvolution, IntegerEnds, IntegerKernels, IntegerStem, PICTURE, Residual, Step,
    Values as Kind,
};
use crate::plan::prepared::Plan;
use crate::plan::ranges::NodeRanges;
use crate::window::Window;

impl Plan {
    /// Lays out `graph` as [`compile`](Self::compile) does, but to be computed in eight bits (the first
    /// convolution in 16). The steps of the whole numbers are chosen so that `ranges` fit. The result is
    /// the same on every instruction set.
    ///
    /// # Errors
    ///
    /// Those of [`compile`](Self::compile), where [`KernelError::Unsupported8`] names a node that is not
    /// computed in eight bits; if a convolution has no range, or a sum has more products than 32 bits
    /// hold.
    pub fn compile_int8<V: AsRef<[f32]>>(
        graph: &Graph,
        parameters: &[V],
        size: [usize; 2],
        taps: &[GraphTap],
        instructions: InstructionSet,
        ranges: &NodeRanges,
    ) -> Result<Self, KernelError> {
        let source = Source::new(graph, parameters, size, taps)?;
        let features = Features::new(&source, size)?;
        ranges.check()?;
        let mut layout = Layout {
            draft: Draft::new(&source, &features),
            kernels: IntegerKernels::of(instructions),
            kinds: vec![(Kind::Floats, 1.0); source.nodes().len()],
            ranges,
        };
        for node in 1..source.nodes().len() {
            if !layout.draft.is_done(node) {
                layout.node(node)?;
            }
        }
        if source.is_tapped(0) {
            return Err(layout.unsupported(0));
        }
        let (steps, arena) = layout.draft.finish();
        let Features { outputs, maps, .. } = features;
        Ok(Self::of_steps(source.picture(), [outputs, maps], steps, arena))
    }
}

impl Kind {
    /// The size of one step of values up to `range`: one if they are not rounded.
    fn step(self, range: f32) -> f32 {
        match self {
            Self::Bytes => step(range, ACTIVATION),
            Self::Floats => 1.0,
        }
    }
}

/// The size of one of `count` steps up to `range`. It is not so small that its inverse overflows.
fn step(range: f32, count: f32) -> f32 {
    (range / count).max(f32::MIN_POSITIVE)
}

/// A plan while it is made.
struct Layout<'s, 'p> {
    draft: Draft<'s, 'p>,
    kernels: IntegerKernels,
    /// For each node, the kind of its values and the size of one of their steps, once they are computed.
    kinds: Vec<(Kind, f32)>,
    ranges: &'s NodeRanges,
}

impl Layout<'_, '_> {
    /// Adds the steps of a node.
    fn node(&mut self, node: usize) -> Result<(), KernelError> {
        let Operation::Convolution(convolution) = self.draft.source.operation(node) else {
            return Err(self.unsupported(node));
        };
        let window = convolution.window;
        let [before, after] = window.padding_of(self.draft.source.sides(self.draft.source.inputs(node)[0]));
        let window =
            Window { kernel: window.kernel, stride: window.stride, before, after, dilation: window.dilation };
        let (kernel, stride) = (window.kernel[0], window.stride[0]);
        let is_plain = !kernel.is_multiple_of(2) && stride <= 2;
        if !is_plain || window != Window::square(kernel, stride, kernel / 2) {
            return Err(self.unsupported(node));
        }
        let convolution = weights(self.draft.source, node, &[], convolution.groups);
        let convolution = Convolution { stride, ..convolution };
        match self.draft.takes_picture(node) {
            true => self.stem(node, window, &convolution),
            false => self.convolution(node, &convolution),
        }
    }

    fn unsupported(&self, node: usize) -> KernelError {
        let node = self.draft.source.node(node);
        KernelError::Unsupported8 { node: node.name().to_owned(), operation: node.operation().name() }
    }

    /// The size of one step of the values of this kind behind a convolution.
    fn step(&self, node: usize, kind: Kind) -> Result<f32, KernelError> {
        Ok(kind.step(self.ranges.range(self.draft.source.node(node).name())?))
    }

    /// Checks that a sum of the convolution fits 32 bits.
    fn check(&self, node: usize, convolution: &Convolution, limit: usize) -> Result<(), KernelError> {
        let got = convolution.taps();
        let name = || self.draft.source.node(node).name().to_owned();
        if got > limit { Err(KernelError::TooManyTaps { convolution: name(), limit, got }) } else { Ok(()) }
    }

    /// The first convolution, and the maximum behind it.
    fn stem(&mut self, node: usize, window: Window, convolution: &Convolution) -> Result<(), KernelError> {
        let source = self.draft.source;
        self.check(node, convolution, IntegerStem::MOST_TAPS)?;
        let Some((chain, pool)) = source.stem(node, window) else { return Err(self.unsupported(node)) };
        // The values behind the stem are rounded, and features are not.
        if source.is_tapped(chain[2]) {
            return Err(self.unsupported(chain[2]));
        }
        let map = source.map(chain[2]);
        let size = self.step(node, Kind::Bytes)?;
        let value = self.draft.values.take_len(map, Kind::Bytes.len(map));
        let [_, height, width] = source.picture();
        let stem = IntegerStem::new(
            convolution,
            pool,
            self.kernels,
            [height, width],
            source.map(node),
            (value.placed.at.clone(), map),
            [step(self.ranges.input, PICTURE), size],
        );
        self.kinds[chain[2]] = (Kind::Bytes, size);
        self.draft.complete(&chain, value, Some(Step::IntegerStem(stem)));
        Ok(())
    }

    /// A convolution over bytes. Behind a ReLU the result is bytes for those that read it, and floats for
    /// taps. Without a ReLU it is floats.
    fn convolution(&mut self, node: usize, convolution: &Convolution) -> Result<(), KernelError> {
        let source = self.draft.source;
        self.check(node, convolution, IntegerConvolution::MOST_TAPS)?;
        let input = source.inputs(node)[0];
        let (Kind::Bytes, input_step) = self.kinds[input] else { return Err(self.unsupported(input)) };
        let chain = self.chain(node)?;
        let end = chain.nodes[chain.nodes.len() - 1];
        let reads = self.draft.reads(end);
        let is_relu = chain.activation == Activation::Relu;
        let mut wanted = Vec::new();
        if source.is_tapped(end) || !is_relu {
            wanted.push(Kind::Floats);
        }
        if reads > 0 && is_relu {
            wanted.push(Kind::Bytes);
        }
        let onto = chain.onto.map(|other| (other, self.draft.value(other), self.kinds[other]));
        // A value that nothing else will read is overwritten by results of its kind. They are computed
        // last, because other results read it, too.
        let overwritten = onto
            .as_ref()
            .and_then(|(other, _, (kind, _))| self.draft.values.is_read_once(*other).then_some(*kind));
        wanted.sort_by_key(|kind| Some(*kind) == overwritten);
        let map = source.map(node);
        let mut results: Vec<(Kind, f32, Value)> = Vec::new();
        for kind in wanted {
            let size = self.step(node, kind)?;
            let value = match &onto {
                Some((_, value, _)) if Some(kind) == overwritten => value.clone(),
                _ => self.draft.values.take_len(map, kind.len(map)),
            };
            results.push((kind, size, value));
        }
        for (kind, size, value) in &results {
            let residual = onto.as_ref().map(|(_, value, (kind, step))| Residual {
                at: value.placed.at.clone(),
                values: *kind,
                factor: step / size,
            });
            let ends = IntegerEnds {
                input: self.draft.value(input).placed.at,
                input_map: source.map(input),
                output: value.placed.at.clone(),
                output_map: map,
                values: *kind,
                relu: is_relu,
                residual,
                steps: [input_step, *size],
            };
            let step = IntegerConvolution::new(convolution, self.kernels, ends);
            self.draft.push(node, Step::Integer(step));
        }
        let inputs = self.draft.read(&chain.nodes);
        for (kind, size, value) in results {
            if kind == Kind::Floats {
                self.draft.take_features(end, &value);
            }
            let is_read = reads > 0 && (kind == Kind::Bytes || !is_relu);
            if is_read {
                self.kinds[end] = (kind, size);
            }
            self.draft.values.put_beside(end, value, if is_read { reads } else { 0 });
        }
        self.draft.close(&chain.nodes, &inputs);
        Ok(())
    }

    /// The nodes that are computed with a convolution: a ReLU, or a sum and a ReLU. A convolution that
    /// is added later, or that nothing of this follows, is computed alone.
    fn chain(&self, node: usize) -> Result<Chain, KernelError> {
        let chain = Chain::new(self.draft.source, &self.draft.values, node, Can::Add)?;
        match (chain.activation, chain.nodes.len()) {
            (Activation::Relu, _) | (Activation::Identity, 1) => Ok(chain),
            _ => Err(self.unsupported(chain.nodes[1])),
        }
    }
}
