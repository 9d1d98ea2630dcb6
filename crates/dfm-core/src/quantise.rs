//! From a network in `f32` to one in int8, by the first pictures of a fit.

use dfm_backbone::{FeatureExtractor, NetworkPrecision, PreparedPicture};

use crate::error::DfmError;

/// Good pictures whose activations decide the steps of int8.
pub(crate) const PICTURES: usize = 64;

/// The extractor in the `precision` asked for, and the pictures that were taken from
/// `pictures` to find out how.
///
/// # Errors
///
/// If the extractor is in int8 against what was asked for, or cannot be.
pub(crate) fn in_precision(
    precision: NetworkPrecision,
    extractor: FeatureExtractor,
    pictures: &mut impl Iterator<Item = PreparedPicture>,
) -> Result<(FeatureExtractor, Vec<PreparedPicture>), DfmError> {
    match (extractor.precision(), precision) {
        (NetworkPrecision::F32, NetworkPrecision::Int8) => {
            let first: Vec<PreparedPicture> = pictures.take(PICTURES).collect();
            if first.is_empty() {
                return Err(DfmError::TooFewPictures { expected: 2, got: 0 });
            }
            let ranges = extractor.measure_ranges(&first)?;
            Ok((extractor.into_int8(ranges)?, first))
        }
        (NetworkPrecision::Int8, NetworkPrecision::F32) => Err(DfmError::Parameter {
            name: "precision",
            expected: "that of the extractor, int8",
            got: precision.to_string(),
        }),
        (NetworkPrecision::F32, NetworkPrecision::F32) | (NetworkPrecision::Int8, NetworkPrecision::Int8) => {
            Ok((extractor, Vec::new()))
        }
    }
}
