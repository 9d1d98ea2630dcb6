//! The number of operations of a network.

use crate::architecture::{Architecture, ConvolutionShape};
use crate::layer::Layer;

impl Architecture {
    /// The number of multiplications (each with its addition) of all convolutions up to `tap`, for one
    /// picture of `size` (height, width), computed tap by tap.
    ///
    /// ```
    /// use dfm_backbone::{Architecture, Layer};
    ///
    /// let resnet50 = Architecture::known("resnet50").expect("a known name");
    /// assert_eq!(resnet50.multiply_adds(Layer::Layer3, [256, 256]), 4_281_335_808);
    /// ```
    pub fn multiply_adds(&self, tap: Layer, size: [usize; 2]) -> u64 {
        let (begin, end) = self.max_pool_padding.sides();
        let (mut total, stem) = cost(&self.stem(), size);
        let mut size = stem.map(|side| (side + begin + end).saturating_sub(3) / 2 + 1);
        for block in self.blocks(tap) {
            if let Some(projection) = &block.projection {
                total += cost(projection, size).0;
            }
            for convolution in &block.branch {
                let (operations, after) = cost(convolution, size);
                total += operations;
                size = after;
            }
        }
        total
    }
}

/// The number of multiplications of one convolution, and the size of its result.
fn cost(shape: &ConvolutionShape, size: [usize; 2]) -> (u64, [usize; 2]) {
    let after = size.map(|side| side.div_ceil(shape.stride));
    (shape.weight_count() as u64 * after[0] as u64 * after[1] as u64, after)
}
