//! The numbers of one convolution.

use super::error::WeightsError;
use crate::architecture::ConvolutionShape;

/// The numbers of one convolution. The batch norm behind it is folded in.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvolutionWeights {
    /// `[out, in / groups, height, width]`, row by row.
    pub weight: Vec<f32>,
    /// `[out]`.
    pub bias: Vec<f32>,
}

impl ConvolutionWeights {
    /// Checks that both parts have the shape `shape` and hold finite numbers.
    pub(super) fn check(&self, shape: &ConvolutionShape) -> Result<(), WeightsError> {
        for (part, values, expected) in
            [("weight", &self.weight, shape.weight_count()), ("bias", &self.bias, shape.out_channels)]
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
}
