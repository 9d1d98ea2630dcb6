//! Weights and inputs that are made, not committed, by the rule in
//! `make_backbone.py`.

use std::borrow::Cow;

use dfm_backbone::{Block, ConvolutionShape, CounterGenerator, Layer, ResNet};
use safetensors::{Dtype, View};
use sha2::{Digest, Sha256};

/// The same as in `make_backbone.py`.
const SEED: u64 = 3;
const GENERATOR_SHA256: &str = "a14bcfa690473fb8b9d08592b3a258e0f2b1e226e13587def5bd58423aeadb45";

/// Height and width of [`input`].
pub(crate) const SIZE: [usize; 2] = [64, 96];

#[test]
fn the_generator_gives_what_the_one_of_the_fixtures_gives() {
    let streams = [CounterGenerator::new(0), CounterGenerator::for_name(SEED, "check")];
    let mut hasher = Sha256::new();
    for stream in streams {
        (0..1024).for_each(|index| hasher.update(stream.value(index).to_le_bytes()));
    }
    let got: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(got, GENERATOR_SHA256);
}

/// The input of the generated networks, `[1, 3, 64, 96]`.
pub(crate) fn input() -> Vec<f32> {
    units("input", 3 * SIZE[0] * SIZE[1]).collect()
}

/// A state dict with torchvision's names, as safetensors.
pub(crate) fn state_dict(resnet: &ResNet, deepest: Layer) -> Vec<u8> {
    let mut tensors = Vec::new();
    let stages = 1 + Layer::RESNET.iter().position(|stage| *stage == deepest).expect("a stage");
    for shape in resnet.convolutions(stages) {
        let (convolution, norm) = torch_names(&shape.name);
        let fan_in: usize = shape.weight_dims()[1..].iter().product();
        let bound = (6.0 / fan_in as f64).sqrt() as f32;
        let mut push = |name: String, dims: Vec<usize>, value: &dyn Fn(f32) -> f32| {
            let stream = format!("{}/{name}", resnet.name);
            let values =
                units(&stream, dims.iter().product()).map(value).flat_map(f32::to_le_bytes).collect();
            tensors.push((name, Tensor { dims, bytes: values }));
        };
        push(format!("{convolution}.weight"), shape.weight_dims().to_vec(), &|u| bound * u);
        let scale = if is_last_of_its_branch(&shape, resnet.block) { 0.25 } else { 1.0 };
        let channels = vec![shape.out_channels];
        push(format!("{norm}.weight"), channels.clone(), &|u| scale * (1.0 + 0.5 * u));
        push(format!("{norm}.bias"), channels.clone(), &|u| 0.2 * u);
        push(format!("{norm}.running_mean"), channels.clone(), &|u| 0.3 * u);
        push(format!("{norm}.running_var"), channels, &|u| 1.0 + 0.5 * u);
    }
    safetensors::serialize(tensors, None).expect("a serialized state dict")
}

fn is_last_of_its_branch(shape: &ConvolutionShape, block: Block) -> bool {
    shape.name.ends_with(match block {
        Block::Basic => "conv2",
        Block::Bottleneck => "conv3",
    })
}

/// torchvision's names of a convolution and of the norm behind it.
fn torch_names(name: &str) -> (String, String) {
    if name == "stem" {
        return ("conv1".to_owned(), "bn1".to_owned());
    }
    match name.rsplit_once('.').expect("layer, block and convolution") {
        (block, "projection") => (format!("{block}.downsample.0"), format!("{block}.downsample.1")),
        (block, convolution) => (name.to_owned(), format!("{block}.bn{}", &convolution["conv".len()..])),
    }
}

pub(crate) fn units(stream: &str, count: usize) -> impl Iterator<Item = f32> {
    let stream = CounterGenerator::for_name(SEED, stream);
    (0..count as u64).map(move |index| stream.unit_f32(index))
}

/// An `f32` tensor on its way to a file.
pub(crate) struct Tensor {
    pub(crate) dims: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

impl View for Tensor {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.dims
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}
