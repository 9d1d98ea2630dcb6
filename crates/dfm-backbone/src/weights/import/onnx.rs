//! Convolutions from an ONNX graph. The names of constants mean nothing in such a file, and
//! their order is arbitrary. The importer therefore follows the data from the first convolution
//! through every block to the tap, and checks that each node is the one that the architecture
//! has there. A graph that wires the same convolutions in another way (norms before them,
//! another pool) is refused and not misread.

use super::onnx_graph::{Graph, GraphProto, NodeProto};
use crate::architecture::Architecture;
use crate::error::BackboneError;
use crate::families::draft::EPSILON;
use crate::families::resnet::{BlockShape, ConvolutionShape, ResNet};
use crate::layer::Layer;
use crate::weights::error::WeightsError;
use crate::weights::fold::{BatchNorm, Folded, fold};

/// From `[N, H, W, C]` to `[N, C, H, W]`.
const CHANNELS_FIRST: [i64; 4] = [0, 3, 1, 2];

/// The values of each parameter of a ResNet up to `deepest`, which must be a stage, batch norms folded in.
pub(super) fn values(
    bytes: &[u8],
    architecture: &Architecture,
    deepest: Layer,
) -> Result<Vec<Vec<f32>>, WeightsError> {
    let name = || architecture.name().to_owned();
    let resnet = architecture.resnet().ok_or_else(|| BackboneError::NoNames { architecture: name() })?;
    let stage = Layer::RESNET.iter().position(|stage| *stage == deepest);
    let stages = 1 + stage.ok_or_else(|| BackboneError::UnknownLayer {
        architecture: name(),
        got: Box::new(deepest),
        expected: Layer::RESNET.map(|layer| layer.to_string()).join(", "),
    })?;
    let graph = GraphProto::parse(bytes)?;
    let got = graph.node.iter().filter(|node| node.op_type == "Conv").count();
    // All convolutions are counted, although only a part may be read, because a graph of another depth
    // is another network. A graph that ends at the tap is accepted, too.
    let expected = resnet.convolutions(ResNet::STAGES).len();
    if got != expected && got != resnet.convolutions(stages).len() {
        return Err(WeightsError::Count { expected, got });
    }
    let stem = graph.node.iter().find(|node| node.op_type == "Conv");
    let stem = stem.ok_or(WeightsError::Count { expected, got })?;
    let index = Graph::new(&graph);
    every_constant_is_read(&graph, &index, architecture)?;
    starts_at_the_input(&index, stem)?;
    let mut walk = Walk { graph: &index, found: Vec::new() };
    let value = walk.convolution(stem, &resnet.stem())?;
    let value = walk.only(value, "Relu", "the stem")?.output();
    let pool = walk.only(value, "MaxPool", "the stem")?;
    let (begin, end) = resnet.max_pool_padding.sides();
    agrees(pool, "kernel_shape", &[3; 2], &[])?;
    agrees(pool, "strides", &[2; 2], &[1; 2])?;
    agrees(pool, "pads", &[begin, begin, end, end].map(|side| side as i64), &[0; 4])?;
    agrees(pool, "dilations", &[1; 2], &[1; 2])?;
    no_automatic_padding(pool)?;
    let rounding = pool.attribute("ceil_mode").map_or(0, |attribute| attribute.i);
    expect_equal(pool, "ceil_mode", &[0], &[rounding])?;
    let mut value = pool.output();
    for block in resnet.blocks(stages) {
        value = walk.block(value, &block)?;
    }
    Ok(walk.found.into_iter().flat_map(|Folded { weight, bias }| [weight, bias]).collect())
}

/// Checks that some node reads every constant. A constant that no node reads belongs to a network that
/// is wired in another way.
fn every_constant_is_read(
    graph: &GraphProto,
    index: &Graph<'_>,
    architecture: &Architecture,
) -> Result<(), WeightsError> {
    match graph.initializer.iter().find(|tensor| index.readers(&tensor.name).is_empty()) {
        Some(tensor) => {
            let (tensor, architecture) = (tensor.name.clone(), architecture.name().to_owned());
            Err(WeightsError::Unused { tensor, architecture })
        }
        None => Ok(()),
    }
}

