//! The stages of a ResNet, any of which can be tapped.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A stage of a ResNet; the tap is the ReLU after the stage's last residual
/// addition. Later stages compare greater.
///
/// ```
/// use dfm_backbone::Layer;
///
/// let layer: Layer = "layer3".parse()?;
/// assert_eq!(layer, Layer::Layer3);
/// assert!(layer < Layer::Layer4);
/// assert_eq!(layer.to_string(), "layer3");
/// # Ok::<(), dfm_backbone::BackboneError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// Stride 4 of the picture.
    Layer1,
    /// Stride 8.
    Layer2,
    /// Stride 16.
    Layer3,
    /// Stride 32.
    Layer4,
}

impl Layer {
    /// Every layer, in order.
    pub const ALL: [Self; 4] = [Self::Layer1, Self::Layer2, Self::Layer3, Self::Layer4];

    /// 0 for `layer1` to 3 for `layer4`.
    pub fn index(self) -> usize {
        self as usize
    }

    /// `"layer1"` to `"layer4"`.
    pub fn name(self) -> &'static str {
        ["layer1", "layer2", "layer3", "layer4"][self.index()]
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
