//! The architectures that are known by name.

use super::parts::{Block, MaxPoolPadding, StridePlacement};

/// The fields in which the known architectures differ.
pub(super) struct Description {
    pub(super) block: Block,
    pub(super) depths: [usize; 4],
    pub(super) width: usize,
    pub(super) groups: usize,
    pub(super) width_per_group: usize,
    pub(super) stride_placement: StridePlacement,
    pub(super) max_pool_padding: MaxPoolPadding,
}

const fn torchvision(block: Block, depths: [usize; 4], groups: usize, width_per_group: usize) -> Description {
    Description {
        block,
        depths,
        width: 64,
        groups,
        width_per_group,
        stride_placement: StridePlacement::SpatialConvolution,
        max_pool_padding: MaxPoolPadding::Symmetric,
    }
}

/// Every known architecture with its name.
pub(super) const KNOWN: [(&str, Description); 9] = [
    ("resnet18", torchvision(Block::Basic, [2, 2, 2, 2], 1, 64)),
    ("resnet34", torchvision(Block::Basic, [3, 4, 6, 3], 1, 64)),
    ("resnet50", torchvision(Block::Bottleneck, [3, 4, 6, 3], 1, 64)),
    ("resnet101", torchvision(Block::Bottleneck, [3, 4, 23, 3], 1, 64)),
    ("resnet152", torchvision(Block::Bottleneck, [3, 8, 36, 3], 1, 64)),
    ("wide_resnet50_2", torchvision(Block::Bottleneck, [3, 4, 6, 3], 1, 128)),
    ("wide_resnet101_2", torchvision(Block::Bottleneck, [3, 4, 23, 3], 1, 128)),
    ("resnext50_32x4d", torchvision(Block::Bottleneck, [3, 4, 6, 3], 32, 4)),
    (
        "resnet50_1by2",
        Description {
            block: Block::Bottleneck,
            depths: [3, 4, 6, 3],
            width: 32,
            groups: 1,
            width_per_group: 64,
            stride_placement: StridePlacement::FirstConvolution,
            max_pool_padding: MaxPoolPadding::EndOnly,
        },
    ),
];

/// The names in [`KNOWN`].
pub(super) const NAMES: [&str; KNOWN.len()] = {
    let mut names = [""; KNOWN.len()];
    let mut index = 0;
    while index < KNOWN.len() {
        names[index] = KNOWN[index].0;
        index += 1;
    }
    names
};