/// Checks that nothing stands before the stem except nodes that reorder the axes. Pictures are prepared
/// by the input contract. A graph that also prepares them would see them prepared twice.
fn starts_at_the_input(graph: &Graph<'_>, stem: &NodeProto) -> Result<(), WeightsError> {
    let mut value = stem.input(0);
    // Each step goes up one node, so a path with more steps than nodes is a circle.
    for _ in 0..=graph.nodes().len() {
        if graph.is_input(value) {
            return Ok(());
        }
        let before = graph.giver(value);
        match before {
            Some(node) if node.op_type == "Identity" => value = node.input(0),
            Some(node) if node.op_type == "Transpose" => {
                agrees(node, "perm", &CHANNELS_FIRST, &[])?;
                value = node.input(0);
            }
            _ => {
                let got = before.map_or_else(|| format!("'{value}'"), |node| node.op_type.clone());
                return Err(WeightsError::Graph {
                    what: "what comes before the stem".to_owned(),
                    expected: "the graph's input, by Transpose or Identity alone".to_owned(),
                    got,
                });
            }
        }
    }
    Err(WeightsError::Graph {
        what: "what comes before the stem".to_owned(),
        expected: "the graph's input".to_owned(),
        got: "a circle".to_owned(),
    })
}

/// A walk along the data, which collects convolutions.
struct Walk<'i, 'g> {
    graph: &'i Graph<'g>,
    found: Vec<Folded>,
}

impl<'g> Walk<'_, 'g> {
    /// The one node that reads `value`, which must be of the operator `expected`.
    fn only(&self, value: &str, expected: &str, after: &str) -> Result<&'g NodeProto, WeightsError> {
        match self.graph.readers(value) {
            [node] if node.op_type == expected => Ok(node),
            others => Err(wired_otherwise(&format!("what reads {after}"), expected, others)),
        }
    }

    /// Walks from `value`, the input of a residual block, to its output.
    fn block(&mut self, value: &'g str, block: &BlockShape) -> Result<&'g str, WeightsError> {
        let readers = self.graph.readers(value).to_vec();
        let (shortcut, mut node) = match (&block.projection, readers.as_slice()) {
            (Some(shape), [one, other]) if one.op_type == "Conv" && other.op_type == "Conv" => {
                // The order of the two in the file means nothing.
                let one_projects = self.leads_to_addition(one);
                if one_projects == self.leads_to_addition(other) {
                    return Err(wired_otherwise(&shape.name, "one of two to lead to Add", &readers));
                }
                let (projection, first) = if one_projects { (one, other) } else { (other, one) };
                (self.convolution(projection, shape)?, *first)
            }
            (None, [one, other]) if one.op_type == "Conv" && other.op_type == "Add" => (value, *one),
            (None, [one, other]) if one.op_type == "Add" && other.op_type == "Conv" => (value, *other),
            (projection, _) => {
                let expected = if projection.is_some() { "Conv, Conv" } else { "Conv, Add" };
                let what = format!("what reads the input of {}", block.branch[0].name);
                return Err(wired_otherwise(&what, expected, &readers));
            }
        };
        let mut branch = value;
        for (index, shape) in block.branch.iter().enumerate() {
            if index > 0 {
                let before = &block.branch[index - 1].name;
                let relu = self.only(branch, "Relu", before)?;
                node = self.only(relu.output(), "Conv", before)?;
            }
            branch = self.convolution(node, shape)?;
        }
        let name = &block.branch[block.branch.len() - 1].name;
        let sum = self.only(branch, "Add", name)?;
        if sum.input != [branch, shortcut] && sum.input != [shortcut, branch] {
            return Err(WeightsError::Graph {
                what: format!("the sum after {name}"),
                expected: format!("{branch} + {shortcut}"),
                got: sum.input.join(" + "),
            });
        }
        Ok(self.only(sum.output(), "Relu", name)?.output())
    }

    /// Collects the weights of `node`, which must be the convolution of `shape`, and folds in the batch
    /// norm behind it if there is one. Returns the value behind both.
    fn convolution(
        &mut self,
        node: &'g NodeProto,
        shape: &ConvolutionShape,
    ) -> Result<&'g str, WeightsError> {
        let group = node.attribute("group").map_or(1, |attribute| attribute.i);
        expect_equal(node, "group", &[shape.groups as i64], &[group])?;
        agrees(node, "strides", &[shape.stride as i64; 2], &[1; 2])?;
        agrees(node, "pads", &[shape.padding as i64; 4], &[0; 4])?;
        agrees(node, "dilations", &[1; 2], &[1; 2])?;
        no_automatic_padding(node)?;
        let weight = self.graph.constant(node.input(1), &shape.weight_dims())?;
        let channels = [shape.out_channels];
        let bias = match node.input(2) {
            "" => None,
            name => Some(self.graph.constant(name, &channels)?),
        };
        let Some(norm) = self.norm_after(node) else {
            let bias = bias.unwrap_or_else(|| vec![0.0; shape.out_channels]);
            self.found.push(Folded { weight, bias });
            return Ok(node.output());
        };
        let part = |index: usize| self.graph.constant(norm.input(index), &channels);
        let epsilon = norm.attribute("epsilon").map_or(EPSILON, |attribute| f64::from(attribute.f));
        let parts =
            BatchNorm { scale: part(1)?, shift: part(2)?, mean: part(3)?, variance: part(4)?, epsilon };
        self.found.push(fold(&weight, bias.as_deref(), &parts, norm.input(4))?);
        Ok(norm.output())
    }

    /// The batch norm that reads the output of `node`, if nothing else reads it.
    fn norm_after(&self, node: &NodeProto) -> Option<&'g NodeProto> {
        match self.graph.readers(node.output()) {
            [reader] if reader.op_type == "BatchNormalization" => Some(reader),
            _ => None,
        }
    }

    fn leads_to_addition(&self, node: &NodeProto) -> bool {
        let last = self.norm_after(node).map_or(node.output(), NodeProto::output);
        matches!(self.graph.readers(last), [reader] if reader.op_type == "Add")
    }
}

