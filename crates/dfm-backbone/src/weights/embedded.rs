//! The weights inside the program.

use super::{BackboneWeights, WeightsError};

/// A half-width ResNet-50 up to `layer3`, pretrained on ImageNet and fine-tuned
/// by Yahoo for `open_nsfw`; see the licences beside the file.
static BYTES: &[u8] = include_bytes!("../../../../assets/weights/resnet50_1by2-layer3-f16.safetensors");

impl BackboneWeights {
    /// The default weights, `resnet50_1by2` up to `layer3`: 2 148 032 parameters,
    /// 4.3 MB in `f16`.
    ///
    /// # Errors
    ///
    /// None, as long as the file in `assets` is the one that was committed.
    pub fn embedded() -> Result<Self, WeightsError> {
        Self::from_bytes(BYTES)
    }
}
