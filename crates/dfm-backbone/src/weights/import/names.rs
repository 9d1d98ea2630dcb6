//! Files of named tensors, with the names that torchvision and timm use.

use std::collections::HashSet;

use crate::architecture::{Architecture, ConvolutionShape};
use crate::layer::Layer;
use crate::weights::convolution::ConvolutionWeights;
use crate::weights::error::WeightsError;
use crate::weights::fold::{BatchNorm, EPSILON, fold};
use crate::weights::format;

/// A file of named tensors, read one at a time.
pub(super) trait NamedTensors {
    /// Every name.
    fn names(&self) -> Vec<String>;
    /// The shape of the tensor `name`; `None` if there is no such tensor.
    fn shape(&self, name: &str) -> Option<Vec<usize>>;
    /// The values of the tensor `name`. It is called only once the shape is known to be right.
    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError>;
}

/// The convolutions of `architecture` up to `deepest`, batch norms folded in.
pub(super) fn assemble(
    file: &impl NamedTensors,
    architecture: &Architecture,
    deepest: Layer,
) -> Result<Vec<ConvolutionWeights>, WeightsError> {
    let names = file.names();
    let prefix = prefix(&names);
    let mut used = HashSet::new();
    let mut convolutions = Vec::new();
    for shape in architecture.convolutions(deepest) {
        let (convolution, norm) = torch_names(&shape);
        let mut read = |name: String, dims: &[usize]| {
            let name = format!("{prefix}{name}");
            let values = read(file, &name, dims, architecture);
            used.insert(name);
            values
        };
        let weight = read(format!("{convolution}.weight"), &shape.weight_dims())?;
        let mut part = |part: &str| read(format!("{norm}.{part}"), &[shape.out_channels]);
        let (scale, shift) = (part("weight")?, part("bias")?);
        let (mean, variance) = (part("running_mean")?, part("running_var")?);
        used.insert(format!("{prefix}{norm}.num_batches_tracked"));
        let variances = format!("{prefix}{norm}.running_var");
        let norm = BatchNorm { scale, shift, mean, variance, epsilon: EPSILON };
        convolutions.push(fold(&weight, None, &norm, &variances)?);
    }
    let skipped = |name: &str| {
        name.strip_prefix(&prefix).is_some_and(|name| {
            let later = Layer::ALL.into_iter().filter(|layer| *layer > deepest);
            later
                .map(Layer::name)
                .chain(["fc", "classifier"])
                .any(|part| name.starts_with(&format!("{part}.")))
        })
    };
    match names.into_iter().find(|name| !used.contains(name) && !skipped(name)) {
        Some(tensor) => Err(WeightsError::Unused { tensor, architecture: architecture.name.clone() }),
        None => Ok(convolutions),
    }
}

/// The prefix of every name: the part before the name of the stem. It is empty if there is no stem, so
/// that the plain name of the stem is reported as missing.
fn prefix(names: &[String]) -> String {
    let known: HashSet<&str> = names.iter().map(String::as_str).collect();
    let in_a_block = |prefix: &str| {
        // Each block has a `layer1.0.conv1.weight`.
        let part = prefix.rsplit('.').nth(2);
        part.is_some_and(|part| Layer::ALL.iter().any(|layer| layer.name() == part))
    };
    let stems = names.iter().filter_map(|name| name.strip_suffix("conv1.weight"));
    let mut prefixes =
        stems.filter(|prefix| (prefix.is_empty() || prefix.ends_with('.')) && !in_a_block(prefix));
    // Another part of the file may have a `conv1`, too, but it has no blocks.
    let first = prefixes.clone().next();
    let network = prefixes.find(|prefix| known.contains(format!("{prefix}layer1.0.conv1.weight").as_str()));
    network.or(first).unwrap_or_default().to_owned()
}

/// The names of a convolution and of the batch norm behind it.
fn torch_names(shape: &ConvolutionShape) -> (String, String) {
    match shape.name.as_str() {
        "stem" => ("conv1".to_owned(), "bn1".to_owned()),
        name => match name.strip_suffix("projection") {
            Some(block) => (format!("{block}downsample.0"), format!("{block}downsample.1")),
            None => (name.to_owned(), name.replace("conv", "bn")),
        },
    }
}

fn read(
    file: &impl NamedTensors,
    name: &str,
    dims: &[usize],
    architecture: &Architecture,
) -> Result<Vec<f32>, WeightsError> {
    match file.shape(name) {
        None => Err(WeightsError::Missing {
            tensor: name.to_owned(),
            expected: format!("{dims:?}"),
            architecture: architecture.name.clone(),
        }),
        Some(shape) if shape != dims => Err(WeightsError::Shape {
            tensor: name.to_owned(),
            expected: format!("{dims:?}"),
            got: format!("{shape:?}"),
        }),
        Some(_) => file.read(name),
    }
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
