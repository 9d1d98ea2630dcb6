//! From scores and p-values to verdicts.

use crate::decide::calibration::{Calibration, Label};
use crate::error::DfmError;
use crate::judge::options::Threshold;
use crate::method::CalibrationKind;
use crate::model::Dfm;

/// The limit from which a picture is anomalous, and how scores are normalised.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decision {
    pub(crate) calibration: Option<Calibration>,
    /// The rate of false alarms that p-values are compared with; `None` if scores are compared.
    pub(crate) decisive_rate: Option<f64>,
}

impl Decision {
    pub(crate) fn label(self, score: f64, p_value: Option<f64>) -> Option<Label> {
        match (self.decisive_rate, p_value) {
            (Some(rate), Some(p_value)) if p_value <= rate => Some(Label::Anomalous),
            (Some(_), Some(_)) => Some(Label::Normal),
            _ => self.calibration.map(|calibration| calibration.label(score)),
        }
    }
}

impl Dfm {
    /// The same model with another threshold, keeping the spread that normalisation uses.
    ///
    /// # Errors
    ///
    /// If it is not finite.
    pub fn with_threshold(mut self, threshold: f64) -> Result<Self, DfmError> {
        let decision = self.decision(Some(Threshold::Score(threshold)))?;
        (self.judged.calibration, self.decisive_rate) = (decision.calibration, decision.decisive_rate);
        Ok(self)
    }

    /// The model's decision, or that of another threshold.
    pub(crate) fn decision(&self, threshold: Option<Threshold>) -> Result<Decision, DfmError> {
        let at = |threshold: f64, decisive_rate| {
            let calibration = match self.judged.calibration {
                Some(calibration) => calibration.with_threshold(threshold)?,
                None => Calibration::at(threshold)?,
            };
            Ok(Decision { calibration: Some(calibration), decisive_rate })
        };
        match threshold {
            None => Ok(Decision { calibration: self.judged.calibration, decisive_rate: self.decisive_rate }),
            Some(Threshold::Score(threshold)) => at(threshold, None),
            Some(Threshold::FalseAlarm(rate)) => {
                let scores = self.judged.scores.as_ref().ok_or(DfmError::NotCalibrated)?;
                let decides = scores.kind() == CalibrationKind::JackknifePlus;
                at(scores.threshold_at(rate)?, decides.then_some(rate))
            }
        }
    }
}
