//! What a network is: convolutions with a bias, in residual blocks.

use crate::error::{KernelError, wrong};
use crate::layout::Map;

/// A convolution with a bias.
#[derive(Debug, Clone, PartialEq)]
pub struct Convolution {
    /// Output channels.
    pub out_channels: usize,
    /// Input channels that one output channel sees.
    pub in_channels_per_group: usize,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Stride, the same along both axes: 1 or 2.
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

/// A maximum over windows of 3×3 pixels, two apart. The padding may be up to 2, so that every
/// window holds a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool {
    /// Rows added above, and columns added to the left.
    pub before: usize,
    /// Rows added below, and columns added to the right.
    pub after: usize,
}

impl MaxPool {
    /// Side of a window.
    pub(crate) const WINDOW: usize = 3;

    /// The map that this pool makes of `input`; `None` if nothing is left.
    pub(crate) fn output(self, input: Map) -> Option<Map> {
        let side = |side: usize| Some((side + self.before + self.after).checked_sub(Self::WINDOW)? / 2 + 1);
        Some(Map { height: side(input.height)?, width: side(input.width)?, ..input })
    }

    fn check(self) -> Result<(), KernelError> {
        let Self { before, after } = self;
        let window = Self::WINDOW;
        if before < window && after < window {
            Ok(())
        } else {
            Err(KernelError::Pool { before, after, window })
        }
    }
}

/// A residual block: the sum of a branch and a shortcut, then a ReLU. Every convolution of the
/// branch except the last has a ReLU of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// The convolution on the shortcut, where the shapes on both sides differ.
    pub projection: Option<Convolution>,
    /// The convolutions of the branch, in order; at least two.
    pub branch: Vec<Convolution>,
}

/// Where features are taken out of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tap {
    /// The number of residual blocks that have run by then.
    pub blocks: usize,
    /// Side of the windows whose averages are the features. The windows lie side by side; 1 takes
    /// the feature map itself.
    pub average: usize,
}

/// A stem (a convolution, a ReLU and a maximum) and residual blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The first convolution, which sees the picture.
    pub stem: Convolution,
    /// The maximum after the stem's ReLU.
    pub pool: MaxPool,
    /// The residual blocks, in order.
    pub blocks: Vec<Block>,
    /// Where features are taken, in order: one tap or more, the last behind all blocks.
    pub taps: Vec<Tap>,
}

impl Network {
    /// Checks that every convolution fits the one before it and is of a kind that the kernels
    /// compute: odd sides, padded so that only the stride changes the size, strides of one or two.
    ///
    /// # Errors
    ///
    /// [`KernelError::Convolution`] with the first field that does not fit, or
    /// [`KernelError::Pool`].
    pub fn check(&self) -> Result<(), KernelError> {
        self.check_taps()?;
        self.pool.check()?;
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
            for (position, convolution) in block.branch.iter().enumerate() {
                convolution.check(&format!("blocks[{index}].branch[{position}]"), channels)?;
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
        if let Some(index) = self.taps.iter().position(|tap| tap.average == 0) {
            return Err(wrong(&format!("taps[{index}]"), "window", "1 or more", 0));
        }
        let blocks: Vec<usize> = self.taps.iter().map(|tap| tap.blocks).collect();
        let rising = blocks.windows(2).all(|pair| pair[0] < pair[1]);
        if !rising || blocks.last() != Some(&self.blocks.len()) {
            let expected = format!("rising, and the last after all {} blocks", self.blocks.len());
            return Err(wrong("taps", "blocks", expected, format!("{blocks:?}")));
        }
        Ok(())
    }

    /// Every convolution with its name, in the order in which they are computed.
    pub(crate) fn convolutions(&self) -> Vec<(String, &Convolution)> {
        let mut convolutions = vec![("stem".to_owned(), &self.stem)];
        for (index, block) in self.blocks.iter().enumerate() {
            let projection = block.projection.iter();
            convolutions.extend(projection.map(|it| (format!("blocks[{index}].projection"), it)));
            let branch = block.branch.iter().enumerate();
            convolutions.extend(branch.map(|(at, it)| (format!("blocks[{index}].branch[{at}]"), it)));
        }
        convolutions
    }
}

impl Convolution {
    /// The number of products in the sum of one output.
    pub(crate) fn taps(&self) -> usize {
        self.weight.len() / self.out_channels
    }

    /// The number of multiplications for `pixels` of output.
    pub(crate) fn multiply_adds(&self, pixels: usize) -> u64 {
        self.weight.len() as u64 * pixels as u64
    }

    /// Checks that the convolution fits `input_channels` and does not contradict itself.
    pub(crate) fn check(&self, name: &str, input_channels: usize) -> Result<(), KernelError> {
        let differs = |field, expected: usize, got: usize| match expected == got {
            true => Ok(()),
            false => Err(wrong(name, field, expected, got)),
        };
        let [height, width] = self.kernel;
        if self.groups == 0 || self.out_channels == 0 || !self.out_channels.is_multiple_of(self.groups) {
            return Err(wrong(name, "groups", "a divisor of the output channels", self.groups));
        }
        if self.in_channels_per_group == 0 {
            return Err(wrong(name, "input channels", "1 or more in each group", 0));
        }
        differs("input channels", input_channels, self.groups.saturating_mul(self.in_channels_per_group))?;
        if height % 2 == 0 || width != height || self.padding != height / 2 {
            let got = format!("{height}×{width}, padded by {}", self.padding);
            return Err(wrong(name, "kernel", "square, odd, and padded by half of it", got));
        }
        if !(1..=2).contains(&self.stride) {
            return Err(wrong(name, "stride", "1 or 2", self.stride));
        }
        let inputs = self.in_channels_per_group.saturating_mul(height.saturating_mul(width));
        differs("weights", self.out_channels.saturating_mul(inputs), self.weight.len())?;
        differs("biases", self.out_channels, self.bias.len())
    }
}
