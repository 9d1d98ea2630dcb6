//! How much memory a network may need to run.

/// The most bytes of activations that a network may hold at once, for one picture or for a batch. The widest
/// known ResNet needs 2.75 GiB for a picture of 4096×4096 pixels.
pub(crate) const MAX_ACTIVATION_BYTES: u64 = 4 << 30;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::Architecture;
    use crate::layer::Layer;

    #[test]
    fn every_known_resnet_may_run_at_the_largest_input() {
        for name in crate::ResNet::names() {
            let architecture = Architecture::known(name).unwrap();
            let graph = architecture.graph_to(Layer::RESNET[3]).unwrap();
            let bytes = graph.activation_bytes([4096, 4096]).unwrap();
            // The stem alone: 64 channels, or what the pictures themselves take.
            assert!((1 << 30..=MAX_ACTIVATION_BYTES).contains(&bytes), "{name}: {bytes}");
        }
    }

    #[test]
    fn the_first_block_of_a_resnet50_holds_what_was_counted_by_hand() {
        let graph = Architecture::known("resnet50").unwrap().graph_to(Layer::RESNET[0]).unwrap();
        // At 64×64 cells: input 64, shortcut 256, the last 1×1 from 64 to 256 channels;
        // more than the second block's 256 + (64 + 256).
        let values = (64 + 256 + 64 + 256) * 64 * 64;
        assert_eq!(graph.activation_bytes([256, 256]).unwrap(), 4 * values);
    }
}
