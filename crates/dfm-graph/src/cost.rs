//! The number of operations of a network.

use crate::error::GraphError;
use crate::graph::Graph;
use crate::operation::Operation;

impl Graph {
    /// The number of multiplications (each with its addition) of all convolutions, matrix products and
    /// attentions, for one picture of `size` (height, width). Convolutions are counted tap by tap, padding
    /// included.
    ///
    /// # Errors
    ///
    /// Those of [`shapes`](Self::shapes).
    pub fn multiply_adds(&self, size: [usize; 2]) -> Result<u64, GraphError> {
        let shapes = self.shapes(size)?;
        let mut total = 0_u64;
        for (node, shape) in self.nodes().iter().zip(&shapes) {
            let Some(input) = node.inputs().first().map(|input| &shapes[input.index()]) else { continue };
            let positions = shape.positions() as u64;
            let each = match node.operation() {
                Operation::Convolution(convolution) => {
                    let [rows, columns] = convolution.window.kernel;
                    let taps = input.channels() / convolution.groups * rows * columns;
                    convolution.out as u64 * taps as u64
                }
                Operation::Linear { out } => *out as u64 * input.channels() as u64,
                // Each query with each key, and each weight with each value.
                Operation::Attention { .. } => 2 * positions * shape.channels() as u64,
                _ => 0,
            };
            total = total.saturating_add(positions.saturating_mul(each));
        }
        Ok(total)
    }
}
