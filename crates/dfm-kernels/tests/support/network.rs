//! Residual networks of blocks, and the graphs that they are.

use dfm_graph::{Activation, Builder, Graph, NodeId, Padding, Window};
use dfm_kernels::{Convolution, GraphTap, InstructionSet, KernelError, NodeRanges, Plan};

/// A maximum over windows of 3×3 pixels, two apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaxPool {
    /// Rows added above, and columns added to the left.
    pub(crate) before: usize,
    /// Rows added below, and columns added to the right.
    pub(crate) after: usize,
}

/// A residual block: the sum of a branch and a shortcut, then a ReLU. Every convolution of the branch
/// except the last has a ReLU of its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Block {
    /// The convolution on the shortcut, where the shapes on both sides differ.
    pub(crate) projection: Option<Convolution>,
    /// The convolutions of the branch, in order.
    pub(crate) branch: Vec<Convolution>,
}

/// Where features are taken out of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tap {
    /// The number of residual blocks that have run by then.
    pub(crate) blocks: usize,
    /// Side of the windows whose averages are the features.
    pub(crate) average: usize,
}

/// A stem (a convolution, a ReLU and a maximum) and residual blocks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Network {
    pub(crate) stem: Convolution,
    pub(crate) pool: MaxPool,
    pub(crate) blocks: Vec<Block>,
    pub(crate) taps: Vec<Tap>,
}

impl Network {
    /// The graph, and its parameters.
    pub(crate) fn graph(&self) -> (Graph, Vec<Vec<f32>>) {
        let mut net = Builder::new();
        let mut parameters = Vec::new();
        let mut convolution = |net: &mut Builder, name: &str, input: NodeId, it: &Convolution| {
            parameters.extend([it.weight.clone(), it.bias.clone()]);
            let windows = dfm_graph::Convolution::new(it.out_channels, it.kernel[0]);
            net.convolution(name, input, windows.stride(it.stride).grouped(it.groups))
        };
        let picture = net.picture();
        let stem = convolution(&mut net, "stem", picture, &self.stem);
        let stem = net.activation("stem.relu", stem, Activation::Relu);
        let padding = Padding::Explicit { begin: [self.pool.before; 2], end: [self.pool.after; 2] };
        let mut x = net.max_pool("blocks.0", stem, Window::new(3).stride(2).padded(padding));
        for (index, block) in self.blocks.iter().enumerate() {
            let name = format!("blocks.{}", index + 1);
            let projection = block.projection.as_ref();
            let shortcut =
                projection.map_or(x, |it| convolution(&mut net, &format!("{name}.projection"), x, it));
            let mut branch = x;
            for (place, it) in block.branch.iter().enumerate() {
                if place > 0 {
                    branch = net.activation(&format!("{name}.relu{place}"), branch, Activation::Relu);
                }
                branch = convolution(&mut net, &format!("{name}.conv{place}"), branch, it);
            }
            let sum = net.add(&format!("{name}.sum"), branch, shortcut);
            x = net.activation(&name, sum, Activation::Relu);
        }
        (net.finish().expect("a network that fits together"), parameters)
    }

    /// The taps of the network in its graph.
    fn taps_of(&self, graph: &Graph) -> Vec<GraphTap> {
        let tap = |tap: &Tap| {
            let node = graph.tap(&format!("blocks.{}", tap.blocks)).expect("a block");
            GraphTap { node, average: tap.average }
        };
        self.taps.iter().map(tap).collect()
    }

    /// The plan in `f32`.
    pub(crate) fn plan(&self, size: [usize; 2], instructions: InstructionSet) -> Result<Plan, KernelError> {
        let (graph, parameters) = self.graph();
        Plan::compile(&graph, &parameters, size, &self.taps_of(&graph), instructions)
    }

    /// The plan in int8.
    pub(crate) fn int8(
        &self,
        size: [usize; 2],
        instructions: InstructionSet,
        ranges: &NodeRanges,
    ) -> Result<Plan, KernelError> {
        let (graph, parameters) = self.graph();
        Plan::compile_int8(&graph, &parameters, size, &self.taps_of(&graph), instructions, ranges)
    }
}
