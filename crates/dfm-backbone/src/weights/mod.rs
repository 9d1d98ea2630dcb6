//! Weights of a network, and everything that must travel with them.

mod catalogue;
#[cfg(feature = "embedded-weights")]
mod embedded;
mod error;
mod fold;
mod format;
mod generator;
mod header;
mod import;
mod random;

pub use catalogue::{CatalogueEntry, Checksum, catalogue};
pub use error::WeightsError;
pub use generator::CounterGenerator;
pub use header::{Precision, WeightsHeader};
pub use import::{ImportOptions, import_weights};

use sha2::{Digest, Sha256};

use crate::architecture::ConvolutionShape;
use crate::error::BackboneError;
use crate::layer::Layer;
use dfm_image::InputContract;
use dfm_image::hexadecimal;

/// One convolution's numbers, batch norm folded in.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvolutionWeights {
    /// `[out, in / groups, height, width]`, row by row.
    pub weight: Vec<f32>,
    /// `[out]`.
    pub bias: Vec<f32>,
}

/// The weights of a network up to one layer, checked against its architecture.
#[derive(Debug, Clone, PartialEq)]
pub struct BackboneWeights {
    header: WeightsHeader,
    convolutions: Vec<ConvolutionWeights>,
}

impl BackboneWeights {
    /// From convolutions in the order of
    /// [`Architecture::convolutions`](crate::Architecture::convolutions). With
    /// [`Precision::F16`] the values are rounded to what such a file can hold.
    ///
    /// # Errors
    ///
    /// If the description cannot be built, or a convolution is missing, left
    /// over, of another shape, or holds a value that is not finite.
    pub fn new(
        header: WeightsHeader,
        mut convolutions: Vec<ConvolutionWeights>,
    ) -> Result<Self, WeightsError> {
        header.architecture.check()?;
        header.input.check().map_err(BackboneError::from)?;
        let shapes = header.architecture.convolutions(header.deepest);
        if shapes.len() != convolutions.len() {
            return Err(WeightsError::Count { expected: shapes.len(), got: convolutions.len() });
        }
        for (shape, weights) in shapes.iter().zip(&mut convolutions) {
            if header.precision == Precision::F16 {
                weights.weight.iter_mut().chain(&mut weights.bias).for_each(header::round_to_f16);
            }
            check(shape, weights)?;
        }
        Ok(Self { header, convolutions })
    }

    /// What travels with the numbers.
    pub fn header(&self) -> &WeightsHeader {
        &self.header
    }

    /// The convolutions, in the order of
    /// [`Architecture::convolutions`](crate::Architecture::convolutions).
    pub fn convolutions(&self) -> &[ConvolutionWeights] {
        &self.convolutions
    }

    /// Drops the layers after `tap`.
    ///
    /// # Errors
    ///
    /// If the weights end before `tap`.
    pub fn truncate(mut self, tap: Layer) -> Result<Self, BackboneError> {
        let WeightsHeader { architecture, deepest, .. } = &self.header;
        if tap > *deepest {
            let architecture = architecture.name.clone();
            return Err(BackboneError::TapBeyondWeights { architecture, tap, deepest: *deepest });
        }
        self.convolutions.truncate(architecture.convolutions(tap).len());
        self.header.deepest = tap;
        Ok(self)
    }

    /// The same weights for pictures prepared in another way: usually of another
    /// size.
    #[must_use]
    pub fn with_input(mut self, input: InputContract) -> Self {
        self.header.input = input;
        self
    }

    /// SHA-256, in hexadecimal, of [`to_bytes`](Self::to_bytes).
    ///
    /// # Panics
    ///
    /// Never for checked weights, and there are no others.
    pub fn sha256(&self) -> String {
        match self.to_bytes() {
            Ok(bytes) => hexadecimal(&Sha256::digest(bytes)),
            // A hash of something else would be worse.
            Err(error) => unreachable!("checked weights could not be written: {error}"),
        }
    }
}

fn check(shape: &ConvolutionShape, weights: &ConvolutionWeights) -> Result<(), WeightsError> {
    for (part, values, expected) in
        [("weight", &weights.weight, shape.weight_count()), ("bias", &weights.bias, shape.out_channels)]
    {
        let tensor = || format!("{}.{part}", shape.name);
        if values.len() != expected {
            let (expected, got) = (format!("{expected} values"), format!("{} values", values.len()));
            return Err(WeightsError::Shape { tensor: tensor(), expected, got });
        }
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(WeightsError::NotFinite { tensor: tensor(), got: value.to_string() });
        }
    }
    Ok(())
}
