//! The shapes of convolutions.

/// The shape of one convolution of a [`ResNet`](crate::ResNet), with the batch norm folded in: weight `[out_channels, in_channels_per_group, kernel, kernel]` and bias
/// `[out_channels]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvolutionShape {
    /// Our name for it: `stem`, `layer1.0.projection`, `layer1.0.conv1`, …
    pub name: String,
    /// Output channels.
    pub out_channels: usize,
    /// Input channels that one output channel sees.
    pub in_channels_per_group: usize,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Stride, the same along both axes.
    pub stride: usize,
    /// Zeros added on every side.
    pub padding: usize,
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

/// The convolutions of one residual block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlockShape {
    /// Its name, such as `layer1.0`.
    pub(crate) name: String,
    /// The index of its stage.
    pub(crate) stage: usize,
    /// The 1×1 on the shortcut, where the shapes on both sides differ.
    pub(crate) projection: Option<ConvolutionShape>,
    /// The residual branch, in order.
    pub(crate) branch: Vec<ConvolutionShape>,
}

impl ConvolutionShape {
    /// `[out_channels, in_channels_per_group, kernel height, kernel width]`.
    pub fn weight_dims(&self) -> [usize; 4] {
        [self.out_channels, self.in_channels_per_group, self.kernel[0], self.kernel[1]]
    }

    /// The number of values in the weight. It saturates for shapes that no checked architecture has.
    pub fn weight_count(&self) -> usize {
        self.weight_dims().into_iter().fold(1, usize::saturating_mul)
    }
}
