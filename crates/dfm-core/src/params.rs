//! What a fit can be told: unchecked parameters, and the checked ones that
//! alone can fit.

use dfm_backbone::{
    BackboneError, BackboneWeights, Compute, FeatureExtractor, Layer, NetworkPrecision, Region, Tap, Tiling,
    TilingError,
};
use dfm_stats::{FitStatistic, Keep, Pca, PcaParams, StreamingParams, ValidPcaParams, ValidStreamingParams};
use serde::{Deserialize, Serialize};

use crate::aggregate::Aggregation;
use crate::compat::Compat;
use crate::conformal::{CalibrationKind, check_false_alarm};
use crate::error::DfmError;
use crate::places::TileStatistics;

/// The most pictures that may run through the network together.
pub const MAX_BATCH: usize = 1024;

/// Which score a model gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreKind {
    /// Feature reconstruction error: the squared norm of what the principal
    /// components cannot reconstruct. Has an anomaly map.
    Fre,
    /// Negative log-likelihood of the reduced features under a Gaussian whose variances
    /// are shrunk ([`Shrinkage`](dfm_stats::Shrinkage)). Has no map: it belongs to the
    /// picture as a whole.
    Nll,
    /// Squared Mahalanobis distance under probabilistic PCA: the distance within the
    /// components, and the reconstruction error over the variance of what they leave
    /// out, both shrunk ([`ProbabilisticPca`](dfm_stats::ProbabilisticPca)). Its map is
    /// that of the second part alone.
    Mahalanobis,
}

impl ScoreKind {
    /// `fre`, `nll` or `mahalanobis`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fre => "fre",
            Self::Nll => "nll",
            Self::Mahalanobis => "mahalanobis",
        }
    }
}

/// How the threshold is found with no defects at hand.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationParams {
    /// Where no rate is stated, the share of held-out good pictures that should stay below
    /// the threshold, in (0, 1]: an estimate.
    pub quantile: f64,
    /// How good pictures come to be held out.
    pub kind: CalibrationKind,
    /// The share of good pictures that may be called anomalous, from 0.000001 to 0.5: what has
    /// such a p-value is.
    pub false_alarm: Option<f64>,
    /// A threshold that was chosen, whatever the held-out pictures say: they then give p-values
    /// alone. In place of `false_alarm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

impl Default for CalibrationParams {
    fn default() -> Self {
        Self { quantile: 0.99, kind: CalibrationKind::LeaveOneOut, false_alarm: None, threshold: None }
    }
}

impl CalibrationParams {
    /// The share of good pictures that should stay below what is calibrated.
    pub(crate) fn share_below(self) -> f64 {
        self.false_alarm.map_or(self.quantile, |false_alarm| 1.0 - false_alarm)
    }

    /// Whether good pictures of a fit with `params` can be held out so.
    fn check(self, params: &DfmParams) -> Result<(), DfmError> {
        let refused = |name, expected, got: String| Err(DfmError::Parameter { name, expected, got });
        if !(self.quantile > 0.0 && self.quantile <= 1.0) {
            return refused("threshold quantile", "a share in (0, 1]", self.quantile.to_string());
        }
        if let Some(false_alarm) = self.false_alarm {
            check_false_alarm(false_alarm)?;
        }
        if let Some(threshold) = self.threshold
            && (!threshold.is_finite() || self.false_alarm.is_some())
        {
            let expected = "a finite number, and no false-alarm rate beside it";
            return refused("threshold", expected, threshold.to_string());
        }
        let shared = params.tile_statistics.is_shared();
        match (params.tiling, self.kind) {
            (None, _) | (_, CalibrationKind::Split) => {}
            (Some(_), CalibrationKind::LeaveOneOut) if !shared => {}
            (Some(_), kind) => {
                let expected = match shared {
                    true => "split for pictures in tiles that share statistics: they are held out together",
                    false => "leave-one-out or split for pictures in tiles, which are judged one by one",
                };
                return refused("calibration", expected, kind.to_string());
            }
        }
        if self.kind != CalibrationKind::JackknifePlus {
            return Ok(());
        }
        if !params.keep_fit_statistic {
            let expected = "leave-one-out or split for a model that keeps no fit statistic: jackknife+ asks all its \
                            pictures of each new one";
            return refused("calibration", expected, self.kind.to_string());
        }
        if let Some(Compat::Anomalib) = params.compat {
            return refused(
                "compat",
                "none with jackknife+, whose models count their components",
                "anomalib".to_owned(),
            );
        }
        match (params.score, params.aggregation) {
            (ScoreKind::Fre, Aggregation::Sum | Aggregation::Relative) => Ok(()),
            (score, aggregation) => {
                let expected = "fre, sum or relative, with jackknife+: models without each picture share the \
                                shrinkage of other scores, and cells would take each model's own map";
                refused("score", expected, format!("{}, {aggregation}", score.name()))
            }
        }
    }
}

