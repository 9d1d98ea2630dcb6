//! A convolution with its numbers.

use crate::error::{KernelError, wrong};

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
