//! A value on a device.

use burn::tensor::Tensor;

/// The value of a node for a batch of `N` pictures.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// `[N, C, H, W]`.
    Map(Tensor<4>),
    /// `[N, T, C]`.
    Tokens(Tensor<3>),
}

impl Value {
    /// The map.
    ///
    /// # Panics
    ///
    /// If it is tokens, which a checked graph never reads as a map.
    pub(super) fn map(self) -> Tensor<4> {
        match self {
            Self::Map(map) => map,
            Self::Tokens(_) => unreachable!("a checked graph reads maps as maps"),
        }
    }

    /// The tokens.
    ///
    /// # Panics
    ///
    /// If it is a map, which a checked graph never reads as tokens.
    pub(super) fn tokens(self) -> Tensor<3> {
        match self {
            Self::Tokens(tokens) => tokens,
            Self::Map(_) => unreachable!("a checked graph reads tokens as tokens"),
        }
    }

    /// The cells of the grid as a map with these sides, without prefix tokens.
    pub(super) fn grid(self, [height, width]: [usize; 2]) -> Tensor<4> {
        match self {
            Self::Map(map) => map,
            Self::Tokens(tokens) => {
                let [count, all, channels] = tokens.dims();
                let cells = tokens.slice([0..count, all - height * width..all, 0..channels]);
                cells.swap_dims(1, 2).reshape([count, channels, height, width])
            }
        }
    }
}
