//! How much memory a network needs to run, from its description.

use crate::architecture::Architecture;
use crate::layer::Layer;

/// The most bytes of activations that a network may hold at once, for one picture or for a batch. The
/// widest known network needs 2.75 GiB for a picture of 4096×4096 pixels.
pub(crate) const MAX_ACTIVATION_BYTES: u64 = 4 << 30;

/// The most bytes of `f32` values that are needed at once while one picture of `size` (height, width)
/// pixels runs to `tap`. In a residual block, these are its input, the result of its shortcut, and
/// both sides of the convolution that runs.
pub(crate) fn activation_bytes(architecture: &Architecture, tap: Layer, size: [usize; 2]) -> u64 {
    let area = |[height, width]: [usize; 2]| height as u64 * width as u64;
    let halved = |[height, width]: [usize; 2]| [height.div_ceil(2), width.div_ceil(2)];
    let mut side = halved(halved(size));
    let stem = architecture.stem_width as u64;
    let mut most = stem * area(halved(size)) + (3 * area(size)).max(stem * area(side));
    for block in architecture.blocks(tap) {
        let values = |channels: usize, side: [usize; 2]| channels as u64 * area(side);
        let first = block.branch.first().expect("a block has two convolutions or more");
        let input = values(first.in_channels_per_group, side);
        let mut before = input;
        let mut widest = 0;
        for shape in &block.branch {
            side = if shape.stride == 2 { halved(side) } else { side };
            let after = values(shape.out_channels, side);
            widest = widest.max(before + after);
            before = after;
        }
        let shortcut = block.projection.map_or(0, |shape| values(shape.out_channels, side));
        most = most.max(input + shortcut + widest);
    }
    most.saturating_mul(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_network_may_run_at_the_largest_input() {
        for name in Architecture::names() {
            let architecture = Architecture::known(name).unwrap();
            let bytes = activation_bytes(&architecture, Layer::Layer4, [4096, 4096]);
            // The stem alone: 64 channels, or what the pictures themselves take.
            assert!((1 << 30..=MAX_ACTIVATION_BYTES).contains(&bytes), "{name}: {bytes}");
        }
    }

    #[test]
    fn the_first_block_of_a_resnet50_holds_what_was_counted_by_hand() {
        let architecture = Architecture::known("resnet50").unwrap();
        // At 64×64 cells: input 64, shortcut 256, the last 1×1 from 64 to 256 channels;
        // more than the second block's 256 + (64 + 256).
        let values = (64 + 256 + 64 + 256) * 64 * 64;
        assert_eq!(activation_bytes(&architecture, Layer::Layer1, [256, 256]), 4 * values);
    }
}
