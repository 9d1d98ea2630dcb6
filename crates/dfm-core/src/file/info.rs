//! What a file says of its model, without building the network.

use std::io::Read;

use dfm_backbone::{Architecture, FeatureShape, InputContract, Layer};
use serde::Serialize;

use crate::decide::support::Support;
use crate::error::DfmError;
use crate::file::header::{ASIDE_HASHES, ASIDE_ROWS};
use crate::file::opened::OpenedFile;
use crate::file::wanted::Wanted;
use crate::learn::record::FitRecord;
use crate::method::{CalibrationKind, MapKind, ScoreKind, ThresholdEstimate};

/// The tensors of a tap of a model that keeps its fit statistic. A model without a fit statistic has
/// the components among their bytes, too.
const KEPT_OF_TAP: [&str; 7] = [
    "directions",
    "components",
    "coordinates",
    "singular_values",
    "remainders",
    "statistic.mean",
    ASIDE_ROWS,
];
/// The tensors of such a model that belong to all taps.
const KEPT: [&str; 3] = ["content_hashes", "picture_names", ASIDE_HASHES];

/// The tensors that something is told of, alone or behind the name of a tap. They are small.
const TOLD: [&str; 5] =
    ["calibration", "calibration.scores", "calibration.cells", "variances", "explained_variance"];

/// Whether this can stand before the name of a tensor: nothing, or the name of a tap.
fn is_prefix(prefix: &str) -> bool {
    prefix.is_empty() || prefix.ends_with('.')
}

/// The contents of a model file, hash checked, self-test not run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelInfo {
    /// Version of the format.
    pub version: u32,
    /// The program that wrote it.
    pub program: String,
    /// Hex SHA-256 over header and tensors.
    pub digest: String,
    /// How the model came to be.
    pub record: FitRecord,
    /// The network.
    pub architecture: Architecture,
    /// What the network expects of a picture.
    pub input: InputContract,
    /// Licence of the weights.
    pub license: String,
    /// Where the weights came from.
    pub source: String,
    /// Hex SHA-256 of the weights.
    pub weights_sha256: String,
    /// Hex SHA-256 of the fetched file that the weights come from; `None` for other weights, and in
    /// models that were written before it was recorded.
    pub weights_file_sha256: Option<String>,
    /// Whether the weights are in the file.
    pub weights_included: bool,
    /// What is modelled for each layer; with statistics by position, one place after the other.
    pub taps: Vec<TapInfo>,
    /// The threshold, if one was found.
    pub threshold: Option<f64>,
    /// What a cell of a map reaches in about as few good pictures, if that was found.
    pub cell_threshold: Option<f64>,
    /// What maps are made of. `None` if the score has no map.
    pub map: Option<MapKind>,
    /// What the threshold and p-values rest on; `None` if the threshold was given.
    pub calibration: Option<CalibrationInfo>,
    /// Whether the model can be merged and updated.
    pub updatable: bool,
    /// Size of the file in bytes.
    pub total_bytes: u64,
    /// Bytes of weights in the file.
    pub backbone_bytes: u64,
    /// Bytes that are there only for merging and updating.
    pub fit_statistic_bytes: u64,
}

/// What a model knows of the features of one layer; with statistics by position, at one place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TapInfo {
    /// The index of the tile, with statistics by position; else `None`.
    pub tile: Option<usize>,
    /// The layer.
    pub layer: Layer,
    /// The layers that it is the average of, in order; empty unless it is an average.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub averaged: Vec<Layer>,
    /// Side of the average pool behind it.
    pub pool: usize,
    /// Shape of its features before flattening.
    pub feature_shape: FeatureShape,
    /// Principal components that scoring uses.
    pub components: usize,
    /// The share of the variance that those components explain.
    pub explained_ratio: f64,
}

