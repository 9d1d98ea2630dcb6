//! From a network in `f32` to one in int8, by the first pictures of a fit.

use dfm_backbone::{FeatureExtractor, NetworkPrecision, PreparedPicture};

use crate::error::DfmError;
use crate::fit::FitPicture;
use crate::params::ValidDfmParams;

/// Good pictures whose activations decide the steps of int8.
const PICTURES: usize = 64;

impl ValidDfmParams {
    /// The extractor in the precision that these parameters ask for, and the pictures that
    /// were taken from `pictures` to find out how: none, or for int8 up to 64.
    ///
    /// # Errors
    ///
    /// If the extractor is in int8 against what was asked for, cannot be, or one of those
    /// pictures comes as features.
    pub fn in_precision(
        &self,
        extractor: FeatureExtractor,
        pictures: &mut impl Iterator<Item = FitPicture>,
    ) -> Result<(FeatureExtractor, Vec<PreparedPicture>), DfmError> {
        let precision = self.params().precision;
        match (extractor.precision(), precision) {
            (NetworkPrecision::F32, NetworkPrecision::Int8) => {
                let prepared = |picture| match picture {
                    FitPicture::Prepared(picture) => Ok(picture),
                    FitPicture::Computed(..) => Err(DfmError::Parameter {
                        name: "pictures",
                        expected: "pictures to measure the steps of int8 by, or an extractor in int8",
                        got: "features".to_owned(),
                    }),
                };
                let first: Vec<PreparedPicture> =
                    pictures.take(PICTURES).map(prepared).collect::<Result<_, _>>()?;
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
            (NetworkPrecision::F32, NetworkPrecision::F32)
            | (NetworkPrecision::Int8, NetworkPrecision::Int8) => Ok((extractor, Vec::new())),
        }
    }
}
