//! The weights of a network.

use std::sync::OnceLock;

use dfm_image::InputContract;

use super::catalogue::catalogue;
use super::convolution::ConvolutionWeights;
use super::error::WeightsError;
use super::header::{Precision, WeightsHeader, round_to_f16};
use crate::error::BackboneError;
use crate::layer::Layer;

/// The weights of a network up to one layer. They have been checked against its architecture.
#[derive(Debug, Clone)]
pub struct BackboneWeights {
    header: WeightsHeader,
    convolutions: Vec<ConvolutionWeights>,
    /// The SHA-256 of these weights in our own format, once somebody has asked for it.
    sha256: OnceLock<String>,
}

impl PartialEq for BackboneWeights {
    fn eq(&self, other: &Self) -> bool {
        self.header == other.header && self.convolutions == other.convolutions
    }
}

impl BackboneWeights {
    /// Weights from convolutions in the order of
    /// [`Architecture::convolutions`](crate::Architecture::convolutions). With
    /// [`Precision::F16`] the values are rounded to what such a file can hold.
    ///
    /// # Errors
    ///
    /// If the architecture or the input contract of the header cannot be used, or a convolution is
    /// missing, left over, of another shape, or holds a value that is not finite.
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
                weights.weight.iter_mut().chain(&mut weights.bias).for_each(round_to_f16);
            }
            weights.check(shape)?;
        }
        Ok(Self { header, convolutions, sha256: OnceLock::new() })
    }

    /// Everything about the weights that is not their numbers.
    pub fn header(&self) -> &WeightsHeader {
        &self.header
    }

    /// The convolutions, in the order of
    /// [`Architecture::convolutions`](crate::Architecture::convolutions).
    pub fn convolutions(&self) -> &[ConvolutionWeights] {
        &self.convolutions
    }

    /// SHA-256, in hexadecimal, of the file that the weights were converted from, such as a
    /// PyTorch file that was fetched; `None` for weights that come from no such file. It is a part
    /// of the header ([`WeightsHeader::source_sha256`]).
    pub fn file_sha256(&self) -> Option<&str> {
        self.header.source_sha256.as_deref()
    }

    /// SHA-256, in hexadecimal, of the file of the [`catalogue`] that the weights were converted
    /// from; `None` for weights whose [source](WeightsHeader::source) is not the URL of such a file.
    pub fn catalogue_sha256(&self) -> Option<&str> {
        self.file_sha256().filter(|_| catalogue().iter().any(|entry| entry.url() == self.header.source))
    }

    /// Where the SHA-256 of their file stands once it is known.
    pub(super) fn known_sha256(&self) -> &OnceLock<String> {
        &self.sha256
    }

    /// The header and the convolutions by themselves.
    pub(super) fn into_parts(self) -> (WeightsHeader, Vec<ConvolutionWeights>) {
        (self.header, self.convolutions)
    }

    /// Drops the layers behind `tap`.
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
        if tap != *deepest {
            self.convolutions.truncate(architecture.convolutions(tap).len());
            self.header.deepest = tap;
            self.sha256 = OnceLock::new();
        }
        Ok(self)
    }

    /// The same weights for pictures that are prepared in another way, usually at another size.
    #[must_use]
    pub fn with_input(mut self, input: InputContract) -> Self {
        if self.header.input != input {
            self.header.input = input;
            self.sha256 = OnceLock::new();
        }
        self
    }
}
