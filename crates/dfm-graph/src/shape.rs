//! The shape of a value for one size of pictures.

use crate::error::{GraphError, shown};
use crate::form::{Form, Layout};
use crate::graph::Graph;
use crate::limits::MOST_SIDE;
use crate::node::Node;
use crate::operation::Operation;

/// The shape of a value for one size of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// The channels, and whether it is a map or tokens.
    pub form: Form,
    /// Height and width of the map, or of the grid of the tokens.
    pub sides: [usize; 2],
}

impl Shape {
    /// The channels of each pixel or token.
    pub fn channels(&self) -> usize {
        self.form.channels
    }

    /// The number of pixels or tokens, prefix tokens included.
    pub fn positions(&self) -> usize {
        let prefix = match self.form.layout {
            Layout::Map => 0,
            Layout::Tokens { prefix } => prefix,
        };
        prefix.saturating_add(self.sides[0].saturating_mul(self.sides[1]))
    }

    /// The number of values. It may exceed 32 bits.
    #[expect(clippy::len_without_is_empty, reason = "an inferred shape is never empty")]
    pub fn len(&self) -> u64 {
        self.positions() as u64 * self.form.channels as u64
    }
}

impl Graph {
    /// The shape of each node's value for pictures of `size` (height, width), in the order of
    /// [`nodes`](Self::nodes).
    ///
    /// # Errors
    ///
    /// If the size has no pixel or a side above [`MOST_SIDE`](crate::MOST_SIDE) or is not the
    /// [one that the graph is good for](Self::size), a node has no output at
    /// this size or one with a longer side, or sides differ that must be the same.
    pub fn shapes(&self, size: [usize; 2]) -> Result<Vec<Shape>, GraphError> {
        let [height, width] = size;
        if size.iter().any(|side| !(1..=MOST_SIDE).contains(side)) {
            return Err(GraphError::PictureSize { height, width, limit: MOST_SIDE });
        }
        if let Some(expected) = self.size().filter(|expected| *expected != size) {
            return Err(GraphError::OtherSize { expected, got: size });
        }
        let mut shapes: Vec<Shape> = Vec::with_capacity(self.nodes().len());
        for node in self.nodes() {
            let inputs: Vec<Shape> = node.inputs.iter().map(|input| shapes[input.index()]).collect();
            let sides = sides(node, &inputs, size)?;
            if sides.contains(&0) {
                return Err(GraphError::TooSmall { node: shown(&node.name), height, width });
            }
            // Padding may make a map larger than the picture.
            if let Some(got) = sides.into_iter().find(|side| *side > MOST_SIDE) {
                let node = shown(&node.name);
                return Err(GraphError::TooLarge { node, got, limit: MOST_SIDE });
            }
            shapes.push(Shape { form: node.form, sides });
        }
        Ok(shapes)
    }
}

/// The sides of the value of a checked node.
fn sides(node: &Node, inputs: &[Shape], size: [usize; 2]) -> Result<[usize; 2], GraphError> {
    let Some(first) = inputs.first() else { return Ok(size) };
    let differ = |expected: &str| {
        let got: Vec<String> =
            inputs.iter().take(8).map(|shape| format!("{}×{}", shape.sides[0], shape.sides[1])).collect();
        Err(GraphError::Inputs {
            node: shown(&node.name),
            operation: node.operation.name(),
            expected: expected.to_owned(),
            got: got.join("; "),
        })
    };
    match &node.operation {
        Operation::Convolution(convolution) => Ok(convolution.window.output(first.sides)),
        Operation::MaxPool(window) | Operation::AveragePool { window, .. } => Ok(window.output(first.sides)),
        Operation::GlobalAverage => Ok([1; 2]),
        Operation::Multiply
            if inputs[1].sides != first.sides
                && (inputs[1].sides != [1; 2] || first.form.layout != Layout::Map) =>
        {
            differ("two values of one shape, or a map and a 1×1 map")
        }
        Operation::Multiply => Ok(first.sides),
        _ if inputs.iter().any(|other| other.sides != first.sides) => differ("values of one shape"),
        _ => Ok(first.sides),
    }
}
