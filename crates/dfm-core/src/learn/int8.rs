//! From a network in `f32` to one in int8, by the first pictures of a fit.

use dfm_backbone::{FeatureExtractor, NetworkPrecision, PreparedPicture};

use crate::error::DfmError;
use crate::method::ValidFitParams;
use crate::pieces::Piece;

/// Pieces of good pictures whose activations decide the steps of int8.
const PIECES: usize = 64;

impl ValidFitParams {
    /// The extractor in the precision that these parameters ask for, and what was taken from
    /// `pieces` to find out how: nothing, or for int8 up to 64.
    ///
    /// # Errors
    ///
    /// If the extractor is in int8 against what was asked for, cannot be, or one of those
    /// pieces comes as features.
    pub fn in_precision(
        &self,
        extractor: FeatureExtractor,
        pieces: &mut impl Iterator<Item = Piece>,
    ) -> Result<(FeatureExtractor, Vec<Piece>), DfmError> {
        let precision = self.method().precision;
        match (extractor.precision(), precision) {
            (NetworkPrecision::F32, NetworkPrecision::Int8) => {
                let first: Vec<Piece> = pieces.take(PIECES).collect();
                if first.is_empty() {
                    return Err(DfmError::TooFewPictures { expected: 2, got: 0 });
                }
                let prepared: Option<Vec<&PreparedPicture>> = first.iter().map(Piece::prepared).collect();
                let prepared = prepared.ok_or_else(|| DfmError::Parameter {
                    name: "pictures",
                    expected: "pictures to measure the steps of int8 by, or an extractor in int8",
                    got: "features".to_owned(),
                })?;
                let ranges = extractor.measure_ranges(&prepared)?;
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
