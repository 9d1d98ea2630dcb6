//! Pictures in, feature rows out.

use burn::tensor::{Device, Tensor};

use crate::compute::{Compute, Forward};
use crate::error::BackboneError;
use crate::features::FeatureShape;
use crate::layer::Layer;
use crate::preprocess::{PreparedPicture, Preprocessor};
use crate::weights::BackboneWeights;

/// A network up to one layer, with the pooling behind it and the preparation
/// before it, on one device.
#[derive(Debug)]
pub struct FeatureExtractor {
    weights: BackboneWeights,
    network: Forward,
    layer: Layer,
    pool: usize,
    shape: FeatureShape,
    preprocessor: Preprocessor,
    compute: Compute,
}

impl FeatureExtractor {
    /// Taps `layer` of the network with these weights; those of later layers are
    /// dropped.
    ///
    /// # Errors
    ///
    /// If the weights end before `layer`, their input contract cannot be used, or
    /// the pool is larger than the layer's map.
    pub fn new(
        weights: BackboneWeights,
        layer: Layer,
        pool: usize,
        compute: impl Into<Compute>,
    ) -> Result<Self, BackboneError> {
        let weights = weights.truncate(layer)?;
        let header = weights.header();
        let preprocessor = Preprocessor::new(header.input)?;
        let size = header.architecture.feature_size(layer, [header.input.height, header.input.width]);
        let shape = FeatureShape::pooled(header.architecture.channels(layer), size, pool)?;
        let compute = compute.into();
        let network = Forward::new(&weights, layer, pool, &compute)?;
        Ok(Self { weights, network, layer, pool, shape, preprocessor, compute })
    }

    /// The weights, up to the layer.
    pub fn weights(&self) -> &BackboneWeights {
        &self.weights
    }

    /// The layer whose output is taken.
    pub fn layer(&self) -> Layer {
        self.layer
    }

    /// Side of the pooling window, in cells.
    pub fn pool(&self) -> usize {
        self.pool
    }

    /// Where and how the network runs.
    pub fn compute(&self) -> &Compute {
        &self.compute
    }

    /// The device that its rows are on.
    pub fn device(&self) -> &Device {
        self.compute.device()
    }

    /// Shape of a row before it was flattened.
    pub fn feature_shape(&self) -> FeatureShape {
        self.shape
    }

    /// Prepares pictures for this extractor.
    pub fn preprocessor(&self) -> Preprocessor {
        self.preprocessor.clone()
    }

    /// Features of a batch, `[N, D]` with `D = feature_shape().len()`.
    ///
    /// # Errors
    ///
    /// If there is no picture, or one was prepared for another size.
    pub fn extract(&self, pictures: &[PreparedPicture]) -> Result<Tensor<2>, BackboneError> {
        let input = self.weights.header().input;
        let expected = 3 * input.height * input.width;
        if pictures.is_empty() {
            return Err(BackboneError::EmptyBatch);
        }
        for (index, picture) in pictures.iter().enumerate() {
            let got = picture.pixels.len();
            if got != expected {
                let (height, width) = (input.height, input.width);
                return Err(BackboneError::PictureSize { index, expected, got, height, width });
            }
        }
        let pixels: Vec<&[f32]> = pictures.iter().map(|picture| picture.pixels.as_slice()).collect();
        self.network.run(&pixels, [input.height, input.width], self.compute.device())
    }
}
