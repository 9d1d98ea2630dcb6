//! Files of named tensors, with the names that torchvision and timm use.

use std::collections::HashSet;

use dfm_graph::{Graph, NodeId, Parameter};

use super::named::NamedTensors;
use super::official::WithRegisters;
use crate::architecture::Architecture;
use crate::error::BackboneError;
use crate::families::draft::{Drafted, Part, Source};
use crate::layer::Layer;
use crate::weights::error::WeightsError;
use crate::weights::fold::{BatchNorm, Folded, fold, fold_scale};
use crate::weights::format;

/// The most prefixes that are tried. A file of one network has a few.
const MOST_PREFIXES: usize = 256;

/// The values of each parameter of `architecture` up to `deepest`, batch norms folded in, and the
/// architecture itself, some of which the file may decide.
pub(super) fn assemble(
    file: &impl NamedTensors,
    architecture: &Architecture,
    deepest: Layer,
) -> Result<(Architecture, Vec<Vec<f32>>), WeightsError> {
    match WithRegisters::of(file) {
        Some(official) => assemble_named(&official, architecture, deepest),
        None => assemble_named(file, architecture, deepest),
    }
}

/// [`assemble`] for a file with the names of torchvision or timm.
fn assemble_named(
    file: &impl NamedTensors,
    architecture: &Architecture,
    deepest: Layer,
) -> Result<(Architecture, Vec<Vec<f32>>), WeightsError> {
    let names = file.names();
    let unnamed = || BackboneError::NoNames { architecture: architecture.name().to_owned() };
    let drafted = architecture.draft(&|_| None)?.ok_or_else(unnamed)?;
    let prefix = prefix(&names, &drafted);
    let shapes = |name: &str| file.shape(&format!("{prefix}{name}"));
    let drafted = architecture.draft(&shapes)?.ok_or_else(unnamed)?;
    let architecture = match architecture.resnet() {
        Some(_) => architecture.clone(),
        None => {
            let of_file = Architecture::of_graph(architecture.name(), drafted.graph.clone());
            if of_file != *architecture && !architecture.is_known() {
                return Err(BackboneError::OtherGraph { architecture: architecture.name().to_owned() }.into());
            }
            of_file
        }
    };
    let graph = architecture.graph_to(deepest)?;
    let mut reading =
        Reading { file, prefix: &prefix, architecture: architecture.name(), used: HashSet::new() };
    let parameters = graph.parameters();
    let mut values = Vec::with_capacity(parameters.len());
    for of_node in parameters.chunk_by(|one, other| one.node == other.node) {
        let name = graph.node(of_node[0].node).name();
        let source = drafted.graph.tap(name).and_then(|node| drafted.sources.get(&node));
        reading.node(source.expect("a family states the source of each node"), of_node, &mut values)?;
    }
    let used = reading.used;
    let behind = Behind::new(&drafted, &graph);
    let is_known = |name: &String| {
        used.contains(name) || name.strip_prefix(&prefix).is_some_and(|name| behind.skips(name, drafted.head))
    };
    match names.into_iter().find(|name| !is_known(name)) {
        Some(tensor) => Err(WeightsError::Unused { tensor, architecture: architecture.name().to_owned() }),
        None => Ok((architecture, values)),
    }
}

/// A file while the parameters of one node after the other are read.
struct Reading<'a, F> {
    file: &'a F,
    prefix: &'a str,
    architecture: &'a str,
    used: HashSet<String>,
}

impl<F: NamedTensors> Reading<'_, F> {
    /// Reads the `parameters` of a node.
    fn node(
        &mut self,
        source: &Source,
        parameters: &[Parameter],
        values: &mut Vec<Vec<f32>>,
    ) -> Result<(), WeightsError> {
        match source {
            Source::Normed { name, norm, epsilon } => {
                let weight = self.tensor(&format!("{name}.weight"), &parameters[0].dims)?;
                let channels = &parameters[1].dims;
                let mut part = |part: &str| self.tensor(&format!("{norm}.{part}"), channels);
                let (scale, shift) = (part("weight")?, part("bias")?);
                let (mean, variance) = (part("running_mean")?, part("running_var")?);
                self.used.insert(format!("{}{norm}.num_batches_tracked", self.prefix));
                let norm_of = BatchNorm { scale, shift, mean, variance, epsilon: *epsilon };
                let variances = format!("{}{norm}.running_var", self.prefix);
                let Folded { weight, bias } = fold(&weight, None, &norm_of, &variances)?;
                values.extend([weight, bias]);
            }
            Source::Scaled { name, scale } => {
                let weight = self.tensor(&format!("{name}.weight"), &parameters[0].dims)?;
                let bias = self.tensor(&format!("{name}.bias"), &parameters[1].dims)?;
                let scale = self.tensor(scale, &parameters[1].dims)?;
                let Folded { weight, bias } = fold_scale(&weight, &bias, &scale);
                values.extend([weight, bias]);
            }
            Source::Plain { name, has_bias } => {
                for parameter in parameters {
                    values.push(match parameter.suffix == "bias" && !has_bias {
                        true => vec![0.0; parameter.len()],
                        false => self.tensor(&format!("{name}.{}", parameter.suffix), &parameter.dims)?,
                    });
                }
            }
            Source::Joined(parts) => {
                let mut joined = Vec::with_capacity(parameters[0].len());
                for Part { name, rows } in parts {
                    let mut dims = parameters[0].dims.clone();
                    dims[0] = *rows;
                    joined.extend(self.tensor(name, &dims)?);
                }
                values.push(joined);
            }
        }
        Ok(())
    }

    /// The values of a tensor. Sides of length 1 do not count in its shape.
    fn tensor(&mut self, name: &str, dims: &[usize]) -> Result<Vec<f32>, WeightsError> {
        let name = format!("{}{name}", self.prefix);
        let values = read(self.file, &name, dims, self.architecture)?;
        self.used.insert(name);
        Ok(values)
    }
}

