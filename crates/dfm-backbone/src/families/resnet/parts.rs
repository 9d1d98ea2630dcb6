//! The kinds of blocks and paddings that ResNets are made of.

use serde::{Deserialize, Serialize};

/// The kind of block that a stage repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// Two 3×3 convolutions.
    Basic,
    /// 1×1, 3×3 and 1×1, the last with four times the stage's width.
    Bottleneck,
}

impl Block {
    /// Output channels for each of the stage's planes.
    pub fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

/// Which convolution of a bottleneck halves the map. In a basic block the first
/// convolution is the 3×3 one, so that both mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StridePlacement {
    /// The first 1×1 ("v1": the paper, Caffe).
    FirstConvolution,
    /// The 3×3 ("v1.5": torchvision, timm).
    SpatialConvolution,
}

/// Padding of the 3×3, stride 2 maximum pooling after the stem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxPoolPadding {
    /// One pixel on every side.
    Symmetric,
    /// One pixel at the bottom and at the right only (TensorFlow, Caffe).
    EndOnly,
}

impl MaxPoolPadding {
    /// Pixels added before and after, the same for rows and columns.
    pub(crate) fn sides(self) -> (usize, usize) {
        match self {
            Self::Symmetric => (1, 1),
            Self::EndOnly => (0, 1),
        }
    }
}
