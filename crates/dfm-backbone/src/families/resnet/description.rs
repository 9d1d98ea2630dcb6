//! The description of one ResNet.

use serde::{Deserialize, Serialize};

use super::known::{KNOWN, NAMES};
use super::parts::{Block, MaxPoolPadding, StridePlacement};
use super::shape::{BlockShape, ConvolutionShape};
use crate::error::BackboneError;

/// More parameters than any known network has. The limit keeps a hostile header from asking for
/// terabytes.
const MOST_PARAMETERS: u64 = 1 << 29;

/// A description of one whole ResNet by a few fields. [`Architecture`](crate::Architecture) is made of it.
///
/// ```
/// use dfm_backbone::{Architecture, Layer, ResNet};
///
/// let narrow = ResNet { name: "mine".to_owned(), width: 16, ..ResNet::known("resnet18").expect("a name") };
/// let architecture = Architecture::from(narrow);
/// assert_eq!(architecture.channels(Layer::named("layer2"))?, 32);
/// # Ok::<(), dfm_backbone::BackboneError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNet {
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

impl ResNet {
    /// The number of stages: `layer1` to `layer4`.
    pub const STAGES: usize = 4;

    /// The ResNet called `name`, if it is one of [`names`](Self::names).
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
        let parameters = self.parameters();
        if parameters > MOST_PARAMETERS {
            return Err(self.wrong("size", format!("at most {MOST_PARAMETERS} parameters"), parameters));
        }
        Ok(())
    }

    /// Every convolution of the first `stages` stages, in the one order that weights are kept in: the stem,
    /// then block by block the projection (where there is one) and the residual branch.
    pub fn convolutions(&self, stages: usize) -> Vec<ConvolutionShape> {
        let blocks = self.blocks(stages).into_iter();
        let flat = blocks.flat_map(|block| block.projection.into_iter().chain(block.branch));
        std::iter::once(self.stem()).chain(flat).collect()
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

    /// Every residual block of the first `stages` stages.
    pub(crate) fn blocks(&self, stages: usize) -> Vec<BlockShape> {
        let depths = self.depths.into_iter().enumerate().take(stages);
        depths
            .flat_map(|(stage, depth)| (0..depth).map(move |index| self.block_shape(stage, index)))
            .collect()
    }

    fn block_shape(&self, stage: usize, index: usize) -> BlockShape {
        let planes = self.width << stage;
        let out = planes * self.block.expansion();
        let input = match (index, stage) {
            (0, 0) => self.stem_width,
            (0, _) => out / 2,
            _ => out,
        };
        let stride = if index == 0 && stage > 0 { 2 } else { 1 };
        let block = format!("layer{}.{index}", stage + 1);
        let convolution =
            |name: &str, input: usize, out: usize, side: usize, stride: usize, groups: usize| {
                ConvolutionShape {
                    name: format!("{block}.{name}"),
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
        BlockShape { name: block, stage, projection, branch }
    }

    fn parameters(&self) -> u64 {
        let convolutions = self.convolutions(Self::STAGES);
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
