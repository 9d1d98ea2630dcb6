//! Which way each convolution is computed.

mod table;

use crate::convolution::Convolution;
use crate::instructions::InstructionSet;
use crate::layout::Map;
use crate::way::Way;
pub use table::{FEWEST_CHANNELS, SIDES};

impl Way {
    /// Whether `convolution` can be computed this way.
    pub fn suits(self, convolution: &Convolution) -> bool {
        let Convolution { kernel, stride, groups, .. } = *convolution;
        self == Self::Direct || (kernel, stride, groups) == ([3, 3], 1, 1)
    }
}

/// The faster way to compute `convolution` with an output of `map`, as the table says.
pub(crate) fn choose(convolution: &Convolution, map: Map, instructions: InstructionSet) -> Way {
    let channels = convolution.in_channels_per_group.min(convolution.out_channels);
    let larger = SIDES.partition_point(|side| side * side <= map.pixels());
    let row = match instructions {
        InstructionSet::Portable => 0,
        InstructionSet::Avx2 => 1,
        // Tiles compute whole numbers alone, without transforms.
        InstructionSet::Avx512 | InstructionSet::Amx => 2,
    };
    let fewest = FEWEST_CHANNELS[row][larger.saturating_sub(1)];
    match Way::Winograd.suits(convolution) && fewest.is_some_and(|fewest| channels >= fewest) {
        true => Way::Winograd,
        false => Way::Direct,
    }
}
