//! From a feature map to a row of features.

use burn::tensor::Tensor;
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;
use serde::{Deserialize, Serialize};

use crate::error::BackboneError;

/// The shape of features before they were flattened into a row: column `(c · height + y) · width + x`
/// is channel `c` of cell `(y, x)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureShape {
    /// The number of channels of a cell.
    pub channels: usize,
    /// The number of rows of cells.
    pub height: usize,
    /// The number of cells in a row.
    pub width: usize,
}

impl FeatureShape {
    /// The shape behind a pool over a map of `channels` and `[height, width]`.
    ///
    /// # Errors
    ///
    /// If the window is empty or larger than the map.
    pub fn pooled(channels: usize, [height, width]: [usize; 2], pool: usize) -> Result<Self, BackboneError> {
        if pool == 0 {
            return Err(BackboneError::ZeroPool);
        }
        if height < pool || width < pool {
            return Err(BackboneError::PoolLargerThanMap { pool, height, width });
        }
        Ok(Self { channels, height: height / pool, width: width / pool })
    }

    /// The number of columns of a row: the product of all three.
    #[expect(clippy::len_without_is_empty, reason = "a pooled shape is never empty")]
    pub fn len(&self) -> usize {
        self.channels.saturating_mul(self.height).saturating_mul(self.width)
    }
}

/// Averages windows of `pool` × `pool` cells that lie side by side, and flattens the result. Cells at
/// the bottom and at the right that fill no window are left out.
///
/// # Shapes
///
/// - features: `[N, C, h, w]`
/// - result: `[N, C · (h / pool) · (w / pool)]`
///
/// # Errors
///
/// If the window is empty or larger than the map.
pub fn pool_and_flatten(
    features: Tensor<4>,
    pool: usize,
) -> Result<(Tensor<2>, FeatureShape), BackboneError> {
    let [count, channels, height, width] = features.dims();
    let shape = FeatureShape::pooled(channels, [height, width], pool)?;
    let pooled = match pool {
        1 => features,
        _ => avg_pool2d(features, AvgPoolOptions::new([pool, pool])),
    };
    Ok((pooled.reshape([count, shape.len()]), shape))
}
