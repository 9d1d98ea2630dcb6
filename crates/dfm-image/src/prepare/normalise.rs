//! From RGB values to the numbers that a network expects.

use crate::input::{ChannelOrder, InputContract};

/// `rgb` (`[H, W, 3]` bytes) as `[3, H, W]` in the contract's channel order, each
/// value `(v · scale − mean) / standard deviation`.
pub(super) fn bytes(rgb: &[u8], contract: &InputContract) -> Vec<f32> {
    let mut planes = Vec::with_capacity(rgb.len());
    for (channel, source) in sources(contract).into_iter().enumerate() {
        // A byte has 256 values: look them up.
        let table: [f32; 256] = std::array::from_fn(|value| normalised(value as f32, channel, contract));
        let (pixels, _) = rgb.as_chunks::<3>();
        planes.extend(pixels.iter().map(|pixel| table[usize::from(pixel[source])]));
    }
    planes
}

/// The same as [`bytes`] for numbers that need not be whole, `[H, W, 3]`.
pub(super) fn floats(rgb: &[[f32; 3]], contract: &InputContract) -> Vec<f32> {
    let mut planes = Vec::with_capacity(3 * rgb.len());
    for (channel, source) in sources(contract).into_iter().enumerate() {
        planes.extend(rgb.iter().map(|pixel| normalised(pixel[source], channel, contract)));
    }
    planes
}

/// The RGB bytes that are nearest to zero after normalisation.
pub(super) fn mean_colour(contract: &InputContract) -> [u8; 3] {
    let mut colour = [0; 3];
    for (channel, source) in sources(contract).into_iter().enumerate() {
        colour[source] = (contract.mean[channel] / contract.scale).round() as u8;
    }
    colour
}

/// The position in an RGB pixel of each channel of the network.
fn sources(contract: &InputContract) -> [usize; 3] {
    match contract.channels {
        ChannelOrder::Rgb => [0, 1, 2],
        ChannelOrder::Bgr => [2, 1, 0],
    }
}

fn normalised(value: f32, channel: usize, contract: &InputContract) -> f32 {
    (value * contract.scale - contract.mean[channel]) / contract.standard_deviation[channel]
}
