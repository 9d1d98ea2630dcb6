//! The nodes of our graph while an ONNX graph is read, with their numbers.

use std::collections::HashMap;

use dfm_graph::{
    Convolution, LARGEST_WINDOW, LONGEST_GRID, MOST_CHANNELS, MOST_INPUTS, MOST_NODES, MOST_PREFIX,
    MOST_SIDE, Operation, Padding, Window,
};

use super::tensor::Reason;
use super::view::{Axis, View, pictures, side};

/// The most parameters of all nodes: 1 GiB of `f32`.
const MOST_NUMBERS: u64 = 1 << 28;

/// A node that is not finished: what comes behind it may be folded into its numbers.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) operation: Operation,
    pub(super) inputs: Vec<usize>,
    /// The values of each parameter, as the operation has them.
    pub(super) values: Vec<Vec<f32>>,
    pub(super) channels: usize,
    /// The sides of the map, or of the grid of the tokens.
    pub(super) sides: [usize; 2],
    /// The tokens before the grid; `None` for a map.
    pub(super) prefix: Option<usize>,
    /// The index of the ONNX node that made it, and how often something was folded in.
    pub(super) origin: usize,
    pub(super) state: usize,
}

impl Draft {
    /// The number of pixels or tokens.
    pub(super) fn positions(&self) -> usize {
        self.prefix.unwrap_or(0) + self.sides[0] * self.sides[1]
    }
}

/// All nodes. The first is the picture.
#[derive(Debug, Clone)]
pub(super) struct Drafts {
    nodes: Vec<Draft>,
    parameters: u64,
    /// For each node, the same value as tokens or as a map, once it was asked for.
    turned: HashMap<usize, usize>,
    /// The index of the ONNX node that is read.
    pub(super) origin: usize,
}

impl Drafts {
    /// Pictures of this size alone.
    pub(super) fn new(sides: [usize; 2]) -> Self {
        let picture = Draft {
            operation: Operation::Picture,
            inputs: Vec::new(),
            values: Vec::new(),
            channels: 3,
            sides,
            prefix: None,
            origin: usize::MAX,
            state: 0,
        };
        Self { nodes: vec![picture], parameters: 0, turned: HashMap::new(), origin: 0 }
    }

    pub(super) fn nodes(&self) -> &[Draft] {
        &self.nodes
    }

    /// The node of a view.
    pub(super) fn node(&self, view: &View) -> &Draft {
        &self.nodes[view.node]
    }

    /// A node whose value has the channels and sides of its first input, unless the operation says otherwise.
    pub(super) fn add(
        &mut self,
        operation: Operation,
        inputs: &[usize],
        values: Vec<Vec<f32>>,
    ) -> Result<usize, Reason> {
        let input = &self.nodes[inputs[0]];
        let (mut channels, mut sides, mut prefix) = (input.channels, input.sides, input.prefix);
        match &operation {
            Operation::Convolution(convolution) => {
                channels = convolution.out;
                sides = windows(&convolution.window, sides)?;
            }
            Operation::MaxPool(window) | Operation::AveragePool { window, .. } => {
                sides = windows(window, sides)?;
            }
            Operation::GlobalAverage => sides = [1; 2],
            Operation::Linear { out } => channels = *out,
            Operation::Attention { .. } => channels /= 3,
            Operation::Concatenate => {
                channels = inputs.iter().map(|input| self.nodes[*input].channels).sum();
            }
            Operation::ToTokens => prefix = Some(0),
            Operation::ToMap => prefix = None,
            Operation::PrefixTokens { count } => prefix = Some(prefix.unwrap_or(0) + count),
            Operation::Positions { grid, .. } if grid.iter().any(|side| *side > LONGEST_GRID) => {
                let [rows, columns] = grid;
                return Err(format!(
                    "a grid of {rows}×{columns} positions, the limit is {LONGEST_GRID} a side"
                ));
            }
            _ => {}
        }
        if inputs.len() > MOST_INPUTS {
            return Err(format!("{} inputs, the limit is {MOST_INPUTS}", inputs.len()));
        }
        if let Some(prefix) = prefix.filter(|prefix| *prefix > MOST_PREFIX) {
            return Err(format!("{prefix} learnt tokens in all, the limit is {MOST_PREFIX}"));
        }
        if !(1..=MOST_CHANNELS).contains(&channels) {
            return Err(format!("{channels} channels, the limit is {MOST_CHANNELS}"));
        }
        if self.nodes.len() >= MOST_NODES {
            return Err(format!("more than {MOST_NODES} nodes"));
        }
        self.parameters += values.iter().map(|values| values.len() as u64).sum::<u64>();
        if self.parameters > MOST_NUMBERS {
            return Err(format!("more than {MOST_NUMBERS} parameters"));
        }
        let (inputs, origin) = (inputs.to_vec(), self.origin);
        self.nodes.push(Draft { operation, inputs, values, channels, sides, prefix, origin, state: 0 });
        Ok(self.nodes.len() - 1)
    }

    /// The view of a whole map as `[N, C, H, W]`, or of whole tokens as `[N, T, C]`.
    pub(super) fn whole(&self, node: usize) -> View {
        let Draft { channels, sides: [height, width], prefix, .. } = self.nodes[node];
        let channel = side(Axis::Channel, channels, 1);
        let sides = match prefix {
            Some(_) => vec![pictures(), side(Axis::Position, self.nodes[node].positions(), 1), channel],
            None => {
                vec![pictures(), channel, side(Axis::Position, height, width), side(Axis::Position, width, 1)]
            }
        };
        View { node, state: self.nodes[node].state, sides, first: [0; 2], sole: true }
    }

    /// The same view of a new node.
    pub(super) fn moved(&self, view: &View, node: usize) -> View {
        View { node, state: self.nodes[node].state, sole: true, ..view.clone() }
    }

