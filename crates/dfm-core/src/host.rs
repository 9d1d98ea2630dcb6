//! Values of a device on the host.

use burn::tensor::Tensor;

use crate::error::DfmError;

/// The values of a tensor, row by row.
///
/// # Errors
///
/// If the device fails.
pub(crate) fn to_host<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, DfmError> {
    tensor
        .try_into_vec_as::<f32>()
        .map_err(|error| DfmError::Device { operation: "reading results back", reason: error.to_string() })
}