/// What a file may hold behind the deepest layer.
struct Behind {
    /// The beginnings of the names of tensors of later layers.
    parts: Vec<String>,
    /// The tensors of nodes that are not needed.
    tensors: HashSet<String>,
}

impl Behind {
    fn new(drafted: &Drafted, kept: &Graph) -> Self {
        let is_kept = |node: NodeId| kept.tap(drafted.graph.node(node).name()).is_some();
        let later = drafted.graph.taps().filter(|(_, node)| !is_kept(*node));
        let parts = later.map(|(name, _)| format!("{name}.")).collect();
        let dropped = drafted.sources.iter().filter(|(node, _)| !is_kept(**node));
        Self { parts, tensors: dropped.flat_map(|(_, source)| tensors_of(source)).collect() }
    }

    fn skips(&self, name: &str, head: &[&str]) -> bool {
        let begins = |part: &str| name.strip_prefix(part).is_some_and(|rest| rest.starts_with('.'));
        self.parts.iter().any(|part| name.starts_with(part))
            || head.iter().any(|part| *part == name || begins(part))
            || self.tensors.contains(name)
    }
}

/// Every tensor that a source reads, and the counter that is beside a batch norm.
fn tensors_of(source: &Source) -> Vec<String> {
    match source {
        Source::Normed { name, norm, .. } => {
            let of_norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];
            let of_norm = of_norm.iter().map(|part| format!("{norm}.{part}"));
            std::iter::once(format!("{name}.weight")).chain(of_norm).collect()
        }
        Source::Scaled { name, scale } => {
            vec![format!("{name}.weight"), format!("{name}.bias"), scale.clone()]
        }
        Source::Plain { name, has_bias: true } => vec![format!("{name}.weight"), format!("{name}.bias")],
        Source::Plain { name, has_bias: false } => vec![format!("{name}.weight")],
        Source::Joined(parts) => parts.iter().map(|part| part.name.clone()).collect(),
    }
}

/// The prefix of every name, as in `backbone.conv1.weight`: the part before the name of the network's first
/// tensor with which most tensors of the network are in the file. It is empty if none is there, so that the
/// plain name of a tensor is reported as missing.
fn prefix(names: &[String], drafted: &Drafted) -> String {
    let tensors: Vec<String> = drafted.sources.values().flat_map(tensors_of).collect();
    let Some(first) = tensors.first() else { return String::new() };
    let known: HashSet<&str> = names.iter().map(String::as_str).collect();
    let found = |prefix: &str| {
        tensors.iter().filter(|tensor| known.contains(format!("{prefix}{tensor}").as_str())).count()
    };
    let prefixes = names.iter().filter_map(|name| name.strip_suffix(first.as_str()));
    let of_network: HashSet<&str> = tensors.iter().map(String::as_str).collect();
    // `layer1.0.conv1.weight` is a tensor of its own, and not the `conv1.weight` of a network `layer1.0`.
    let is_other = |prefix: &str| {
        let name = format!("{prefix}{first}");
        let begins = std::iter::once(0).chain(prefix.match_indices('.').map(|(dot, _)| dot + 1));
        begins.filter(|begin| *begin < prefix.len()).any(|begin| of_network.contains(&name[begin..]))
    };
    let prefixes = prefixes.filter(|prefix| prefix.ends_with('.') && !is_other(prefix)).take(MOST_PREFIXES);
    let mut best = ("", found(""));
    for prefix in prefixes {
        let count = found(prefix);
        if count > best.1 {
            best = (prefix, count);
        }
    }
    best.0.to_owned()
}

fn read(
    file: &impl NamedTensors,
    name: &str,
    dims: &[usize],
    architecture: &str,
) -> Result<Vec<f32>, WeightsError> {
    match file.shape(name) {
        None => Err(WeightsError::Missing {
            tensor: name.to_owned(),
            expected: format!("{dims:?}"),
            architecture: architecture.to_owned(),
        }),
        Some(shape) if !same_shape(&shape, dims) => Err(WeightsError::Shape {
            tensor: name.to_owned(),
            expected: format!("{dims:?}"),
            got: format!("{shape:?}"),
        }),
        Some(_) => file.read(name),
    }
}

/// Whether two shapes are the same but for sides of length 1.
fn same_shape(one: &[usize], other: &[usize]) -> bool {
    let sides = |dims: &[usize]| dims.iter().copied().filter(|side| *side != 1).collect::<Vec<_>>();
    sides(one) == sides(other)
}

/// The error for a tensor whose type is not floating point.
pub(super) fn not_floating_point(name: &str, got: impl std::fmt::Debug) -> WeightsError {
    WeightsError::Shape {
        tensor: name.to_owned(),
        expected: "floating-point values".to_owned(),
        got: format!("{got:?}"),
    }
}

/// The values of a safetensors view as `f32`.
pub(super) fn widen(
    name: &str,
    view: &safetensors::tensor::TensorView<'_>,
) -> Result<Vec<f32>, WeightsError> {
    format::widen(view).ok_or_else(|| not_floating_point(name, view.dtype()))
}
