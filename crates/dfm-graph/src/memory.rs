//! How much memory the values of a network take.

use crate::error::GraphError;
use crate::graph::Graph;
use crate::node::Node;
use crate::operation::Operation;
use crate::shape::Shape;

/// The most `f32` values that an engine may hold at once for the weights of one attention. It takes queries
/// in portions if there are more.
const ATTENTION_SCRATCH: u64 = 1 << 24;

/// The number of `f32` values that an engine may hold at once for the weights of one attention over so many
/// tokens: all of them, up to 2²⁴, and one row for each head at least.
pub fn attention_scratch(heads: usize, tokens: usize) -> u64 {
    let row = heads as u64 * tokens as u64;
    row.saturating_mul(tokens as u64).min(ATTENTION_SCRATCH).max(row)
}

impl Graph {
    /// The most bytes of `f32` values that are needed at once while one picture of `size` (height, width)
    /// runs through the whole graph.
    ///
    /// A value that one node reads is counted until that node has run. Engines may run branches in any
    /// order, so a value that several nodes read is counted until their ways have met. An operation on each
    /// number takes no memory if it is the last one that reads its input. A tap is taken where it is
    /// computed, and not counted longer.
    ///
    /// # Errors
    ///
    /// Those of [`shapes`](Self::shapes).
    pub fn activation_bytes(&self, size: [usize; 2]) -> Result<u64, GraphError> {
        let shapes = self.shapes(size)?;
        let ends = self.ends();
        let mut dying: Vec<Vec<usize>> = vec![Vec::new(); shapes.len()];
        ends.iter().enumerate().for_each(|(index, end)| dying[*end].push(index));
        let (mut held, mut most) = (0_u64, 0);
        for (index, node) in self.nodes().iter().enumerate() {
            let value = shapes[index].len();
            let in_place = node.inputs().first().is_some_and(|input| {
                works_in_place(node) && ends[input.0] == index && shapes[input.0].len() == value
            });
            let scratch = scratch(node, &shapes[index]);
            let new = if in_place { 0 } else { value };
            most = most.max(held.saturating_add(new).saturating_add(scratch));
            held = held.saturating_add(value);
            for dead in &dying[index] {
                held = held.saturating_sub(shapes[*dead].len());
            }
        }
        Ok(most.saturating_mul(4))
    }

    /// For each node, the node after which its value is no longer needed.
    fn ends(&self) -> Vec<usize> {
        let readers = self.readers();
        // Where all ways from a node have met: itself if nothing reads it.
        let mut meets: Vec<Option<usize>> = vec![None; readers.len()];
        let mut ends = vec![0; readers.len()];
        for index in (0..readers.len()).rev() {
            let mut distinct: Vec<usize> = readers[index].iter().map(|reader| reader.0).collect();
            distinct.dedup();
            let meeting = distinct
                .iter()
                .skip(1)
                .fold(distinct.first().copied(), |one, other| meeting(&meets, one?, *other));
            meets[index] = meeting;
            let last = distinct.last().copied().unwrap_or(index);
            ends[index] = meeting.unwrap_or(last).max(last);
        }
        ends
    }
}

/// The first node at which the ways from two nodes meet, if they do.
fn meeting(meets: &[Option<usize>], mut one: usize, mut other: usize) -> Option<usize> {
    while one != other {
        if one < other {
            one = meets[one]?;
        } else {
            other = meets[other]?;
        }
    }
    Some(one)
}

fn works_in_place(node: &Node) -> bool {
    matches!(
        node.operation(),
        Operation::Activation(_)
            | Operation::Add
            | Operation::Multiply
            | Operation::Mean
            | Operation::Scale
            | Operation::LayerNorm { .. }
            | Operation::Positions { .. }
    )
}

/// The values that an operation needs beside its inputs and its result.
fn scratch(node: &Node, shape: &Shape) -> u64 {
    match node.operation() {
        Operation::Attention { heads } => attention_scratch(*heads, shape.positions()),
        _ => 0,
    }
}
