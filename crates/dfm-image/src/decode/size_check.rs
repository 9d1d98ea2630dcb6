//! Comparison of the size that a file declares with the limits.

use crate::error::PreprocessError;
use crate::limits::DecodeLimits;

/// Compares the declared size of a picture with the limits.
pub(super) fn check_size(
    width: u32,
    height: u32,
    bytes_a_pixel: u64,
    limits: &DecodeLimits,
) -> Result<(), PreprocessError> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits.max_pixels {
        return Err(PreprocessError::TooManyPixels { limit: limits.max_pixels, width, height });
    }
    if pixels == 0 {
        return Err(PreprocessError::Empty { width, height });
    }
    let got = pixels.saturating_mul(bytes_a_pixel);
    if got > limits.max_decoded_bytes {
        let limit = limits.max_decoded_bytes;
        return Err(PreprocessError::TooManyDecodedBytes { limit, got, width, height });
    }
    Ok(())
}
