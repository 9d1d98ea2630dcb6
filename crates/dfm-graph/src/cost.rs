//! The number of operations of a network.

use crate::error::GraphError;
use crate::graph::Graph;
use crate::node::Node;
use crate::operation::Operation;
use crate::shape::Shape;
use crate::window::Window;

/// What reading and writing a value costs, in operations.
const MOVED: u64 = 16;

impl Graph {
    /// The number of multiplications (each with its addition) of all convolutions, matrix products and
    /// attentions, for one picture of `size` (height, width). Convolutions are counted tap by tap, padding
    /// included.
    ///
    /// # Errors
    ///
    /// Those of [`shapes`](Self::shapes).
    pub fn multiply_adds(&self, size: [usize; 2]) -> Result<u64, GraphError> {
        self.count(size, multiply_adds)
    }

    /// About how much work one picture of `size` (height, width) is: [`multiply_adds`](Self::multiply_adds),
    /// every tap of a pool, and 16 for each value of each node. It is a bound for networks that nobody knows.
    ///
    /// # Errors
    ///
    /// Those of [`shapes`](Self::shapes).
    pub fn operations(&self, size: [usize; 2]) -> Result<u64, GraphError> {
        let pooled =
            |window: &Window, shape: &Shape| (window.kernel[0] * window.kernel[1] * shape.channels()) as u64;
        self.count(size, |node, input, shape| {
            let each = match node.operation() {
                Operation::MaxPool(window) | Operation::AveragePool { window, .. } => pooled(window, shape),
                Operation::GlobalAverage => (input.positions() * shape.channels()) as u64,
                _ => multiply_adds(node, input, shape),
            };
            each.saturating_add(MOVED * shape.channels() as u64)
        })
    }

    /// The sum over all nodes: what `each` says of one position, for all positions.
    fn count(
        &self,
        size: [usize; 2],
        each: impl Fn(&Node, &Shape, &Shape) -> u64,
    ) -> Result<u64, GraphError> {
        let shapes = self.shapes(size)?;
        let mut total = 0_u64;
        for (node, shape) in self.nodes().iter().zip(&shapes) {
            let Some(input) = node.inputs().first().map(|input| &shapes[input.index()]) else { continue };
            let positions = shape.positions() as u64;
            total = total.saturating_add(positions.saturating_mul(each(node, input, shape)));
        }
        Ok(total)
    }
}

/// The multiplications for one position of a node.
fn multiply_adds(node: &Node, input: &Shape, shape: &Shape) -> u64 {
    match node.operation() {
        Operation::Convolution(convolution) => {
            let [rows, columns] = convolution.window.kernel;
            let taps = input.channels() / convolution.groups * rows * columns;
            convolution.out as u64 * taps as u64
        }
        Operation::Linear { out } => *out as u64 * input.channels() as u64,
        // Each query with each key, and each weight with each value.
        Operation::Attention { .. } => 2 * shape.positions() as u64 * shape.channels() as u64,
        _ => 0,
    }
}
