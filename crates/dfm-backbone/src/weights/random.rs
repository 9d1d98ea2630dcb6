//! Random weights.

use dfm_image::InputContract;

use super::convolution::ConvolutionWeights;
use super::error::WeightsError;
use super::generator::CounterGenerator;
use super::header::{Precision, WeightsHeader};
use super::network::BackboneWeights;
use crate::architecture::{Architecture, ConvolutionShape};
use crate::layer::Layer;

/// The text before the seed in [`WeightsHeader::source`].
const SOURCE: &str = "random, seed ";

impl BackboneWeights {
    /// Seeded random weights: uniform with variance `2 / fan-in` (He et al.,
    /// *Delving Deep into Rectifiers*, 2015), biases zero. The last convolution of
    /// each residual branch is scaled by a quarter, so that activations do not
    /// grow from block to block.
    ///
    /// The same seed gives the same weights on every machine.
    ///
    /// # Errors
    ///
    /// If the architecture or the input contract is out of bounds.
    pub fn random(
        architecture: Architecture,
        deepest: Layer,
        input: InputContract,
        seed: u64,
    ) -> Result<Self, WeightsError> {
        architecture.check()?;
        let shapes = architecture.convolutions(deepest);
        let lasts: Vec<String> = architecture
            .blocks(deepest)
            .into_iter()
            .map(|block| block.branch.into_iter().last().expect("a block has two convolutions or more").name)
            .collect();
        let convolutions = shapes
            .iter()
            .map(|shape| ConvolutionWeights {
                weight: weight(shape, seed, if lasts.contains(&shape.name) { 0.25 } else { 1.0 }),
                bias: vec![0.0; shape.out_channels],
            })
            .collect();
        let source = format!("{SOURCE}{seed}");
        let header = WeightsHeader {
            architecture,
            deepest,
            input,
            precision: Precision::F32,
            license: "none needed: random numbers".to_owned(),
            source,
            source_sha256: None,
        };
        Self::new(header, convolutions)
    }

    /// The seed of [`random`](Self::random) weights, from the source in their header; `None` for other
    /// weights.
    ///
    /// ```
    /// # use dfm_backbone::BackboneWeights;
    /// assert_eq!(BackboneWeights::seed_of("random, seed 7"), Some(7));
    /// assert_eq!(BackboneWeights::seed_of("resnet18-f37072fd.pth"), None);
    /// ```
    pub fn seed_of(source: &str) -> Option<u64> {
        source.strip_prefix(SOURCE)?.parse().ok()
    }
}

fn weight(shape: &ConvolutionShape, seed: u64, scale: f32) -> Vec<f32> {
    let generator = CounterGenerator::for_name(seed, &shape.name);
    let [_, inputs, height, width] = shape.weight_dims();
    // A uniform variable on [−b, b] has variance b² / 3.
    let bound = scale * (6.0 / (inputs * height * width) as f32).sqrt();
    (0..shape.weight_count() as u64).map(|index| bound * generator.unit_f32(index)).collect()
}
