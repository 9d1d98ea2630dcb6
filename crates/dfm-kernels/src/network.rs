//! What a network is: convolutions with a bias, in residual blocks.

use crate::choice::Way;

/// A convolution with a bias.
#[derive(Debug, Clone, PartialEq)]
pub struct Convolution {
    /// Output channels.
    pub out_channels: usize,
    /// Input channels that one output channel sees.
    pub in_channels_per_group: usize,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Stride, the same both ways: 1 or 2.
    pub stride: usize,
    /// Zeros added on every side.
    pub padding: usize,
    /// Groups of channels that do not see each other.
    pub groups: usize,
    /// `[out_channels, in_channels_per_group, height, width]`.
    pub weight: Vec<f32>,
    /// `[out_channels]`.
    pub bias: Vec<f32>,
}

/// A maximum over windows of 3×3 pixels, two apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool {
    /// Rows above and columns to the left that are added.
    pub before: usize,
    /// Rows below and columns to the right that are added.
    pub after: usize,
}

/// A residual block: the sum of a branch and a shortcut, then a ReLU. Every
/// convolution of the branch but the last has a ReLU of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// On the shortcut, where the shapes on both sides differ.
    pub projection: Option<Convolution>,
    /// In order; at least two.
    pub branch: Vec<Convolution>,
}

/// Where features are taken out of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tap {
    /// Residual blocks that were run by then.
    pub blocks: usize,
    /// Side of the windows, side by side, whose averages are the features; 1 for the
    /// feature map itself.
    pub average: usize,
}

/// A stem (a convolution, a ReLU and a maximum) and residual blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Sees the picture.
    pub stem: Convolution,
    /// After the stem's ReLU.
    pub pool: MaxPool,
    /// In order.
    pub blocks: Vec<Block>,
    /// Where features are taken: one place or more, in order, the last after all blocks.
    pub taps: Vec<Tap>,
}

impl Network {
    /// Whether every convolution fits the one before it and is of a kind that the
    /// kernels compute: odd sides, padded so that only the stride changes the
    /// size, strides of one or two.
    ///
    /// # Errors
    ///
    /// [`KernelError::Convolution`] naming the first field that does not fit.
    pub fn check(&self) -> Result<(), KernelError> {
        self.check_taps()?;
        self.stem.check("stem", self.stem.in_channels_per_group)?;
        if self.stem.stride != 2 || self.stem.groups != 1 {
            let got = format!("{}, and {}", self.stem.stride, self.stem.groups);
            return Err(wrong("stem", "stride", "2, and groups 1", got));
        }
        let mut channels = self.stem.out_channels;
        for (index, block) in self.blocks.iter().enumerate() {
            let input = channels;
            if block.branch.len() < 2 {
                let name = format!("blocks[{index}].branch");
                return Err(wrong(&name, "length", "2 or more", block.branch.len()));
            }
            for (place, convolution) in block.branch.iter().enumerate() {
                convolution.check(&format!("blocks[{index}].branch[{place}]"), channels)?;
                channels = convolution.out_channels;
            }
            let name = format!("blocks[{index}].projection");
            let stride: usize = block.branch.iter().map(|convolution| convolution.stride).product();
            let (after, shortcut) = match &block.projection {
                Some(projection) => {
                    projection.check(&name, input)?;
                    (projection.out_channels, projection.stride)
                }
                None => (input, 1),
            };
            if (after, shortcut) != (channels, stride) {
                let got = format!("{after} channels and stride {shortcut}");
                return Err(wrong(&name, "shape", format!("{channels} channels and stride {stride}"), got));
            }
        }
        Ok(())
    }
}

impl Network {
    fn check_taps(&self) -> Result<(), KernelError> {
        if let Some(place) = self.taps.iter().position(|tap| tap.average == 0) {
            return Err(wrong(&format!("taps[{place}]"), "window", "1 or more", 0));
        }
        let blocks: Vec<usize> = self.taps.iter().map(|tap| tap.blocks).collect();
        let rising = blocks.windows(2).all(|pair| pair[0] < pair[1]);
        if !rising || blocks.last() != Some(&self.blocks.len()) {
            let expected = format!("rising, and the last after all {} blocks", self.blocks.len());
            return Err(wrong("taps", "blocks", expected, format!("{blocks:?}")));
        }
        Ok(())
    }

