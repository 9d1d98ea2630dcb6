//! Pictures in, feature rows out.

use burn::tensor::{Device, Tensor};
use dfm_kernels::StepTime;

use crate::activations::{MAX_ACTIVATION_BYTES, activation_bytes};
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
    largest_batch: usize,
}

impl FeatureExtractor {
    /// Taps `layer` of the network with these weights; those of later layers are
    /// dropped.
    ///
    /// # Errors
    ///
    /// If the weights end before `layer`, their input contract cannot be used, the
    /// pool is larger than the layer's map, or one picture would hold more than
    /// 4 GiB of activations at once.
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
        let bytes = activation_bytes(&header.architecture, layer, [header.input.height, header.input.width]);
        if bytes > MAX_ACTIVATION_BYTES {
            return Err(BackboneError::TooManyActivations {
                architecture: header.architecture.name.clone(),
                tap: layer,
                height: header.input.height,
                width: header.input.width,
                limit: MAX_ACTIVATION_BYTES,
                got: bytes,
            });
        }
        let largest_batch = usize::try_from(MAX_ACTIVATION_BYTES / bytes.max(1)).unwrap_or(usize::MAX);
        let compute = compute.into();
        let network = Forward::new(&weights, layer, pool, &compute)?;
        Ok(Self { weights, network, layer, pool, shape, preprocessor, compute, largest_batch })
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

    /// The most pictures to extract together: what 4 GiB of activations hold, at
    /// least one.
    pub fn largest_batch(&self) -> usize {
        self.largest_batch
    }

    /// Prepares pictures for this extractor.
    pub fn preprocessor(&self) -> Preprocessor {
        self.preprocessor.clone()
    }

    /// Features of a batch, `[N, D]` with `D = feature_shape().len()`.
    ///
    /// # Errors
    ///
    /// If there is no picture, one was prepared for another size, or one holds a
    /// value that is not finite.
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
            if let Some(got) = picture.pixels.iter().copied().find(|value| !value.is_finite()) {
                return Err(BackboneError::PictureNotFinite { index, got });
            }
        }
        let pixels: Vec<&[f32]> = pictures.iter().map(|picture| picture.pixels.as_slice()).collect();
        self.network.run(&pixels, [input.height, input.width], self.compute.device())
    }

    /// How long each step of the network takes for one picture, the median of `repeats`
    /// runs; `None` where Burn runs it, which does not tell.
    ///
    /// # Errors
    ///
    /// If the picture was prepared for another size.
    pub fn time_steps(
        &self,
        picture: &PreparedPicture,
        repeats: usize,
    ) -> Result<Option<Vec<StepTime>>, BackboneError> {
        self.network.time_steps(&picture.pixels, repeats)
    }
}
