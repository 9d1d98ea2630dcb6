//! The description of one ResNet.

use dfm_image::InputContract;
use serde::{Deserialize, Serialize};

use super::known::{KNOWN, NAMES};
use super::parts::{Block, MaxPoolPadding, StridePlacement};
use super::shape::{BlockShape, ConvolutionShape};
use crate::error::BackboneError;
use crate::layer::Layer;

/// More parameters than any known network has. The limit keeps a hostile header from asking for
/// terabytes.
const MOST_PARAMETERS: u64 = 1 << 29;

/// A description of one whole ResNet. It does not say where features are taken.
///
/// ```
/// use dfm_backbone::{Architecture, Layer};
///
/// let architecture = Architecture::known("resnet50_1by2").expect("a known name");
/// assert_eq!(architecture.channels(Layer::Layer3), 512);
/// assert_eq!(architecture.feature_size(Layer::Layer3, [256, 256]), [16, 16]);
/// assert_eq!(architecture.parameter_count(Layer::Layer3), 2_148_032);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// The name, such as `resnet50`.
    pub name: String,
    /// The kind of block that every stage repeats.
    pub block: Block,
    /// Blocks in each stage.
    pub depths: [usize; 4],
    /// Output channels of the stem.
    pub stem_width: usize,
    /// Planes of the first stage, doubled in each later one: 64 in the paper.
    pub width: usize,
    /// Groups of the 3×3 convolution in a bottleneck.
    pub groups: usize,
    /// Channels of each of those groups for 64 planes: 64 in the paper.
    pub width_per_group: usize,
    /// Which convolution halves the map.
    pub stride_placement: StridePlacement,
    /// Padding of the maximum pooling after the stem.
    pub max_pool_padding: MaxPoolPadding,
}

impl Architecture {
    /// The architecture called `name`, if it is one of [`names`](Self::names).
    pub fn known(name: &str) -> Option<Self> {
        let (_, description) = KNOWN.iter().find(|(known, _)| *known == name)?;
        Some(Self {
            name: name.to_owned(),
            block: description.block,
            depths: description.depths,
            stem_width: 64,
            width: description.width,
            groups: description.groups,
            width_per_group: description.width_per_group,
            stride_placement: description.stride_placement,
            max_pool_padding: description.max_pool_padding,
        })
    }

    /// The input contract of the usual weights: [`InputContract::caffe`] for `resnet50_1by2`,
    /// [`InputContract::imagenet`] for every other architecture.
    ///
    /// ```
    /// use dfm_backbone::{Architecture, InputContract};
    ///
    /// let half_width = Architecture::known("resnet50_1by2").expect("a known name");
    /// assert_eq!(half_width.usual_input(), InputContract::caffe());
    /// ```
    pub fn usual_input(&self) -> InputContract {
        match self.name.as_str() {
            "resnet50_1by2" => InputContract::caffe(),
            _ => InputContract::imagenet(),
        }
    }