    /// The map that a view `[N, C, H, W]` is.
    pub(super) fn map(&mut self, view: &View) -> Result<usize, Reason> {
        let draft = self.node(view);
        let ([height, width], prefix) = (draft.sides, draft.prefix);
        let map = [
            pictures(),
            side(Axis::Channel, draft.channels, 1),
            side(Axis::Position, height, width),
            side(Axis::Position, width, 1),
        ];
        if view.sides != map || view.first != [prefix.unwrap_or(0), 0] {
            return Err("expected a whole map [N, C, H, W]".to_owned());
        }
        if prefix.is_none() { Ok(view.node) } else { self.turn(view.node, Operation::ToMap) }
    }

    /// The same view of tokens.
    pub(super) fn tokens(&mut self, view: &View) -> Result<View, Reason> {
        if self.node(view).prefix.is_some() {
            return Ok(view.clone());
        }
        let node = self.turn(view.node, Operation::ToTokens)?;
        Ok(View { node, state: 0, sole: false, ..view.clone() })
    }

    /// The same view of a map. It must not reach the prefix.
    pub(super) fn pixels(&mut self, view: &View) -> Result<View, Reason> {
        let Some(prefix) = self.node(view).prefix else { return Ok(view.clone()) };
        let first = view.first[0].checked_sub(prefix).ok_or("a class token among the pixels of a map")?;
        let node = self.turn(view.node, Operation::ToMap)?;
        Ok(View { node, state: 0, sole: false, first: [first, view.first[1]], ..view.clone() })
    }

    fn turn(&mut self, node: usize, operation: Operation) -> Result<usize, Reason> {
        if let Some(turned) = self.turned.get(&node) {
            return Ok(*turned);
        }
        let turned = self.add(operation, &[node], Vec::new())?;
        self.turned.insert(node, turned);
        Ok(turned)
    }

    /// `factors · x + shifts` for each channel of the node of a view. It is folded into the numbers of the node if
    /// nothing else reads that.
    pub(super) fn affine(&mut self, view: &View, factors: &[f64], shifts: &[f64]) -> Result<View, Reason> {
        if factors.iter().all(|factor| *factor == 1.0) && shifts.iter().all(|shift| *shift == 0.0) {
            return Ok(view.clone());
        }
        let shifted = shifts.iter().any(|shift| *shift != 0.0);
        let draft = &mut self.nodes[view.node];
        let folds = match draft.operation {
            Operation::Convolution(_) | Operation::Linear { .. } | Operation::LayerNorm { .. } => true,
            Operation::Scale => !shifted,
            _ => false,
        };
        if view.sole && folds && view.state == draft.state && !self.turned.contains_key(&view.node) {
            let rows = draft.values[0].len() / draft.channels;
            let weights = draft.values[0].chunks_exact_mut(rows).zip(factors);
            weights.for_each(|(row, factor)| {
                row.iter_mut().for_each(|it| *it = (f64::from(*it) * factor) as f32)
            });
            if let Some(bias) = draft.values.get_mut(1) {
                let all = bias.iter_mut().zip(factors.iter().zip(shifts));
                all.for_each(|(it, (factor, shift))| *it = (f64::from(*it) * factor + shift) as f32);
            }
            (draft.state, draft.origin) = (draft.state + 1, self.origin);
            return Ok(View { state: draft.state, ..view.clone() });
        }
        let (channels, prefix, sides) = (draft.channels, draft.prefix, draft.sides);
        let narrow = |values: &[f64]| values.iter().map(|value| *value as f32).collect::<Vec<f32>>();
        let mut node = view.node;
        if prefix.is_none() {
            let convolution = Convolution::new(channels, 1).grouped(channels);
            let values = vec![narrow(factors), narrow(shifts)];
            node = self.add(Operation::Convolution(convolution), &[node], values)?;
            return Ok(self.moved(view, node));
        }
        if factors.iter().any(|factor| *factor != 1.0) {
            node = self.add(Operation::Scale, &[node], vec![narrow(factors)])?;
        }
        if shifted {
            let positions = self.nodes[node].positions();
            super::tensor::made(&[positions, channels])?;
            node =
                self.add(fixed_positions(sides, prefix), &[node], vec![narrow(shifts).repeat(positions)])?;
        }
        Ok(self.moved(view, node))
    }
}

/// Positions that belong to one grid.
pub(super) fn fixed_positions(grid: [usize; 2], prefix: Option<usize>) -> Operation {
    let interpolation = dfm_graph::Interpolation::Bicubic;
    Operation::Positions { grid, prefix: prefix.unwrap_or(0), interpolation }
}

/// The number of windows along each side of a map.
fn windows(window: &Window, sides: [usize; 2]) -> Result<[usize; 2], Reason> {
    let numbers = [window.kernel, window.stride, window.dilation];
    if numbers.iter().flatten().any(|number| !(1..=LARGEST_WINDOW).contains(number)) {
        return Err(format!(
            "the window {:?}, stride {:?}: expected 1 to {LARGEST_WINDOW}",
            window.kernel, window.stride
        ));
    }
    if let Padding::Explicit { begin, end } = window.padding
        && let Some(axis) = (0..2).find(|axis| begin[*axis].max(end[*axis]) >= window.extent(*axis))
    {
        let (most, extent) = (begin[axis].max(end[axis]), window.extent(axis));
        return Err(format!("padding of {most}: expected less than the extent of the window, {extent}"));
    }
    let output = window.output(sides);
    match output.iter().all(|side| (1..=MOST_SIDE).contains(side)) {
        true => Ok(output),
        false => Err(format!("nothing is left of a map of {}×{}", sides[0], sides[1])),
    }
}
