//! The JSON header, defined by one type.

use std::collections::HashSet;

use dfm_backbone::{Architecture, FeatureShape, InputContract, NetworkPrecision, Tap};
use serde::{Deserialize, Serialize};

use crate::file::error::ModelFileError;
use crate::file::faults::{consistent, content};
use crate::file::names;
use crate::learn::record::{FitRecord, TapRecord};
use crate::method::CalibrationKind;
use crate::method::{MapKind, Rows, ScoreKind};

/// The version of the format that this program writes, unless a fit set pictures aside.
pub(crate) const VERSION: u32 = 2;
/// The version of a model whose fit set pictures aside. Programs that read version 2 alone would take
/// such pictures for learnt ones.
pub(crate) const VERSION_ASIDE: u32 = 3;

/// The tensor of the content hashes of rows that were set aside.
pub(crate) const ASIDE_HASHES: &str = "set_aside.content_hashes";
/// The tensor of those rows.
pub(crate) const ASIDE_ROWS: &str = "set_aside.rows";

/// Everything about a model that is not a tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    /// [`VERSION`], or [`VERSION_ASIDE`] if the record says that pictures were set aside.
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
    /// Shape of the features of each tap before flattening, the same at all places.
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
    /// Hex SHA-256 of the fetched file that the weights come from; `None` for other weights, and in
    /// models that were written before it was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file_sha256: Option<String>,
    /// Whether the weights are in the file.
    pub(crate) included: bool,
}

