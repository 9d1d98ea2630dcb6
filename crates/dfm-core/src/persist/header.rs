//! The JSON header, defined by one type.

use dfm_backbone::{Architecture, FeatureShape, InputContract, Layer, NetworkPrecision};
use serde::{Deserialize, Serialize};

use crate::conformal::CalibrationKind;
use crate::error::ModelFileError;
use crate::params::ScoreKind;
use crate::record::FitRecord;

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
    /// Shape of the features of each tap before flattening.
    pub(crate) feature_shapes: Vec<FeatureShape>,
    /// Whether a threshold was found.
    pub(crate) calibrated: bool,
    /// Whether one for cells was.
    pub(crate) cells_calibrated: bool,
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
        let params = &self.record.params;
        let optional = [
            (self.calibrated, "calibration"),
            (self.cells_calibrated, "calibration.cells"),
            (params.calibration.is_some(), "calibration.scores"),
            (self.fit_statistic, "content_hashes"),
            (self.fit_statistic && self.names, "picture_names"),
            (self.backbone.included, "backbone"),
            (params.precision == NetworkPrecision::Int8, "activation_ranges"),
        ];
        let there = optional.into_iter().filter(|(there, _)| *there).map(|(_, name)| name);
        let of_taps = self.tap_tensors().flat_map(|tap| self.tensors_of(tap));
        ["self_test.probe", "self_test.features", "self_test.score"]
            .into_iter()
            .chain(there)
            .chain(of_taps)
            .collect()
    }

    /// The names of the tensors of each tap.
    pub(crate) fn tap_tensors(&self) -> impl Iterator<Item = TapTensors> + '_ {
        self.record.params.taps.iter().enumerate().map(|(place, tap)| TapTensors {
            place,
            layer: (self.record.params.taps.len() > 1).then_some(tap.layer),
        })
    }

    fn tensors_of(&self, tap: TapTensors) -> impl Iterator<Item = &'static str> {
        let score = self.record.params.score;
        let compressed = self.record.taps.get(tap.place).is_some_and(|record| record.compression.is_some());
        let optional = [
            (score == ScoreKind::Nll, &["gaussian.mean", "gaussian.basis", "gaussian.deviations"][..]),
            (score == ScoreKind::Mahalanobis, &["shrinkage"]),
            (self.fit_statistic, &["singular_values", "coordinates"]),
            (self.fit_statistic && compressed, &["remainders"]),
            (self.fit_statistic && self.is_split(), &["components", "statistic.mean"]),
        ];
        let always = ["mean", "directions", "explained_variance", "variances"];
        let there = optional.into_iter().filter(|(there, _)| *there).flat_map(|(_, names)| names).copied();
        always.into_iter().chain(there).map(move |name| tap.name(name))
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

/// Which tensors belong to a tap.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TapTensors {
    /// Among the taps.
    pub(crate) place: usize,
    /// Of several taps, whose tensors have the layer before their names.
    layer: Option<Layer>,
}

/// The name of each tensor of a tap: of the only one, and of each layer among several.
macro_rules! tap_names {
    ($($name:literal),*) => {
        [$([
            $name,
            concat!("layer1.", $name),
            concat!("layer2.", $name),
            concat!("layer3.", $name),
            concat!("layer4.", $name),
        ]),*]
    };
}

impl TapTensors {
    const NAMES: [[&str; 5]; 13] = tap_names![
        "mean",
        "directions",
        "explained_variance",
        "variances",
        "gaussian.mean",
        "gaussian.basis",
        "gaussian.deviations",
        "shrinkage",
        "singular_values",
        "coordinates",
        "remainders",
        "components",
        "statistic.mean"
    ];

    /// This tap's tensor of that name.
    pub(crate) fn name(self, name: &'static str) -> &'static str {
        let column = match self.layer {
            None => 0,
            Some(Layer::Layer1) => 1,
            Some(Layer::Layer2) => 2,
            Some(Layer::Layer3) => 3,
            Some(Layer::Layer4) => 4,
        };
        Self::NAMES.iter().find(|names| names[0] == name).map_or(name, |names| names[column])
    }
}
