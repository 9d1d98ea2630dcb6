//! Networks of random weights, where they run, and nothing that takes long.

use dfm_backbone::{Architecture, BackboneWeights, InputContract, InstructionSet, Layer};
use dfm_core::{Compute, Dfm, DfmError, FeatureExtractor, Learnt, Piece, PreparedPicture, ValidFitParams};

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
    random("resnet18", Layer::named("layer1"), [64, 64], 0)
}

fn random(name: &str, tap: Layer, [height, width]: [usize; 2], seed: u64) -> BackboneWeights {
    let architecture = Architecture::known(name).expect(name);
    let input = InputContract::imagenet().with_size(height, width);
    BackboneWeights::random(architecture, tap, input, seed).expect(name)
}

/// Pictures in one piece each, numbered from 0.
pub fn pieces(pictures: impl IntoIterator<Item = PreparedPicture>) -> Vec<Piece> {
    pictures.into_iter().enumerate().map(|(number, picture)| Piece::whole(number, picture)).collect()
}

/// A fit to pictures that were prepared before, in one piece each.
///
/// # Errors
///
/// As of a fit to pictures.
pub fn fit_prepared(
    params: &ValidFitParams,
    extractor: FeatureExtractor,
    pictures: impl IntoIterator<Item = PreparedPicture>,
) -> Result<Dfm, DfmError> {
    params.fit_each(extractor, pieces(pictures), |learnt| match learnt {
        Learnt::NotFinite(piece, _) => Err(DfmError::NonFiniteFeatures { picture: piece.number }),
        _ => Ok(()),
    })
}

/// The content hash of a picture that was prepared for a fit.
///
/// # Panics
///
/// If it was prepared without.
pub fn hash(picture: &PreparedPicture) -> [u8; 32] {
    picture.content_hash.expect("prepared for a fit")
}