/// What p-values and the threshold of a fit rest on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CalibrationInfo {
    /// How good pictures were held out.
    pub kind: CalibrationKind,
    /// The number of different pictures that were held out.
    pub pictures: usize,
    /// What is proved of p-values.
    pub guarantee: &'static str,
    /// The rate of false alarms that the threshold is for, if one was stated.
    pub false_alarm: Option<f64>,
    /// How the threshold follows from the scores; `None` if a rate or a threshold was stated.
    pub estimate: Option<ThresholdEstimate>,
    /// What so many pictures can say of that rate.
    pub support: Option<Support>,
}

impl ModelInfo {
    /// Reads a model file, up to `max_bytes` of tensors.
    ///
    /// # Errors
    ///
    /// [`ModelFileError`](crate::ModelFileError), as for [`Dfm::read`](crate::Dfm::read).
    pub fn read(reader: &mut impl Read, max_bytes: u64) -> Result<Self, DfmError> {
        let (file, mut bytes) = OpenedFile::of_stream(reader, max_bytes)?;
        let is_told = |name: &str| TOLD.iter().any(|told| name.strip_suffix(told).is_some_and(is_prefix));
        file.load(&mut bytes, |name| if is_told(name) { Wanted::All } else { Wanted::Nothing })?;
        let threshold = match file.header.calibrated {
            true => file.f64("calibration")?.1.first().copied(),
            false => None,
        };
        let method = &file.header.record.params.method;
        let calibration = match method.calibration.zip(file.header.record.calibration_kind()) {
            Some((asked, kind)) => {
                let scores = file.f64("calibration.scores")?.1;
                let is_found = file.header.record.finds_threshold();
                Some(CalibrationInfo {
                    kind,
                    pictures: scores.len(),
                    guarantee: kind.guarantee(),
                    false_alarm: asked.false_alarm,
                    estimate: (asked.false_alarm.is_none() && asked.threshold.is_none())
                        .then_some(asked.estimate),
                    support: threshold.and_then(|at| Support::of(&scores, at, asked, is_found)),
                })
            }
            None => None,
        };
        let cell_threshold = match file.header.cells_calibrated {
            true => file.f64("calibration.cells")?.1.first().copied(),
            false => None,
        };
        let header = &file.header;
        let (mut taps, mut fit_statistic_bytes) = (Vec::new(), 0);
        for tensors in header.tap_tensors()? {
            let (record, shape) = (tensors.record, tensors.shape);
            let total = file.f64(&tensors.name("variances"))?.1.first().copied().unwrap_or(f64::NAN);
            let explained: f64 = file.f64(&tensors.name("explained_variance"))?.1.iter().sum();
            taps.push(TapInfo {
                tile: tensors.tile(),
                layer: tensors.tap.layer,
                averaged: tensors.tap.layer.averaged()?,
                pool: tensors.tap.pool,
                feature_shape: shape,
                components: record.components,
                explained_ratio: (explained / total).min(1.0),
            });
            let all: u64 = KEPT_OF_TAP.iter().map(|name| file.byte_len(&tensors.name(name))).sum();
            let components = (record.components as u64).saturating_mul(shape.len() as u64).saturating_mul(4);
            fit_statistic_bytes += all.saturating_sub(components);
        }
        fit_statistic_bytes += KEPT.iter().map(|name| file.byte_len(name)).sum::<u64>();
        let fit_statistic_bytes = if header.fit_statistic { fit_statistic_bytes } else { 0 };
        Ok(Self {
            version: header.version,
            program: header.program.clone(),
            digest: header.digest.clone(),
            record: header.record.clone(),
            architecture: header.backbone.architecture.clone(),
            input: header.backbone.input,
            license: header.backbone.license.clone(),
            source: header.backbone.source.clone(),
            weights_sha256: header.backbone.sha256.clone(),
            weights_file_sha256: header.backbone.file_sha256.clone(),
            weights_included: header.backbone.included,
            taps,
            threshold,
            cell_threshold,
            map: (method.score != ScoreKind::Nll).then(|| method.map_kind()),
            calibration,
            updatable: header.fit_statistic,
            total_bytes: file.len(),
            backbone_bytes: file.byte_len("backbone"),
            fit_statistic_bytes,
        })
    }
}