    /// Every convolution by its name, in the order in which they are computed.
    pub(crate) fn convolutions(&self) -> Vec<(String, &Convolution)> {
        let mut convolutions = vec![("stem".to_owned(), &self.stem)];
        for (index, block) in self.blocks.iter().enumerate() {
            let projection = block.projection.iter();
            convolutions.extend(projection.map(|it| (format!("blocks[{index}].projection"), it)));
            let branch = block.branch.iter().enumerate();
            convolutions.extend(branch.map(|(place, it)| (format!("blocks[{index}].branch[{place}]"), it)));
        }
        convolutions
    }
}

impl Convolution {
    /// Products in the sum of one output.
    pub(crate) fn taps(&self) -> usize {
        self.weight.len() / self.out_channels
    }

    /// Multiplications for `pixels` of output.
    pub(crate) fn multiply_adds(&self, pixels: usize) -> u64 {
        self.weight.len() as u64 * pixels as u64
    }

    pub(crate) fn check(&self, name: &str, input_channels: usize) -> Result<(), KernelError> {
        let differs = |field, expected: usize, got: usize| match expected == got {
            true => Ok(()),
            false => Err(wrong(name, field, expected, got)),
        };
        let [height, width] = self.kernel;
        if self.groups == 0 || self.out_channels == 0 || !self.out_channels.is_multiple_of(self.groups) {
            return Err(wrong(name, "groups", "a divisor of the output channels", self.groups));
        }
        differs("input channels", input_channels, self.groups.saturating_mul(self.in_channels_per_group))?;
        if height % 2 == 0 || width != height || self.padding != height / 2 {
            let got = format!("{height}×{width}, padded by {}", self.padding);
            return Err(wrong(name, "kernel", "square, odd, and padded by half of it", got));
        }
        if !(1..=2).contains(&self.stride) {
            return Err(wrong(name, "stride", "1 or 2", self.stride));
        }
        let inputs = self.in_channels_per_group.saturating_mul(height * width);
        differs("weights", self.out_channels.saturating_mul(inputs), self.weight.len())?;
        differs("biases", self.out_channels, self.bias.len())
    }
}

pub(crate) fn wrong(
    convolution: &str,
    field: &'static str,
    expected: impl ToString,
    got: impl ToString,
) -> KernelError {
    KernelError::Convolution {
        convolution: convolution.to_owned(),
        field,
        expected: expected.to_string(),
        got: got.to_string(),
    }
}

/// A network that cannot be run, or an input that is not what was planned for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// A convolution whose fields contradict each other or what came before.
    #[error("{convolution}: {field} must be {expected}, got {got}")]
    Convolution {
        /// Which, as in `blocks[2].branch[0]`.
        convolution: String,
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// A picture too small to have a feature map.
    #[error("pictures of {height}×{width} pixels leave nothing of the feature map: take a larger size")]
    TooSmall {
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
    },
    /// A convolution of another kind than asked for.
    #[error("{way:?} computes 3×3 convolutions of stride 1 in one group, and no others")]
    Way {
        /// What was asked for.
        way: Way,
    },
    /// Ranges that are not those of the network.
    #[error("ranges of activations: expected {expected}, got {got}; measure them again")]
    Ranges {
        /// What they must be.
        expected: String,
        /// What they are.
        got: String,
    },
    /// A sum of more products than whole numbers can hold.
    #[error("{convolution}: each output sums {got} products, in int8 at most {limit}: take f32")]
    TooManyTaps {
        /// Which, as in `blocks[2].branch[0]`.
        convolution: String,
        /// The most.
        limit: usize,
        /// What there are.
        got: usize,
    },
    /// An input of another size.
    #[error("a picture holds {got} values, expected {expected}")]
    Input {
        /// Values in one picture.
        expected: usize,
        /// Values given.
        got: usize,
    },
}
