//! How much memory and work one picture may take. Without a limit a small file of a network could ask for
//! terabytes, or for years.

use crate::error::BackboneError;
use crate::layer::Layer;
use crate::weights::BackboneWeights;

/// The most bytes of activations that a network may hold at once, for one picture or for a batch. The widest
/// known ResNet needs 2.75 GiB for a picture of 4096×4096 pixels.
pub(crate) const MAX_ACTIVATION_BYTES: u64 = 4 << 30;
/// The most bytes that an engine may need for one picture. Whole vectors of channels take more than the
/// values themselves, and some steps need memory of their own.
const MAX_ENGINE_BYTES: u64 = 2 * MAX_ACTIVATION_BYTES;
/// The most operations ([`dfm_graph::Graph::operations`]) of a network for one picture: minutes on two
/// cores. The widest known ResNet needs half as many for a picture of 4096×4096 pixels.
const MOST_OPERATIONS: u64 = 1 << 44;

/// The bytes of activations that `weights` hold at once for one picture.
///
/// # Errors
///
/// If these bytes or the operations are above the limits.
pub(crate) fn activation_bytes(weights: &BackboneWeights, deepest: Layer) -> Result<u64, BackboneError> {
    let header = weights.header();
    let size = [header.input.height, header.input.width];
    let refused = |cause| header.architecture.graph_error(cause);
    let operations = weights.graph().operations(size).map_err(refused)?;
    if operations > MOST_OPERATIONS {
        return Err(BackboneError::TooManyOperations {
            architecture: header.architecture.name().to_owned(),
            tap: Box::new(deepest),
            height: size[0],
            width: size[1],
            limit: MOST_OPERATIONS,
            got: operations,
        });
    }
    let bytes = weights.graph().activation_bytes(size).map_err(refused)?;
    within(weights, deepest, bytes, MAX_ACTIVATION_BYTES)?;
    Ok(bytes)
}

/// Checks the bytes that an engine needs for one picture.
pub(crate) fn check_engine(
    weights: &BackboneWeights,
    deepest: Layer,
    bytes: u64,
) -> Result<(), BackboneError> {
    within(weights, deepest, bytes, MAX_ENGINE_BYTES)
}

fn within(weights: &BackboneWeights, deepest: Layer, got: u64, limit: u64) -> Result<(), BackboneError> {
    let header = weights.header();
    match got > limit {
        true => Err(BackboneError::TooManyActivations {
            architecture: header.architecture.name().to_owned(),
            tap: Box::new(deepest),
            height: header.input.height,
            width: header.input.width,
            limit,
            got,
        }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::Architecture;

    #[test]
    fn every_known_resnet_may_run_at_the_largest_input() {
        for name in crate::ResNet::names() {
            let architecture = Architecture::known(name).unwrap();
            let graph = architecture.graph_to(Layer::RESNET[3]).unwrap();
            let bytes = graph.activation_bytes([4096, 4096]).unwrap();
            // The stem alone: 64 channels, or what the pictures themselves take.
            assert!((1 << 30..=MAX_ACTIVATION_BYTES).contains(&bytes), "{name}: {bytes}");
            let operations = graph.operations([4096, 4096]).unwrap();
            assert!((1 << 38..=MOST_OPERATIONS).contains(&operations), "{name}: {operations}");
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