    /// Every name that [`known`](Self::known) knows.
    pub fn names() -> &'static [&'static str] {
        &NAMES
    }

    /// Checks that a network can be built from this description, which may come from an untrusted
    /// file.
    ///
    /// # Errors
    ///
    /// [`BackboneError::Architecture`] with the first field that is out of bounds.
    pub fn check(&self) -> Result<(), BackboneError> {
        let legal = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if !(1..=64).contains(&self.name.len()) || !self.name.chars().all(legal) {
            let shown: String = self.name.chars().take(64).collect();
            return Err(self.wrong("name", "1 to 64 letters, digits, '_', '-' or '.'", shown));
        }
        for (field, value, most) in [
            ("depths", self.depths[0], 256),
            ("depths", self.depths[1], 256),
            ("depths", self.depths[2], 256),
            ("depths", self.depths[3], 256),
            ("stem_width", self.stem_width, 1024),
            ("width", self.width, 1024),
            ("groups", self.groups, 1024),
            ("width_per_group", self.width_per_group, 4096),
        ] {
            if !(1..=most).contains(&value) {
                return Err(self.wrong(field, format!("between 1 and {most}"), value));
            }
        }
        if self.block == Block::Basic && (self.groups, self.width_per_group) != (1, 64) {
            let got = format!("{} and {}", self.groups, self.width_per_group);
            return Err(self.wrong("groups and width_per_group", "1 and 64 in basic blocks", got));
        }
        if self.width * self.width_per_group < 64 {
            let expected = "wide enough to leave one channel a group";
            return Err(self.wrong("width_per_group", expected, self.width_per_group));
        }
        let parameters = self.parameters(Layer::Layer4);
        if parameters > MOST_PARAMETERS {
            return Err(self.wrong("size", format!("at most {MOST_PARAMETERS} parameters"), parameters));
        }
        Ok(())
    }

    /// Every convolution up to and including the stage `tap`, in the one order
    /// that weights are kept in: the stem, then block by block the projection
    /// (where there is one) and the residual branch.
    pub fn convolutions(&self, tap: Layer) -> Vec<ConvolutionShape> {
        let blocks = self.blocks(tap).into_iter();
        let flat = blocks.flat_map(|block| block.projection.into_iter().chain(block.branch));
        std::iter::once(self.stem()).chain(flat).collect()
    }

    /// Channels of the feature map at `layer`.
    pub fn channels(&self, layer: Layer) -> usize {
        self.planes(layer) * self.block.expansion()
    }

    /// Weights and biases up to and including the stage `tap`.
    pub fn parameter_count(&self, tap: Layer) -> usize {
        usize::try_from(self.parameters(tap)).unwrap_or(usize::MAX)
    }

    /// Height and width of the feature map at `tap` for a picture of `size`
    /// (height, width) pixels; 0 where the picture is too small to have one.
    pub fn feature_size(&self, tap: Layer, size: [usize; 2]) -> [usize; 2] {
        let (begin, end) = self.max_pool_padding.sides();
        size.map(|side| {
            let stem = windows(side, 7, 6);
            let pooled = windows(stem, 3, begin + end);
            // Both placements of the stride halve a side and round up.
            (0..tap.index()).fold(pooled, |side, _| windows(side, 1, 0))
        })
    }

    /// The first convolution.
    pub(crate) fn stem(&self) -> ConvolutionShape {
        ConvolutionShape {
            name: "stem".to_owned(),
            out_channels: self.stem_width,
            in_channels_per_group: 3,
            kernel: [7, 7],
            stride: 2,
            padding: 3,
            groups: 1,
        }
    }

    /// Every residual block up to and including the stage `tap`.
    pub(crate) fn blocks(&self, tap: Layer) -> Vec<BlockShape> {
        let stages = Layer::ALL.into_iter().take_while(|layer| *layer <= tap);
        stages
            .flat_map(|layer| {
                (0..self.depths[layer.index()]).map(move |index| self.block_shape(layer, index))
            })
            .collect()
    }

    fn block_shape(&self, layer: Layer, index: usize) -> BlockShape {
        let planes = self.planes(layer);
        let out = self.channels(layer);
        let input = match (index, layer.index()) {
            (0, 0) => self.stem_width,
            (0, previous) => self.channels(Layer::ALL[previous - 1]),
            _ => out,
        };
        let stride = if index == 0 && layer != Layer::Layer1 { 2 } else { 1 };
        let convolution =
            |name: &str, input: usize, out: usize, side: usize, stride: usize, groups: usize| {
                ConvolutionShape {
                    name: format!("{layer}.{index}.{name}"),
                    out_channels: out,
                    in_channels_per_group: input / groups,
                    kernel: [side, side],
                    stride,
                    padding: side / 2,
                    groups,
                }
            };
        let projection =
            (stride != 1 || input != out).then(|| convolution("projection", input, out, 1, stride, 1));
        let branch = match self.block {
            Block::Basic => vec![
                convolution("conv1", input, planes, 3, stride, 1),
                convolution("conv2", planes, planes, 3, 1, 1),
            ],
            Block::Bottleneck => {
                let inner = planes * self.width_per_group / 64 * self.groups;
                let (first, spatial) = match self.stride_placement {
                    StridePlacement::FirstConvolution => (stride, 1),
                    StridePlacement::SpatialConvolution => (1, stride),
                };
                vec![
                    convolution("conv1", input, inner, 1, first, 1),
                    convolution("conv2", inner, inner, 3, spatial, self.groups),
                    convolution("conv3", inner, out, 1, 1, 1),
                ]
            }
        };
        BlockShape { projection, branch }
    }

    fn planes(&self, layer: Layer) -> usize {
        self.width << layer.index()
    }

    fn parameters(&self, tap: Layer) -> u64 {
        let convolutions = self.convolutions(tap);
        convolutions.iter().fold(0_u64, |sum, shape| {
            sum.saturating_add(shape.weight_count() as u64).saturating_add(shape.out_channels as u64)
        })
    }

    fn wrong(&self, field: &'static str, expected: impl ToString, got: impl ToString) -> BackboneError {
        BackboneError::Architecture {
            architecture: self.name.chars().take(64).collect(),
            field,
            expected: expected.to_string(),
            got: got.to_string(),
        }
    }
}

/// Windows of `kernel` pixels, two apart, over `side` pixels and `padding` more.
fn windows(side: usize, kernel: usize, padding: usize) -> usize {
    if side == 0 {
        return 0;
    }
    (side + padding).checked_sub(kernel).map_or(0, |room| room / 2 + 1)
}
