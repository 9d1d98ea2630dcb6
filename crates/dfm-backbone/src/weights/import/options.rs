//! What a weights file does not say itself.

use dfm_image::{InputContract, Normalisation};

use crate::architecture::Architecture;
use crate::layer::Layer;
use crate::weights::catalogue::Checksum;
use crate::weights::header::Precision;

/// What a weights file does not say itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportOptions {
    /// The network. It must be given unless the file is of our own format or ONNX. Without it, an ONNX file is
    /// read as the network that it describes.
    pub architecture: Option<Architecture>,
    /// The last layer to import.
    pub deepest: Layer,
    /// What the network expects of pictures. `None` takes that of the file if it is of our own
    /// format, and else that of the [architecture's usual weights](Architecture::usual_input). For the
    /// network that an ONNX file describes, it is ImageNet's, or pixels in 0–1 or 0–255 if the network normalises
    /// them itself.
    pub input: Option<InputContract>,
    /// What pixels become before the network, where `input` is `None` and an ONNX file describes the network.
    /// `None` takes what the file lets conclude, which is an error if that is unclear.
    pub normalisation: Option<Normalisation>,
    /// The size (height, width) of pictures, in place of that of `input`. `None` takes that of `input`, and else
    /// that of the file. A network that an ONNX file describes is read for this size; for 224×224 if nothing says
    /// it.
    pub size: Option<[usize; 2]>,
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

impl ImportOptions {
    /// The input contract of these options, or else `usual`, with the size of these options.
    pub(super) fn input_or(&self, usual: impl FnOnce() -> InputContract) -> InputContract {
        let input = self.input.unwrap_or_else(usual);
        match self.size {
            Some([height, width]) => input.with_size(height, width),
            None => input,
        }
    }
}

impl Default for ImportOptions {
    /// Every layer up to `layer4`, and nothing else known.
    fn default() -> Self {
        Self {
            architecture: None,
            deepest: Layer::RESNET[3],
            input: None,
            normalisation: None,
            size: None,
            precision: None,
            license: None,
            source: None,
            checksum: None,
        }
    }
}