/// Everything that decides a fit, unchecked.
///
/// # Example
///
/// ```
/// use dfm_core::{DfmParams, ScoreKind};
///
/// let params = DfmParams { score: ScoreKind::Nll, ..DfmParams::default() };
/// assert!(params.clone().check().is_ok());
/// assert!(DfmParams { batch: 0, ..params }.check().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DfmParams {
    /// Where features are taken, in the order of the layers. Each has statistics of its own;
    /// scores and maps are the geometric means of theirs.
    pub taps: Vec<Tap>,
    /// How many principal components are kept.
    #[serde(with = "KeepRecord")]
    pub keep: Keep,
    /// Which score the model gives.
    pub score: ScoreKind,
    /// How FRE is made of the cells of its map.
    pub aggregation: Aggregation,
    /// The part of every picture that counts; `None` for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Every picture in tiles, each a row of its own; `None` for pictures in one piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiling: Option<Tiling>,
    /// What a tile is compared with.
    #[serde(default, skip_serializing_if = "TileStatistics::is_shared")]
    pub tile_statistics: TileStatistics,
    /// Another program whose numbers are wanted, where they differ from ours.
    pub compat: Option<Compat>,
    /// How to find a threshold; `None` leaves scores without label or
    /// normalisation.
    pub calibration: Option<CalibrationParams>,
    /// What numbers the network computes in: int8 is faster and differs by some per cent.
    pub precision: NetworkPrecision,
    /// Pictures that run through the network together, and whose scores are one product.
    /// Changes speed and memory, not scores.
    pub batch: usize,
    /// Whether the model keeps what it needs to be merged and updated later:
    /// every direction and each picture's coordinates.
    pub keep_fit_statistic: bool,
    /// How much memory features and statistics may take, and whether the fit must be
    /// exact. Not part of the model, which says what it cost.
    #[serde(skip, default = "default_memory")]
    pub memory: StreamingParams,
}

/// 4 GiB: exact for some five thousand pictures of default features.
fn default_memory() -> StreamingParams {
    StreamingParams { max_bytes: 4 << 30, exact: false }
}

impl Default for DfmParams {
    /// The method's own settings: `layer3`, pool 4, 97 % of the variance, FRE.
    fn default() -> Self {
        Self {
            taps: vec![Layer::Layer3.pooled(4)],
            keep: Keep::Ratio(0.97),
            score: ScoreKind::Fre,
            aggregation: Aggregation::Sum,
            region: None,
            tiling: None,
            tile_statistics: TileStatistics::Shared,
            compat: None,
            calibration: Some(CalibrationParams::default()),
            precision: NetworkPrecision::F32,
            batch: 16,
            keep_fit_statistic: true,
            memory: default_memory(),
        }
    }
}

impl DfmParams {
    /// The share of its own variance that a model without a picture keeps components for,
    /// rather than as many as that of all: what a jackknife+ proves is proved of models that
    /// know nothing of the picture that they are without.
    pub(crate) fn own_ratio(&self) -> Option<f64> {
        match (self.calibration?.kind, self.keep) {
            // All directions are all of any model's.
            (CalibrationKind::JackknifePlus, Keep::Ratio(ratio)) if ratio < 1.0 => Some(ratio),
            _ => None,
        }
    }

