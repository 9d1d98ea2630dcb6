//! How the threshold is found with no defects at hand.

use serde::{Deserialize, Serialize};

use crate::error::DfmError;
use crate::method::kinds::CalibrationKind;

/// The smallest rate that can be asked for: a smaller one would take more than a million
/// pictures.
const SMALLEST_RATE: f64 = 1e-6;

/// How a threshold follows from held-out scores where no rate is stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ThresholdEstimate {
    /// The quantile of the scores: of few scores it is the largest.
    Quantile,
    /// The [`Tail`](dfm_stats::Tail) of the scores: it says of few scores how far higher ones may lie, and
    /// of many it is their quantile.
    #[default]
    Tail,
}

/// How the threshold is found with no defects at hand.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct CalibrationParams {
    /// Where no rate is stated, the share of held-out good pictures that should stay below
    /// the threshold, in (0, 1]: an estimate.
    pub quantile: f64,
    /// How that share makes a threshold. Checked parameters have a tail only where it decides: with the
    /// kind that is usual for the method, no rate and no threshold.
    pub estimate: ThresholdEstimate,
    /// How good pictures come to be held out; `None` for the kind that is usual for the method
    /// ([`Method::usual_calibration`](crate::Method::usual_calibration)). Checked parameters
    /// have a kind.
    pub kind: Option<CalibrationKind>,
    /// The share of good pictures that may be called anomalous, from 0.000001 to 0.5. A picture whose
    /// p-value is at most this share is anomalous.
    pub false_alarm: Option<f64>,
    /// A threshold that was chosen, whatever the held-out pictures say: they then give p-values
    /// alone. In place of `false_alarm`.
    pub threshold: Option<f64>,
}

impl Default for CalibrationParams {
    /// The tail beyond 99 % of what is usually held out.
    fn default() -> Self {
        Self {
            quantile: 0.99,
            estimate: ThresholdEstimate::Tail,
            kind: None,
            false_alarm: None,
            threshold: None,
        }
    }
}

impl From<CalibrationKind> for CalibrationParams {
    /// The default, with pictures held out in this way.
    fn from(kind: CalibrationKind) -> Self {
        Self::default().with_kind(kind)
    }
}

impl CalibrationParams {
    /// Sets the share of held-out good pictures that should stay below the threshold.
    #[must_use]
    pub fn with_quantile(mut self, quantile: f64) -> Self {
        self.quantile = quantile;
        self
    }

    /// Sets how that share makes a threshold.
    #[must_use]
    pub fn with_estimate(mut self, estimate: ThresholdEstimate) -> Self {
        self.estimate = estimate;
        self
    }

    /// Sets how good pictures come to be held out.
    #[must_use]
    pub fn with_kind(mut self, kind: impl Into<Option<CalibrationKind>>) -> Self {
        self.kind = kind.into();
        self
    }

    /// Sets the share of good pictures that may be called anomalous.
    #[must_use]
    pub fn with_false_alarm(mut self, false_alarm: impl Into<Option<f64>>) -> Self {
        self.false_alarm = false_alarm.into();
        self
    }

    /// Sets the threshold.
    #[must_use]
    pub fn with_threshold(mut self, threshold: impl Into<Option<f64>>) -> Self {
        self.threshold = threshold.into();
        self
    }

    /// The share of good pictures that should stay below what is calibrated.
    pub(crate) fn share_below(self) -> f64 {
        self.false_alarm.map_or(self.quantile, |false_alarm| 1.0 - false_alarm)
    }
}

/// Refuses a number that is not a rate of false alarms.
pub(crate) fn check_false_alarm(false_alarm: f64) -> Result<(), DfmError> {
    if (SMALLEST_RATE..=0.5).contains(&false_alarm) {
        return Ok(());
    }
    let (name, expected) = ("false alarm rate", "a share from 0.000001 to 0.5");
    Err(DfmError::Parameter { name, expected, got: false_alarm.to_string() })
}
