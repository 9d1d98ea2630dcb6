//! Which way each convolution is computed.

use crate::instructions::InstructionSet;
use crate::layout::Map;
use crate::network::Convolution;

/// A way to compute a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Tap by tap.
    Direct,
    /// 3×3 windows by transforms.
    Winograd,
}

/// With fewer channels the transforms cost what the products save.
const FEWEST_CHANNELS: usize = 32;

/// The faster way for this shape.
pub(crate) fn choose(convolution: &Convolution, _output: Map, _instructions: InstructionSet) -> Way {
    let channels = convolution.in_channels_per_group.min(convolution.out_channels);
    let possible = convolution.kernel == [3, 3] && convolution.stride == 1 && convolution.groups == 1;
    if possible && channels >= FEWEST_CHANNELS { Way::Winograd } else { Way::Direct }
}