    /// Checks every parameter.
    ///
    /// # Errors
    ///
    /// The first parameter out of range, with the range.
    pub fn check(self) -> Result<ValidDfmParams, DfmError> {
        let out_of_range = |name, expected, got: String| DfmError::Parameter { name, expected, got };
        if self.taps.iter().any(|tap| tap.pool == 0) {
            return Err(out_of_range("pool", "1 cell or more", "0".to_owned()));
        }
        Tap::deepest(&self.taps)?;
        if self.taps.len() > 1 && self.score == ScoreKind::Nll {
            // A likelihood may be negative.
            let expected =
                "fre or mahalanobis, with several layers: there is no geometric mean of likelihoods";
            return Err(out_of_range("score", expected, self.score.name().to_owned()));
        }
        if self.batch == 0 || self.batch > MAX_BATCH {
            return Err(out_of_range("batch", "1 to 1024 pictures", self.batch.to_string()));
        }
        if let Some(calibration) = self.calibration {
            calibration.check(&self)?;
        }
        if !self.aggregation.is_valid() {
            return Err(out_of_range("aggregation", Aggregation::EXPECTED, self.aggregation.to_string()));
        }
        if self.score != ScoreKind::Fre && self.aggregation != Aggregation::Sum {
            let expected = "sum, unless the score is fre: no other is made of cells alone";
            return Err(out_of_range("aggregation", expected, self.aggregation.to_string()));
        }
        if let Some(compat) = self.compat {
            compat.check(&self)?;
        }
        if let Some(tiling) = self.tiling {
            tiling.check().map_err(BackboneError::from)?;
            if self.region.as_ref().is_some_and(|region| region.picture_size().is_some()) {
                return Err(BackboneError::from(TilingError::Mask).into());
            }
        }
        let places = self.place_count()?;
        let pca = PcaParams { keep: self.keep }.check()?;
        let memory = self.memory.check()?;
        Ok(ValidDfmParams { params: self, places, pca, memory })
    }
}

/// Checked [`DfmParams`]: the only ones that can fit.
#[derive(Debug, Clone)]
pub struct ValidDfmParams {
    params: DfmParams,
    places: usize,
    pca: ValidPcaParams,
    memory: ValidStreamingParams,
}

impl ValidDfmParams {
    /// The parameters as given.
    pub fn params(&self) -> &DfmParams {
        &self.params
    }

    /// The feature extractor that these parameters ask for, on `compute`: a device, or what
    /// [`device::parse`](crate::device::parse) gives.
    ///
    /// # Errors
    ///
    /// If the weights do not reach the layer, the pool is larger than the layer's
    /// output, or the other program of [`DfmParams::compat`] could not use the weights.
    pub fn extractor(
        &self,
        weights: BackboneWeights,
        compute: impl Into<Compute>,
    ) -> Result<FeatureExtractor, DfmError> {
        let weights = match self.params.compat {
            Some(compat) => compat.weights(weights)?,
            None => weights,
        };
        let mut extractor = FeatureExtractor::new(weights, &self.params.taps, compute)?;
        extractor.set_region(self.params.region.clone())?;
        extractor.set_tiling(self.params.tiling, self.params.tile_statistics.picture_size());
        Ok(extractor)
    }

    /// Whether the rows of a statistic are tiles, of which a picture has several.
    pub(crate) fn rows_are_tiles(&self) -> bool {
        self.params.tiling.is_some() && self.params.tile_statistics.is_shared()
    }

    /// Places that have statistics of their own.
    pub(crate) fn places(&self) -> usize {
        self.places
    }

    /// The fit of features within the memory that these parameters allow.
    pub(crate) fn memory(&self) -> ValidStreamingParams {
        self.memory
    }

