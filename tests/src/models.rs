//! Networks of random weights, where they run, and nothing that takes long.

use dfm_backbone::{Architecture, BackboneWeights, InputContract, InstructionSet, Layer};
use dfm_core::Compute;

/// The reference device: Burn's own convolutions on the processor.
///
/// # Panics
///
/// If it is not compiled in.
pub fn flex() -> Compute {
    dfm_core::device::parse("flex").expect("flex is compiled in")
}

/// The processor by our own kernels for `instructions`.
pub fn kernels(instructions: InstructionSet) -> Compute {
    Compute::with_instructions(flex().device().clone(), instructions)
}

/// Random weights of a known network up to `tap`, for pictures of `[height, width]`.
///
/// # Panics
///
/// If there is no such network or layer.
pub fn weights(name: &str, tap: Layer, size: [usize; 2]) -> BackboneWeights {
    random(name, tap, size, 3)
}

/// ResNet-18 up to its first layer on 64 × 64 pixels: fits in a moment.
pub fn small_weights() -> BackboneWeights {
    random("resnet18", Layer::Layer1, [64, 64], 0)
}

fn random(name: &str, tap: Layer, [height, width]: [usize; 2], seed: u64) -> BackboneWeights {
    let architecture = Architecture::known(name).expect(name);
    let input = InputContract::imagenet().with_size(height, width);
    BackboneWeights::random(architecture, tap, input, seed).expect(name)
}
