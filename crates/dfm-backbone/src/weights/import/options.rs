//! What a weights file does not say itself.

use dfm_image::InputContract;

use crate::architecture::Architecture;
use crate::layer::Layer;
use crate::weights::catalogue::Checksum;
use crate::weights::header::Precision;

/// What a weights file does not say itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportOptions {
    /// The network. It must be given unless the file is of our own format.
    pub architecture: Option<Architecture>,
    /// The last layer to import.
    pub deepest: Layer,
    /// What the network expects of pictures. `None` takes that of the file if it is of our own
    /// format, and else that of the [architecture's usual weights](Architecture::usual_input).
    pub input: Option<InputContract>,
    /// The precision that the weights are kept in. `None` takes that of the file if it is of our own
    /// format, and else `f32`.
    pub precision: Option<Precision>,
    /// The licence of the weights.
    pub license: Option<String>,
    /// Where the weights came from.
    pub source: Option<String>,
    /// The SHA-256 that the file must have. It is checked before the file is parsed.
    pub checksum: Option<Checksum>,
}

impl Default for ImportOptions {
    /// Every layer up to `layer4`, and nothing else known.
    fn default() -> Self {
        Self {
            architecture: None,
            deepest: Layer::RESNET[3],
            input: None,
            precision: None,
            license: None,
            source: None,
            checksum: None,
        }
    }
}
