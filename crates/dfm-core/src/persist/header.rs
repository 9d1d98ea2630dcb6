//! The JSON header, defined by one type.

use dfm_backbone::{Architecture, FeatureShape, InputContract, NetworkPrecision};
use serde::{Deserialize, Serialize};

use crate::conformal::CalibrationKind;
use crate::error::ModelFileError;
use crate::model::FitRecord;
use crate::params::ScoreKind;

/// The version of the format that this program reads and writes.
pub(crate) const VERSION: u32 = 2;

/// Everything about a model that is not a tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    /// [`VERSION`].
    pub(crate) version: u32,
    /// Hex SHA-256 of this header with an empty digest and of every tensor; see
    /// [`super::container`].
    pub(crate) digest: String,
    /// The program that wrote it.
    pub(crate) program: String,
    /// How the model came to be.
    pub(crate) record: FitRecord,
    /// The network.
    pub(crate) backbone: BackboneRecord,
    /// Shape of a feature row before flattening.
    pub(crate) feature_shape: FeatureShape,
    /// Principal components that scoring uses: the first rows of `directions`, or
    /// `components`.
    pub(crate) components: usize,
    /// Whether a threshold was found.
    pub(crate) calibrated: bool,
    /// Whether the fit statistic is kept whole.
    pub(crate) fit_statistic: bool,
    /// Whether its pictures have names.
    pub(crate) names: bool,
}

/// Which network a model was fitted with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackboneRecord {
    pub(crate) architecture: Architecture,
    pub(crate) input: InputContract,
    pub(crate) license: String,
    pub(crate) source: String,
    /// Hex SHA-256 of the weights up to the model's layer, in their own format.
    pub(crate) sha256: String,
    /// Whether the weights are in the file.
    pub(crate) included: bool,
}

/// Just enough of a header to tell its version.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Header {
    /// Parses a header, the version first, so that a newer file is told from a
    /// broken one.
    pub(crate) fn parse(json: &str) -> Result<Self, ModelFileError> {
        let refused = |error: serde_json::Error| ModelFileError::Header { reason: error.to_string() };
        let Versioned { version } = serde_json::from_str(json).map_err(refused)?;
        if version != VERSION {
            return Err(ModelFileError::Version { expected: VERSION, got: version });
        }
        serde_json::from_str(json).map_err(refused)
    }

    /// The names of the tensors that such a model has.
    pub(crate) fn tensors(&self) -> Vec<&'static str> {
        let optional = [
            (self.calibrated, &["calibration"][..]),
            (self.record.params.calibration.is_some(), &["calibration.scores"]),
            (
                self.record.params.score == ScoreKind::Nll,
                &["gaussian.mean", "gaussian.basis", "gaussian.deviations"],
            ),
            (self.record.params.score == ScoreKind::Mahalanobis, &["shrinkage"]),
            (self.fit_statistic, &["singular_values", "coordinates", "content_hashes"]),
            (self.fit_statistic && self.record.compression.is_some(), &["remainders"]),
            (self.fit_statistic && self.is_split(), &["components", "statistic.mean"]),
            (self.fit_statistic && self.names, &["picture_names"]),
            (self.backbone.included, &["backbone"]),
            (self.record.params.precision == NetworkPrecision::Int8, &["activation_ranges"]),
        ];
        let always = ["mean", "directions", "explained_variance", "variances"];
        let self_test = ["self_test.probe", "self_test.features", "self_test.score"];
        let there = optional.into_iter().filter(|(there, _)| *there).flat_map(|(_, names)| names).copied();
        always.into_iter().chain(self_test).chain(there).collect()
    }

    /// Whether the model is of fewer pictures than its fit statistic.
    pub(crate) fn is_split(&self) -> bool {
        self.record.params.calibration.is_some_and(|asked| asked.kind == CalibrationKind::Split)
    }

    /// The canonical JSON: fields in their order of declaration, no spaces.
    pub(crate) fn to_json(&self) -> Result<String, ModelFileError> {
        serde_json::to_string(self).map_err(|error| ModelFileError::Header { reason: error.to_string() })
    }
}