/// Just enough of a header to tell its version.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Header {
    /// Parses a header. One of another version is told from one that is broken.
    pub(crate) fn parse(json: &str) -> Result<Self, ModelFileError> {
        let is_known = |version| [VERSION, VERSION_ASIDE].contains(&version);
        let other = |version| ModelFileError::Version { expected: VERSION_ASIDE, got: version };
        match serde_json::from_str::<Self>(json) {
            Ok(header) if is_known(header.version) => {
                consistent("version", &version_of(&header.record), &header.version)?;
                Ok(header)
            }
            Ok(header) => Err(other(header.version)),
            Err(error) => match serde_json::from_str(json) {
                Ok(Versioned { version }) if !is_known(version) => Err(other(version)),
                _ => Err(ModelFileError::Header { reason: error.to_string() }),
            },
        }
    }

    /// The names of the tensors that such a model has.
    ///
    /// # Errors
    ///
    /// Those of [`tap_tensors`](Self::tap_tensors).
    pub(crate) fn tensors(&self) -> Result<HashSet<String>, ModelFileError> {
        let method = &self.record.params.method;
        let optional = [
            (self.calibrated, "calibration"),
            (self.cells_calibrated, "calibration.cells"),
            (method.calibration.is_some(), "calibration.scores"),
            (self.fit_statistic, "content_hashes"),
            (self.fit_statistic && self.names, "picture_names"),
            (self.fit_statistic && self.has_aside(), ASIDE_HASHES),
            (self.backbone.included, "backbone"),
            (method.precision == NetworkPrecision::Int8, "activation_ranges"),
            (!method.tile_statistics.is_shared(), "usual_scores"),
            (method.map_kind() == MapKind::Fine, names::COUNT),
            (method.map_kind() == MapKind::Fine, names::PROBE),
            (method.map_kind() == MapKind::Fine && self.cells_calibrated, names::PEAKS),
        ];
        let there = optional.into_iter().filter(|(there, _)| *there).map(|(_, name)| name);
        let always = ["self_test.probe", "self_test.features", "self_test.score"];
        let of_all = always.into_iter().chain(there).map(str::to_owned);
        Ok(of_all.chain(self.tap_tensors()?.into_iter().flat_map(|tap| self.tensors_of(tap))).collect())
    }

    /// The tensors of each layer at each place.
    ///
    /// # Errors
    ///
    /// If the parameters ask for no places, the record has another number of places, or there is not a
    /// feature shape for each layer.
    pub(crate) fn tap_tensors(&self) -> Result<Vec<TapTensors<'_>>, ModelFileError> {
        let FitRecord { params, taps: records, .. } = &self.record;
        let method = &params.method;
        let places = method.place_count().map_err(content("parameters"))?;
        consistent("record.taps", &(places * method.taps.len()), &records.len())?;
        consistent("feature_shapes", &method.taps.len(), &self.feature_shapes.len())?;
        let (several, by_position) = (method.taps.len() > 1, !method.tile_statistics.is_shared());
        let parts = (0..places).flat_map(|place| (0..method.taps.len()).map(move |layer| (place, layer)));
        let tensors = parts.zip(records).map(|((place, layer), record)| TapTensors {
            place,
            layer,
            tap: method.taps[layer],
            shape: self.feature_shapes[layer],
            rows: method.rows,
            record,
            by_position,
            several,
        });
        Ok(tensors.collect())
    }

    fn tensors_of(&self, tap: TapTensors<'_>) -> impl Iterator<Item = String> {
        let score = self.record.params.method.score;
        let compressed = tap.record.compression.is_some();
        let has_details = self.record.params.method.map_kind() == MapKind::Fine && tap.tap.pool > 1;
        let optional = [
            (score == ScoreKind::Nll, &["gaussian.mean", "gaussian.basis", "gaussian.deviations"][..]),
            (score == ScoreKind::Mahalanobis, &["shrinkage"]),
            (self.fit_statistic, &["singular_values", "coordinates"]),
            (self.fit_statistic && compressed, &["remainders"]),
            (has_details, &names::OF_TAP),
            (self.fit_statistic && self.is_split(), &["components", "statistic.mean"]),
            (self.fit_statistic && self.has_aside(), &[ASIDE_ROWS]),
        ];
        let always = ["mean", "directions", "explained_variance", "variances"];
        let there = optional.into_iter().filter(|(there, _)| *there).flat_map(|(_, names)| names).copied();
        always.into_iter().chain(there).map(move |name| tap.name(name))
    }

    /// Whether the model was fitted on fewer pictures than its fit statistic has.
    pub(crate) fn is_split(&self) -> bool {
        let kind = self.record.params.method.calibration_kind();
        kind == Some(CalibrationKind::Split) && !self.has_aside()
    }

    /// Whether pictures were set aside, which are not in the fit statistic.
    pub(crate) fn has_aside(&self) -> bool {
        self.record.set_aside.is_some()
    }

    /// The canonical JSON: fields in their order of declaration, no spaces.
    pub(crate) fn to_json(&self) -> Result<String, ModelFileError> {
        serde_json::to_string(self).map_err(|error| ModelFileError::Header { reason: error.to_string() })
    }
}

/// The version that the file of such a record has.
pub(crate) fn version_of(record: &FitRecord) -> u32 {
    if record.set_aside.is_some() { VERSION_ASIDE } else { VERSION }
}

/// Which tensors belong to a layer at a place, and what the header says of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TapTensors<'h> {
    /// The index of the place.
    pub(crate) place: usize,
    /// The index of the layer.
    pub(crate) layer: usize,
    pub(crate) tap: Tap,
    /// The shape of its features.
    pub(crate) shape: FeatureShape,
    /// What a row of its statistic is.
    pub(crate) rows: Rows,
    pub(crate) record: &'h TapRecord,
    /// With statistics by position, the names of tensors begin with the tile.
    by_position: bool,
    /// With several layers, the name of a tensor begins with its layer.
    several: bool,
}

impl TapTensors<'_> {
    /// The full name of the tensor `name`.
    pub(crate) fn name(self, name: &str) -> String {
        let tile = if self.by_position { format!("tile{}.", self.place) } else { String::new() };
        let layer = if self.several { format!("{}.", self.tap.layer) } else { String::new() };
        format!("{tile}{layer}{name}")
    }

    /// The index of the tile, with statistics by position; else `None`.
    pub(crate) fn tile(self) -> Option<usize> {
        self.by_position.then_some(self.place)
    }
}