    /// The components of `statistic` that these parameters ask for.
    pub(crate) fn truncate(&self, statistic: &FitStatistic) -> Result<Pca, DfmError> {
        let pca = self.pca.truncate(statistic)?;
        match self.params.compat {
            Some(compat) => compat.truncate(self.params.keep, statistic, pca),
            None => Ok(pca),
        }
    }
}

/// How [`Keep`] is written: `dfm-stats` knows no file formats.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Keep", rename_all = "snake_case")]
enum KeepRecord {
    Ratio(f64),
    Components(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(params: DfmParams) -> &'static str {
        match params.check() {
            Err(DfmError::Parameter { name, .. }) => name,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_parameter_out_of_range_is_named() {
        let good = DfmParams::default();
        assert!(good.clone().check().is_ok());
        let taps = vec![Layer::Layer3.pooled(0)];
        assert_eq!(refused(DfmParams { taps, ..good.clone() }), "pool");
        let several =
            DfmParams { taps: vec![Layer::Layer2.pooled(4), Layer::Layer3.pooled(4)], ..good.clone() };
        assert!(several.clone().check().is_ok());
        assert_eq!(refused(DfmParams { score: ScoreKind::Nll, ..several.clone() }), "score");
        assert_eq!(refused(DfmParams { compat: Some(Compat::Anomalib), ..several }), "layers");
        assert_eq!(refused(DfmParams { batch: 0, ..good.clone() }), "batch");
        assert_eq!(refused(DfmParams { batch: MAX_BATCH + 1, ..good.clone() }), "batch");
        for quantile in [0.0, -0.1, 1.1, f64::NAN] {
            let calibration = Some(CalibrationParams { quantile, ..CalibrationParams::default() });
            assert_eq!(refused(DfmParams { calibration, ..good.clone() }), "threshold quantile");
        }
        for rate in [0.0, -0.1, 0.6, f64::NAN] {
            let calibration = CalibrationParams { false_alarm: Some(rate), ..CalibrationParams::default() };
            let asked = DfmParams { calibration: Some(calibration), ..good.clone() };
            assert_eq!(refused(asked), "false alarm rate");
        }
        let kind = CalibrationKind::JackknifePlus;
        let calibration = Some(CalibrationParams { kind, ..CalibrationParams::default() });
        let jackknife = DfmParams { calibration, ..good.clone() };
        assert!(jackknife.clone().check().is_ok());
        assert_eq!(refused(DfmParams { keep_fit_statistic: false, ..jackknife.clone() }), "calibration");
        assert_eq!(refused(DfmParams { aggregation: Aggregation::Max, ..jackknife.clone() }), "score");
        assert_eq!(refused(DfmParams { score: ScoreKind::Nll, ..jackknife }), "score");
        for score in [ScoreKind::Nll, ScoreKind::Mahalanobis] {
            let asked = DfmParams { score, ..good.clone() };
            assert!(asked.clone().check().is_ok());
            assert_eq!(refused(DfmParams { aggregation: Aggregation::Max, ..asked.clone() }), "aggregation");
            assert_eq!(refused(DfmParams { compat: Some(Compat::Anomalib), ..asked }), "score");
        }
        for percent in [0.0, -1.0, 100.1, f64::NAN] {
            let aggregation = Aggregation::Top { percent };
            assert_eq!(refused(DfmParams { aggregation, ..good.clone() }), "aggregation");
        }
        let compat = DfmParams { compat: Some(Compat::Anomalib), ..good.clone() };
        assert!(compat.clone().check().is_ok());
        assert_eq!(refused(DfmParams { aggregation: Aggregation::Max, ..compat.clone() }), "aggregation");
        for keep in [Keep::Ratio(1.0), Keep::Components(1)] {
            assert_eq!(refused(DfmParams { keep, ..compat.clone() }), "principal components");
        }
        for keep in [Keep::Ratio(0.0), Keep::Ratio(1.5), Keep::Ratio(f64::NAN), Keep::Components(0)] {
            assert!(DfmParams { keep, ..good.clone() }.check().is_err(), "{keep:?}");
        }
    }
}
