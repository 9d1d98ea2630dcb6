//! The stages of a ResNet, whose outputs can be tapped.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A stage of a ResNet. Its output is the ReLU behind the last residual addition of the stage. Later
/// stages compare greater.
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
    /// The map has a quarter of the picture's sides.
    Layer1,
    /// The map has an eighth of the sides.
    Layer2,
    /// The map has a sixteenth of the sides.
    Layer3,
    /// The map has a thirty-second of the sides.
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
