//! A graph that Burn runs, on any device.

use burn::tensor::{Device, Tensor};
use dfm_graph::NodeId;

use super::step::Step;
use super::value::Value;
use crate::error::BackboneError;
use crate::weights::BackboneWeights;

/// A network on a device, for pictures of the size that its weights ask for.
#[derive(Debug, Clone)]
pub(crate) struct BurnNetwork {
    nodes: Vec<Placed>,
}

#[derive(Debug, Clone)]
struct Placed {
    step: Step,
    inputs: Vec<usize>,
    /// The last node that reads the value; the node itself if none does.
    last_reader: usize,
    /// The sides of the map or the grid, if the value is tapped.
    tapped: Option<[usize; 2]>,
}

impl BurnNetwork {
    /// Puts the weights on `device`. Every node of their graph runs, and `taps` are tapped.
    ///
    /// # Errors
    ///
    /// If the graph has an operation that this engine does not know, or the size of pictures does not fit it.
    pub(crate) fn new(
        weights: &BackboneWeights,
        taps: &[NodeId],
        device: &Device,
    ) -> Result<Self, BackboneError> {
        let (graph, header) = (weights.graph(), weights.header());
        let size = [header.input.height, header.input.width];
        let shapes = graph.shapes(size).map_err(|cause| header.architecture.graph_error(cause))?;
        let (parameters, readers) = (graph.parameters(), graph.readers());
        let mut nodes = Vec::with_capacity(shapes.len());
        for id in graph.ids() {
            let node = graph.node(id);
            let first = parameters.partition_point(|parameter| parameter.node < id);
            let behind = parameters.partition_point(|parameter| parameter.node <= id);
            let input = node.inputs().first().map(|input| &shapes[input.index()]);
            let step = Step::new(node, input, &weights.values()[first..behind], device);
            let step = step.ok_or_else(|| BackboneError::Operation {
                architecture: header.architecture.name().to_owned(),
                node: node.name().to_owned(),
                operation: node.operation().name(),
            })?;
            nodes.push(Placed {
                step,
                inputs: node.inputs().iter().map(|input| input.index()).collect(),
                last_reader: readers[id.index()].last().map_or(id.index(), |reader| reader.index()),
                tapped: taps.contains(&id).then_some(shapes[id.index()].sides),
            });
        }
        Ok(Self { nodes })
    }

    /// Runs prepared pictures, and gives `take` the map of each tap as soon as it is computed. A value stays
    /// in memory until the last node has read it. Only the result of `take` stays longer.
    ///
    /// # Shapes
    ///
    /// - pictures: `[N, 3, H, W]`
    /// - maps: `[N, C, h, w]`; of tokens, those of the grid
    pub(crate) fn forward<T>(&self, pictures: Tensor<4>, mut take: impl FnMut(Tensor<4>) -> T) -> Vec<T> {
        let mut values: Vec<Option<Value>> = vec![None; self.nodes.len()];
        let mut pictures = Some(Value::Map(pictures));
        let mut taken = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let mut inputs: Vec<Value> = pictures.take().into_iter().collect();
            for (place, input) in node.inputs.iter().enumerate() {
                let is_last =
                    self.nodes[*input].last_reader == index && !node.inputs[place + 1..].contains(input);
                let value = if is_last { values[*input].take() } else { values[*input].clone() };
                inputs.push(value.expect("a value stays until its last reader"));
            }
            let value = node.step.run(inputs);
            if let Some(sides) = node.tapped {
                taken.push(take(value.clone().grid(sides)));
            }
            if node.last_reader > index {
                values[index] = Some(value);
            }
        }
        taken
    }
}