fn agrees(node: &NodeProto, attribute: &str, expected: &[i64], default: &[i64]) -> Result<(), WeightsError> {
    expect_equal(node, attribute, expected, &node.ints(attribute, default))
}

fn no_automatic_padding(node: &NodeProto) -> Result<(), WeightsError> {
    match node
        .attribute("auto_pad")
        .map_or("NOTSET".into(), |attribute| String::from_utf8_lossy(&attribute.s))
    {
        mode if mode == "NOTSET" => Ok(()),
        mode => Err(WeightsError::Graph {
            what: format!("auto_pad of {} node '{}'", node.op_type, node.name),
            expected: "NOTSET".to_owned(),
            got: mode.into_owned(),
        }),
    }
}

fn expect_equal(node: &NodeProto, what: &str, expected: &[i64], got: &[i64]) -> Result<(), WeightsError> {
    if expected == got {
        return Ok(());
    }
    Err(WeightsError::Graph {
        what: format!("{what} of {} node '{}' giving '{}'", node.op_type, node.name, node.output()),
        expected: format!("{expected:?}"),
        got: format!("{got:?}"),
    })
}

fn wired_otherwise(what: &str, expected: &str, got: &[&NodeProto]) -> WeightsError {
    let got: Vec<&str> = got.iter().take(8).map(|node| node.op_type.as_str()).collect();
    WeightsError::Graph {
        what: what.to_owned(),
        expected: expected.to_owned(),
        got: if got.is_empty() { "nothing".to_owned() } else { got.join(", ") },
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::super::onnx_graph::{ModelProto, ValueInfoProto};
    use super::*;

    /// About as many small nodes as fit into the limit on a graph.
    const MANY: usize = 190_000;

    fn node(kind: &str, input: String, output: String) -> NodeProto {
        NodeProto {
            input: vec![input],
            output: vec![output],
            op_type: kind.to_owned(),
            ..NodeProto::default()
        }
    }

    /// A value's name in three characters.
    fn name(index: usize) -> String {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        [12, 6, 0].map(|shift| char::from(DIGITS[index >> shift & 63])).into_iter().collect()
    }

    /// A graph whose stem stands behind a chain of [`MANY`] nodes, the first of which reads the value
    /// `begin`. The nodes lie in the file in the reverse order of the data.
    fn chain(begin: usize) -> GraphProto {
        let identity = |index: usize| node("Identity", name(index), name(index + 1));
        let mut nodes: Vec<NodeProto> = (0..MANY).map(identity).collect();
        nodes[0].input = vec![name(begin)];
        nodes.push(node("Conv", name(MANY), "stem".to_owned()));
        nodes.reverse();
        let input = vec![ValueInfoProto { name: name(0), ..ValueInfoProto::default() }];
        let graph = GraphProto { node: nodes, input, ..GraphProto::default() };
        let bytes = ModelProto { graph: Some(graph), ..ModelProto::default() }.encode_to_vec();
        GraphProto::parse(&bytes).expect("a graph within its limit")
    }

    /// A search through all nodes at each step would take minutes for either graph.
    #[test]
    fn a_chain_of_as_many_nodes_as_fit_is_followed_to_its_end() {
        let graph = chain(0);
        starts_at_the_input(&Graph::new(&graph), &graph.node[0]).expect("the input");
        // A circle: the first node reads what the last gives.
        let graph = chain(MANY);
        let error = starts_at_the_input(&Graph::new(&graph), &graph.node[0]).expect_err("a circle");
        assert!(matches!(&error, WeightsError::Graph { got, .. } if got == "a circle"), "{error}");
    }
}
