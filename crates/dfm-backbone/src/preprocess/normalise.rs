//! From RGB bytes to the numbers that the weights were trained on.

use crate::input::{ChannelOrder, InputContract};

/// `rgb` (`[H, W, 3]` bytes) as `[3, H, W]` in the contract's channel order, each
/// value `(v · scale − mean) / standard deviation`.
pub(super) fn normalise(rgb: &[u8], contract: &InputContract) -> Vec<f32> {
    let sources = match contract.channels {
        ChannelOrder::Rgb => [0, 1, 2],
        ChannelOrder::Bgr => [2, 1, 0],
    };
    let mut planes = Vec::with_capacity(rgb.len());
    for (channel, source) in sources.into_iter().enumerate() {
        // A byte has 256 values: look them up.
        let table: [f32; 256] = std::array::from_fn(|value| {
            (value as f32 * contract.scale - contract.mean[channel]) / contract.standard_deviation[channel]
        });
        let (pixels, _) = rgb.as_chunks::<3>();
        planes.extend(pixels.iter().map(|pixel| table[usize::from(pixel[source])]));
    }
    planes
}
